/** The endpoints for pages on the AI SDK, read with its own clients: texts, tools, sub-agents, handoffs, failures. */
import { readUIMessageStream, type UIMessageChunk, validateUIMessages } from 'ai'
import Fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import type { AgencyUIMessage } from '../src/client/index.ts'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, Agent, Handoff, tool } from '../src/index.ts'
import { assistant, weather } from './support/agui-server.ts'
import {
  agentsIn,
  ask,
  CHAT,
  openChat,
  readChunks,
  serveChat,
  textOf,
  toolIn,
  typesOf,
  userMessage,
} from './support/ai-sdk.ts'
import { post, postAndRead, startServer, useUpstream } from './support/client.ts'

type Json = { [key: string]: unknown }
const inputOf = ({ input }: Json) => input as Json[]
const last = (body: Json) => inputOf(body).at(-1) as Json
const isAnswered = (body: Json) => last(body).type === 'function_call_output'

const callWeather = (body: Json) =>
  isAnswered(body) || last(body).content === 'Thanks'
    ? { text: 'It is sunny.' }
    : { calls: [{ name: 'get_weather', arguments: { city: 'Rome' }, id: 'c1' }] }

/** The message that the chunks make; fails where the AI SDK would. */
async function toMessage(chunks: readonly UIMessageChunk[]): Promise<AgencyUIMessage> {
  const stream = new ReadableStream<UIMessageChunk>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
  let message: AgencyUIMessage | undefined
  for await (const state of readUIMessageStream<AgencyUIMessage>({ stream, terminateOnError: true })) message = state
  const [checked] = await validateUIMessages<AgencyUIMessage>({ messages: [message] })
  return checked as AgencyUIMessage
}

test('a text arrives in a step, with the run and its usage', async () => {
  await useUpstream(() => ({ text: 'Hello there, friend.', deltas: 3 }))
  const { chat } = await serveChat(new Agency(assistant()))
  const chunks = await ask(chat, { messages: [userMessage('Hi')] })
  const types = chunks.map(({ type }) => type)
  expect(types.slice(0, 3)).toEqual(['start', 'start-step', 'text-start'])
  expect(types.slice(-3)).toEqual(['text-end', 'finish-step', 'finish'])
  expect(types.filter((type) => type === 'text-delta').length).toBeGreaterThan(1)
  const message = await toMessage(chunks)
  expect(textOf(message)).toBe('0 1 2 ')
  expect(message.metadata).toMatchObject({ run_id: message.id, usage: { total_tokens: 15 } })
  expect(message.parts[1]).toMatchObject({
    providerMetadata: { agencySwarm: { agent: 'Assistant', callerAgent: null } },
  })
  expect(chunks.at(-1)).toMatchObject({ finishReason: 'stop' })
})

test('a tool streams its input, runs on the server and begins a new step', async () => {
  await useUpstream(callWeather)
  const { chat } = await serveChat(new Agency(assistant({ tools: [weather] })))
  const chunks = await ask(chat, { messages: [userMessage('Weather?')] })
  expect(chunks.map(({ type }) => type).filter((type) => /^tool|step/.test(type))).toEqual([
    'start-step',
    'tool-input-start',
    'tool-input-delta',
    'tool-input-available',
    'tool-output-available',
    'finish-step',
    'start-step',
    'finish-step',
  ])
  const message = await toMessage(chunks)
  expect(toolIn(message, 'get_weather')).toMatchObject({
    state: 'output-available',
    toolCallId: 'c1',
    input: { city: 'Rome' },
    output: 'Sunny in Rome',
    providerExecuted: true,
  })
  expect(textOf(message)).toBe('It is sunny.')
})

test('the answer is that of get_response', async () => {
  await useUpstream(callWeather)
  const { chat, base } = await serveChat(new Agency(assistant({ tools: [weather] })))
  const message = await toMessage(await ask(chat, { messages: [userMessage('Weather?')] }))
  const { body } = await postAndRead(`${base}/get_response`, { message: 'Weather?' })
  expect(textOf(message)).toBe(body.response)
  const { total_tokens, request_count } = body.usage
  expect(message.metadata?.usage).toMatchObject({ total_tokens, request_count })
})

