import { describe, expect, test } from 'vitest'
import { type Item, sendWith } from './support/sent.ts'

const MODELS = [
  'gpt-5.4',
  'groq/llama',
  'mistral/mistral-large',
  'deepseek/deepseek-chat',
  'anthropic/claude-sonnet-4-5',
  'gemini/gemini-2.5-flash',
]
const user = (content: unknown): Item => ({ role: 'user', content })
const assistant = (content: unknown, more: Item = {}): Item => ({ role: 'assistant', content, ...more })
const chatCall = (id: string | undefined, args: unknown = '{"city":"Paris"}'): Item => ({
  ...(id === undefined ? {} : { id }),
  type: 'function',
  function: { name: 'look', arguments: args },
})
const toolMessage = (content: unknown, more: Item = {}): Item => ({ role: 'tool', content, ...more })
const PIXEL = 'iVBORw0KGgo='

/** Histories in the form of other APIs. Each has one call of `look` for Paris unless `calls` says otherwise, and these texts. */
const HISTORIES: { name: string; history: Item[]; texts: string[]; calls?: number }[] = [
  {
    name: 'Chat Completions',
    history: [
      user([{ type: 'text', text: 'Q-1' }]),
      assistant(null, { tool_calls: [chatCall('c1')] }),
      toolMessage('R-1', { tool_call_id: 'c1' }),
      assistant('A-1'),
    ],
    texts: ['Q-1', 'R-1', 'A-1'],
  },
  {
    name: 'Chat Completions, text beside two calls, results the other way round',
    history: [
      user('Q-1'),
      assistant('A-0', { tool_calls: [chatCall('c1'), chatCall('c2')], refusal: null, audio: null }),
      toolMessage('R-2', { tool_call_id: 'c2', name: 'look' }),
      toolMessage([{ type: 'text', text: 'R-1', cache_control: { type: 'ephemeral' } }], { tool_call_id: 'c1' }),
    ],
    texts: ['Q-1', 'A-0', 'R-1', 'R-2'],
    calls: 2,
  },
  {
    name: 'Chat Completions without ids',
    history: [
      user('Q-1'),
      assistant('', { tool_calls: [chatCall(undefined), chatCall('', { city: 'Paris' })] }),
      toolMessage('R-1'),
      toolMessage('R-2', { tool_call_id: '' }),
    ],
    texts: ['Q-1', 'R-1', 'R-2'],
    calls: 2,
  },
  {
    name: 'the role function',
    history: [
      user('Q-1'),
      assistant(null, { function_call: { name: 'look', arguments: '{"city":"Paris"}' } }),
      { role: 'function', name: 'look', content: 'R-1' },
      assistant('A-1'),
    ],
    texts: ['Q-1', 'R-1', 'A-1'],
  },
  {
    name: 'messages without a role',
    history: [
      { content: 'Q-1' },
      { tool_calls: [chatCall('c1')], content: 'A-0' },
      { tool_call_id: 'c1', content: 'R-1' },
    ],
    texts: ['Q-1', 'A-0', 'R-1'],
  },
  {
    name: 'Anthropic',
    history: [
      user([{ type: 'text', text: 'Q-1', cache_control: { type: 'ephemeral' } }]),
      assistant([
        { type: 'text', text: 'A-0', citations: null },
        { type: 'tool_use', id: 'toolu_1', name: 'look', input: { city: 'Paris' } },
      ]),
      user([
        { type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'R-1' }], is_error: false },
        { type: 'text', text: 'Q-2' },
      ]),
      assistant([{ type: 'text', text: 'A-1' }]),
    ],
    texts: ['Q-1', 'A-0', 'R-1', 'Q-2', 'A-1'],
  },
  {
    name: 'Anthropic, with thinking, a search of its own and an unanswered call',
    history: [
      user('Q-1'),
      assistant([
        { type: 'thinking', thinking: 'hm', signature: 'sig' },
        { type: 'redacted_thinking', data: 'xx' },
        { type: 'server_tool_use', id: 'srv_1', name: 'look', input: { city: 'Paris' } },
        {
          type: 'web_search_tool_result',
          tool_use_id: 'srv_1',
          content: [{ type: 'web_search_result', title: 'R-1', url: 'https://a.example' }],
        },
        { type: 'text', text: 'A-1' },
        { type: 'tool_use', id: 'toolu_9', name: 'look', input: {} },
      ]),
    ],
    texts: ['Q-1', 'R-1', 'A-1'],
  },
  {
    name: 'Bedrock',
    history: [
      user([{ text: 'Q-1' }]),
      assistant([{ text: 'A-0' }, { toolUse: { toolUseId: 't1', name: 'look', input: { city: 'Paris' } } }]),
      user([{ toolResult: { toolUseId: 't1', content: [{ json: { found: 'R-1' } }], status: 'success' } }]),
    ],
    texts: ['Q-1', 'A-0', 'R-1'],
  },
  {
    name: 'Gemini',
    history: [
      { role: 'user', parts: [{ text: 'Q-1' }] },
      { role: 'model', parts: [{ text: 'A-0' }, { functionCall: { name: 'look', args: { city: 'Paris' } } }] },
      { role: 'user', parts: [{ functionResponse: { name: 'look', response: { output: 'R-1' } } }] },
      { role: 'model', parts: [{ text: 'A-1' }] },
    ],
    texts: ['Q-1', 'A-0', 'R-1', 'A-1'],
  },
  {
    name: 'the AI SDK',
    history: [
      user([{ type: 'text', text: 'Q-1' }]),
      assistant([
        { type: 'reasoning', text: 'hm' },
        { type: 'text', text: 'A-0' },
        { type: 'tool-call', toolCallId: 't1', toolName: 'look', input: { city: 'Paris' } },
      ]),
      toolMessage([
        { type: 'tool-result', toolCallId: 't1', toolName: 'look', output: { type: 'text', value: 'R-1' } },
      ]),
    ],
    texts: ['Q-1', 'A-0', 'R-1'],
  },
  {
    name: 'UI messages of the AI SDK',
    history: [
      { role: 'user', id: 'u1', parts: [{ type: 'text', text: 'Q-1' }] },
      {
        role: 'assistant',
        id: 'm1',
        parts: [
          { type: 'step-start' },
          {
            type: 'tool-look',
            toolCallId: 't1',
            state: 'output-available',
            input: { city: 'Paris' },
            output: { found: 'R-1' },
          },
          { type: 'step-start' },
          { type: 'text', text: 'A-1', state: 'done' },
        ],
      },
    ],
    texts: ['Q-1', 'R-1', 'A-1'],
  },
  {
    name: 'LangChain',
    history: [
      { type: 'human', content: 'Q-1' },
      {
        type: 'ai',
        content: [
          { type: 'text', text: 'A-0' },
          { type: 'tool_use', id: 'l1', name: 'look', input: { city: 'Paris' } },
        ],
        tool_calls: [{ id: 'l1', name: 'look', args: { city: 'Paris' }, type: 'tool_call' }],
      },
      { type: 'tool', tool_call_id: 'l1', name: 'look', content: 'R-1' },
      { type: 'ai', data: { content: 'A-1' } },
    ],
    texts: ['Q-1', 'A-0', 'R-1', 'A-1'],
  },
]

