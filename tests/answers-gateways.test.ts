import { expect, test } from 'vitest'
import { type Answer, CHAT, chunk, setUp, whole } from './support/answers.ts'

/** A chunk with several choices: `other` is said by the second. */
const choices = (...list: object[]) => ({ object: 'chat.completion.chunk', choices: list })
const choice = (index: number, delta: object, finish_reason: string | null = null) => ({ index, delta, finish_reason })
const USAGE = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 }

/** Streams and plain answers of gateways: all say "It is 42" and nothing else. */
const ANSWERS: [name: string, answer: Answer, expected?: { thought?: string; input?: number; notes?: object[] }][] = [
  [
    'several choices in one chunk',
    {
      events: [
        choices(choice(0, { content: 'It is ' }), choice(1, { content: 'Other' })),
        choices(choice(1, { content: ' one' }, 'stop'), choice(0, { content: '42' }, 'stop')),
      ],
      json: {
        choices: [
          { index: 1, message: { content: 'Other' }, finish_reason: 'length' },
          { index: 0, message: { content: 'It is 42' }, finish_reason: 'stop' },
        ],
      },
    },
  ],
  [
    'several choices in chunks of their own',
    {
      events: [
        choices(choice(1, { content: 'Other' })),
        choices(choice(0, { content: 'It is ' })),
        choices(
          choice(1, { tool_calls: [{ index: 0, id: 'x', function: { name: 'now', arguments: '{}' } }] }, 'error'),
        ),
        choices(choice(0, { content: '42' })),
        choices(choice(1, {}, 'length')),
        choices(choice(0, {}, 'stop')),
      ],
      json: whole({ content: 'It is 42' }),
    },
  ],
  [
    'choices without indexes',
    {
      events: [{ choices: [{ delta: { content: 'It is 42' }, finish_reason: 'stop' }] }],
      json: { choices: [{ message: { content: 'It is 42' }, finish_reason: 'stop' }] },
    },
  ],
  [
    'an index on the other choice alone',
    {
      events: [
        { choices: [{ delta: { content: 'It is 42' } }] },
        choices(choice(1, { content: 'Other' }, 'length')),
        { choices: [{ delta: {}, finish_reason: 'stop' }] },
      ],
      json: {
        choices: [
          { message: { content: 'It is 42' }, finish_reason: 'stop' },
          choice(1, { content: 'Other' }, 'length'),
        ],
      },
    },
  ],
  [
    'choices that begin at 1',
    {
      events: [choices(choice(1, { content: 'It is 42' }, 'stop'))],
      json: { choices: [{ index: 1, message: { content: 'It is 42' }, finish_reason: 'stop' }] },
    },
  ],
  ['output_text alone', { events: [{ output_text: 'It is 42' }], json: { id: 'x', output_text: 'It is 42' } }],
  [
    'nulls everywhere',
    {
      events: [
        chunk({
          role: null,
          content: null,
          refusal: null,
          tool_calls: null,
          function_call: null,
          audio: null,
          annotations: null,
          reasoning_content: null,
        }),
        {
          id: null,
          choices: [{ index: 0, delta: null, finish_reason: null, logprobs: null }],
          usage: null,
          error: null,
        },
        { choices: null },
        chunk({ content: 'It is 42', tool_calls: [] }, 'stop', { usage: null, error: null, system_fingerprint: null }),
      ],
      json: whole(
        { content: 'It is 42', tool_calls: null, function_call: null, refusal: null, annotations: null, audio: null },
        'stop',
        { error: null, usage: null },
      ),
    },
  ],
  [
    'nulls in calls',
    {
      events: [chunk({ content: 'It is 42', tool_calls: [null] }, 'stop')],
      json: whole({ content: 'It is 42', tool_calls: [null] }),
    },
  ],
  [
    'reasoning in reasoning_text',
    {
      events: [chunk({ reasoning_text: 'hm' }), chunk({ content: 'It is 42' }, 'stop')],
      json: whole({ reasoning_text: 'hm', content: 'It is 42' }),
    },
    { thought: 'hm' },
  ],
  [
    'reasoning in reasoning_details alone',
    {
      events: [
        chunk({ reasoning_details: [{ type: 'reasoning.text', text: 'h', index: 0 }] }),
        chunk({ reasoning_details: [{ type: 'reasoning.text', text: 'm', signature: 's', index: 0 }] }),
        chunk({ content: 'It is 42' }, 'stop'),
      ],
      json: whole({ content: 'It is 42', reasoning_details: [{ type: 'reasoning.summary', summary: 'hm' }] }),
    },
    { thought: 'hm' },
  ],
  [
    'reasoning in reasoning_details and beside it',
    {
      events: [
        chunk({ reasoning: 'h', reasoning_details: [{ type: 'reasoning.text', text: 'h', index: 0 }] }),
        chunk({ reasoning: 'm', reasoning_details: [{ type: 'reasoning.text', text: 'm', index: 0 }] }),
        chunk({ content: 'It is 42' }, 'stop'),
      ],
      json: whole({
        content: 'It is 42',
        reasoning: 'hm',
        reasoning_details: [{ type: 'reasoning.text', text: 'hm' }],
      }),
    },
    { thought: 'hm' },
  ],
  [
    'reasoning in thinking_blocks',
    {
      events: [
        chunk({ thinking_blocks: [{ type: 'thinking', thinking: 'hm' }] }),
        chunk({ thinking_blocks: [{ type: 'thinking', thinking: '', signature: 's' }] }),
        chunk({ content: 'It is 42' }, 'stop'),
      ],
      json: whole({ content: 'It is 42', thinking_blocks: [{ type: 'thinking', thinking: 'hm', signature: 's' }] }),
    },
    { thought: 'hm' },
  ],
  [
    'reasoning in an object',
    {
      events: [chunk({ reasoning: { content: 'hm' } }), chunk({ content: 'It is 42' }, 'stop')],
      json: whole({ reasoning: { text: 'hm' }, content: 'It is 42' }),
    },
    { thought: 'hm' },
  ],
  [
    'usage in a last chunk without choices',
    {
      events: [chunk({ content: 'It is 42' }, 'stop'), { choices: [], usage: USAGE }],
      json: whole({ content: 'It is 42' }, 'stop', { usage: USAGE }),
    },
    { input: 7 },
  ],
  [
    'usage in every chunk',
    {
      events: [
        chunk({ content: 'It is ' }, null, { usage: { ...USAGE, completion_tokens: 1, total_tokens: 8 } }),
        chunk({ content: '42' }, 'stop', { usage: USAGE }),
        { choices: [], usage: {} },
      ],
      json: whole({ content: 'It is 42' }, 'stop', { usage: USAGE }),
    },
    { input: 7 },
  ],
  [
    'usage in the words of others',
    {
      events: [chunk({ content: 'It is 42' }, 'stop', { usage: { promptTokens: 7, completionTokens: 3 } })],
      json: whole({ content: 'It is 42' }, 'stop', { usage: { input_tokens: '7', output_tokens: 3 } }),
    },
    { input: 7 },
  ],
  [
    'citations of Perplexity',
    {
      events: [
        chunk({ content: 'It is ' }, null, {
          citations: ['https://a.example'],
          search_results: [{ title: 'A', url: 'https://a.example' }],
        }),
        chunk({ content: '42' }, 'stop', {
          citations: ['https://a.example', 'https://b.example'],
          search_results: [{ title: 'A', url: 'https://a.example' }],
        }),
      ],
      json: whole({ content: 'It is 42' }, 'stop', {
        citations: ['https://a.example', 'https://b.example'],
        search_results: [{ title: 'A', url: 'https://a.example' }],
      }),
    },
    {
      notes: [
        { type: 'url_citation', url: 'https://a.example', title: 'A' },
        { type: 'url_citation', url: 'https://b.example' },
      ],
    },
  ],
  [
    'flat annotations',
    {
      events: [
        chunk({ content: 'It is 42' }),
        chunk(
          {
            annotations: [{ type: 'url_citation', url: 'https://a.example', title: 'A', start_index: 0, end_index: 2 }],
          },
          'stop',
        ),
      ],
      json: whole({
        content: 'It is 42',
        annotations: [
          {
            type: 'url_citation',
            url_citation: { url: 'https://a.example', title: 'A', start_index: 0, end_index: 2 },
          },
        ],
      }),
    },
    { notes: [{ type: 'url_citation', url: 'https://a.example', title: 'A' }] },
  ],
  [
    'a warning among the chunks',
    {
      events: [
        chunk({ content: 'It is ' }),
        { warning: 'provider_did_not_report_usage_on_stream' },
        { type: 'ping' },
        { event: 'keepalive' },
        chunk({ content: '42' }, 'stop'),
      ],
      json: whole({ content: 'It is 42' }, 'stop', { warning: 'x' }),
    },
  ],
  [
    'an unknown finish reason',
    { events: [chunk({ content: 'It is 42' }, 'eos_token_id')], json: whole({ content: 'It is 42' }, 'because') },
  ],
  [
    'finish_reason as false and blank',
    { events: [chunk({ content: 'It is ' }, ''), chunk({ content: '42' })], json: whole({ content: 'It is 42' }, '') },
  ],
]

test.each(ANSWERS)('a gateway answers with %s', async (_name, answer, { thought, input, notes } = {}) => {
  const { ask, ran } = await setUp(CHAT, [answer])
  for (const streamed of [true, false]) {
    const { text, error, items, usage } = await ask(streamed)
    expect(error).toBeUndefined()
    expect(text).toBe('It is 42')
    expect(items.map(({ type }) => type)).toEqual(['message', ...(thought ? ['reasoning'] : []), 'message'])
    if (thought !== undefined) expect(items[1].summary).toMatchObject([{ text: thought }])
    if (input !== undefined) expect(usage).toMatchObject({ input_tokens: input, output_tokens: 3, total_tokens: 10 })
    if (notes !== undefined) expect(items[1].content[0].annotations).toMatchObject(notes)
  }
  expect(ran).toEqual([])
})
