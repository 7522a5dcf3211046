/** Conversations and tools as clients send them to the OpenAI endpoints, and what the model gets. */
import { expect, test } from 'vitest'
import { post, useUpstream } from './support/client.ts'
import { clock, serveOpenAi } from './support/openai-server.ts'

type Json = { [key: string]: unknown }
const user = { role: 'user', content: 'Q' }
const chatCall = (args: unknown = '{"zone":"UTC"}') => ({
  role: 'assistant',
  content: null,
  tool_calls: [{ id: 'c1', type: 'function', function: { name: 'clock', arguments: args } }],
})
const chatOutput = (content: unknown) => ({ role: 'tool', tool_call_id: 'c1', content })
const call = (args: unknown = '{"zone":"UTC"}') => ({
  type: 'function_call',
  call_id: 'c1',
  name: 'clock',
  arguments: args,
})
const output = (value: unknown) => ({ type: 'function_call_output', call_id: 'c1', output: value })
const ASKED = { type: 'function_call', call_id: 'c1', name: 'clock', arguments: '{"zone":"UTC"}' }
const PICTURE = 'https://a.example/a.png'
const imagePart = (url: unknown) => ({ type: 'image_url', image_url: url })
const inputImage = { type: 'input_image', detail: 'auto', image_url: PICTURE }
const text = (value: string) => ({ type: 'input_text', text: value })

/** Messages of Chat Completions, and the items that the model gets of them. */
const CHATS: [name: string, messages: Json[], items: Json[]][] = [
  ['arguments as an object', [user, chatCall({ zone: 'UTC' }), chatOutput('noon')], [user, ASKED, output('noon')]],
  ['an output of null', [user, chatCall(), chatOutput(null)], [user, ASKED, output('')]],
  ['an output before its call', [user, chatOutput('noon'), chatCall(), user], [user, ASKED, output('noon'), user]],
  [
    'an image in an output',
    [user, chatCall(), chatOutput([{ type: 'text', text: 'noon', _meta: {} }, imagePart({ url: PICTURE })])],
    [user, ASKED, output([text('noon'), inputImage])],
  ],
  ['an image as a text', [{ role: 'user', content: [imagePart(PICTURE)] }], [{ role: 'user', content: [inputImage] }]],
  [
    'a refusal beside the content',
    [user, { role: 'assistant', content: null, refusal: 'No.' }, user],
    [user, { role: 'assistant', content: 'No.' }, user],
  ],
  [
    'thinking in the content',
    [
      user,
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm' },
          { type: 'text', text: 'A' },
        ],
      },
      user,
    ],
    [user, { role: 'assistant', content: 'A' }, user],
  ],
  [
    'files in an answer',
    [
      user,
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'Here:' },
          imagePart({ url: PICTURE }),
          { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } },
        ],
      },
      user,
    ],
    [
      user,
      {
        role: 'assistant',
        content: `Here:\n(The image ${PICTURE} cannot be shown.)\n(The file a.pdf cannot be shown.)`,
      },
      user,
    ],
  ],
]

/** Items of the Responses API, and what the model gets of them. */
const custom = { type: 'custom_tool_call', call_id: 'p1', name: 'patch', input: 'x' }
const customOutput = { type: 'custom_tool_call_output', call_id: 'p1', output: 'done' }
const INPUTS: [name: string, input: Json[], items: Json[]][] = [
  ['arguments as an object', [user, call({ zone: 'UTC' }), output('noon')], [user, ASKED, output('noon')]],
  ['an output that is data', [user, call(), output({ hour: 12 })], [user, ASKED, output('{"hour":12}')]],
  [
    'an output in output_text',
    [user, call(), output([{ type: 'output_text', text: 'noon' }])],
    [user, ASKED, output([text('noon')])],
  ],
  ['an output of null', [user, call(), output(null)], [user, ASKED, output('')]],
  [
    'parts of Chat Completions',
    [{ role: 'user', content: [{ type: 'text', text: 'Q' }, imagePart({ url: PICTURE, detail: 'auto' })] }],
    [{ role: 'user', content: [text('Q'), inputImage] }],
  ],
  [
    'an image in an answer',
    [user, { role: 'assistant', content: [{ type: 'input_image', image_url: PICTURE }] }, user],
    [user, { role: 'assistant', content: `(The image ${PICTURE} cannot be shown.)` }, user],
  ],
  ['calls of a custom tool', [user, custom, customOutput, user], [user, custom, customOutput, user]],
  ['an output of a custom tool at the end', [user, custom, customOutput], [user, custom, customOutput]],
]

