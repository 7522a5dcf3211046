import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, type ServeOptions, sqlite, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { post, startServer, useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'

interface Line {
  message: string
  details: { timestamp: string; level: string; location: object }
}

async function serveLogged(options: Partial<ServeOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'logs-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const fails = tool({
    name: 'fails',
    execute: () => {
      throw new Error('sk-server-key\n{"message":"forged"}\u001b[31m')
    },
  })
  const agent = new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [fails] })
  const logsDir = join(folder, 'logs')
  const { url, close } = await startServer({
    agencies: { solo: new Agency(agent) },
    tools: [fails],
    enableLogging: true,
    logsDir,
    ...options,
  })
  const run = (id: string, message = 'a private question') =>
    post(`${url}/solo/get_response`, { message, user_context: { pin: 'pin-1234' } }, { 'x-agency-log-id': id })
  const take = (log_id: string) => post(`${url}/get_logs`, { log_id })
  return { folder, logsDir: options.logsDir ?? logsDir, url, close, run, take }
}

test('a request with a log id is logged, and its log is read once', async () => {
  promise('A7', 'B9')
  await useUpstream((_body, index) =>
    index % 2 === 0 ? { calls: [{ name: 'fails', arguments: {} }] } : { text: 'Done' },
  )
  const { url, run, take, logsDir } = await serveLogged()
  await run('first-1')
  const answer = await take('first-1')
  const lines = JSON.parse(await answer.clone().text()) as Line[]
  expect(await answer.text()).toMatch(/^\[\n {2}\{\n {4}"message"/)
  expect(lines.map((line) => line.message)).toEqual([
    'Agent Assistant starts',
    'Agent Assistant calls its model (1 items)',
    'The model of Assistant answered (1 items)',
    'Agent Assistant calls tool fails',
    'Tool fails returned to Assistant',
    'Agent Assistant calls its model (3 items)',
    'The model of Assistant answered (1 items)',
    'Agent Assistant finished',
    'The run finished (30 tokens)',
  ])
  expect(lines[0]?.details).toMatchObject({
    level: 'INFO',
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+$/),
  })
  expect([(await take('first-1')).status, await (await take('first-1')).json()]).toEqual([
    404,
    { error: 'Log file not found' },
  ])
  await run('second')
  const both = await Promise.all([fetch(`${url}/get_logs?log_id=second`), take('second')])
  expect(both.map((response) => response.status).sort()).toEqual([200, 404])
  expect(readdirSync(logsDir)).toEqual([])
  expect([(await take('')).status, await (await take('')).json()]).toEqual([400, { error: 'Log ID is required' }])
  expect((await post(`${url}/get_logs`, {})).status).toBe(422)
  expect((await fetch(`${url}/get_logs`)).status).toBe(422)
})

test('no secret, private text or control code is logged', async () => {
  promise('A7')
  await useUpstream(() => ({ status: 400, message: 'a private question sk-server-key' }))
  const { url, run, take, folder, logsDir } = await serveLogged({ exposeErrors: true })
  await run('failing')
  await post(`${url}/tool/fails`, {}, { 'x-agency-log-id': 'failing' })
  const read = () => readFileSync(join(logsDir, 'failing.jsonl'), 'utf8')
  await expect.poll(read).toMatch(/The run failed.*Tool fails failed: \[redacted\]/s)
  const text = read()
  for (const secret of ['sk-server-key', 'pin-1234', '\u001b', '\\u001b']) expect(text).not.toContain(secret)
  for (const line of text.trim().split('\n')) expect(Object.keys(JSON.parse(line))).toEqual(['message', 'details'])
  writeFileSync(join(folder, 'outside.jsonl'), '{"message":"outside"}\n')
  for (const id of ['../outside', '..%2Foutside', `${folder}/outside`, '.hidden', 'a'.repeat(200), 'a/b']) {
    await run(id)
    expect((await take(id)).status, id).toBe(404)
  }
  symlinkSync(join(folder, 'outside.jsonl'), join(logsDir, 'linked.jsonl'))
  expect((await take('linked')).status).toBe(404)
  symlinkSync(join(folder, 'outside.jsonl'), join(logsDir, 'linked.jsonl'))
  await run('linked')
  expect(readFileSync(join(folder, 'outside.jsonl'), 'utf8')).toBe('{"message":"outside"}\n')
  expect(readdirSync(folder).sort()).toEqual(['logs', 'outside.jsonl'])
})

test('a stored run is logged in each of its attempts', async () => {
  promise('A7')
  await useUpstream((_body, index) => {
    if (index === 0) return { hang: true }
    return index === 1 ? { calls: [{ name: 'fails', arguments: {} }] } : { text: 'Done' }
  })
  const stream = new PassThrough()
  const logger = pino({ base: null }, stream)
  const path = join(useFolder(), 'runs.db')
  const before = await serveLogged({ runs: { store: sqlite(path) }, limits: { drainMs: 0 }, logger })
  const started = await post(
    `${before.url}/solo/runs`,
    { message: 'a private question' },
    { 'x-agency-log-id': 'run-1' },
  )
  const { run_id: runId } = (await started.json()) as { run_id: string }
  await expect.poll(() => existsSync(join(before.logsDir, 'run-1.jsonl'))).toBe(true)
  await before.close()
  const after = await serveLogged({ runs: { store: sqlite(path) }, logsDir: before.logsDir, logger })
  const ended = await fetch(`${after.url}/solo/runs/${runId}?wait=30`)
  expect(await ended.json()).toMatchObject({ status: 'completed', attempt: 2 })
  await expect.poll(() => readFileSync(join(before.logsDir, 'run-1.jsonl'), 'utf8')).toContain('The run finished')
  const text = await (await after.take('run-1')).text()
  expect((JSON.parse(text) as Line[]).map(({ message }) => message)).toEqual([
    'The run starts (attempt 1)',
    'Agent Assistant starts',
    'Agent Assistant calls its model (1 items)',
    'The run left its process, and is taken up again',
    'The run starts (attempt 2)',
    'Agent Assistant starts',
    'Agent Assistant calls its model (1 items)',
    'The model of Assistant answered (1 items)',
    'Agent Assistant calls tool fails',
    'Tool fails returned to Assistant',
    'Agent Assistant calls its model (3 items)',
    'The model of Assistant answered (1 items)',
    'Agent Assistant finished',
    expect.stringMatching(/^The run finished \(\d+ tokens\)$/), // with an estimate for the call that was cut off
  ])
  const lines = String(stream.read())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const common = { runId, agency: 'solo', agent: 'Assistant' }
  expect(lines.filter(({ msg }) => msg.startsWith('run ')).map(({ level, time, durationMs, ...line }) => line)).toEqual(
    [
      { ...common, attempt: 1, msg: 'run started' },
      { ...common, attempt: 1, msg: 'run left', status: 'in_progress' },
      { ...common, attempt: 2, msg: 'run started' },
      {
        ...common,
        attempt: 2,
        msg: 'run ended',
        status: 'completed',
        tokens: expect.any(Number),
        costUsd: expect.any(Number),
      },
    ],
  )
  expect(text + JSON.stringify(lines)).not.toContain('private')
})

test('no log id reaches anything outside the folder', async () => {
  promise('A7')
  await useUpstream(() => ({ text: 'Done' }))
  const { url, folder, logsDir } = await serveLogged()
  writeFileSync(join(folder, 'outside.jsonl'), '{"message":"outside"}\n')
  const odd = fc.constantFrom(
    '..',
    '../outside',
    '.',
    '',
    ' ',
    'a/../../outside',
    'CON',
    '-',
    '__proto__',
    '%2e%2e',
    'a.jsonl',
    '\u00e9',
    'a'.repeat(129),
  )
  const id = fc.oneof(
    odd,
    fc.string({ maxLength: 20 }),
    fc.string({ unit: fc.constantFrom('a', '_', '-', '/', '.', '\\'), maxLength: 8 }),
  )
  await fc.assert(
    fc.asyncProperty(id, async (log_id) => {
      const header = log_id.replace(/[^\t\x20-\x7e\x80-\xff]/g, '')
      const wrote = await post(`${url}/solo/get_response`, { message: 'Hi' }, { 'x-agency-log-id': header })
      expect(wrote.status).toBe(200)
      for (const taken of [
        await post(`${url}/get_logs`, { log_id }),
        await fetch(`${url}/get_logs?log_id=${encodeURIComponent(log_id)}`),
      ]) {
        expect([200, 400, 404], log_id).toContain(taken.status)
        expect(await taken.text(), log_id).not.toContain('outside')
      }
      expect(readdirSync(folder).sort()).toEqual(existsSync(logsDir) ? ['logs', 'outside.jsonl'] : ['outside.jsonl'])
      for (const file of existsSync(logsDir) ? readdirSync(logsDir) : [])
        expect(file).toMatch(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}\.jsonl$/)
    }),
    { numRuns: 40 },
  )
  expect(readFileSync(join(folder, 'outside.jsonl'), 'utf8')).toBe('{"message":"outside"}\n')
})

