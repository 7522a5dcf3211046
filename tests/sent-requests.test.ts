import { expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, Handoff, type ModelSettings, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { postAndRead, startServer } from './support/client.ts'
import { startStrictUpstream } from './support/strict-upstream.ts'

type Item = { [key: string]: unknown }

const look = tool({ name: 'look', parameters: z.object({ city: z.string() }), execute: () => 'seen' })
const user = (content: unknown): Item => ({ role: 'user', content })
const assistant = (content: unknown, id?: string): Item => ({
  role: 'assistant',
  content,
  ...(id === undefined ? {} : { id }),
})
const call = (call_id: string, more: Item = {}): Item => ({
  type: 'function_call',
  call_id,
  name: 'look',
  arguments: '{}',
  ...more,
})
const output = (call_id: string, text: unknown = 'seen'): Item => ({
  type: 'function_call_output',
  call_id,
  output: text,
})
const thought = (id: string, more: Item = {}): Item => ({ type: 'reasoning', id, summary: [], ...more })

interface Setting {
  modelSettings?: ModelSettings
  tools?: [] | [typeof look]
  client_config?: object
}

/** What is sent for a history and the message "Now"; no provider refuses it. */
async function sendWith(model: string, history: readonly Item[], { client_config, ...options }: Setting = {}) {
  const { seen, refused } = await startStrictUpstream()
  const agent = new Agent({ name: 'A', instructions: 'Help.', model, tools: [look], ...options })
  const { url } = await startServer({ agencies: { solo: new Agency(agent) }, exposeErrors: true })
  const chat_history = history.map((item) => ({ agent: 'A', callerAgent: null, timestamp: 1, ...item }))
  const answer = await postAndRead(`${url}/solo/get_response`, { message: 'Now', chat_history, client_config })
  expect(refused).toEqual([])
  expect(answer).toMatchObject({ status: 200, body: { response: 'Understood.' } })
  return seen[0]?.body
}

/** Items of a request without the message that asks, and without what says nothing. */
async function inputOf(model: string, history: readonly Item[], setting?: Setting): Promise<Item[]> {
  const { input } = await sendWith(model, history, setting)
  return (input as Item[]).slice(0, -1).map(({ type, ...item }) => (type === 'message' ? item : { type, ...item }))
}
const messagesOf = async (model: string, history: readonly Item[], setting?: Setting): Promise<Item[]> =>
  (await sendWith(model, history, setting)).messages
const roles = (messages: readonly Item[]) => messages.map(({ role }) => role)

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
])('call ids that are too long for %s are shortened alike in call and output, and stay apart', async (model) => {
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

test('LiteLLM gets its long call ids back as they are, since it keeps signatures in them', async () => {
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
test('hosted calls keep their ids with store: false, and other items lose theirs', async () => {
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

test('a hosted call that loses its reasoning, or has no id, gets one that nothing is known of', async () => {
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
])('an output %j that is no text is sent as %j', async (given, sent) => {
  const messages = await messagesOf('groq/llama', [call('c'), output('c', given)])
  expect(messages[2]).toMatchObject({ role: 'tool', content: sent })
  const claude = await messagesOf('anthropic/claude-sonnet-4-5', [user('x'), call('c'), output('c', given)])
  expect(claude[2]).toMatchObject({ content: [{ type: 'tool_result', content: sent || '(no text)' }, { text: 'Now' }] })
})

const note = (content: string): Item => ({ role: 'system', content })
test.each([
  [[user('a'), note('N1'), call('c'), output('c')], 'Help.\n\nN1', ['system', 'user', 'assistant', 'tool', 'user']],
  [
    [note('N1'), user('a'), { role: 'developer', content: [{ type: 'input_text', text: 'N2' }] }],
    'Help.\n\nN1\n\nN2',
    ['system', 'user', 'user'],
  ],
  [[call('c'), note('N1'), output('c'), note(' ')], 'Help.\n\nN1', ['system', 'assistant', 'tool', 'user']],
] as [Item[], string, string[]][])(
  'over Chat Completions there is one message of the system, first',
  async (history, system, order) => {
    const messages = await messagesOf('groq/llama', history)
    expect(messages[0]).toEqual({ role: 'system', content: system })
    expect(roles(messages)).toEqual(order)
  },
)

test('guidance behind the last answer is said by the user, so that the model has something to answer', async () => {
  const { seen, refused } = await startStrictUpstream()
  const models = ['mistral/mistral-large', 'anthropic/claude-opus-4-6', 'gemini/gemini-2.5-flash', 'groq/llama']
  const agencies = Object.fromEntries(
    models.map((model, index) => [`m${index}`, new Agency(new Agent({ name: 'A', model }))]),
  )
  const { url } = await startServer({ agencies, exposeErrors: true })
  for (const [index, model] of models.entries()) {
    const message = [user('Hi'), assistant('Draft'), note('Be polite.')]
    expect(await postAndRead(`${url}/m${index}/get_response`, { message }), model).toMatchObject({ status: 200 })
    const { messages, contents } = seen.at(-1)?.body ?? {}
    expect(JSON.stringify((messages ?? contents).at(-1)), model).toMatch(/"role":"user".*Be polite\./)
  }
  expect(refused).toEqual([])
})

test.each(['groq/llama', 'litellm/openai/gpt-4.1', 'hosted_vllm/gemma', 'mistral/mistral-large'])(
  '%s: the answer stands right behind its call, whatever came between',
  async (model) => {
    const history = [
      user('a'),
      call('abcdefgh1'),
      user('b'),
      call('abcdefgh2'),
      output('abcdefgh1', '1'),
      output('abcdefgh2', '2'),
      assistant('A'),
      assistant('B'),
    ]
    const messages = await messagesOf(model, history)
    const order = roles(messages).join(' ')
    const bridge = model.startsWith('mistral') ? 'assistant ' : ''
    const answers = /mistral|gemma/.test(model) ? 'assistant' : 'assistant assistant'
    expect(order).toBe(`system user assistant tool ${bridge}user assistant tool ${answers} user`)
    expect(messages.filter(({ role }) => role === 'tool').map(({ content }) => content)).toEqual(['1', '2'])
  },
)

test.each(['anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash', 'groq/llama', 'hosted_vllm/gemma'])(
  '%s gets no blank text, and the user has the first word where that is asked',
  async (model) => {
    const history = [
      assistant('  \n'),
      user(''),
      assistant(''),
      user([{ type: 'input_text', text: ' ' }]),
      assistant([]),
      call('c'),
      output('c', ''),
    ]
    const body = await sendWith(model, history)
    const text = JSON.stringify(body.messages ?? body.contents)
    expect(text).not.toMatch(/"text":"(\s|\\n)*"/)
    expect(text).toContain('Now')
  },
)

test.each([
  { modelSettings: { parallelToolCalls: false, toolChoice: 'auto' }, tools: [] as [] },
  { modelSettings: { toolChoice: 'required' }, tools: [] as [] },
  { modelSettings: { parallelToolCalls: true, toolChoice: 'none' }, tools: [] as [] },
  { modelSettings: { toolChoice: 'gone' } },
  { modelSettings: { toolChoice: { type: 'function', function: { name: 'gone' } } } },
  {
    client_config: { model_settings_extra_args: { tool_choice: 'auto', parallel_tool_calls: false } },
    tools: [] as [],
  },
])('settings of tools that are not there are left out: %j', async (setting) => {
  for (const model of ['groq/llama', 'gpt-5.4', 'anthropic/claude-sonnet-4-5']) {
    const body = await sendWith(model, [], setting)
    expect(body, model).not.toHaveProperty('tool_choice')
    if ('tools' in setting) expect(body, model).not.toHaveProperty('parallel_tool_calls')
  }
})

test('calls of an agent without tools keep a definition, so that Claude takes them', async () => {
  const { tools, tool_choice } = await sendWith('anthropic/claude-sonnet-4-5', [user('a'), call('c'), output('c')], {
    tools: [],
  })
  expect(tools).toMatchObject([{ name: 'look' }])
  expect(tool_choice).toEqual({ type: 'none' })
})

test.each(['deepseek/deepseek-chat', 'moonshot/kimi-k2.6'])(
  '%s gets a text of reasoning with every call',
  async (model) => {
    const own = thought('msg_x', { summary: [{ type: 'summary_text', text: 'Hm.' }], provider_data: { model } })
    const history = [
      call('a'),
      output('a'),
      user('x'),
      own,
      assistant('Text'),
      call('b'),
      output('b'),
      thought('rs_1'),
      call('c'),
      output('c'),
      assistant('End'),
    ]
    const messages = (await messagesOf(model, history)).filter(({ role }) => role === 'assistant')
    expect(messages.map(({ reasoning_content }) => reasoning_content)).toEqual([' ', 'Hm.', ' ', undefined])
  },
)

test('DeepSeek is told of pictures and files that it cannot see', async () => {
  const history = [
    user([
      { type: 'input_image', image_url: 'https://img.example/a.png' },
      { type: 'input_file', filename: 'a.pdf', file_data: 'data:,x' },
    ]),
  ]
  const messages = await messagesOf('deepseek/deepseek-chat', history)
  expect(messages[1]?.content).toEqual([
    { type: 'text', text: '(The image https://img.example/a.png cannot be shown to this model.)' },
    { type: 'text', text: '(The file a.pdf cannot be shown to this model.)' },
  ])
})

test.each(['groq/llama', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash'])(
  '%s sees calls of other kinds as calls of functions',
  async (model) => {
    const history = [
      user('x'),
      { type: 'custom_tool_call', call_id: 'a', name: 'free form', input: 'IN-1' },
      { type: 'custom_tool_call_output', call_id: 'a', output: 'OUT-1' },
      { type: 'local_shell_call', id: 'lsh_1', call_id: 'b', action: { type: 'exec', command: ['IN-2'], env: {} } },
      { type: 'local_shell_call_output', id: 'b', output: 'OUT-2' },
      { type: 'apply_patch_call', call_id: 'c', status: 'completed', operation: { type: 'delete_file', path: 'IN-3' } },
      { type: 'apply_patch_call_output', call_id: 'c', status: 'completed', output: 'OUT-3' },
    ]
    const text = JSON.stringify(await sendWith(model, history))
    for (const word of ['free_form', 'IN-1', 'OUT-1', 'local_shell', 'IN-2', 'OUT-2', 'apply_patch', 'IN-3', 'OUT-3'])
      expect(text).toContain(word)
  },
)

test('Claude does not think in the middle of a turn that another model began', async () => {
  const { seen, refused } = await startStrictUpstream()
  const reasoning = { modelSettings: { reasoning: { effort: 'high' } } }
  const agent = new Agent({ name: 'A', model: 'anthropic/claude-sonnet-4-5', tools: [look], ...reasoning })
  const { url } = await startServer({ agencies: { solo: new Agency(agent) } })
  const theirs = { provider_data: { model: 'anthropic/claude-sonnet-4-5' } }
  for (const message of [
    [user('x'), call('c'), output('c')],
    [user('x'), call('c', theirs), output('c')],
    [user('x'), call('c'), output('c'), user('y')],
  ])
    await postAndRead(`${url}/solo/get_response`, { message })
  expect(seen.map(({ body }) => body.thinking !== undefined)).toEqual([false, true, true])
  expect(refused).toEqual([])
})

test('an output for a call of the history is part of new_messages, and the next turn knows both', async () => {
  promise('C3')
  const { seen, refused } = await startStrictUpstream()
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'A', model: 'gpt-5.4', tools: [look] })) },
  })
  const history = [{ ...call('c'), agent: 'A', callerAgent: null, timestamp: 1 }]
  const first = await postAndRead(`${url}/solo/get_response`, { message: [output('c')], chat_history: history })
  expect(first.body.new_messages.map(({ type }: Item) => type)).toEqual(['function_call_output', 'message'])
  await postAndRead(`${url}/solo/get_response`, {
    message: 'Now',
    chat_history: [...history, ...first.body.new_messages],
  })
  expect(seen[1]?.body.input.map(({ type }: Item) => type)).toEqual([
    'function_call',
    'function_call_output',
    'message',
    'message',
  ])
  expect(refused).toEqual([])
})

test('a handoff over Chat Completions keeps one message of the system, first', async () => {
  promise('F4')
  const { seen, refused } = await startStrictUpstream()
  const [first, second] = ['First', 'Second'].map(
    (name) => new Agent({ name, description: name, instructions: `I am ${name}.`, model: 'groq/llama' }),
  ) as [Agent, Agent]
  const { url } = await startServer({
    agencies: { team: new Agency(first, { communicationFlows: [[first, second, Handoff]] }) },
  })
  const about = { agent: 'First', callerAgent: null, timestamp: 1 }
  const chat_history = [
    user('a'),
    { ...note('Reminder.'), message_origin: 'handoff_reminder' },
    call('c', { name: 'transfer_to_Second' }),
    output('c'),
  ].map((item) => ({ ...item, ...about }))
  await postAndRead(`${url}/team/get_response`, { message: 'Now', chat_history })
  expect(roles(seen[0]?.body.messages)).toEqual(['system', 'user', 'assistant', 'tool', 'user'])
  expect(refused).toEqual([])
})
