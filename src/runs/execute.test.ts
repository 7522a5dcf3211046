import { expect, test } from 'vitest'
import { RecordingFeed, recordLog, type Script, scriptedPlan, waitForAbort } from '../../tests/support/scripted-run.ts'
import { Budget } from '../base/budget.ts'
import { modelFailed } from '../base/model-errors.ts'
import { timeLimit } from '../base/run-errors.ts'
import { type CancelMode, type ExecuteOptions, type Execution, execute } from './execute.ts'
import type { RunPlan } from './plan.ts'

/** A run that is ready to be executed, with what it writes. */
async function prepare(script: Script, more: Partial<Execution & ExecuteOptions> & { plan?: RunPlan } = {}) {
  const feed = new RecordingFeed()
  const log = recordLog()
  const abort = new AbortController()
  const budget = new Budget({ bound: 1e9, refuse: () => new Error('full') })
  const plan = more.plan ?? (await scriptedPlan(script))
  const run: Execution = {
    id: 'run-1',
    plan,
    feed,
    abort,
    stopMode: () => undefined,
    span: undefined,
    budget,
    save: undefined,
    ...more,
  }
  const limits = { idleTimeoutMs: 1000, callbackMs: 1000, toolEventBytes: 1000 }
  const options = { limits, exposeErrors: false, redact: (text: string) => text, log, logFailures: true, ...more }
  return { feed, log, abort, start: () => execute(run, options) }
}

test('a run begins with started and ends with ended, which has the summary', async () => {
  const { feed, start } = await prepare(() => 'Hello')
  const summary = await start()
  expect(feed.events[0]).toEqual({ kind: 'started', runId: 'run-1', notes: [] })
  expect(feed.events.at(-1)).toEqual({ kind: 'ended', runId: 'run-1', summary })
  expect(feed.events.filter(({ kind }) => kind === 'started' || kind === 'ended')).toHaveLength(2)
  expect(feed.sealed).toBe(true)
  expect(summary).toMatchObject({ finalOutput: 'Hello', cancelled: false, failure: undefined, error: undefined })
  expect(summary.newMessages.map(({ role }) => role)).toEqual(['user', 'assistant'])
})

test('a failed model is an error event, and its own text stays in the log', async () => {
  const fail = () => Promise.reject(modelFailed('quota of account 17', new TypeError('inner')))
  const { feed, log, start } = await prepare(fail)
  const summary = await start()
  const failure = 'The run of agent Solo failed (cause: TypeError).'
  expect(summary).toMatchObject({ failure, cancelled: false, error: { code: 'MODEL_FAILED' } })
  expect(feed.events.at(-2)).toEqual({ kind: 'error', who: undefined, content: failure })
  expect(feed.events.at(-1)).toMatchObject({ kind: 'ended', summary: { failure } })
  expect(log.lines.join()).toMatch(/^A run failed. .*quota of account 17/)
})

test('exposeErrors gives callers the text of the model', async () => {
  const { start } = await prepare(() => Promise.reject(modelFailed('quota of account 17')), { exposeErrors: true })
  expect((await start()).failure).toBe('quota of account 17')
})

test('where the caller gets the error, a failed run is not logged', async () => {
  const { log, start } = await prepare(() => Promise.reject(modelFailed('quota')), { logFailures: false })
  expect((await start()).error).toMatchObject({ message: 'quota' })
  expect(log.lines).toEqual([])
})

test('a cancelled run is no failure', async () => {
  const { feed, abort, log, start } = await prepare(waitForAbort)
  const done = start()
  abort.abort(new Error('The run was cancelled.'))
  expect(await done).toMatchObject({ cancelled: true, failure: undefined, error: undefined })
  expect(feed.events.map(({ kind }) => kind)).not.toContain('error')
  expect(feed.events.at(-1)).toMatchObject({ kind: 'ended', summary: { cancelled: true } })
  expect(log.lines).toEqual([])
})

test('a run that a limit stops fails with the error of the limit', async () => {
  const { feed, abort, start } = await prepare(waitForAbort)
  const done = start()
  abort.abort(timeLimit(5000))
  expect(await done).toMatchObject({ cancelled: false, error: { code: 'TIME_LIMIT' } })
  expect(feed.events.at(-2)).toMatchObject({ kind: 'error', content: expect.stringContaining('5 seconds') })
})

test('a stop after the turn keeps the answer and marks the run', async () => {
  let mode: CancelMode | undefined
  const answer = () => {
    mode = 'after_turn'
    return 'Hello'
  }
  const { start } = await prepare(answer, { stopMode: () => mode })
  expect(await start()).toMatchObject({ cancelled: true, finalOutput: 'Hello', failure: undefined })
})

test('an error of our own ends only its run, with all its last events', async () => {
  const ends: object[] = []
  const inside = () => {
    throw new Error('broken')
  }
  const span = { inside, end: (end: object) => void ends.push(end) } as unknown as NonNullable<Execution['span']>
  const { feed, log, start } = await prepare(() => 'Hello', { span })
  const failure = 'The run of agent Solo failed (cause: InternalError).'
  expect(await start()).toMatchObject({ failure, newMessages: [], usage: undefined, error: expect.any(Error) })
  expect(feed.events.map(({ kind }) => kind)).toEqual(['started', 'error', 'ended'])
  expect(feed.sealed).toBe(true)
  expect(ends).toMatchObject([{ failure: { message: failure } }])
  expect(log.lines.join()).toMatch(/^A run broke off\. .*broken/)
})

test('a listener hears every event before readers, and cannot end the run', async () => {
  const heard: string[] = []
  const onEvent: ExecuteOptions['onEvent'] = ({ kind }) => {
    heard.push(kind)
    if (kind === 'model') throw new Error('of the listener')
  }
  const { feed, log, start } = await prepare(() => 'Hello', { onEvent })
  expect(await start()).toMatchObject({ finalOutput: 'Hello' })
  expect(heard).toEqual(feed.events.map(({ kind }) => kind))
  expect(log.lines[0]).toMatch(/^onEvent failed; the run goes on\. .*of the listener/)
})

test('the conversation is saved before the end is announced', async () => {
  const order: string[] = []
  const { start } = await prepare(() => 'Hello', {
    save: (messages) => void order.push(`saved ${messages.length}`),
    onEvent: ({ kind }) => void order.push(kind),
  })
  await start()
  expect(order.filter((entry) => entry.startsWith('saved'))).toEqual(['saved 1', 'saved 2'])
  expect(order.at(-1)).toBe('ended')
})
