import { expect, test } from 'vitest'
import { followRecorded } from './recorded.ts'
import { FRONT } from './run.ts'
import { readTimeline } from './timeline.ts'

test('every agent has a lane, and a sub-agent starts within its call', () => {
  const { lanes, totalMs } = readTimeline(followRecorded('send_message_stream'), 0)
  expect(lanes.map((lane) => lane.agent)).toEqual(['CEO', 'Developer'])
  expect(lanes[0]?.thread).toBe(FRONT)
  const asked = lanes[0]?.spans.find((span) => span.kind === 'call')
  for (const span of lanes[1]?.spans ?? []) {
    expect(span.startMs).toBeGreaterThanOrEqual(asked?.startMs ?? Number.NaN)
    expect(span.startMs).toBeLessThan(asked?.endMs ?? Number.NaN)
  }
  expect(lanes.flatMap((lane) => lane.spans).every((span) => span.endMs <= totalMs)).toBe(true)
})
