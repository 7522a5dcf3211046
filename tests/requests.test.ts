import { expect, test } from 'vitest'
import { Agency, Agent, type Model, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, startServer, useUpstream } from './support/client.ts'

const agent = (options = {}) => new Agent({ name: 'Assistant', instructions: 'Base.', model: 'gpt-4.1', ...options })
const solo = (options = {}) => new Agency(agent(options))

test('a structured message travels untouched, also in later turns', async () => {
  promise('C1', 'C2')
  const upstream = await useUpstream(() => ({ text: 'Seen' }))
  const { url } = await startServer({ agencies: { solo: solo() } })
  const parts = [
    { type: 'input_text', text: 'What is this?' },
    { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'auto' },
    { type: 'input_file', filename: 'a.pdf', file_data: `data:application/pdf;base64,${'A'.repeat(20 * 1024 * 1024)}` },
  ]
  const message = [{ role: 'user', content: parts }]
  const first = final(await allFrames(`${url}/solo/get_response_stream`, { message }))
  expect(first.new_messages[0].content).toEqual(parts)
  await post(`${url}/solo/get_response`, { message: 'And now?', chat_history: first.new_messages })
  const input = upstream.seen[1]?.body.input as { content: unknown; [key: string]: unknown }[]
  expect(input[0]?.content).toEqual(parts)
  for (const item of input)
    for (const key of ['agent', 'callerAgent', 'timestamp', 'agent_run_id', 'run_trace_id'])
      expect(item).not.toHaveProperty(key)
  for (const { body } of upstream.seen)
    expect(Object.keys(body)).not.toEqual(expect.arrayContaining(['previous_response_id', 'conversation']))
  const large = await post(`${url}/solo/get_response`, { message: 'x'.repeat(33 * 1024 * 1024) })
  expect(large.status).toBe(413)
  expect(await large.json()).toEqual({ detail: expect.any(String) })
})

test('any agent can be addressed, and an unknown name is a 422', async () => {
  promise('C4')
  const upstream = await useUpstream(() => ({ text: 'Hi' }))
  const developer = new Agent({ name: 'Developer', instructions: 'You code.', model: 'gpt-4.1' })
  const { url } = await startServer({
    agencies: { team: new Agency(agent(), { communicationFlows: [[agentOf(), developer]] as never }) },
  })
  await post(`${url}/team/get_response`, { message: 'Hi', recipient_agent: 'Developer' })
  expect(upstream.seen[0]?.body.instructions).toBe('You code.')
  const ghost = await post(`${url}/team/get_response`, { message: 'Hi', recipient_agent: 'Ghost' })
  expect(ghost.status).toBe(422)
  expect(JSON.stringify(await ghost.json())).toContain("['Assistant', 'Lead', 'Developer']")
})
const agentOf = () => new Agent({ name: 'Lead', model: 'gpt-4.1' })

test('100 overlapping requests keep their settings apart', async () => {
  promise('C11', 'C12', 'C17')
  const script: Parameters<typeof useUpstream>[0] = (body) => {
    const input = body.input as { type?: string }[]
    return input.at(-1)?.type === 'function_call_output'
      ? { text: 'Done' }
      : { calls: [{ name: 'whoami', arguments: {} }] }
  }
  const gateways = [await useUpstream(script), await useUpstream(script)]
  const own = await useUpstream(script)
  const whoami = tool({
    name: 'whoami',
    execute: async (_input, context) => {
      await new Promise((resolve) => setImmediate(resolve))
      context.set('touched', context.get('user'))
      return `${context.get('user')} ${context.get('plan')}`
    },
  })
  const agency = new Agency(agent({ tools: [whoami] }), { userContext: { plan: 'free' } })
  const { url } = await startServer({
    agencies: { solo: agency },
    trustedModelOrigins: gateways.map(({ origin }) => origin),
  })
  await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const mark = `mark${index}x`
      const answer = await post(`${url}/solo/get_response`, {
        message: `message ${mark}`,
        additional_instructions: `instructions ${mark}`,
        user_context: { user: `user ${mark}` },
        chat_history: [
          { role: 'user', content: `history ${mark}`, agent: 'Assistant', callerAgent: null, timestamp: 1 },
        ],
        ...(index % 3 === 0
          ? {}
          : { client_config: { api_key: `key-${mark}`, base_url: gateways[(index % 3) - 1]?.baseURL } }),
      })
      expect(JSON.stringify(await answer.json())).toContain(`user ${mark} free`)
    }),
  )
  expect([own, ...gateways].map(({ seen }) => seen.length)).toEqual([68, 66, 66])
  const seen = [own, ...gateways].flatMap((upstream, place) => upstream.seen.map((request) => ({ ...request, place })))
  for (const { headers, body, place } of seen) {
    const text = JSON.stringify(body)
    const marks = new Set(text.match(/mark\d+x/g))
    expect(marks.size).toBe(1)
    const [mark] = marks
    expect(body.instructions).toBe(`Base.\n\ninstructions ${mark}`)
    expect(Number(/\d+/.exec(mark as string)?.[0]) % 3).toBe(place)
    expect(headers.authorization).toBe(place === 0 ? 'Bearer sk-server-key' : `Bearer key-${mark}`)
  }
  expect(agency.userContext).toEqual({ plan: 'free' })
})