test('a chat goes on in its stored thread, whose tools it remembers', async () => {
  const { seen } = await useUpstream(callWeather)
  const { chat: url, store } = await serveChat(new Agency(assistant({ tools: [weather] })))
  const chat = openChat(url)
  await chat.sendMessage({ text: 'Weather?' })
  await chat.sendMessage({ text: 'Thanks' })
  expect(chat.error).toBeUndefined()
  expect(chat.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant'])
  expect(inputOf(seen[2]?.body as Json).map(({ type, role }) => role ?? type)).toEqual([
    'user',
    'function_call',
    'function_call_output',
    'assistant',
    'user',
  ])
  const thread = await store.read({ kind: 'thread', ...CHAT })
  expect(thread).toMatchObject({ status: 'idle', messageCount: 6 })
})

test('a page may bring a conversation that the server does not know', async () => {
  const { seen } = await useUpstream(() => ({ text: 'Yes.' }))
  const { chat } = await serveChat(new Agency(assistant({ tools: [weather] })))
  const stopped = { type: 'tool-get_weather', toolCallId: 'c2', state: 'input-available', input: { city: 'Oslo' } }
  const told = {
    type: 'tool-get_weather',
    toolCallId: 'c1',
    state: 'output-available',
    input: { city: 'Rome' },
    output: { sun: 1 },
  }
  const answer = {
    id: 'a1',
    role: 'assistant',
    parts: [
      { type: 'step-start' },
      ...[told, stopped, { type: 'text', text: 'Sunny.' }],
      { type: 'file', mediaType: 'image/png', filename: 'sky.png', url: 'data:image/png;base64,iVBORw0KGgo=' },
    ],
  }
  await ask(chat, { messages: [userMessage('Weather?'), answer, userMessage('Sure?', 'u2')] })
  expect(inputOf(seen[0]?.body as Json)).toMatchObject([
    { role: 'user', content: 'Weather?' },
    { type: 'function_call', call_id: 'c1', name: 'get_weather', arguments: '{"city":"Rome"}' },
    { type: 'function_call_output', call_id: 'c1', output: '{"sun":1}' },
    { role: 'assistant' },
    { role: 'assistant', content: '(The image sky.png cannot be shown.)' },
    { role: 'user', content: 'Sure?' },
  ])
})

test('calls of a brought conversation keep what became of them', async () => {
  const upstream = await useUpstream(() => ({ text: 'Ok.' }))
  const { chat } = await serveChat(new Agency(assistant()))
  const rejected = 'Error: a person rejected the call. It was not run. Reason: no'
  const [approval, asked] = [{ id: 'a1', approved: false, reason: 'no' }, { id: 'a1' }]
  for (const [index, [state, more, output]] of (
    [
      ['output-denied', { approval }, rejected],
      ['approval-responded', { approval }, rejected],
      ['output-error', {}, 'Error: the tool failed.'],
      ['approval-requested', { approval: asked }, undefined],
    ] as const
  ).entries()) {
    const part = { type: 'tool-look', toolCallId: 't1', state, input: {}, ...more }
    const messages = [userMessage('Q'), { id: 'm', role: 'assistant', parts: [part] }, userMessage('N', 'u2')]
    await ask(chat, { id: `chat-brought-${index}`, messages })
    const outputs = inputOf(upstream.seen[index]?.body as Json).filter(({ type }) => type === 'function_call_output')
    expect(outputs.map((item) => item.output)).toEqual(output === undefined ? [] : [output])
  }
})

test('files of a message reach the model as images and documents', async () => {
  const { seen } = await useUpstream(() => ({ text: 'Seen.' }))
  const { chat } = await serveChat(new Agency(assistant()))
  const parts = [
    { type: 'text', text: 'Look' },
    { type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,iVBORw0KGgo=' },
    { type: 'file', mediaType: 'application/pdf', url: 'https://files.example/a.pdf' },
  ]
  await ask(chat, { messages: [{ id: 'u1', role: 'user', parts }] })
  expect(last(seen[0]?.body as Json).content).toMatchObject([
    { type: 'input_text', text: 'Look' },
    { type: 'input_image', image_url: 'data:image/png;base64,iVBORw0KGgo=' },
    { type: 'input_file', file_url: 'https://files.example/a.pdf' },
  ])
})

test('sub-agents side by side are data parts that keep their ids', async () => {
  await useUpstream((body) => {
    const asked = JSON.stringify(inputOf(body).find(({ role }) => role === 'user'))
    if (asked.includes('Compare')) {
      if (isAnswered(body)) return { text: 'Both agree.' }
      const to = (name: string, id: string) => ({
        name: 'send_message',
        id,
        arguments: { recipient_agent: name, message: `Q for ${name}` },
      })
      return { calls: [to('Left', 'ca'), to('Right', 'cb')] }
    }
    return { text: '', deltas: 90 }
  })
  const boss = new Agent({ name: 'Boss', model: 'gpt-4.1' })
  const left = new Agent({ name: 'Left', model: 'gpt-4.1' })
  const right = new Agent({ name: 'Right', model: 'gpt-4.1' })
  const flows = [
    [boss, left],
    [boss, right],
  ] as [Agent, Agent][]
  const { chat } = await serveChat(new Agency(boss, { communicationFlows: flows }))
  const chunks = await ask(chat, { messages: [userMessage('Compare')] })
  const message = await toMessage(chunks)
  const agents = agentsIn(message)
  expect(agents.map(({ data }) => [data.agent, data.callerAgent, data.parentToolCallId, data.state]).sort()).toEqual([
    ['Left', 'Boss', 'ca', 'done'],
    ['Right', 'Boss', 'cb', 'done'],
  ])
  for (const { data } of agents) expect(data.text).toMatch(/^0 1 2 .* 88 89 $/)
  expect(chunks.filter(({ type }) => type === 'data-agent').length).toBeGreaterThan(4)
  expect(textOf(message)).toBe('Both agree.')
  expect(typesOf(message)?.filter((type) => type === 'step-start')).toHaveLength(2)
  expect(toolIn(message, 'send_message')).toMatchObject({ state: 'output-available' })
})

test('after a handoff the other agent speaks in the same answer', async () => {
  await useUpstream((body) =>
    JSON.stringify(body.tools ?? []).includes('transfer_to_') && !isAnswered(body)
      ? { calls: [{ name: 'transfer_to_Closer', arguments: {}, id: 'h1' }] }
      : { text: 'Closer here.' },
  )
  const opener = new Agent({ name: 'Opener', model: 'gpt-4.1' })
  const closer = new Agent({ name: 'Closer', model: 'gpt-4.1' })
  const { chat } = await serveChat(new Agency(opener, { communicationFlows: [[opener, closer, Handoff]] }))
  const message = await toMessage(await ask(chat, { messages: [userMessage('Close it')] }))
  expect(textOf(message)).toBe('Closer here.')
  expect(typesOf(message)?.filter((type) => type.startsWith('tool-'))).toHaveLength(1)
  expect(toolIn(message, 'transfer_to_Closer')).toMatchObject({ state: 'output-available' })
  const text = message.parts.find(({ type }) => type === 'text')
  expect(text).toMatchObject({ providerMetadata: { agencySwarm: { agent: 'Closer' } } })
})

test('reasoning and sources have parts of their own', async () => {
  const annotations = [{ type: 'url_citation', url: 'https://a.example/', title: 'A', start_index: 0, end_index: 1 }]
  await useUpstream(() => ({
    output: [
      { id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: 'Let me think.' }] },
      {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: 'Found.', annotations }],
      },
    ],
  }))
  const { chat } = await serveChat(new Agency(assistant()))
  const message = await toMessage(await ask(chat, { messages: [userMessage('Think')] }))
  expect(message.parts.find(({ type }) => type === 'reasoning')).toMatchObject({ text: 'Let me think.', state: 'done' })
  expect(message.parts.find(({ type }) => type === 'source-url')).toMatchObject({
    url: 'https://a.example/',
    title: 'A',
  })
  expect(textOf(message)).toBe('Found.')
})

