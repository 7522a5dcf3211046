import { expect, onTestFinished, test, vi } from 'vitest'
import { type AgencyFactory, readAgency } from '../src/agency/served.ts'
import { readLimits } from '../src/base/limits.ts'
import { fileUrlFailed } from '../src/base/request-errors.ts'
import { createRuns } from '../src/composition/runs.ts'
import { createNativeDialect } from '../src/dialects/native/dialect.ts'
import { type StartOptions, startServedRun } from '../src/runs/start.ts'
import { CLIENT_CONFIG_FIELDS } from '../src/wire/client-config.ts'
import { recordLog, type Script, scriptedAgency, waitForAbort } from './support/scripted-run.ts'

/** Starts runs of an agency as a worker or another protocol does: there is no server. */
async function prepare(factory: AgencyFactory, body: object = {}) {
  const log = recordLog()
  const limits = readLimits()
  const redact = (text: string) => text
  const runs = createRuns({ limits, redact, log, logFailures: true, exposeErrors: false })
  onTestFinished(() => runs.models.close())
  const served = await readAgency('shop', factory, limits.callbackMs)
  const rules = { historyItems: 100, clientConfig: CLIENT_CONFIG_FIELDS }
  const dialect = createNativeDialect({ scalars: 'json', rules })
  const request = await dialect.read({ message: 'Hi', ...body }, served)
  const start = (options: Partial<StartOptions> = {}) =>
    startServedRun(runs.with({}), served, dialect.toRunRequest(request, served), { streaming: true, ...options })
  return { start, runner: runs.runner, dialect, request, log }
}
const serve =
  (script: Script): AgencyFactory =>
  (callbacks) =>
    scriptedAgency(script, callbacks)

test('a run is started, followed and written without a server', async () => {
  const { start, dialect, request } = await prepare(serve(() => 'Hello'))
  const run = await start()
  const writer = dialect.writer(request)
  let frames = ''
  for await (const batch of run.events ?? []) frames += writer.frames(batch)
  expect(frames).toMatch(/^event: meta\n[\s\S]*"delta":"Hello"[\s\S]*event: end\ndata: \[DONE\]\n\n$/)
  expect(await run.done).toMatchObject({ finalOutput: 'Hello' })
})

test('the signal of its caller cancels a run, also when it aborted before', async () => {
  const { start, runner } = await prepare(serve(waitForAbort))
  const gone = new AbortController()
  const run = await start({ signal: gone.signal, streaming: false })
  gone.abort()
  expect(await run.done).toMatchObject({ cancelled: true, failure: undefined })
  const late = await start({ signal: gone.signal, streaming: false })
  expect(await late.done).toMatchObject({ cancelled: true })
  expect(runner.size).toBe(0)
})

test('a signal that aborts after the end of the run does nothing', async () => {
  const { start } = await prepare(serve(() => 'Hello'))
  const gone = new AbortController()
  const run = await start({ signal: gone.signal, streaming: false })
  const summary = await run.done
  gone.abort()
  expect(summary).toMatchObject({ cancelled: false, finalOutput: 'Hello' })
})

test('the steps and the end of a run are written to the log of its request', async () => {
  const { start } = await prepare(serve(() => 'Hello'))
  const lines: string[] = []
  const run = await start({ streaming: false, log: (level, message) => lines.push(`${level} ${message}`) })
  await run.done
  expect(lines).toEqual([
    'INFO Agent Solo starts',
    expect.stringMatching(/^INFO Agent Solo calls its model/),
    expect.stringMatching(/^INFO The model of Solo answered/),
    'INFO Agent Solo finished',
    expect.stringMatching(/^INFO The run finished/),
  ])
})

test('files that cannot be attached are an error before any run exists', async () => {
  const { start, runner } = await prepare(
    serve(() => 'Hello'),
    { file_urls: { 'a.txt': 'ftp://x/a.txt' } },
  )
  const lines: string[] = []
  const { code, statusCode } = fileUrlFailed('')
  await expect(start({ log: (level) => lines.push(level) })).rejects.toMatchObject({ code, statusCode })
  expect(lines).toEqual(['ERROR'])
  expect(runner.size).toBe(0)
})

test('a conversation is saved, unless its caller keeps it', async () => {
  const saved: number[] = []
  const saveThreads = (messages: object[]) => void saved.push(messages.length)
  const own = await prepare((callbacks) => scriptedAgency(() => 'Hello', { ...callbacks, saveThreads }))
  await (await own.start()).done
  expect(saved).toEqual([1, 2])
  const callers = await prepare(serve(() => 'Hello'))
  const started = vi.spyOn(callers.runner, 'start')
  await (await callers.start()).done
  expect(started.mock.calls[0]?.[1].save, 'no list is put together for it').toBeUndefined()
})

test('a run of a served agency belongs to that agency', async () => {
  const { start, runner } = await prepare(serve(waitForAbort))
  const run = await start({ streaming: false })
  await expect(runner.cancel(run.id, 'other', 'immediate', 100)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' })
  expect(await runner.cancel(run.id, 'shop', 'immediate', 1000)).toMatchObject({ cancelled: true })
})
