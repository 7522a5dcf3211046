import { expect, test } from 'vitest'
import { z } from 'zod'
import type { ModelSpec } from '../src/index.ts'
import { type Answer, CHAT, chat, chunk, delta, RESPONSES, response, setUp, text, whole } from './support/answers.ts'

const thinking = { type: 'thinking', thinking: [{ type: 'text', text: 'let me see' }] }
/** Answers in other shapes: all mean "It is 42". */
const SHAPES: [name: string, model: ModelSpec, answer: Answer, thought?: string][] = [
  [
    'lists of parts (Mistral)',
    CHAT,
    {
      events: [
        chunk({ content: [thinking] }),
        chunk({ content: [{ type: 'text', text: 'It is ' }] }),
        chunk({ content: '42' }, 'stop'),
      ],
      json: whole({ content: [thinking, { type: 'text', text: 'It is 42' }] }),
    },
    'let me see',
  ],
  [
    'reasoning in summaries (Databricks)',
    CHAT,
    {
      events: [
        chunk({ content: [{ type: 'reasoning', summary: [{ type: 'summary_text', text: 'let me see' }] }] }),
        chunk({ content: [{ type: 'text', text: 'It is 42' }] }, 'stop'),
      ],
      json: whole({ content: [{ type: 'reasoning', summary: [{ text: 'let me see' }] }, 'It is 42'] }),
    },
    'let me see',
  ],
  [
    'one part instead of a list',
    CHAT,
    {
      events: [chunk({ content: { type: 'text', text: 'It is 42' } }, 'stop')],
      json: whole({ content: { type: 'text', text: { value: 'It is 42' } } }),
    },
  ],
  [
    'reasoning twice',
    CHAT,
    {
      events: [chunk({ reasoning_content: '', reasoning: 'let me see' }), chunk({ content: 'It is 42' }, 'stop')],
      json: whole({ content: 'It is 42', reasoning: 'let me see', reasoning_content: 'let me see' }),
    },
    'let me see',
  ],
  [
    'whole messages in a stream',
    CHAT,
    {
      events: [{ choices: [{ message: { content: 'It is 42' }, finish_reason: 'stop' }] }],
      json: whole({ content: 'It is 42' }),
    },
  ],
  ['one JSON document for a streamed call', CHAT, { json: whole({ content: 'It is 42' }) }],
  [
    'texts of completions',
    CHAT,
    {
      events: [{ choices: [{ text: 'It is ' }] }, { choices: [{ text: '42', finish_reason: 'stop' }] }],
      json: { choices: [{ text: 'It is 42', finish_reason: 'stop' }] },
    },
  ],
  [
    'what is spoken',
    CHAT,
    {
      events: [chunk({ audio: { id: 'a', transcript: 'It is ' } }), chunk({ audio: { transcript: '42' } }, 'stop')],
      json: whole({ content: null, audio: { id: 'a', data: 'AA==', transcript: 'It is 42' } }),
    },
  ],
  [
    'empty events',
    CHAT,
    { events: ['', ' ', {}, chunk({ content: 'It is 42' }, 'stop')], json: whole({ content: 'It is 42' }) },
  ],
  [
    'blanks behind the last event',
    CHAT,
    { events: [chunk({ content: 'It is 42' }), '[DONE] '], open: true, json: whole({ content: 'It is 42' }) },
  ],
  [
    'empty events',
    RESPONSES,
    {
      events: [
        '',
        {},
        delta('It is 42'),
        { created: 1 },
        { type: 'response.completed', response: response([text('It is 42')]) },
        '[DONE] ',
      ],
      json: response([text('It is 42')]),
    },
  ],
  [
    'an error that is none beside the answer',
    CHAT,
    {
      events: [chunk({ content: 'It is ' }, null, { error: '' }), chunk({ content: '42' }, 'stop', { error: {} })],
      json: whole({ content: 'It is 42' }, 'stop', { error: false }),
    },
  ],
  ['no finish reason', CHAT, { events: [chunk({ content: 'It is 42' })], json: whole({ content: 'It is 42' }, null) }],
  [
    'text deltas alone',
    RESPONSES,
    {
      events: [delta('It is '), delta('42'), { type: 'response.completed', response: response([]) }],
      json: response([text('It is 42')]),
    },
  ],
  [
    'deltas without places',
    RESPONSES,
    {
      events: [
        { type: 'response.output_text.delta', delta: 'It is ' },
        { type: 'response.output_text.delta', delta: '42' },
        { type: 'response.done', response: response([]) },
      ],
      json: response([text('It is 42')]),
    },
  ],
  [
    'an item that is never done (early vLLM)',
    RESPONSES,
    {
      events: [
        { type: 'response.output_item.added', output_index: 0, item: text('', { status: 'in_progress', content: [] }) },
        delta('It is '),
        delta('42'),
        { type: 'response.completed', response: response([]) },
      ],
      json: response([text('It is 42')]),
    },
  ],
  [
    'an item without content',
    RESPONSES,
    {
      events: [
        delta('It is 42'),
        { type: 'response.output_item.done', output_index: 0, item: text('', { content: [] }) },
        { type: 'response.completed', response: response([text('', { content: [] })]) },
      ],
      json: response([text('It is 42')]),
    },
  ],
  [
    'an item that closes too early (OmniRoute)',
    RESPONSES,
    {
      events: [
        delta('It'),
        { type: 'response.output_item.done', output_index: 0, item: text('It') },
        delta(' is 42'),
        { type: 'response.completed', response: response([text('It')]) },
      ],
      json: response([text('It is 42')]),
    },
  ],
  [
    'another id in each delta',
    RESPONSES,
    {
      events: [
        delta('It is ', { item_id: 'x' }),
        delta('42', { item_id: 'y' }),
        { type: 'response.completed', response: response([]) },
      ],
      json: response([text('It is 42')]),
    },
  ],
  ['one JSON document for a streamed call', RESPONSES, { json: response([text('It is 42')]) }],
]
test.each(SHAPES)('an answer of another shape is the same answer: %s', async (_name, model, answer, thought) => {
  const { ask } = await setUp(model, [answer])
  for (const streamed of [true, false]) {
    const { items, error, text } = await ask(streamed)
    expect(error).toBeUndefined()
    if (!streamed || answer.events !== undefined) expect(text).toBe('It is 42')
    expect(items.filter(({ role }) => role === 'assistant')).toEqual([
      expect.objectContaining({ status: 'completed', content: [expect.objectContaining({ text: 'It is 42' })] }),
    ])
    const thoughts = items.filter(({ type }) => type === 'reasoning').flatMap(({ summary }) => summary)
    expect(thoughts.map((part) => part.text)).toEqual(thought === undefined ? [] : [thought])
  }
})

