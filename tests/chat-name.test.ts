import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent, Handoff } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, startServer, useUpstream } from './support/client.ts'
import { everyProviderAt, messageStart, setEnv, startMock, writeAnthropic } from './support/providers.ts'
import type { SeenRequest } from './support/upstream.ts'

type Json = { [key: string]: unknown }
type Answer = { chat_name?: string; usage?: { request_count: number }; response?: string }

const solo = (options = {}) =>
  new Agency(new Agent({ name: 'Solo', instructions: 'Help.', model: 'gpt-4.1', ...options }))
const asksForName = (body: Json) => JSON.stringify(body.text ?? '').includes('chat_name')
const namings = (seen: readonly SeenRequest[]) => seen.filter(({ body }) => asksForName(body))

/** A model that answers "Sunny." and names conversations with the texts given, in turn; the last one stays. */
const useNamer = (...names: string[]) => {
  let asked = 0
  return useUpstream((body) =>
    asksForName(body) ? { text: names[Math.min(asked++, names.length - 1)] as string } : { text: 'Sunny.' },
  )
}
const named = (name: string) => JSON.stringify({ chat_name: name })

/** What the server writes to its log until the test is over. */
function listen() {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => error.mockRestore())
  return () => error.mock.calls.flat().join('\n')
}

test('both endpoints return a chat name and count its usage', async () => {
  promise('B1', 'B2', 'C16')
  const upstream = await useNamer(named('Weather In Paris'))
  const { url } = await startServer({ agencies: { solo: solo() } })
  const history = [{ role: 'user', content: 'old', agent: 'Solo', callerAgent: null, timestamp: 1 }]
  const body = { message: 'And Paris?', chat_history: history, generate_chat_name: true }
  const plain = (await (await post(`${url}/solo/get_response`, body)).json()) as Answer
  expect(Object.keys(plain)).toEqual(['response', 'new_messages', 'usage', 'chat_name'])
  expect(plain).toMatchObject({ response: 'Sunny.', chat_name: 'Weather In Paris', usage: { request_count: 1 } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, body)
  expect(frames.slice(-2).map((frame) => frame.event)).toEqual(['messages', 'end'])
  expect(final(frames)).toMatchObject({ chat_name: 'Weather In Paris', usage: { request_count: 1 }, cancelled: false })
  expect(JSON.stringify(frames.slice(0, -2))).not.toContain('Weather In Paris')

  expect(upstream.seen).toHaveLength(4)
  for (const { body: asked } of namings(upstream.seen)) {
    expect(asked).toMatchObject({
      model: 'gpt-5.6-luna',
      store: false,
      reasoning: { effort: 'none' },
      text: { format: { type: 'json_schema', strict: true, schema: { required: ['chat_name'] } } },
    })
    expect(asked.stream).toBeUndefined()
    const [item] = asked.input as [{ content: string }]
    const printed = JSON.parse(item.content) as Json[]
    expect(printed).toMatchObject([{ role: 'user', content: 'And Paris?' }, { content: [{ text: 'Sunny.' }] }])
    expect(item.content).not.toMatch(/old|agent_run|timestamp|callerAgent/)
  }
})

test('chat names come from a cut conversation without notes or files', async () => {
  promise('C16')
  const upstream = await useUpstream((body, index) => {
    if (asksForName(body)) return { text: named('Long Story') }
    const call = { name: 'transfer_to_Next', arguments: { recipient_agent: 'Next' } }
    return index === 0 ? { calls: [call] } : { text: 'x'.repeat(5000) }
  })
  const [first, next] = ['First', 'Next'].map((name) => new Agent({ name, model: 'gpt-4.1' })) as [Agent, Agent]
  const agency = new Agency(first, { communicationFlows: [[first, next, Handoff]] })
  const file = { type: 'input_file', filename: 'a.pdf', file_data: `data:application/pdf;base64,${'A'.repeat(9000)}` }
  const content = [file, { type: 'input_text', text: 'Tell me' }]
  const { chatName, newMessages } = await agency.getResponse([{ role: 'user', content }], { generateChatName: true })
  expect(chatName).toBe('Long Story')
  expect(newMessages.some((message) => message.message_origin === 'handoff_reminder')).toBe(true)
  const { body } = namings(upstream.seen)[0] as SeenRequest
  const [item] = body.input as [{ content: string }]
  expect(item.content.length).toBeLessThan(1100)
  expect(item.content).toContain('"text":"Tell me"')
  expect(item.content).not.toContain('AAAA')
  expect(item.content).not.toContain('"role":"system"')
})

test('a chat name has 2 to 6 words, with three more attempts', async () => {
  promise('C16')
  const logged = listen()
  const ask = async (...names: string[]) => {
    const upstream = await useNamer(...names)
    const { url } = await startServer({ agencies: { solo: solo() } })
    const answer = await post(`${url}/solo/get_response`, { message: 'Hi', generate_chat_name: true })
    expect(answer.status).toBe(200)
    return { ...((await answer.json()) as Answer), calls: namings(upstream.seen).length }
  }
  expect(await ask(named('One'), named('a b c d e f g'), named('  Just   Right '))).toMatchObject({
    chat_name: 'Just Right',
    calls: 3,
  })
  for (const useless of [named('One'), named(''), named(`${'x'.repeat(500)} long`)]) {
    const answer = await ask(useless)
    expect(answer).not.toHaveProperty('chat_name')
    expect(answer).toMatchObject({ response: 'Sunny.', calls: 4 })
  }
  expect(logged()).toContain('The chat got no name')
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  onTestFinished(() => warn.mockRestore())
  await useNamer(named('One'))
  expect(await solo().getResponse('Hi', { generateChatName: true })).not.toHaveProperty('chatName')
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('The chat got no name'))
  for (const foreign of ['Weather In Paris', '{"name": "Weather In Paris"}', '[]', ''])
    expect(await ask(foreign)).toMatchObject({ response: 'Sunny.', calls: 1 })
})