describe.each(MODELS)('%s', (model) => {
  test.each(HISTORIES)('takes a history in the form of $name', async ({ history, texts, calls = 1 }) => {
    const body = await sendWith(model, history)
    const sent = JSON.stringify(body.input ?? body.messages ?? body.contents)
    for (const text of texts) expect(sent.split(text)).toHaveLength(2)
    expect(sent.match(/Paris/g)).toHaveLength(calls)
    expect(sent).not.toMatch(/cache_control|toolu_9/)
  })
})

/** Parts of outputs and messages of other APIs and tools, and what each becomes over the Responses API. */
const PARTS: [name: string, part: Item, sent: Item | RegExp][] = [
  [
    'a text of MCP',
    { type: 'text', text: 'T', annotations: { audience: ['user'] }, _meta: {} },
    { type: 'input_text', text: 'T' },
  ],
  [
    'a text with nulls',
    { type: 'input_text', text: 'T', logprobs: null, cache_control: null },
    { type: 'input_text', text: 'T' },
  ],
  [
    'an image of MCP',
    { type: 'image', data: PIXEL, mimeType: 'image/png' },
    { type: 'input_image', image_url: `data:image/png;base64,${PIXEL}` },
  ],
  [
    'an image of Anthropic',
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } },
    { type: 'input_image', image_url: `data:image/png;base64,${PIXEL}` },
  ],
  [
    'an image of Chat Completions',
    { type: 'image_url', image_url: { url: 'https://a.example/b.png', detail: 'low' } },
    { type: 'input_image', image_url: 'https://a.example/b.png', detail: 'low' },
  ],
  [
    'an image with its address as an object',
    { type: 'input_image', image_url: { url: 'https://a.example/b.png' } },
    { type: 'input_image', image_url: 'https://a.example/b.png' },
  ],
  [
    'a document of Anthropic',
    { type: 'document', title: 'a.pdf', source: { type: 'url', url: 'https://a.example/a.pdf' } },
    { type: 'input_file', file_url: 'https://a.example/a.pdf' },
  ],
  [
    'a text document of Anthropic',
    { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'T' } },
    { type: 'input_text', text: 'T' },
  ],
  [
    'a resource of MCP',
    { type: 'resource', resource: { uri: 'file:///a', text: 'T' } },
    { type: 'input_text', text: 'T' },
  ],
  [
    'a file of the AI SDK',
    { type: 'file', mediaType: 'application/pdf', data: 'JVBE', filename: 'a.pdf' },
    { type: 'input_file', file_data: 'data:application/pdf;base64,JVBE', filename: 'a.pdf' },
  ],
]

