import { expect, test } from 'vitest'
import { promise } from './promises.ts'
import { assistant, call, type Item, inputOf, messagesOf, output, sendWith, thought, user } from './support/sent.ts'

const CLEAR = [{ type: 'reasoning_text', text: 'hm' }]
test.each([
  ['gpt-5.4', [thought('rs_1'), assistant('A', 'msg_1')], [thought('rs_1'), assistant('A', 'msg_1')]],
  ['gpt-4.1', [thought('rs_1'), assistant('A', 'msg_1')], [assistant('A')]],
  [
    'openai/gpt-4o-mini',
    [thought('rs_1', { encrypted_content: 'x' }), call('c', { id: 'fc_1' }), output('c')],
    [call('c'), output('c')],
  ],
  [
    'gpt-5-chat-latest',
    [thought('rs_1'), thought('rs_2'), assistant('A', 'msg_1'), user('x'), assistant('B', 'msg_2')],
    [assistant('A'), user('x'), assistant('B', 'msg_2')],
  ],
  ['o4-mini', [thought('rs_1'), call('c', { id: 'fc_1' }), user('x')], [user('x')]],
  // Reasoning in the clear is that of vLLM and other servers: OpenAI refuses it.
  ['gpt-5.4', [thought('rs_1', { content: CLEAR }), assistant('A', 'msg_1')], [assistant('A')]],
  ['o4-mini', [thought('rs_1', { content: CLEAR }), call('c', { id: 'fc_1' }), output('c')], [call('c'), output('c')]],
  [
    'gpt-5.4',
    [thought('rs_1', { content: CLEAR, encrypted_content: 'x' }), assistant('A', 'msg_1')],
    [thought('rs_1', { encrypted_content: 'x' }), assistant('A', 'msg_1')],
  ],
  ['gpt-5.4', [thought('rs_1', { content: [] }), assistant('A', 'msg_1')], [thought('rs_1'), assistant('A', 'msg_1')]],
  [
    'gpt-oss-120b',
    [thought('rs_1', { content: CLEAR }), assistant('A', 'msg_1')],
    [thought('rs_1', { content: CLEAR }), assistant('A', 'msg_1')],
  ],
  ['gpt-5.4', [thought('rs_1'), thought('rs_2'), call('c')], []],
  ['gpt-5.4', [thought('__fake_id__'), assistant('A', 'msg_1')], [assistant('A')]],
  [
    'gpt-5.4',
    [thought('__fake_id__', { encrypted_content: 'x' }), assistant('A', 'msg_1')],
    [{ type: 'reasoning', summary: [], encrypted_content: 'x' }, assistant('A', 'msg_1')],
  ],
] as [string, Item[], Item[]][])(
  'reasoning goes to %s with what it led to, or stays behind',
  async (model, history, sent) => {
    promise('C3')
    expect(await inputOf(model, history)).toEqual(sent)
  },
)

const LONG = 'g'.repeat(405)
test.each([
  [
    [call('c', { id: 'call_abc' }), { ...output('c'), id: 'output_1' }],
    [call('c'), output('c')],
  ],
  [
    [call('c', { id: 'fc_1' }), { ...output('c'), id: 'fc_2' }],
    [call('c', { id: 'fc_1' }), { ...output('c'), id: 'fc_2' }],
  ],
  [
    [assistant('A', 'chatcmpl-1'), assistant('B', ''), assistant('C', `msg_${LONG}`)],
    [assistant('A'), assistant('B'), assistant('C')],
  ],
  [
    [assistant('A', 'msg_a|b'), assistant('B', 'msg_1')],
    [assistant('A'), assistant('B', 'msg_1')],
  ],
  [
    [{ ...assistant('A', 'msg_1'), previous_response_id: 'r', conversation_id: 'c', response_id: 'r', session: 's' }],
    [assistant('A', 'msg_1')],
  ],
  [
    [call('c', { provider_data: { model: 'm' }, status: null, namespace: 'n', cost: 1 }), output('c')],
    [call('c', { namespace: 'n' }), output('c')],
  ],
  [
    [
      thought('rs_1', { content: null, encrypted_content: null, status: null }),
      {
        ...assistant([{ type: 'output_text', text: 'A', annotations: [], logprobs: null, parsed: { a: 1 } }]),
        phase: null,
      },
      call('c', { caller: null, async: null, namespace: null, parsed_arguments: {} }),
      { ...output('c'), id: null, name: null },
    ],
    [thought('rs_1'), assistant([{ type: 'output_text', text: 'A', annotations: [] }]), call('c'), output('c')],
  ],
  [
    [user([{ type: 'input_image', image_url: 'https://a.example/b.png', file_id: null, detail: null }])],
    [user([{ type: 'input_image', image_url: 'https://a.example/b.png' }])],
  ],
] as [Item[], Item[]][])(
  'ids that OpenAI refuses, and fields that it does not know, are left out',
  async (history, sent) => {
    promise('C2')
    expect(await inputOf('gpt-5.4', history)).toEqual(sent)
  },
)