test('a run at another provider gets its name there, with its keys', async () => {
  promise('C13', 'C16')
  const names = ['One', 'Two Words']
  const mock = await startMock([], ({ body }, response) => {
    const text = JSON.stringify(body).includes('chat_name')
      ? `\`\`\`json\n${named(names.shift() ?? '')}\n\`\`\``
      : 'Sunny.'
    const block = { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }
    const delta = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }
    const usage = { input_tokens: 1, output_tokens: 1 }
    const end = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage }
    if (body.stream === true)
      return writeAnthropic(response, [messageStart(), block, delta, end, { type: 'message_stop' }])
    const content = [{ type: 'text', text }]
    const message = { type: 'message', role: 'assistant', id: 'msg_1', model: 'claude', stop_reason: 'end_turn', usage }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ...message, content }))
    return true
  })
  everyProviderAt(mock.url)
  setEnv({ OPENAI_API_KEY: undefined })
  const { url } = await startServer({ agencies: { solo: solo({ model: 'anthropic/claude-sonnet-4-5' }) } })
  const body = { message: 'Hi', generate_chat_name: true, client_config: { litellm_keys: { anthropic: 'k-request' } } }
  expect(final(await allFrames(`${url}/solo/get_response_stream`, body))).toMatchObject({ chat_name: 'Two Words' })
  expect(mock.seen.map(({ path, headers }) => [path, headers['x-api-key']])).toEqual(
    Array.from({ length: 3 }, () => ['/v1/messages', 'k-request']),
  )
  expect(mock.seen.at(-1)?.body.messages.map(({ role }: { role: string }) => role)).toEqual([
    'user',
    'assistant',
    'user',
  ])
})

test("the name call uses the request's address, key, headers and model", async () => {
  promise('C16')
  const upstream = await useNamer(named('My Own Way'))
  const { url } = await startServer({ agencies: { solo: solo() }, trustedModelOrigins: [upstream.origin] })
  const client_config = {
    base_url: upstream.baseURL,
    api_key: 'sk-request',
    default_headers: { 'x-team': 'blue' },
    model_settings_extra_args: { max_tokens: 3 },
  }
  const run = async (more: object = {}) => {
    const body = { message: 'Hi', generate_chat_name: true, client_config: { ...client_config, ...more } }
    const answer = (await (await post(`${url}/solo/get_response`, body)).json()) as Answer
    expect(answer.chat_name).toBe('My Own Way')
    const { headers, body: asked } = namings(upstream.seen).at(-1) as SeenRequest
    expect(headers).toMatchObject({ authorization: 'Bearer sk-request', 'x-team': 'blue' })
    expect(asked).not.toHaveProperty('max_output_tokens')
    return asked
  }
  expect((await run()).model).toBe('gpt-5.6-luna')
  const own = await run({ model: 'gateway-model' })
  expect(own.model).toBe('gateway-model')
  expect(own).not.toHaveProperty('reasoning') // another model may not know it
  expect(upstream.seen.filter(({ body }) => body.max_output_tokens === 3)).toHaveLength(2)
})