test.each(PARTS)('%s in an output is sent as the API has it', async (_name, part, sent) => {
  const history = [
    user('Q'),
    { type: 'function_call', call_id: 'c1', name: 'look', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c1', output: [part] },
  ]
  const { input } = await sendWith('gpt-5.4', history)
  expect(input[2].output).toEqual([sent])
})

test.each(PARTS)('%s in a message is sent as the API has it', async (_name, part, sent) => {
  const { input } = await sendWith('gpt-5.4', [user([part])])
  expect(input[0].content).toEqual([sent])
})

test.each([
  [
    [
      { type: 'file', name: 'a.txt' },
      { type: 'file', name: 'b.txt' },
    ],
  ],
  [[{ type: 'text' }]],
  [['a', 'b']],
  [[]],
  [{ type: 'image' }],
])('an output that is data is sent as its JSON: %j', async (output) => {
  const { input } = await sendWith('gpt-5.4', [
    user('Q'),
    { type: 'function_call', call_id: 'c1', name: 'look', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c1', output },
  ])
  expect(input[2].output).toBe(JSON.stringify(output))
})

test('a message of an unknown shape is sent as a text, not dropped', async () => {
  const history = [
    user({ type: 'text', text: 'Q-1' }),
    user(42),
    { type: 'input_text', text: 'Q-2' },
    user([{ type: 'chart', rows: ['Q-3'] }, 'Q-4']),
  ]
  for (const model of MODELS) {
    const body = await sendWith(model, history)
    const sent = JSON.stringify(body.input ?? body.messages ?? body.contents)
    for (const text of ['Q-1', '42', 'Q-2', 'Q-3', 'Q-4']) expect(sent, model).toContain(text)
  }
})

test('Claude gets its thinking back from a history in its own form', async () => {
  const { messages } = await sendWith('anthropic/claude-sonnet-4-5', HISTORIES[6]?.history ?? [])
  expect(messages[1].content[0]).toEqual({ type: 'thinking', thinking: 'hm', signature: 'sig' })
  expect(messages[1].content[1]).toEqual({ type: 'redacted_thinking', data: 'xx' })
})

test('DeepSeek gets its reasoning back from a history of Chat Completions', async () => {
  const { messages } = await sendWith('deepseek/deepseek-chat', [
    user('Q-1'),
    assistant(null, { reasoning_content: 'hm', tool_calls: [chatCall('c1')] }),
    toolMessage('R-1', { tool_call_id: 'c1' }),
  ])
  expect(messages[2]).toMatchObject({ reasoning_content: 'hm', tool_calls: [{ id: 'c1' }] })
})

/** Halves of surrogate pairs, wherever they stand. */
const HALF = '\ud83d'
test.each(MODELS)('%s gets text that is Unicode', async (model) => {
  const history = [
    user(`Q-1 ${HALF}`),
    { type: 'function_call', call_id: 'c1', name: 'look', arguments: `{"city":"P-1 \\ud83d","b":"\\ud83d\\ude00"}` },
    { type: 'function_call_output', call_id: 'c1', output: [{ type: 'input_text', text: `${'\ude00'} R-1` }] },
    assistant([{ type: 'output_text', text: `A-1 ${HALF}😀` }]),
  ]
  const body = await sendWith(model, history, { tools: [], modelSettings: { extraBody: { note: HALF } } })
  const sent = JSON.stringify(body)
  for (const text of ['Q-1', 'P-1', 'R-1', 'A-1', '😀']) expect(sent).toContain(text)
  expect(sent).not.toMatch(/\\ud[89a-f]/)
  expect(sent.isWellFormed()).toBe(true)
})