async function start() {
  const upstream = await useUpstream(() => ({ text: 'Hi' }))
  const { url, client } = await serveOpenAi()
  const ask = async (path: string, body: object) => {
    const response = await post(`${url}/v1/${path}`, { model: 'support', ...body })
    const answer = (await response.json()) as { error: { message: string; param: string } }
    return { status: response.status, answer, sent: upstream.seen.at(-1)?.body as Json }
  }
  return { ask, client, upstream }
}

/** Items without the type of a message, which may be left out. */
const plain = (items: unknown) =>
  (items as Json[]).map(({ type, ...item }) => (type === 'message' ? item : { type, ...item }))
const bare = (items: Json[]) => items.map(({ type, ...item }) => ({ ...(type === undefined ? {} : { type }), ...item }))

test('conversations in the shapes that clients send reach the model', async () => {
  const { ask } = await start()
  for (const [name, messages, items] of CHATS) {
    const { status, sent, answer } = await ask('chat/completions', { messages, tools: [clock] })
    expect({ status, answer }, name).toMatchObject({ status: 200 })
    expect(bare(plain(sent.input)), name).toEqual(items)
  }
  for (const [name, input, items] of INPUTS) {
    const { status, sent, answer } = await ask('responses', { input, store: false })
    expect({ status, answer }, name).toMatchObject({ status: 200 })
    expect(bare(plain(sent.input)), name).toEqual(items)
  }
})

test('a choice of allowed tools takes the others of the client away', async () => {
  const { ask } = await start()
  const { function: fields } = clock
  const other = { ...fields, name: 'other' }
  const name = { type: 'function', name: 'clock' }
  const chat = (named: string) => ({
    messages: [user],
    tools: [clock, { type: 'function', function: other }],
    tool_choice: {
      type: 'allowed_tools',
      allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: named } }] },
    },
  })
  const tools = [
    { type: 'function', ...fields },
    { type: 'function', ...other },
  ]
  const responses = {
    input: 'Q',
    store: false,
    tools,
    tool_choice: { type: 'allowed_tools', mode: 'required', tools: [name] },
  }
  for (const [path, body] of [
    ['chat/completions', chat('clock')],
    ['responses', responses],
  ] as const) {
    const { sent } = await ask(path, body)
    expect((sent.tools as Json[]).map((tool) => tool.name)).toEqual(['lookup', 'clock'])
    expect(sent.tool_choice).toBe('required')
  }
  const { status, answer } = await ask('chat/completions', chat('missing'))
  expect({ status, message: answer.error.message }).toEqual({
    status: 400,
    message: expect.stringContaining('there is no tool "missing"'),
  })
})

test('references stand for items of kept responses', async () => {
  const { client, upstream, ask } = await start()
  const first = await client.responses.create({ model: 'support', input: 'Q' })
  const tools = [{ type: 'function' as const, strict: false, ...clock.function }]
  const reference = (response: typeof first) => ({ type: 'item_reference' as const, id: response.output[0]?.id ?? '' })
  await client.responses.create({
    model: 'support',
    input: [user as never, reference(first), { role: 'user', content: 'Q-2' }],
  })
  expect(bare(plain(upstream.seen[1]?.body.input))).toEqual([
    user,
    { role: 'assistant', content: 'Hi' },
    { role: 'user', content: 'Q-2' },
  ])
  for (const id of ['fc_unknown', `msg_${'0'.repeat(44)}`, reference(first).id.replace(/.$/, 'f')]) {
    const { status, answer } = await ask('responses', { input: [{ type: 'item_reference', id }, user], tools })
    expect({ status, param: answer.error.param }).toEqual({ status: 400, param: 'input.0.id' })
  }
})

test('an output follows a reference to its call', async () => {
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'clock', arguments: { zone: 'UTC' }, id: 'c1' }] } : { text: 'Noon' },
  )
  const { client } = await serveOpenAi()
  const tools = [{ type: 'function' as const, strict: false, ...clock.function }]
  const { output: items } = await client.responses.create({ model: 'support', input: 'Q', tools })
  const input = [user, { type: 'item_reference', id: items[0]?.id }, output('noon')]
  const answer = await client.responses.create({ model: 'support', tools, input: input as never })
  expect(answer.output_text).toBe('Noon')
  expect(bare(plain(upstream.seen[1]?.body.input))).toEqual([user, ASKED, output('noon')])
})
