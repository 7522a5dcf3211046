import { expect, test } from 'vitest'
import type { RunSummary, Speaker } from '../events.ts'
import { createDecoder, createEncoder, encodeInTurns, isMinor, type LoggedEvent } from './events.ts'
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
const decodeOne = async (decode: ReturnType<typeof createDecoder>, number: number, event: string) =>
  (await decode([{ number, attempt: 1, event }]))[0]
const through = (event: LoggedEvent, scope?: string) => decodeOne(createDecoder(), 7, createEncoder()(event, scope))

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

test.each(EVENTS)('$kind comes back as it was', async (event) => {
  expect(await through(event, 'main/c1')).toEqual({ number: 7, scope: 'main/c1', event })
  expect((await through(event))?.scope).toBeUndefined()
})

test.each([{ ...item, output: 'é"'.repeat(200_000) } satisfies LoggedEvent, ...EVENTS])(
  'in turns with other work $kind becomes the same text, and comes back',
  async (event) => {
    const text = await encodeInTurns(event, 'main')
    expect(text === createEncoder()(event, 'main')).toBe(true)
    expect(await decodeOne(createDecoder(), 7, text)).toEqual({ number: 7, scope: 'main', event })
  },
)

test("a model's event keeps the provider's own text", async () => {
  const text = '{"type":"response.output_text.delta", "delta":"a\\u00e9\\"}" ,"event": 1}'
  const event = { kind: 'model', who, event: JSON.parse(text), text } as const
  expect((await through(event, 'main'))?.event).toEqual(event)
})

test("a model's event without a text gets one", async () => {
  const event = { kind: 'model', who, event: { type: 'x', delta: 'é' } } as const
  expect(await through(event, 'main')).toEqual({
    number: 7,
    scope: 'main',
    event: { ...event, text: '{"type":"x","delta":"é"}' },
  })
})

test('the scope of a speaker is that of the event', async () => {
  const encode = createEncoder()
  const event = { kind: 'model', who, event: { type: 'x' } } as const
  const decode = createDecoder()
  const scopes = ['main', 'main/a', 'main']
  const stored = scopes.map((scope, index) => ({ number: index, attempt: 1, event: encode(event, scope) }))
  expect((await decode(stored)).map(({ scope }) => scope)).toEqual(['main', 'main/a', 'main'])
})

test('events of one speaker share one object', async () => {
  const encode = createEncoder()
  const decode = createDecoder()
  const stored = [1, 2].map((number) => ({
    number,
    attempt: 1,
    event: encode({ kind: 'agent', who: { ...who } }, 'main'),
  }))
  const [first, second] = (await decode(stored)).map(({ event }) => (event as { who: Speaker }).who)
  expect(first).toBe(second)
})

test('the end keeps the summary and not the error object', async () => {
  const summary: RunSummary = emptySummary({
    finalOutput: 'done',
    error: new Error('sk-secret'),
    failure: 'It failed.',
  })
  const text = createEncoder()({ kind: 'ended', runId: 'r', summary }, undefined)
  expect(text).not.toContain('secret')
  expect((await decodeOne(createDecoder(), 1, text))?.event).toMatchObject({
    kind: 'ended',
    summary: { finalOutput: 'done', failure: 'It failed.', cancelled: false },
  })
})

test("the store's own end closes the stream", async () => {
  const event = JSON.stringify({ kind: 'ended', status: 'completed' })
  expect((await decodeOne(createDecoder(), 9, event))?.event).toEqual({ kind: 'closed' })
})

test('deltas of every kind are pieces, whole items are not', () => {
  const model = (type: string) => ({ kind: 'model', who, event: { type } }) as const
  expect(isMinor(model('response.output_text.delta'))).toBe(true)
  expect(isMinor(model('response.function_call_arguments.delta'))).toBe(true)
  expect(isMinor(model('response.output_text.done'))).toBe(false)
  expect(isMinor(item)).toBe(false)
})
