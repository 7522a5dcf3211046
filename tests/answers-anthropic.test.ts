import { expect, test } from 'vitest'
import { type Answer, anthropic, block, CLAUDE, type Json, plainClaude, setUp, words } from './support/answers.ts'

const start = (more: object = {}) => ({
  type: 'message_start',
  message: { id: 'm', type: 'message', role: 'assistant', content: [], ...more },
})
const stop = (more: object = { usage: { output_tokens: 2 } }) => [
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, ...more },
  { type: 'message_stop' },
]
const stream = (...events: object[]): Answer => ({ named: true, open: true, events })
const at = (index: number, events: object[]) => events.map((event) => ({ ...event, index }))
const USAGE = { input_tokens: 3, output_tokens: 1 }

/** Answers that the package for Anthropic refuses as they are; all mean "It is 42". */
const ANSWERS: [name: string, answer: Answer][] = [
  [
    'an event of Vertex',
    stream(
      start({ usage: USAGE }),
      { type: 'vertex_event', usage: { input_tokens: 9 } },
      ...words('It is 42'),
      ...stop(),
    ),
  ],
  [
    'keep-alives of a gateway',
    stream(
      { type: 'keepalive' },
      start({ usage: USAGE }),
      { warning: 'slow' },
      ...words('It is 42'),
      { type: 'amazon-bedrock-invocationMetrics' },
      ...stop(),
    ),
  ],
  [
    'an unknown block',
    stream(
      start({ usage: USAGE }),
      ...at(
        0,
        block({ type: 'hologram', frames: [] }, { type: 'text_delta', text: 'NO' }, { type: 'frame_delta', frame: 1 }),
      ),
      ...at(1, words('It is 42')),
      ...stop(),
    ),
  ],
  [
    'an unknown delta',
    stream(
      start({ usage: USAGE }),
      ...block(
        { type: 'text', text: '' },
        { type: 'text_delta', text: 'It is ' },
        { type: 'tone_delta', tone: 'calm' },
        { type: 'text_delta', text: '42' },
      ),
      ...stop(),
    ),
  ],
  [
    'a text block without a text',
    stream(start({ usage: USAGE }), ...block({ type: 'text' }, { type: 'text_delta', text: 'It is 42' }), ...stop()),
  ],
  ['no usage at the start', stream(start(), ...words('It is 42'), ...stop())],
  ['no usage at the end', stream(start({ usage: USAGE }), ...words('It is 42'), ...stop({}))],
  ['no usage at all', stream(start(), ...words('It is 42'), ...stop({}))],
  [
    'usage of nulls',
    stream(
      start({ usage: { input_tokens: null, output_tokens: null } }),
      ...words('It is 42'),
      ...stop({ usage: { output_tokens: null } }),
    ),
  ],
  [
    'an empty start',
    stream({ type: 'message_start' }, ...words('It is 42'), {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn' },
    }),
  ],
]

test.each(ANSWERS)('Claude behind a gateway: a stream with %s is read', async (_name, answer) => {
  const { ask } = await setUp(CLAUDE, [answer])
  const { text, error, usage } = await ask(true)
  expect(error).toBeUndefined()
  expect(text).toBe('It is 42')
  expect(usage.input_tokens).toBeGreaterThan(0)
  expect(usage.output_tokens).toBeGreaterThan(0)
})

const text = { type: 'text', text: 'It is 42' }
const PLAIN: [name: string, json: object][] = [
  ['no usage', { ...plainClaude('end_turn', text), usage: undefined }],
  ['half of the usage', { ...plainClaude('end_turn', text), usage: { input_tokens: 3 } }],
  ['an unknown block', plainClaude('end_turn', { type: 'hologram', frames: [] }, text)],
  ['thinking without a signature', plainClaude('end_turn', { type: 'thinking', thinking: 'hm' }, text)],
  ['a text in place of blocks', { ...plainClaude('end_turn'), content: 'It is 42' }],
  ['no type', { ...plainClaude('end_turn', text), type: undefined }],
]
test.each(PLAIN)('Claude behind a gateway: an answer with %s is read', async (_name, json) => {
  const { ask } = await setUp(CLAUDE, [{ json }])
  const answer = await ask(false)
  expect(answer.error).toBeUndefined()
  expect(answer.text).toBe('It is 42')
})

test('missing usage of Claude is estimated, and marked', async () => {
  const { ask } = await setUp(CLAUDE, [
    {
      ...stream(start(), ...words('It is 42'), ...stop({})),
      json: { ...plainClaude('end_turn', text), usage: undefined },
    },
  ])
  for (const streamed of [true, false]) {
    const { usage } = await ask(streamed)
    expect(usage).toMatchObject({ estimated: true, output_tokens: 2 })
    expect(usage.input_tokens).toBeGreaterThan(10)
  }
})

test('usage that is there is not called an estimate', async () => {
  const { ask } = await setUp(CLAUDE, [
    { ...anthropic('end_turn', ...words('It is 42')), json: plainClaude('end_turn', text) },
  ])
  for (const streamed of [true, false]) expect((await ask(streamed)).usage).not.toHaveProperty('estimated')
})

test('calls among unknown blocks run once each', async () => {
  const call = (index: number, id: string | undefined, city: string) =>
    at(
      index,
      block(
        { type: 'tool_use', ...(id && { id }), name: 'get_weather' },
        { type: 'input_json_delta', partial_json: `{"city":"${city}"}` },
      ),
    )
  const { ask, ran, seen } = await setUp(CLAUDE, [
    stream(
      start(),
      ...call(0, 't1', 'Paris'),
      ...at(1, block({ type: 'hologram' })),
      ...call(2, undefined, 'Rome'),
      { type: 'message_delta', delta: { stop_reason: 'tool_use' } },
      { type: 'message_stop' },
    ),
    anthropic('end_turn', ...words('Done.')),
  ])
  expect((await ask(true)).text).toBe('Done.')
  expect(ran).toEqual(['Paris', 'Rome'])
  const results = seen[1].messages.at(-1).content.map(({ tool_use_id }: Json) => tool_use_id)
  expect(new Set(results).size).toBe(2)
})

test.each([
  ['a text', { type: 'error', error: 'engine died' }],
  ['JSON in a text', { type: 'error', error: '{"message":"engine died"}' }],
  ['no type', { error: { message: 'engine died' } }],
])('an error of Claude as %s ends the run with its words', async (_name, event) => {
  const { ask } = await setUp(CLAUDE, [stream(start({ usage: USAGE }), ...words('so far'), event)])
  expect((await ask(true)).error).toContain('engine died')
})
