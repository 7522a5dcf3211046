/** Schedules (docs/schedules.md): cron expressions that start runs. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { notFound, storeUnavailable, threadBusy } from '../src/base/errors.ts'
import { readSchedules, type ScheduleOptions } from '../src/composition/schedules.ts'
import { memory, sqlite } from '../src/index.ts'
import { Scheduler } from '../src/runs/scheduler.ts'
import type { StartStoredRun } from '../src/runs/stored/service.ts'
import { createScene } from '../src/stores/contract/scene.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { type Json, serveRuns } from './support/runs.ts'

const hourly = { name: 'hourly', cron: '0 * * * *', agency: 'support', request: { message: 'Report' } }
const HOUR = 3_600_000
const AT = Date.parse('2026-12-01T09:00:00Z')

/** A process with schedules and a clock of the test; `runs` are those that it has started. */
async function createProcess(store = memory(), schedules: ScheduleOptions[] = [hourly], at = AT + 1) {
  const clock = { now: at }
  const runs: string[] = []
  const failures: Error[] = []
  const errors: string[] = []
  const agencies = [{ path: 'support', preview: { agentNames: ['CEO'] } }] as never
  const rules = { historyItems: 10, clientConfig: [], maxTurns: 10, maxCost: null, startLaterMs: 1e9, webhooks: true }
  const read = await readSchedules(schedules, { agencies, rules, identifies: false })
  const { admit } = createScene(store)
  const scheduler = new Scheduler({
    schedules: read,
    store,
    now: () => clock.now,
    log: { info: () => {}, warn: () => {}, error: (text) => errors.push(text) },
    start: async (request: StartStoredRun) => {
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      const { agency, owner, schedule = null, idempotency = null, metadata } = request
      const name = `${Math.random()}`
      const admitted = await admit(name, { agency, owner, schedule, idempotency, metadata, now: clock.now })
      if (!admitted.replayed) runs.push(String(metadata.due_at))
      return admitted
    },
  })
  onTestFinished(() => scheduler.stop())
  const lookAt = async (now: number) => {
    clock.now = now
    await scheduler.look()
  }
  const restart = (now: number) => createProcess(store, schedules, now)
  return { at: lookAt, runs, failures, errors, restart, store }
}
const due = (hour: number) => new Date(AT + hour * HOUR).toISOString()

test('each due time starts one run, in whichever process comes first', async () => {
  const first = await createProcess()
  await first.at(AT + 1)
  const second = await first.restart(AT + 2)
  await second.at(AT + 2)
  expect(first.runs).toEqual([]) // a new schedule has no past
  await Promise.all([first.at(AT + HOUR), second.at(AT + HOUR + 3)])
  await second.at(AT + HOUR + 1000)
  expect([...first.runs, ...second.runs]).toEqual([due(1)])
})

test('missed times are made up for by one run, also days later', async () => {
  const before = await createProcess()
  await before.at(AT + 1)
  await before.at(AT + HOUR)
  const after = await before.restart(AT + 50.5 * HOUR)
  await after.at(AT + 50.5 * HOUR)
  await after.at(AT + 50.6 * HOUR)
  expect([before.runs, after.runs]).toEqual([[due(1)], [due(50)]])
  const asleep = await before.restart(AT + 1) // its key is forgotten by now
  await asleep.store.write({ kind: 'sweep', now: AT + 90 * HOUR, eventsMs: 1e12, runsMs: 1e12 })
  await asleep.at(AT + 50.7 * HOUR)
  expect(asleep.runs).toEqual([])
})

test('a passing failure is tried again, another one is reported once', async () => {
  const process = await createProcess()
  await process.at(AT + 1)
  process.failures.push(storeUnavailable(new Error('away')))
  await process.at(AT + HOUR)
  await process.at(AT + HOUR + 1000)
  expect(process.runs).toEqual([due(1)])
  process.failures.push(threadBusy('r'))
  await process.at(AT + 2 * HOUR)
  await process.at(AT + 2 * HOUR + 1000)
  process.failures.push(notFound('run'))
  await process.at(AT + 3 * HOUR)
  await process.at(AT + 4 * HOUR)
  expect(process.runs).toEqual([due(1), due(4)])
  expect(process.errors).toHaveLength(3)
})

test('times follow the clocks of the time zone', async () => {
  const rules = { historyItems: 10, clientConfig: [], maxTurns: 10, maxCost: null, startLaterMs: 1e9, webhooks: true }
  const agencies = [{ path: 'support', preview: { agentNames: ['CEO'] } }] as never
  const options = [{ ...hourly, cron: '0 9 * * *', timezone: 'Europe/Berlin' }]
  const [daily] = await readSchedules(options, { agencies, rules, identifies: false })
  const next = (text: string) => new Date(daily?.next(Date.parse(text)) ?? 0).toISOString()
  expect(next('2027-03-27T09:00:00Z')).toBe('2027-03-28T07:00:00.000Z') // summer time has begun
  expect(next('2026-10-24T07:00:00Z')).toBe('2026-10-25T08:00:00.000Z')
  expect(daily?.latest(Date.parse('2026-12-01T08:00:00Z'))).toBe(Date.parse('2026-12-01T08:00:00Z'))
})

test('a server starts the runs of its schedules', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  const schedule = {
    name: 'tick',
    cron: '* * * * * *',
    agency: 'support',
    request: { message: 'Report', thread_id: 'ticks', metadata: { channel: 'cron' } },
  }
  const { api } = await serveRuns({ runs: { store: sqlite(`${useFolder()}/runs.db`), schedules: [schedule] } })
  const list = async () => (await api.get('/runs?status=completed')).body.data
  await vi.waitFor(async () => expect((await list()).length).toBeGreaterThan(1), 10_000)
  const runs = await list()
  for (const { metadata, thread_id } of runs)
    expect([metadata.channel, metadata.schedule, thread_id]).toEqual(['cron', 'tick', 'ticks'])
  expect(new Set(runs.map(({ metadata }: Json) => metadata.due_at)).size).toBe(runs.length)
})

test.for([
  ['an unknown field', { ...hourly, when: 'now' }, /"when"/],
  ['a name with a blank', { ...hourly, name: 'each hour' }, /visible ASCII/],
  ['an unknown agency', { ...hourly, agency: 'sales' }, /"sales"/],
  ['a wrong expression', { ...hourly, cron: 'hourly' }, /wrong cron expression/],
  ['an expression that is never due', { ...hourly, cron: '0 0 30 2 *' }, /never due/],
  ['a wrong time zone', { ...hourly, timezone: 'Mars/Base' }, /time zone/],
  ['a wrong request', { ...hourly, request: { text: 'Hi' } }, /request that is not valid/],
] as const)('wrong schedules are refused: %s', async ([, schedule, text]) => {
  await useUpstream(() => ({ text: 'Done' }))
  const refused = serveRuns({ runs: { schedules: [schedule as ScheduleOptions] } })
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(text) })
})