test('user_context is for tools and never reaches the model', async () => {
  promise('C12')
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'peek', arguments: {} }] } : { text: 'ok' },
  )
  const seen: unknown[] = []
  const peek = tool({ name: 'peek', execute: (_input, context) => void seen.push(context.get('token')) })
  const { url } = await startServer({ agencies: { solo: solo({ tools: [peek] }) } })
  await post(`${url}/solo/get_response`, { message: 'Hi', user_context: { token: 'tell-nobody' } })
  expect(seen).toEqual(['tell-nobody'])
  expect(JSON.stringify(upstream.seen.map(({ body, headers }) => [body, headers]))).not.toContain('tell-nobody')
})

test("the server's key never goes to a request's base_url", async () => {
  promise('C13')
  const upstream = await useUpstream(() => ({ text: 'Hi' }))
  const elsewhere = await useUpstream(() => ({ text: 'Hi' }))
  process.env.OPENAI_BASE_URL = upstream.baseURL
  const own = await startServer({ agencies: { solo: solo() } })
  const refused = await post(`${own.url}/solo/get_response`, {
    message: 'Hi',
    client_config: { base_url: elsewhere.baseURL },
  })
  expect(refused.status).toBe(422)
  expect(JSON.stringify(await refused.json())).toContain('trustedModelOrigins')
  expect(elsewhere.seen).toHaveLength(0)
  const trusting = await startServer({ agencies: { solo: solo() }, trustedModelOrigins: [elsewhere.origin] })
  const client_config = { base_url: elsewhere.baseURL, api_key: 'sk-request' }
  await post(`${trusting.url}/solo/get_response`, { message: 'Hi', client_config })
  expect(elsewhere.seen[0]?.headers.authorization).toBe('Bearer sk-request')
  await post(`${trusting.url}/solo/get_response`, { message: 'Hi' })
  expect(upstream.seen[0]?.headers.authorization).toBe('Bearer sk-server-key')
})

test('client_config leaves a custom model alone and the request still runs', async () => {
  promise('C15', 'F9')
  const custom: Model = {
    name: 'mine',
    // biome-ignore lint/correctness/useYield: this model is only asked plainly here
    async *streamTurn() {
      throw new Error('not streamed')
    },
    completeTurn: async () => ({
      output: [{ type: 'message', role: 'assistant', id: 'msg_1', content: [{ type: 'output_text', text: 'custom' }] }],
    }),
  }
  const warnings: string[] = []
  const warn = console.warn
  console.warn = (text: string) => warnings.push(text)
  const { url } = await startServer({ agencies: { solo: solo({ model: custom }) } })
  const answer = await post(`${url}/solo/get_response`, {
    message: 'Hi',
    client_config: { api_key: 'sk-other', model: 'gpt-5' },
  })
  console.warn = warn
  expect(await answer.json()).toMatchObject({ response: 'custom' })
  expect(warnings.join()).toMatch(/custom model of agent "Assistant"/)
})

test('invalid bodies get 422 in the original shape, without secrets', async () => {
  promise('C18')
  const { url } = await startServer({ agencies: { solo: solo({ model: 'demo' }) } })
  const ask = async (body: unknown, headers = {}) => {
    const answer = await post(`${url}/solo/get_response`, body, headers)
    expect(answer.status).toBe(422)
    return ((await answer.json()) as { detail: { type: string; loc: unknown[]; input: unknown }[] }).detail
  }
  expect((await ask('{"message": '))[0]).toMatchObject({ type: 'json_invalid', input: {} })
  expect(await ask('')).toEqual([{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }])
  expect((await ask('[1]'))[0]).toMatchObject({ type: 'model_attributes_type', loc: ['body'] })
  expect((await ask({ message: 'x' }, { 'content-type': 'text/plain' }))[0]).toMatchObject({
    type: 'model_attributes_type',
  })
  expect((await ask({ message: 'x', chat_history: 'no' }))[0]).toMatchObject({
    type: 'list_type',
    loc: ['body', 'chat_history'],
  })
  expect((await ask({ message: 'x', recipient_agent: 5 }))[0]).toMatchObject({
    type: 'string_type',
    loc: ['body', 'recipient_agent'],
  })
  expect((await ask({ message: 'x', file_ids: 'file-1' }))[0]).toMatchObject({
    type: 'list_type',
    loc: ['body', 'file_ids'],
  })
  expect((await ask({ message: 'x', file_urls: { 'a.pdf': 5 } }))[0]).toMatchObject({
    type: 'string_type',
    loc: ['body', 'file_urls', 'a.pdf'],
  })
  const secret = {
    client_config: { api_key: 'sk-very-secret', default_headers: { Host: 'sk-very-secret' } },
    user_context: { a: 'sk-very-secret' },
  }
  expect(JSON.stringify(await ask(secret))).not.toContain('sk-very-secret')
  const unknown = await post(`${url}/tool/none`, {})
  expect(unknown.status).toBe(404)
})