test('a failure ends the stream with one sentence', async () => {
  await useUpstream(() => ({ status: 400, message: 'secret of the provider' }))
  const { chat: url } = await serveChat(new Agency(assistant()), { exposeErrors: false })
  const chat = openChat(url)
  await chat.sendMessage({ text: 'Hi' })
  expect(chat.status).toBe('error')
  expect(chat.error?.message).toMatch(/^The run of agent Assistant failed/)
  expect(chat.error?.message).not.toContain('secret')
})

test('the arguments of a call that are no JSON show an error', async () => {
  const call = {
    id: 'fc_1',
    type: 'function_call',
    status: 'completed',
    call_id: 'c1',
    name: 'get_weather',
    arguments: '{oops',
  }
  await useUpstream((body) => (isAnswered(body) ? { text: 'Sorry.' } : { output: [call] }))
  const { chat } = await serveChat(new Agency(assistant({ tools: [weather] })))
  const message = await toMessage(await ask(chat, { messages: [userMessage('Weather?')] }))
  expect(toolIn(message, 'get_weather')).toMatchObject({ state: 'output-error', input: '{oops' })
  expect(textOf(message)).toBe('Sorry.')
})

test('call ids that a provider uses twice stay apart', async () => {
  await useUpstream((body) => {
    const outputs = inputOf(body).filter(({ type }) => type === 'function_call_output').length
    if (outputs === 2) return { text: 'Done.' }
    return { calls: [{ name: 'get_weather', arguments: { city: ['Rome', 'Oslo'][outputs] }, id: 'same' }] }
  })
  const { chat } = await serveChat(new Agency(assistant({ tools: [weather] })))
  const message = await toMessage(await ask(chat, { messages: [userMessage('Weather?')] }))
  const tools = message.parts.filter(({ type }) => type === 'tool-get_weather') as {
    toolCallId: string
    output: unknown
  }[]
  expect(tools.map(({ output }) => output)).toEqual(['Sunny in Rome', 'Sunny in Oslo'])
  expect(new Set(tools.map(({ toolCallId }) => toolCallId)).size).toBe(2)
})