test.each([
  'gpt-5.4',
  'litellm/openai/gpt-4.1',
  'mistral/mistral-small',
  'openrouter/mistralai/devstral',
  'anthropic/claude-sonnet-4-5',
])('call ids that are too long for %s are shortened consistently', async (model) => {
  const ids = [`${LONG}1`, `${LONG}2`, 'short', 'functions.Bash:0', 'abcDEF123']
  const body = await sendWith(
    model,
    ids.flatMap((id) => [call(id), output(id), user('x')]),
  )
  const text = JSON.stringify(body)
  const called = [...text.matchAll(/"(?:call_id|tool_call_id|tool_use_id)":"([^"]+)"/g)].map(([, id]) => id)
  expect(new Set(called).size).toBe(5)
  for (const id of called) expect(text.split(`"${id}"`).length).toBe(3) // once in the call, once in its output
  expect(called.includes('abcDEF123')).toBe(true)
  expect(called.includes('functions.Bash:0')).toBe(/gpt/.test(model))
})

test('LiteLLM gets its long call ids back unchanged', async () => {
  const messages = await messagesOf('hosted_vllm/any', [call(LONG), output(LONG)])
  expect(messages[1]).toMatchObject({ tool_calls: [{ id: LONG }] })
})

const HOSTED: Item[] = [
  { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'q' } },
  { type: 'file_search_call', id: 'fs_1', status: 'completed', queries: ['q'], results: null },
  { type: 'code_interpreter_call', id: 'ci_1', status: 'completed', code: '1', container_id: 'c', outputs: null },
  { type: 'image_generation_call', id: 'ig_1', status: 'completed', result: 'AA' },
  { type: 'mcp_call', id: 'mcp_1', server_label: 's', name: 'n', arguments: '{}', output: 'o' },
]
test('with store: false only hosted calls keep their ids', async () => {
  promise('F1')
  const unstored = { modelSettings: { store: false } }
  const history = [...HOSTED, assistant('A', 'msg_1'), call('c', { id: 'fc_1' }), output('c')]
  expect(await inputOf('gpt-5.4', history, unstored)).toEqual([...HOSTED, assistant('A'), call('c'), output('c')])
  const asked = { client_config: { model_settings_extra_args: { store: false } } }
  expect(await inputOf('gpt-5.4', history, asked)).toEqual([...HOSTED, assistant('A'), call('c'), output('c')])
  const computer = [{ type: 'computer_call', id: 'cu_1', call_id: 'c', action: {}, pending_safety_checks: [] }]
  const shown = [
    { type: 'computer_call_output', call_id: 'c', output: { type: 'computer_screenshot', file_id: 'file-1' } },
  ]
  expect(await inputOf('computer-use-preview', [...computer, ...shown], unstored)).toEqual([...computer, ...shown])
})

test('a hosted call without reasoning or id gets a new id', async () => {
  const [search] = HOSTED as [Item]
  const ids = async (history: Item[]) => (await inputOf('gpt-4.1', history)).map(({ id }) => id)
  expect(await ids([thought('rs_1'), search, assistant('A', 'msg_1')])).toEqual([
    expect.stringMatching(/^ws_[0-9a-f]{48}$/),
    undefined,
  ])
  expect(
    await ids([
      { ...search, id: '__fake_id__' },
      { ...search, id: undefined },
    ]),
  ).toEqual([expect.stringMatching(/^ws_[0-9a-f]{48}$/), expect.stringMatching(/^ws_[0-9a-f]{48}$/)])
  expect(await ids([search, assistant('A')])).toEqual(['ws_1', undefined])
})

test.each([
  ['', '{}'],
  [' \n', '{}'],
  ['null', '{}'],
  ['[1]', '{}'],
  ['{"city":"Par', '{}'],
  ['{"city":"Paris"}{"city":"Rome"}', '{}'],
  [{ city: 'Paris' }, '{"city":"Paris"}'],
  ['{ "city": "Paris" }', '{ "city": "Paris" }'],
])('arguments %j go back upstream as %j', async (given, sent) => {
  const history = [call('c', { arguments: given }), output('c')]
  expect((await inputOf('gpt-5.4', history))[0]).toMatchObject({ arguments: sent })
  const messages = await messagesOf('groq/llama', history)
  expect(messages[1]).toMatchObject({ tool_calls: [{ function: { arguments: sent } }] })
})