const at = { item_id: 'msg_1', output_index: 0, content_index: 0 }
test.each([
  ['its part', { type: 'response.content_part.done', ...at, part: { type: 'output_text', text: 'It is 42' } }],
  ['its text', { type: 'response.output_text.done', ...at, text: 'It is 42' }],
])('a text that comes only with the end of %s is the answer', async (_name, done) => {
  const added = { type: 'response.output_item.added', output_index: 0, item: { ...text(''), content: [] } }
  const thought = {
    type: 'response.content_part.done',
    item_id: 'rs_1',
    output_index: 1,
    part: { type: 'reasoning_text', text: 'hm' },
  }
  const { ask } = await setUp(RESPONSES, [
    { events: [added, thought, done, { type: 'response.completed', response: response([]) }] },
  ])
  const { items, error } = await ask(true)
  expect(error).toBeUndefined()
  const said = items.filter(({ role }) => role === 'assistant')
  expect(said).toMatchObject([{ content: [{ text: 'It is 42' }] }])
})

const image = (url: string) => ({ images: [{ type: 'image_url', image_url: { url } }] })
test.each([
  ['its bytes', { content: '', ...image('data:image/png;base64,AA==') }, '', ['AA==']],
  ['its bytes and a text', { content: 'Here:', ...image('data:image/png;base64,AA==') }, 'Here:', ['AA==']],
  ['its address', { content: '', ...image('https://images.example/a.png') }, 'https://images.example/a.png', []],
])('an image in an answer is not lost: %s (OpenRouter)', async (_name, message, said, results) => {
  const { ask } = await setUp(CHAT, [{ events: [chunk(message), chunk({}, 'stop')], json: whole(message) }])
  for (const streamed of [true, false]) {
    const { items, error, text } = await ask(streamed)
    expect(error).toBeUndefined()
    expect(text).toBe(said)
    expect(items.flatMap(({ type, result }) => (type === 'image_generation_call' ? [result] : []))).toEqual(results)
  }
})

