import { expect, test } from 'vitest'
import { frameText, readCase } from '../../../tests/support/recorded.ts'
import { addFrames, filterTrace, noTrace, traceText } from './trace.ts'

const recorded = (readCase('send_message_stream')[0]?.response.events ?? []).map((frame) => {
  const data = /^data: (.*)$/m.exec(frameText(frame))?.[1] ?? ''
  return { frame: { event: frame.event, data }, atMs: 1 }
})

test('a trace holds every event as it came', () => {
  const trace = addFrames(addFrames(noTrace, recorded.slice(0, 5)), recorded.slice(5))
  expect(trace.entries.map(({ event, data }) => ({ event, data }))).toEqual(recorded.map(({ frame }) => frame))
  expect(trace.entries.map((entry) => entry.number)).toEqual(recorded.map((_, index) => index + 1))
  expect(traceText(trace)).toBe((readCase('send_message_stream')[0]?.response.events ?? []).map(frameText).join(''))
})

test('a trace is filtered by agent, type and text', () => {
  const trace = addFrames(noTrace, recorded)
  const all = { agent: '', type: '', text: '' }
  expect(filterTrace(trace, all)).toHaveLength(recorded.length)
  const developer = filterTrace(trace, { ...all, agent: 'Developer' })
  expect(developer.length).toBeGreaterThan(3)
  expect(developer.every((entry) => JSON.parse(entry.data).data.agent === 'Developer')).toBe(true)
  const calls = filterTrace(trace, { ...all, type: 'tool_called' })
  expect(calls.map((entry) => entry.gist)).toEqual([expect.stringMatching(/^send_message\(\{/)])
  expect(filterTrace(trace, { ...all, text: 'run_ID' }).some((entry) => entry.event === 'meta')).toBe(true)
  expect(filterTrace(trace, { ...all, text: 'nowhere to be found' })).toEqual([])
})

test('a trace is bounded in number and size, and says how many events are gone', () => {
  const many = Array.from({ length: 6000 }, (_, index) => ({
    frame: { event: undefined, data: `{"n":${index}}` },
    atMs: 0,
  }))
  const trace = addFrames(noTrace, many)
  expect(trace.entries).toHaveLength(5000)
  expect(trace.dropped).toBe(1000)
  expect(trace.entries[0]?.number).toBe(1001)
  const large = Array.from({ length: 20 }, () => ({
    frame: { event: undefined, data: 'x'.repeat(1024 * 1024) },
    atMs: 0,
  }))
  const cut = addFrames(trace, large)
  expect(cut.chars).toBeLessThanOrEqual(16 * 1024 * 1024)
  expect(cut.chars).toBe(cut.entries.reduce((sum, entry) => sum + entry.data.length, 0))
  expect(cut.dropped + cut.entries.length).toBe(6020)
})
