import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { memory, type ServeOptions, serve, sqlite, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { startProcess } from './support/process.ts'
import { startUpstream } from './support/upstream.ts'

const PROGRAM = join(import.meta.dirname, 'support/workers-server.ts')
// Each worker loads the whole program anew.
vi.setConfig({ testTimeout: 90_000 })
const WAIT = { timeout: 60_000 }
const folder = mkdtempSync(join(tmpdir(), 'workers-'))
const upstream = await startUpstream((body) =>
  JSON.stringify(body.input).includes('hang') ? { hang: true } : { text: 'word '.repeat(20), deltas: 20, delayMs: 20 },
)
const stops: (() => void)[] = []
afterAll(async () => {
  for (const stop of stops) stop()
  await upstream.close()
  rmSync(folder, { recursive: true, force: true })
})

const start = () =>
  startProcess(
    PROGRAM,
    {
      OPENAI_BASE_URL: upstream.baseURL,
      OPENAI_API_KEY: 'sk-server',
      LOGS_DIR: join(folder, 'logs'),
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(folder, 'compiled'),
    },
    undefined,
    (stop) => stops.push(stop),
  )

let server: Awaited<ReturnType<typeof start>>
beforeAll(async () => {
  server = await start()
}, 120_000)

/** One connection, which one worker serves. */
function connect(url: string) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  const open = async (path: string, body?: object, headers = {}) => {
    const method = body === undefined ? 'GET' : 'POST'
    const request = http.request(`${url}${path}`, {
      agent,
      method,
      headers: { 'content-type': 'application/json', ...headers },
    })
    request.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    return response
  }
  const read = async (response: http.IncomingMessage) => {
    let text = ''
    for await (const chunk of response) text += chunk
    return text
  }
  const ask = async (path: string, body?: object, headers = {}) => {
    const response = await open(path, body, headers)
    return { status: response.statusCode, text: await read(response) }
  }
  return { open, read, ask, pid: async () => Number(JSON.parse((await ask('/tool/whoami', {})).text).response) }
}
type Connection = ReturnType<typeof connect>
/** A connection, and the worker at its end. */
type Served = { connection: Connection; pid: number }

/** Connections to both workers. */
async function connectBoth(url: string): Promise<[Served, Served]> {
  const found = new Map<number, Connection>()
  while (found.size < 2) {
    const connection = connect(url)
    found.set(await connection.pid(), connection)
    await sleep(20) // one of them may be starting, which takes the same cores
  }
  return [...found].map(([pid, connection]) => ({ pid, connection })) as [Served, Served]
}

/** A stream that has begun: its run, and its whole text once it has ended. */
async function stream({ open }: Connection, message: string, headers = {}) {
  const response = await open('/solo/get_response_stream', { message }, headers)
  response.setEncoding('utf8')
  let text = ''
  response.on('data', (chunk) => {
    text += chunk
  })
  response.on('error', () => {}) // its worker may crash
  const ended = new Promise<string>((resolve) => response.once('close', () => resolve(text)))
  const runId = await vi.waitFor(() => /"run_id":"([^"]+)"/.exec(text)?.[1] ?? expect.fail('no run yet'), WAIT)
  return { runId, ended }
}

test('a run is cancelled and its log read from another worker', async () => {
  promise('B4', 'A13')
  const [first, second] = await connectBoth(server.url)
  const { runId, ended } = await stream(first.connection, 'hang', { 'x-agency-log-id': 'over-there' })
  const cancel = (headers = {}, run_id = runId) =>
    second.connection.ask('/solo/cancel_response_stream', { run_id }, headers)
  expect((await cancel({ 'x-user': 'eve' })).status).toBe(404)
  expect((await cancel({}, 'x'.repeat(1000))).status).toBe(404)
  const answer = await cancel()
  expect(answer).toMatchObject({ status: 200 })
  expect(JSON.parse(answer.text)).toMatchObject({ cancelled: true, timed_out: false, new_messages: [{ role: 'user' }] })
  expect(await ended).toMatch(/"cancelled":true[\s\S]*event: end/)
  expect((await cancel()).status).toBe(404)
  const log = await second.connection.ask('/get_logs', { log_id: 'over-there' })
  expect(log.status).toBe(200)
})

