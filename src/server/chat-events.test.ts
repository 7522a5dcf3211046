import { expect, test } from 'vitest'
import type { RunRecord } from '../runs/run-store.ts'
import type { LoggedEvent, NumberedEvent } from '../runs/stored/events.ts'
import type { StoredRuns } from '../runs/stored/service.ts'
import { readChatEvents } from './chat-events.ts'

const ID = { agency: 'a', owner: 'o', runId: 'r' }
const log = (...events: LoggedEvent[]): NumberedEvent[] => events.map((event, index) => ({ number: index + 1, event }))
const started: LoggedEvent = { kind: 'started', runId: 'r', notes: [] }
const queued = (position: number): LoggedEvent => ({ kind: 'queued', position })
const attempt = (voidAfter: number): LoggedEvent => ({ kind: 'attempt', attempt: 2, voidAfter })

/** Stored runs with one run, whose log is read one event at a time. */
function runsWith(events: readonly NumberedEvent[], record: Partial<RunRecord>): StoredRuns {
  const replay = async function* (_id: unknown, upTo = Number.POSITIVE_INFINITY) {
    for (const event of events) if (event.number <= upTo) yield [event]
  }
  const store = { read: async () => ({ ...ID, attempt: 1, lastEventId: 0, endedAt: null, ...record }) }
  return { store, replay, follow: (id: unknown) => replay(id) } as unknown as StoredRuns
}

async function read(runs: StoredRuns) {
  const { events, end, last } = readChatEvents(runs, ID, new AbortController().signal)
  const numbers: number[] = []
  for await (const batch of events) for (const { number } of batch) numbers.push(number)
  return { numbers, end: end(), last: last() }
}

test('events of an attempt that died are left out of a replay', async () => {
  const events = log(started, queued(1), queued(2), attempt(1), queued(3), { kind: 'closed' })
  const runs = runsWith(events, { attempt: 2, lastEventId: 6 })
  expect(await read(runs)).toEqual({ numbers: [1, 4, 5, 6], end: 'ended', last: 6 })
})

test('a new attempt ends a stream that has shown void events', async () => {
  const events = log(started, queued(1), attempt(1), queued(2), { kind: 'closed' })
  expect(await read(runsWith(events, { lastEventId: 2 }))).toMatchObject({ numbers: [1, 2], end: 'void' })
})