test('every wrong field is reported, in the order of the original', async () => {
  promise('C18')
  const { url } = await startServer({ agencies: { solo: solo({ model: 'demo' }) } })
  const ask = async (body: unknown) => {
    const answer = await post(`${url}/solo/get_response`, body)
    const { detail } = (await answer.json()) as { detail: { type: string; loc: unknown[] }[] }
    return detail.map(({ type, loc }) => [type, ...loc.slice(1)].join(' '))
  }
  expect(
    await ask({
      client_config: { model: 1 },
      generate_chat_name: 'x',
      additional_instructions: 2,
      file_urls: { a: 1, b: 'ok', c: 3 },
      file_ids: [4, 'ok', 5],
      recipient_agent: 'Ghost',
      chat_history: [1, {}, 'x'],
    }),
  ).toEqual([
    'missing message',
    'dict_type chat_history 0',
    'dict_type chat_history 2',
    'value_error recipient_agent',
    'string_type file_ids 0',
    'string_type file_ids 2',
    'string_type file_urls a',
    'string_type file_urls c',
    'string_type additional_instructions',
    'bool_parsing generate_chat_name',
    'string_type client_config model',
  ])
})

test.each([
  ['not json', 0],
  ['{"message": x}', 12],
  ['{"message": "unterminated', 12],
  ['{"é": x}', 6],
  ['{"😀": 01}', 7],
  ['{"message": "\\x"}', 13],
  ['{"message": "\\u12g4"}', 14],
  ['{"message": "a\u0001b"}', 14],
  ['{"message" "x"}', 11],
  ['{"message": [1, 2}', 17],
  ['{"message": 1} trailing', 15],
  ['{"message": 1,}', 14],
  ['{"message": -}', 12],
  ['{', 1],
  ['[1, {"a": tru}]', 10],
])('%j stops being JSON where Python says so', async (body, place) => {
  promise('C18')
  const { url } = await startServer({ agencies: { solo: solo({ model: 'demo' }) } })
  const answer = await post(`${url}/solo/get_response`, body)
  expect(answer.status).toBe(422)
  expect(await answer.json()).toMatchObject({ detail: [{ type: 'json_invalid', loc: ['body', place] }] })
})

test.each([
  [{ client_config: 'sk-secret-1' }],
  [{ client_config: [{ api_key: 'sk-secret-1' }] }],
  [{ client_config: { model_settings_extra_args: { extra_headers: { 'X-Own': 'sk-secret-1' } } } }],
  [{ nested: [{ client_config: { api_key: 'sk-secret-1' } }] }],
  [{ nested: { userContext: { name: 'sk-secret-1' }, Authorization: 'sk-secret-1' } }],
  [{ message: 'x', client_config: { base_url: 'https:/user:sk-secret-1@h' } }],
  [{ message: 'x', client_config: { base_url: ' https://user:sk-secret-1@h' } }],
  [{ message: 'x', client_config: { base_url: 'https:\\\\user:sk-secret-1@h' } }],
  [{ message: 'x', client_config: { base_url: 'ftp://h?api_key=sk-secret-1' } }],
  [{ message: 5, user_context: { a: 'sk-secret-1' } }],
])('%j is refused without a word of its secret, wherever it is sent', async (body) => {
  promise('D6')
  const { url } = await startServer({ agencies: { solo: solo({ model: 'demo' }) } })
  for (const path of ['get_response', 'get_response_stream', 'cancel_response_stream'])
    for (const type of ['application/json', 'text/plain']) {
      const answer = await post(`${url}/solo/${path}`, body, { 'content-type': type })
      expect(answer.status, path).toBe(422)
      expect(await answer.text()).not.toContain('sk-secret-1')
    }
})

test.each(['http://127.0.0.1:9 ', 'http://127.0.0.1:9/#v1', 'http://127.0.0.1:9/v1?a=b', 'http:\\\\127.0.0.1:9'])(
  "the address %j is rejected: it cannot take the API's path",
  async (base_url) => {
    promise('C13')
    await useUpstream(() => ({ text: 'never' }))
    const { url } = await startServer({ agencies: { solo: solo() }, trustedModelOrigins: ['http://127.0.0.1:9'] })
    const answer = await post(`${url}/solo/get_response`, { message: 'x', client_config: { base_url, api_key: 'k' } })
    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({ detail: [{ loc: ['body', 'client_config', 'base_url'] }] })
  },
)

test('a refusal fails the run and leaves no answer in the history', async () => {
  promise('D6')
  const refused = {
    id: 'msg_no',
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'refusal', refusal: 'I cannot.' }],
  }
  await useUpstream(() => ({ output: [refused] }))
  const { url } = await startServer({ agencies: { solo: solo() } })
  const plain = await post(`${url}/solo/get_response`, { message: 'x' })
  expect(plain.status).toBe(500)
  expect(await plain.json()).toEqual({ error: 'Model refused to produce output: I cannot.' })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'x' })
  expect(frames.map(({ data }) => data)).toContainEqual({
    data: { type: 'error', content: 'Model refused to produce output: I cannot.' },
  })
  expect(final(frames).new_messages.map(({ role }: { role: string }) => role)).toEqual(['user'])
})