const OUTPUTS: [name: string, text: string][] = [
  ['a fence', '```json\n{"city":"Paris"}\n```'],
  ['a fence on one line', '```json {"city":"Paris"}```'],
  ['a fence without a language', '```\n{"city":"Paris"}\n```\n'],
  ['text round a fence', 'Here it is:\n\n```JSON\n{"city":"Paris"}\n```\nAnything else?'],
  ['a fence that stays open', '```json\n{"city":"Paris"}'],
  ['waves', '~~~json\n{"city":"Paris"}\n~~~'],
  ['the second fence', '```sh\nls\n```\n```json\n{"city":"Paris"}\n```'],
  ['no fence', ' {"city":"Paris"}\n'],
  ['a sentence before it', 'Sure! {"city":"Paris"}'],
  ['sentences around it', 'See [1]:\n{"city":"Paris"}\nAnything else?'],
  ['thinking before it', '<think>\nOr {"city":"Rome"}? ```json\n{"city":"Oslo"}\n```\n</think>\n\n{"city":"Paris"}'],
  ['a text that holds it', '"{\\"city\\":\\"Paris\\"}"'],
  ['a byte order mark', '\uFEFF{"city":"Paris"}'],
]
test.each(OUTPUTS)('JSON of an outputType is read from %s', async (_name, content) => {
  const { ask } = await setUp(CHAT, [chat(content, 'stop')], { agent: { outputType: z.object({ city: z.string() }) } })
  expect((await ask(false)).text).toEqual({ city: 'Paris' })
  expect((await ask(true)).error).toBeUndefined()
})
test('JSON with fences is read whole, and other text is an error', async () => {
  const inside = JSON.stringify({ city: 'say ```js\nx\n``` twice' }, undefined, 1)
  const nested = await setUp(CHAT, [chat(`\`\`\`json\n${inside}\n\`\`\``, 'stop')], {
    agent: { outputType: z.object({ city: z.string() }) },
  })
  expect((await nested.ask(false)).text).toEqual({ city: 'say ```js\nx\n``` twice' })
  const wrong = await setUp(CHAT, [chat('Paris, of course', 'stop')], {
    agent: { outputType: z.object({ city: z.string() }) },
  })
  expect((await wrong.ask(false)).error).toMatch(/does not match its outputType: .*Paris, of/)
})

const usage = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 }
const USAGE: [name: string, last: object][] = [
  ['usage', { choices: [], usage }],
  ['x_groq', { choices: [], x_groq: { id: 'req', usage } }],
  ['the choice (Moonshot)', { choices: [{ delta: {}, finish_reason: 'stop', usage }] }],
  ['texts', { choices: [], usage: { prompt_tokens: '9', completion_tokens: '4', total_tokens: '13' } }],
  ['names of the Responses API', { choices: [], usage: { input_tokens: 9, output_tokens: 4 } }],
]
test.each(USAGE)('usage is counted where its provider puts it: %s', async (_name, last) => {
  const { ask } = await setUp(CHAT, [
    { events: [chunk({ content: 'Hi' }, 'stop', { usage: null }), last, { choices: [], usage: null }] },
  ])
  expect((await ask(true)).usage).toMatchObject({
    request_count: 1,
    input_tokens: 9,
    output_tokens: 4,
    total_tokens: 13,
  })
})
test.each([[null], ['lots'], [{ prompt_tokens: null, completion_tokens: -3, total_tokens: {} }]])(
  'a usage that cannot be one counts nothing: %j',
  async (odd) => {
    const { ask } = await setUp(CHAT, [
      {
        events: [chunk({ content: 'Hi' }, 'stop', { usage: odd })],
        json: whole({ content: 'Hi' }, 'stop', { usage: odd }),
      },
    ])
    for (const streamed of [true, false])
      expect((await ask(streamed)).usage).toMatchObject({ input_tokens: 0, output_tokens: 0, total_tokens: 0 })
  },
)