test.each([
  [{ a: 1 }, '{"a":1}'],
  [42, '42'],
  [null, ''],
  [[{ a: 1 }], '[{"a":1}]'],
  [[{ type: 'text', text: 'T' }], 'T'],
])('an output %j, which is not text, is sent as %j', async (given, sent) => {
  const messages = await messagesOf('groq/llama', [call('c'), output('c', given)])
  expect(messages[2]).toMatchObject({ role: 'tool', content: sent })
  const claude = await messagesOf('anthropic/claude-sonnet-4-5', [user('x'), call('c'), output('c', given)])
  expect(claude[2]).toMatchObject({ content: [{ type: 'tool_result', content: sent || '(no text)' }, { text: 'Now' }] })
})

const png = 'https://a.example/b.png'
const FOREIGN: [name: string, history: Item[], sent: Item[]][] = [
  [
    'types of LangChain',
    [
      { type: 'human', content: 'a' },
      { type: 'ai', content: 'b' },
    ],
    [user('a'), assistant('b')],
  ],
  [
    'roles of LangChain',
    [
      { role: 'human', content: 'a' },
      { role: 'ai', content: 'b' },
    ],
    [user('a'), assistant('b')],
  ],
  ['roles of Gemini', [user('a'), { role: 'model', content: 'b' }], [user('a'), assistant('b')]],
  [
    'parts of Chat Completions',
    [
      user([
        { type: 'text', text: 'a' },
        { type: 'image_url', image_url: { url: png, detail: 'low' } },
      ]),
    ],
    [
      user([
        { type: 'input_text', text: 'a' },
        { type: 'input_image', image_url: png, detail: 'low' },
      ]),
    ],
  ],
  [
    'files of Chat Completions',
    [user([{ type: 'file', file: { file_id: 'file-1', filename: null } }])],
    [user([{ type: 'input_file', file_id: 'file-1' }])],
  ],
  [
    'texts as parts',
    [user(['a', 'b'])],
    [
      user([
        { type: 'input_text', text: 'a' },
        { type: 'input_text', text: 'b' },
      ]),
    ],
  ],
  [
    'calls of the JavaScript Agents SDK',
    [
      { type: 'function_call', callId: 'c', name: 'look', arguments: '{}' },
      { type: 'function_call_result', callId: 'c', name: 'look', output: { type: 'text', text: 'seen' } },
    ],
    [call('c'), { ...output('c'), name: 'look' }],
  ],
  [
    'images of the JavaScript Agents SDK',
    [
      user([
        { type: 'input_image', image: png },
        { type: 'input_image', image: { id: 'file-1' } },
      ]),
    ],
    [
      user([
        { type: 'input_image', image_url: png },
        { type: 'input_image', file_id: 'file-1' },
      ]),
    ],
  ],
  ['an output without parts', [call('c'), output('c', [])], [call('c'), output('c', '[]')]],
]
test.each(FOREIGN)('a history that another tool wrote reaches the model whole: %s', async (_name, history, sent) => {
  expect(await inputOf('gpt-5.4', history)).toEqual(sent)
})

test.each(['groq/llama', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash'])(
  '%s gets the contents of a history from another tool',
  async (model) => {
    const history = [
      { type: 'human', content: [{ type: 'image_url', image_url: { url: png } }] },
      { type: 'function_call', callId: 'c', name: 'look', arguments: '{}' },
      { type: 'function_call_result', callId: 'c', name: 'look', output: { type: 'text', text: 'seen' } },
      { role: 'model', content: 'a castle' },
    ]
    const sent = JSON.stringify(await sendWith(model, history))
    for (const words of [png, 'seen', 'a castle']) expect(sent).toContain(words)
  },
)

test('Claude behind a gateway gets definitions of tools that were called', async () => {
  const history = [user('Q'), call('c1'), output('c1'), call('c2'), output('c2')]
  const body = await sendWith('openrouter/anthropic/claude-sonnet-4.5', history, { tools: [] })
  expect(body.tools).toEqual([
    { type: 'function', function: { name: 'look', description: expect.any(String), parameters: expect.any(Object) } },
  ])
  expect(body.tool_choice).toBe('none')
  expect((await sendWith('openrouter/qwen/qwen3', history, { tools: [] })).tools).toBeUndefined()
  expect((await sendWith('openrouter/anthropic/claude-sonnet-4.5', history)).tool_choice).toBeUndefined()
})

test('a search whose action OpenAI does not read goes with its reasoning', async () => {
  const search = (id: string, action: Item): Item => ({ type: 'web_search_call', id, status: 'completed', action })
  const history = [
    user('Q'),
    thought('rs_1'),
    search('ws_1', { type: 'other' }),
    thought('rs_2'),
    search('ws_2', { type: 'open_page', url: 'https://a.example' }),
    assistant('A'),
  ]
  const sent = await inputOf('gpt-5.4', history)
  expect(sent.map(({ id, content }) => id ?? content)).toEqual(['Q', 'rs_2', 'ws_2', 'A'])
})