test('only requested, successful runs get a name', async () => {
  promise('C16')
  const logged = listen()
  const upstream = await useUpstream((body) =>
    asksForName(body)
      ? { status: 400, message: 'no such model sk-server-key' }
      : JSON.stringify(body.input).includes('story')
        ? { text: '', deltas: 10_000, delayMs: 2 }
        : JSON.stringify(body.input).includes('fail')
          ? { status: 400, message: 'no' }
          : { text: 'Fine' },
  )
  const { url } = await startServer({ agencies: { solo: solo() } })
  const stream = `${url}/solo/get_response_stream`
  expect(final(await allFrames(stream, { message: 'Hi' }))).not.toHaveProperty('chat_name')
  expect(final(await allFrames(stream, { message: 'Hi', generate_chat_name: false }))).not.toHaveProperty('chat_name')
  expect(final(await allFrames(stream, { message: 'fail', generate_chat_name: true }))).not.toHaveProperty('chat_name')
  const running = await post(stream, { message: 'story', generate_chat_name: true })
  const reader = running.body?.pipeThrough(new TextDecoderStream()) as ReadableStream<string>
  let text = ''
  for await (const chunk of reader as unknown as AsyncIterable<string>) {
    const cancelled = text.includes('output_text.delta')
    text += chunk
    if (!cancelled && text.includes('output_text.delta'))
      await post(`${url}/solo/cancel_response_stream`, { run_id: /"run_id":"([^"]+)/.exec(text)?.[1] })
  }
  expect(text).toContain('"cancelled":true')
  expect(namings(upstream.seen)).toHaveLength(0)

  for (const yes of [true, 'true', 1, 'YES']) {
    const answer = await post(`${url}/solo/get_response`, { message: 'Hi', generate_chat_name: yes })
    expect(await answer.json()).toMatchObject({ response: 'Fine', usage: { request_count: 1 } })
  }
  expect(namings(upstream.seen)).toHaveLength(4)
  expect(logged()).toContain('The chat got no name. (400 no such model [redacted])')
  const odd = await post(`${url}/solo/get_response`, { message: 'Hi', generate_chat_name: 'perhaps' })
  expect(odd.status).toBe(422)
  expect(await odd.json()).toMatchObject({ detail: [{ type: 'bool_parsing', loc: ['body', 'generate_chat_name'] }] })
})

test('a client that leaves while the name is made ends that too', async () => {
  promise('B7', 'C16')
  listen()
  const upstream = await useUpstream((body) => (asksForName(body) ? { hang: true } : { text: 'Fine' }))
  const { url } = await startServer({ agencies: { solo: solo() } })
  for (const endpoint of ['get_response', 'get_response_stream']) {
    const leave = new AbortController()
    const body = { message: 'Hi', generate_chat_name: true }
    const count = namings(upstream.seen).length
    const left = post(`${url}/solo/${endpoint}`, body, {}, leave.signal)
      .then((answer) => answer.text())
      .catch(() => 'left')
    await expect.poll(() => namings(upstream.seen).length).toBe(count + 1)
    leave.abort()
    await namings(upstream.seen).at(-1)?.aborted
    expect(await left).toBe('left')
  }
})

test('the demo model names its conversations, offline and in process', async () => {
  promise('C16', 'F10')
  const agency = solo({ model: 'demo' })
  const { chatName } = await agency.getResponse('Please tell me about the weather in Paris', { generateChatName: true })
  expect(chatName).toMatch(/^Demo( \S+)* Weather Paris$/)
  const stream = agency.getResponseStream('!?', { generateChatName: true })
  expect((await stream.finalResult).chatName).toBe('Demo Chat')
  expect(await agency.getResponse('Hi')).not.toHaveProperty('chatName')
})
