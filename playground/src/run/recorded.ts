/** Views of recorded streams, for tests. */
import { createEventReader } from '../../../src/client/events.ts'
import { readCase } from '../../../tests/support/recorded.ts'
import { beginRun, followEvent, type RunView } from './run.ts'

/** The view of a recorded stream of the Python original, with 10 ms between its events. */
export function followRecorded(name: string): RunView {
  const read = createEventReader()
  const frames = (readCase(name).find(({ response }) => response.events)?.response.events ?? []).filter(
    ({ folded }) => folded === undefined,
  )
  return frames
    .map(({ event, data }) => read({ event, data: typeof data === 'string' ? data : JSON.stringify(data) }))
    .reduce((run, event, index) => followEvent(run, event, 1000 + 10 * index), beginRun(1000))
}