test('regenerate answers the same message again, without the old answer', async () => {
  let count = 0
  const { seen } = await useUpstream(() => ({ text: `Answer ${++count}.` }))
  const { chat: url, store } = await serveChat(new Agency(assistant()))
  const chat = openChat(url)
  await chat.sendMessage({ text: 'One' })
  await chat.sendMessage({ text: 'Two' })
  await chat.regenerate()
  expect(chat.messages.map(textOf)).toEqual(['One', 'Answer 1.', 'Two', 'Answer 3.'])
  expect(JSON.stringify(seen[2]?.body.input)).not.toContain('Answer 2.')
  const { data } = await store.read({ kind: 'messages', ...CHAT, limit: 100 })
  expect(JSON.stringify(data)).not.toContain('Answer 2.')
  expect(JSON.stringify(data)).toContain('Answer 1.')
})

test('an edited message replaces what came after it', async () => {
  const { seen } = await useUpstream(() => ({ text: 'Fine.' }))
  const { chat: url } = await serveChat(new Agency(assistant()))
  const chat = openChat(url)
  await chat.sendMessage({ text: 'Wrong' })
  await chat.sendMessage({ text: 'Right', messageId: chat.messages[0]?.id ?? '' })
  expect(chat.messages.map(textOf)).toEqual(['Right', 'Fine.'])
  expect(inputOf(seen[1]?.body as Json)).toMatchObject([{ role: 'user', content: 'Right' }])
})

test('refusals are plain text, which the page shows', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { chat } = await serveChat(new Agency(assistant()))
  const send = async (body: object) => {
    const response = await fetch(chat, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    return [response.status, await response.text()]
  }
  expect(await send({ id: 'no/slash', messages: [userMessage('Hi')] })).toEqual([
    422,
    expect.stringMatching(/^id: .*a thread id has/),
  ])
  expect(await send({ id: 'c', messages: [{ id: 'a', role: 'assistant', parts: [] }] })).toEqual([
    422,
    expect.stringMatching(/^messages\.0: .*neither from the user/),
  ])
  expect(await send({ id: 'c', messages: [userMessage('Hi')], recipient_agent: 'Nobody' })).toEqual([
    422,
    expect.stringContaining('recipient_agent'),
  ])
})