test('exactly one of many readers gets a log', async () => {
  promise('A7', 'B9')
  await useUpstream(() => ({ text: 'Done' }))
  const { run, take, logsDir } = await serveLogged()
  await run('shared')
  const readers = await Promise.all(Array.from({ length: 20 }, () => take('shared')))
  expect(readers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 19 }, () => 404)])
  execFileSync('mkfifo', [join(logsDir, 'pipe.jsonl')])
  mkdirSync(join(logsDir, 'folder.jsonl'))
  for (const id of ['pipe', 'folder']) {
    await run(id)
    expect((await take(id)).status).toBe(404)
  }
  expect((await run('after')).status).toBe(200)
  expect((await take('after')).status).toBe(200)
})

test('lines that were not written whole are left out, and the rest is read', async () => {
  promise('A7')
  await useUpstream(() => ({ text: 'Done' }))
  const { take, logsDir } = await serveLogged()
  mkdirSync(logsDir, { recursive: true })
  const location = { file: 'agency-swarm-js', function: 'run', line: 0 }
  const line = { message: 'a', details: { timestamp: '2026-01-01T00:00:00.000', level: 'INFO', location } }
  const whole = JSON.stringify(line)
  for (const text of [`${whole}\n{"message":"hal`, `${whole.slice(0, 20)}\n${whole}\n`, `\0\n${whole}`]) {
    writeFileSync(join(logsDir, 'half.jsonl'), text)
    const answer = await take('half')
    expect([answer.status, await answer.json()], text).toEqual([200, [line]])
  }
  writeFileSync(join(logsDir, 'half.jsonl'), whole.slice(0, 20))
  const answer = await take('half')
  expect([answer.status, await answer.json()]).toEqual([200, []])
})