test('rate limits and metrics are those of all workers together', async () => {
  promise('A13')
  const both = await connectBoth(server.url)
  const statuses: unknown[] = []
  for (let n = 0; n < 10; n++)
    statuses.push((await both[(n % 2) as 0 | 1].connection.ask('/healthz', undefined, { 'x-caller': 'eager' })).status)
  expect(statuses).toEqual([...Array(8).fill(200), 429, 429])
  const { text } = await both[0].connection.ask('/metrics')
  expect(text.match(/^process_uptime_seconds\{worker="\d"\}/gm)?.sort()).toEqual([
    'process_uptime_seconds{worker="1"}',
    'process_uptime_seconds{worker="2"}',
  ])
  expect(text.match(/^# TYPE process_uptime_seconds/gm)).toHaveLength(1)
})

test('kept runs without a store for all workers are refused with a reason', async () => {
  promise('A13')
  const { status, text } = await connect(server.url).ask('/solo/runs', { message: 'Hi' })
  expect({ status, ...JSON.parse(text) }).toMatchObject({ status: 501, code: 'STORE_NOT_SHARED' })
})

test('a worker that is stopped alone loses no stream and no request', async () => {
  promise('A13')
  const [first] = await connectBoth(server.url)
  const { ended } = await stream(first.connection, 'Hello')
  process.kill(first.pid, 'SIGTERM')
  const seen = new Set<number>()
  const before = await connectBoth(server.url)
  await vi.waitFor(async () => {
    seen.add(await connect(server.url).pid())
    for (const { connection } of before) await connection.pid()
    expect(() => process.kill(first.pid, 0)).toThrow()
  }, WAIT)
  expect(await ended).toMatch(/"cancelled":false[\s\S]*event: end/)
  expect(seen.size).toBeGreaterThan(1)
})

test('a worker that crashes leaves the others serving, and starts again', async () => {
  promise('A13')
  const [first, second] = await connectBoth(server.url)
  const more = await connectBoth(server.url)
  const lost = await stream(first.connection, 'hang')
  const kept = await stream((more.find(({ pid }) => pid === second.pid) as Served).connection, 'Hello')
  const cancelling = second.connection.ask('/solo/cancel_response_stream', {
    run_id: lost.runId,
    cancel_mode: 'after_turn',
  })
  process.kill(first.pid, 'SIGKILL')
  expect((await cancelling).status).toBe(404)
  await lost.ended
  expect(await kept.ended).toMatch(/"cancelled":false[\s\S]*event: end/)
  const again = await connectBoth(server.url)
  expect(again.map(({ pid }) => pid)).not.toContain(first.pid)
  expect(server.text()).toMatch(/Worker \d has ended\. It is started again in 100 ms/)
})

test('on SIGTERM all workers drain, and the program ends with 0', async () => {
  promise('A13', 'B2')
  const both = await connectBoth(server.url)
  const streams = await Promise.all(both.map(({ connection }) => stream(connection, 'Hello')))
  const probe = connect(server.url)
  expect((await probe.ask('/readyz')).status).toBe(200)
  server.child.kill('SIGTERM')
  await vi.waitFor(async () => expect((await connect(server.url).ask('/readyz')).status).toBe(503), WAIT)
  for (const { ended } of streams) expect(await ended).toMatch(/"cancelled":false[\s\S]*event: end/)
  expect(await server.exit).toEqual([0, null])
  expect(server.text().match(/is listening on/g)).toHaveLength(1)
  expect(server.text()).toContain('2 worker processes')
})

const noop = tool({ name: 'noop', execute: () => 'ok' })
const WRONG: { [name: string]: [options: Partial<ServeOptions> & { listen?: false }, text: RegExp] } = {
  'a store of memory': [
    { runs: { store: memory() } },
    /memory\(\) and sqlite\(\) serve one process\. Use postgres\(url\)/,
  ],
  'a SQLite file': [{ runs: { store: sqlite('x.db') } }, /Use postgres\(url\)/],
  'pages on the AI SDK': [{ aiSdk: true }, /aiSdk needs a store/],
  'sessions of MCP hosts': [{ mcp: true }, /sessions of MCP hosts live in one process/],
  'no port': [{ listen: false }, /has no workers/],
  'too many': [{ workers: 257 }, /from 1 to 256, not 257/],
  'a wrong word': [{ workers: 'many' as 'auto' }, /"auto" or a whole number/],
}
test.for(Object.entries(WRONG))('workers and %s are an option error', async ([, [options, text]]) => {
  await expect(serve({ tools: [noop], port: 0, workers: 2, ...options } as ServeOptions)).rejects.toThrow(text)
})
