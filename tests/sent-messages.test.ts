import { expect, test } from 'vitest'
import { Agency, Agent, Handoff } from '../src/index.ts'
import { promise } from './promises.ts'
import { postAndRead, startServer } from './support/client.ts'
import { assistant, call, type Item, look, messagesOf, output, roles, sendWith, thought, user } from './support/sent.ts'
import { startStrictUpstream } from './support/strict-upstream.ts'

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

test('guidance after the last answer becomes a user message', async () => {
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
  '%s gets no blank text, and a user message first if needed',
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

test('calls of an agent without tools keep a definition for Claude', async () => {
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

test('an output for an earlier call is part of new_messages', async () => {
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
