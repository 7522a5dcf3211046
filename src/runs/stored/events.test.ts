import { expect, test } from 'vitest'
import type { RunSummary, Speaker } from '../events.ts'
import { createDecoder, createEncoder, isMinor, type LoggedEvent } from './events.ts'
import { emptySummary } from './outcome.ts'

const who: Speaker = {
  agent: 'CEO',
  description: 'says ,"event": often',
  callerAgent: null,
  agentRunId: 'agent_run_1',
  parentRunId: 'call_1',
}
const raw = { type: 'message', id: 'm1' }
const item = {
  kind: 'item',
  who,
  name: 'tool_output',
  type: 'tool_call_output_item',
  raw,
  source: who,
  output: { a: [1, null] },
} as const
const through = (event: LoggedEvent, scope?: string) =>
  createDecoder()({ number: 7, attempt: 1, event: createEncoder()(event, scope) })

const EVENTS: LoggedEvent[] = [
  { kind: 'started', runId: 'r', notes: [{ role: 'system', content: 'note' }] },
  { kind: 'queued', position: 2 },
  { kind: 'agent', who },
  item,
  { kind: 'error', who, content: 'It failed.' },
  { kind: 'tripped', content: 'No.' },
  { kind: 'attempt', attempt: 2, voidAfter: 19 },
  {
    kind: 'requires_action',
    approvals: [{ approvalId: 'a', agent: 'CEO', tool: 'pay', callId: 'c', arguments: { n: 1 }, expiresAt: 5 }],
  },
  { kind: 'truncated' },
]

test.each(EVENTS)('$kind comes back as it was', (event) => {
  expect(through(event, 'main/c1')).toEqual({ number: 7, scope: 'main/c1', event })
  expect(through(event).scope).toBeUndefined()
})

test("a model's event keeps the provider's own text", () => {
  const text = '{"type":"response.output_text.delta", "delta":"a\\u00e9\\"}" ,"event": 1}'
  const event = { kind: 'model', who, event: JSON.parse(text), text } as const
  expect(through(event, 'main').event).toEqual(event)
})

test("a model's event without a text gets one", () => {
  const event = { kind: 'model', who, event: { type: 'x', delta: 'é' } } as const
  expect(through(event, 'main')).toEqual({
    number: 7,
    scope: 'main',
    event: { ...event, text: '{"type":"x","delta":"é"}' },
  })
})

test('the scope of a speaker is that of the event', () => {
  const encode = createEncoder()
  const event = { kind: 'model', who, event: { type: 'x' } } as const
  const decode = createDecoder()
  const scopes = ['main', 'main/a', 'main'].map(
    (scope) => decode({ number: 1, attempt: 1, event: encode(event, scope) }).scope,
  )
  expect(scopes).toEqual(['main', 'main/a', 'main'])
})

test('events of one speaker share one object', () => {
  const encode = createEncoder()
  const decode = createDecoder()
  const [first, second] = [1, 2].map(
    (number) => decode({ number, attempt: 1, event: encode({ kind: 'agent', who: { ...who } }, 'main') }).event,
  )
  expect((first as { who: Speaker }).who).toBe((second as { who: Speaker }).who)
})

test('the end keeps the summary and not the error object', () => {
  const summary: RunSummary = emptySummary({
    finalOutput: 'done',
    error: new Error('sk-secret'),
    failure: 'It failed.',
  })
  const text = createEncoder()({ kind: 'ended', runId: 'r', summary }, undefined)
  expect(text).not.toContain('secret')
  expect(createDecoder()({ number: 1, attempt: 1, event: text }).event).toMatchObject({
    kind: 'ended',
    summary: { finalOutput: 'done', failure: 'It failed.', cancelled: false },
  })
})

test("the store's own end closes the stream", () => {
  const event = JSON.stringify({ kind: 'ended', status: 'completed' })
  expect(createDecoder()({ number: 9, attempt: 1, event }).event).toEqual({ kind: 'closed' })
})

test('deltas of every kind are pieces, whole items are not', () => {
  const model = (type: string) => ({ kind: 'model', who, event: { type } }) as const
  expect(isMinor(model('response.output_text.delta'))).toBe(true)
  expect(isMinor(model('response.function_call_arguments.delta'))).toBe(true)
  expect(isMinor(model('response.output_text.done'))).toBe(false)
  expect(isMinor(item)).toBe(false)
})
