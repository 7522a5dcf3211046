import { Writable } from 'node:stream'
import Fastify from 'fastify'
import { pino } from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, Agent, type ServeOptions } from '../src/index.ts'
import { allFrames, post, readFrames, startServer, useUpstream } from './support/client.ts'

type Line = { [key: string]: unknown; msg: string; level: number }

/** A real pino and the lines it wrote. */
function collectLines() {
  const written: string[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk))
      done()
    },
  })
  const lines = (): Line[] => written.map((line) => JSON.parse(line))
  return {
    logger: pino({ base: null }, stream),
    written,
    lines,
    of: (msg: string) => lines().filter((line) => line.msg === msg),
  }
}

const serveSolo = (options: Partial<ServeOptions>) =>
  startServer({ agencies: { solo: new Agency(new Agent({ name: 'Solo', model: 'gpt-4.1' })) }, ...options })

test('each request is one log line with its run and figures', async () => {
  await useUpstream(() => ({ text: 'ok' }))
  const { logger, of } = collectLines()
  const { url } = await serveSolo({ logger })
  const frames = await allFrames(`${url}/solo/get_response_stream?key=sk-in-query`, { message: 'Hi' })
  await post(`${url}/solo/get_response`, { message: 'Hi' })
  await fetch(`${url}/solo/get_metadata`)
  await fetch(`${url}/nowhere?password=secret`)
  await expect.poll(() => of('request')).toHaveLength(4)
  const common = { level: 30, time: expect.any(Number), durationMs: expect.any(Number), msg: 'request' }
  const run = { agency: 'solo', agent: 'Solo', outcome: 'completed', tokens: 15, costUsd: expect.closeTo(6e-5, 8) }
  expect(of('request')).toEqual([
    {
      ...common,
      ...run,
      method: 'POST',
      path: '/solo/get_response_stream',
      status: 200,
      runId: frames[0]?.data.run_id,
      streaming: true,
    },
    {
      ...common,
      ...run,
      method: 'POST',
      path: '/solo/get_response',
      status: 200,
      runId: expect.any(String),
      streaming: false,
    },
    { ...common, method: 'GET', path: '/solo/get_metadata', status: 200 },
    { ...common, method: 'GET', path: '/nowhere', status: 404 },
  ])
})

test('a failed run is logged with id and cause, without secrets', async () => {
  await useUpstream((_body, index) =>
    index === 0 ? { status: 400, message: 'bad sk-server-key\nforged line\u001b[31m' } : { hang: true },
  )
  const { logger, written, of } = collectLines()
  const { url } = await serveSolo({ logger })
  await post(`${url}/solo/get_response`, { message: 'Hi' })
  await expect.poll(() => of('request')).toHaveLength(1)
  const [line] = of('request')
  expect(line).toMatchObject({ level: 50, status: 500, outcome: 'failed' })
  const failure = JSON.parse(written.find((text) => text.includes('A run failed.')) ?? '{}')
  expect(failure).toMatchObject({ level: 50, runId: line?.runId, agency: 'solo', agent: 'Solo' })
  expect(failure.msg).toMatch(/^A run failed\. \(400 bad \[redacted\] forged line \P{Cc}*$/u)
  expect(written.join('')).not.toContain('sk-server-key')

  const leave = new AbortController()
  const frames = readFrames(`${url}/solo/get_response_stream`, { message: 'Hi' }, leave.signal)
  await frames.next()
  leave.abort()
  await expect.poll(() => of('request')).toHaveLength(2)
  expect(of('request')[1]).toMatchObject({ aborted: true, outcome: 'cancelled', streaming: true })
})

test('start and stop are logged, probes are not', async () => {
  const { logger, lines } = collectLines()
  const print = vi.spyOn(console, 'log')
  onTestFinished(() => print.mockRestore())
  const agencies = { solo: new Agency(new Agent({ name: 'Solo', model: 'demo' })) }
  const { url, close, port } = await startServer({ agencies, logger, metrics: true, banner: undefined as never })
  await fetch(`${url}/metrics`)
  await close()
  expect(lines().map((line) => line.msg)).toEqual(['listening', 'stopping', 'stopped'])
  expect(lines()[0]?.address).toMatchObject({ address: '127.0.0.1', port })
  expect(print).not.toHaveBeenCalled()
})

test('a logger that throws changes nothing', async () => {
  await useUpstream(() => ({ status: 400, message: 'no' }))
  const print = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => print.mockRestore())
  const broken = (): never => {
    throw new Error('disk full')
  }
  const { url, close } = await serveSolo({ logger: { info: broken, warn: broken, error: broken } })
  expect((await post(`${url}/solo/get_response`, { message: 'Hi' })).status).toBe(500)
  expect((await fetch(`${url}/solo/get_metadata`)).status).toBe(200)
  await close()
  await expect.poll(() => print.mock.calls.length).toBe(6) // listening, the failure, two requests, stopping, stopped
  expect(new Set(print.mock.calls.flat())).toEqual(new Set(['The logger failed: disk full']))
})

test("in a Fastify app of one's own, true means that app's log", async () => {
  const { logger, of } = collectLines()
  const app = Fastify({ loggerInstance: logger })
  onTestFinished(() => app.close())
  await app.register(agencySwarm, {
    prefix: '/ai',
    agencies: { solo: new Agency(new Agent({ name: 'Solo', model: 'demo' })) },
    logger: true,
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  await post(`${url}/ai/solo/get_response`, { message: 'Hello' })
  await expect
    .poll(() => of('request'))
    .toMatchObject([{ path: '/ai/solo/get_response', agency: 'solo', outcome: 'completed' }])
})

test.each([
  [{}, true],
  [{ maxParamLength: 256 }, false],
  [{ routerOptions: { maxParamLength: 256 } }, false],
  [{ routerOptions: { maxParamLength: 255 } }, true],
])('an app with %j is warned of ids that are too long for it: %s', async (options, isWarned) => {
  const { logger, written } = collectLines()
  const app = Fastify({ ...options })
  onTestFinished(() => app.close())
  await app.register(agencySwarm, {
    agencies: { solo: new Agency(new Agent({ name: 'Solo', model: 'demo' })) },
    logger,
  })
  const longest = await app.inject(`/solo/threads/${'x'.repeat(256)}`)
  expect([written.join().includes('maxParamLength: 256'), longest.json().code === 'NOT_FOUND']).toEqual([
    isWarned,
    !isWarned,
  ])
})

test('true is pino, as JSON lines on stdout', async () => {
  const { execFileSync } = await import('node:child_process')
  const script = `
    import { Agency, Agent, serve } from './src/index.ts'
    const agencies = { solo: new Agency(new Agent({ name: 'Solo', model: 'demo' })) }
    const { url, close } = await serve({ agencies, logger: true, host: '127.0.0.1', port: 0 })
    await fetch(url + '/solo/get_metadata')
    await close()
  `
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: new URL('..', import.meta.url),
    encoding: 'utf8',
  })
  const lines = out
    .trim()
    .split('\n')
    .map((line): Line => JSON.parse(line))
  expect(lines.map((line) => line.msg).toSorted()).toEqual(['listening', 'request', 'stopped', 'stopping'])
})