test('a tool without output gives null, and objects stay objects', async () => {
  const empty = tool({ name: 'empty', parameters: { type: 'object', properties: {} }, execute: () => undefined })
  const full = tool({ name: 'full', parameters: { type: 'object', properties: {} }, execute: () => ({ a: [1] }) })
  await useUpstream((body) =>
    isAnswered(body)
      ? { text: 'ok' }
      : {
          calls: [
            { name: 'empty', arguments: {} },
            { name: 'full', arguments: {} },
          ],
        },
  )
  const { chat } = await serveChat(new Agency(assistant({ tools: [empty, full] })))
  const chunks = await ask(chat, { messages: [userMessage('Go')] })
  const outputs = chunks.flatMap((chunk) => (chunk.type === 'tool-output-available' ? [chunk.output] : []))
  expect(outputs).toEqual([null, { a: [1] }])
})

test('the endpoints are absent by default, and keep to prefix and token', async () => {
  const agencies = { agency: new Agency(assistant({ model: 'demo' })) }
  const send = (url: string, headers = {}) => post(url, { id: 'c', messages: [userMessage('Hi')] }, headers)
  const { url } = await startServer({ agencies })
  expect((await send(`${url}/agency/chat`)).status).toBe(404)
  process.env.CHAT_TOKEN = 'secret-token'
  onTestFinished(() => void delete process.env.CHAT_TOKEN)
  const app = Fastify()
  onTestFinished(() => app.close())
  await app.register(agencySwarm, { prefix: '/ai', agencies, aiSdk: true, appTokenEnv: 'CHAT_TOKEN' })
  const chat = `${await app.listen({ host: '127.0.0.1', port: 0 })}/ai/agency/chat`
  const refused = await send(chat)
  expect([refused.status, refused.headers.get('content-type')]).toEqual([401, 'text/plain; charset=utf-8'])
  const origin = { authorization: 'Bearer secret-token', origin: 'https://page.example' }
  const answer = await send(chat, origin)
  expect(answer.headers.get('access-control-expose-headers')).toContain('x-vercel-ai-ui-message-stream')
  expect((await readChunks(answer)).at(-1)).toMatchObject({ type: 'finish' })
})

test('what a page may set is bounded by the operator', async () => {
  const { chat } = await serveChat(new Agency(assistant({ model: 'demo' })), { clientConfig: false, maxTurns: 3 })
  const send = async (more: object) => {
    const answer = await post(chat, { id: 'c', messages: [userMessage('Hi')], ...more })
    return [answer.status, await answer.text()]
  }
  expect(await send({ client_config: { base_url: 'https://evil.example' } })).toEqual([
    422,
    expect.stringContaining('client_config'),
  ])
  expect(await send({ max_turns: 4 })).toEqual([422, expect.stringContaining('max_turns')])
  expect((await send({ max_turns: 3, metadata: { any: { thing: 1 } }, model: 'x' }))[0]).toBe(200)
})

test.each([{ aiSdk: 1 }, { aiSdk: { disconnectGraceMs: -1 } }, { aiSdk: { grace: 1 } }])(
  '%j is refused at start',
  async (option) => {
    const agencies = { agency: new Agency(assistant({ model: 'demo' })) }
    await expect(startServer({ agencies, ...(option as object) })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  },
)

test('what a tool tells while it works is a data part', async () => {
  const slow = tool({
    name: 'slow',
    parameters: { type: 'object', properties: {} },
    execute: (_args, context) => {
      for (const percent of [50, 100]) context.emit({ name: 'progress', value: percent })
      return 'ok'
    },
  })
  await useUpstream((body) =>
    isAnswered(body) ? { text: 'Done.' } : { calls: [{ name: 'slow', arguments: {}, id: 'c1' }] },
  )
  const { chat } = await serveChat(new Agency(assistant({ tools: [slow] })))
  const message = await toMessage(await ask(chat, { messages: [userMessage('Go')] }))
  const data = message.parts.flatMap((part) => (part.type === 'data-tool' ? [part.data] : []))
  expect(data).toEqual([{ agent: 'Assistant', toolCallId: 'c1', name: 'progress', value: 100 }])
})