test('a log stops growing at its bound, and the oldest logs make room', async () => {
  promise('A7')
  await useUpstream(() => ({ text: 'Done' }))
  const { run, logsDir } = await serveLogged({ limits: { logBytes: 500, logFiles: 3 } })
  for (let index = 0; index < 3; index++) await run('small')
  expect(readFileSync(join(logsDir, 'small.jsonl')).length).toBeLessThanOrEqual(500)
  for (let index = 0; index < 103; index++) await run(`log-${index}`)
  await expect.poll(() => readdirSync(logsDir).length).toBeLessThan(20)
})

test('without enableLogging there is no such route and no file', async () => {
  promise('A7')
  await useUpstream(() => ({ text: 'Done' }))
  const { run, take, logsDir } = await serveLogged({ enableLogging: false })
  await run('first')
  expect((await take('first')).status).toBe(404)
  expect(existsSync(logsDir)).toBe(false)
})

test('a cross-site GET reads and deletes no log', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  const { url, run } = await serveLogged()
  await run('mine')
  const get = (site?: string) =>
    fetch(`${url}/get_logs?log_id=mine`, site === undefined ? {} : { headers: { 'sec-fetch-site': site } })
  const refused = await get('cross-site')
  expect([refused.status, await refused.json()]).toEqual([403, { detail: expect.stringContaining('send POST') }])
  expect((await get('cross-site')).status).toBe(403)
  expect((await get('same-origin')).status).toBe(200) // it was still there
  await run('mine')
  expect((await get('none')).status).toBe(200) // typed into the address bar
  await run('mine')
  expect((await get()).status).toBe(200)
})
