import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, chatCompletions, type ModelSpec, type SdkModel, tool } from '../../src/index.ts'
import { allFrames, type Frame, final, postAndRead, startServer } from './client.ts'
import { everyProviderAt } from './providers.ts'

/** What a provider answers one request with. */
export interface Answer {
  /** The data of each event, for a streamed call; `[DONE]` follows unless `open` is set. Texts go out as they are. */
  events?: readonly unknown[]
  /** The body of a plain call, and of a streamed one without `events`. */
  json?: unknown
  /** No `[DONE]` at the end. */
  open?: boolean
  /** Write an `event:` line with the type of each event, as Anthropic does. */
  named?: boolean
}

/** A provider that answers its n-th request with the n-th answer, and with the last one from then on. */
export async function startAnswers(answers: readonly Answer[]) {
  // biome-ignore lint/suspicious/noExplicitAny: bodies are foreign JSON that tests look into
  const seen: any[] = []
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    const answer = answers[Math.min(seen.length, answers.length - 1)] ?? {}
    seen.push(body)
    const streamed = body.stream === true || request.url?.includes('streamGenerateContent')
    if (!streamed || answer.events === undefined) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer.json))
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const event of answer.events) {
      const name = answer.named ? `event: ${(event as { type: string }).type}\n` : ''
      response.write(`${name}data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`)
    }
    response.end(answer.open ? '' : 'data: [DONE]\n\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

// biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
export type Json = any
export const CHAT = chatCompletions('gpt-4.1')
export const RESPONSES = 'gpt-4.1'
export const CLAUDE = 'anthropic/claude-sonnet-4-5'
export const GEMINI = 'gemini/gemini-2.5-pro'

export interface Told {
  /** The whole text that was streamed, or `response`. */
  text: unknown
  error: string | undefined
  items: Json[]
  incomplete: unknown
  usage: Json
  frames: Frame[]
}

/** Serves one agent whose provider gives these answers, and asks both endpoints (or one). */
export async function setUp(model: ModelSpec | SdkModel, answers: readonly Answer[], options: Json = {}) {
  const ran: Json[] = []
  const get_weather = tool({
    name: 'get_weather',
    description: 'Weather',
    parameters: z.object({ city: z.string() }),
    execute: ({ city }) => {
      ran.push(city)
      return `sunny in ${city}`
    },
  })
  const now = tool({
    name: 'now',
    description: 'The time',
    parameters: z.object({}),
    execute: () => {
      ran.push('now')
      return 'noon'
    },
  })
  const upstream = await startAnswers(answers)
  everyProviderAt(upstream.url)
  const { agent: own, ...serving } = options
  const agent = new Agent({ name: 'A', model, tools: [get_weather, now], ...own })
  const { url } = await startServer({ agencies: { solo: new Agency(agent) }, exposeErrors: true, ...serving })
  const ask = async (streamed: boolean): Promise<Told> => {
    if (!streamed) {
      const { body } = await postAndRead(`${url}/solo/get_response`, { message: 'Hi' })
      const { response: text, error, new_messages: items = [], incomplete_details: incomplete, usage } = body
      return { text, error, items, incomplete, usage, frames: [] }
    }
    const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
    const deltas = rawEvents(frames).filter(({ type }) => type === 'response.output_text.delta')
    const error = frames.find(({ data }) => data?.data?.type === 'error')?.data.data.content
    const { new_messages: items, incomplete_details: incomplete, usage } = final(frames)
    return { text: deltas.map(({ delta }) => delta).join(''), error, items, incomplete, usage, frames }
  }
  return { ask, ran, seen: upstream.seen, url }
}
export const rawEvents = (frames: readonly Frame[]): Json[] =>
  frames.filter(({ data }) => data?.data?.type === 'raw_response_event').map(({ data }) => data.data.data)

export const chunk = (delta: object, finish_reason: string | null = null, more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, finish_reason }],
  ...more,
})
export const calls = (...tool_calls: object[]) => chunk({ tool_calls })
export const whole = (message: object, finish_reason: string | null = 'stop', more: object = {}) => ({
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason }],
  ...more,
})
export const DONE: Answer = { events: [chunk({ content: 'Done.' }, 'stop')], json: whole({ content: 'Done.' }) }
export const weather = (args: string) => ({ function: { name: 'get_weather', arguments: args } })

/** What went back to the provider of calls and outputs: each call answered once, every id its own, arguments JSON. */
export function expectValidPairs(messages: Json[]) {
  const sent = messages.flatMap(({ tool_calls = [] }) => tool_calls)
  const ids = sent.map(({ id }: Json) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.every((id: string) => id.trim() !== '')).toBe(true)
  expect(messages.filter(({ role }) => role === 'tool').map(({ tool_call_id }) => tool_call_id)).toEqual(ids)
  for (const call of sent) expect(JSON.parse(call.function.arguments)).toBeTypeOf('object')
}

export const text = (value: string, more: object = {}) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: value, annotations: [] }],
  ...more,
})
export const response = (output: object[], more: object = {}) => ({
  id: 'resp_1',
  object: 'response',
  status: 'completed',
  output,
  usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
  ...more,
})
export function said(value: string): Answer {
  const done = response([text(value)])
  return { events: [delta(value), { type: 'response.completed', response: done }], json: done }
}
export const delta = (value: string, more: object = {}) => ({
  type: 'response.output_text.delta',
  item_id: 'msg_1',
  output_index: 0,
  content_index: 0,
  delta: value,
  ...more,
})

export const anthropic = (stop_reason: string, ...content: object[]): Answer => ({
  named: true,
  open: true,
  events: [
    {
      type: 'message_start',
      message: {
        id: 'm',
        type: 'message',
        role: 'assistant',
        model: 'claude',
        content: [],
        usage: { input_tokens: 3, output_tokens: 1 },
      },
    },
    ...content,
    { type: 'message_delta', delta: { stop_reason }, usage: { output_tokens: 5 } },
    { type: 'message_stop' },
  ],
})
export const block = (content_block: object, ...deltas: object[]) => [
  { type: 'content_block_start', index: 0, content_block },
  ...deltas.map((one) => ({ type: 'content_block_delta', index: 0, delta: one })),
  { type: 'content_block_stop', index: 0 },
]
export const words = (value: string) => block({ type: 'text', text: '' }, { type: 'text_delta', text: value })
export const plainClaude = (stop_reason: string, ...content: object[]) => ({
  type: 'message',
  id: 'm',
  role: 'assistant',
  model: 'claude',
  content,
  stop_reason,
  usage: { input_tokens: 3, output_tokens: 5 },
})
export const gemini = (candidate: object | undefined, more: object = {}): Answer => {
  const json = {
    ...(candidate ? { candidates: [candidate] } : {}),
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 },
    ...more,
  }
  return { events: [json], json, open: true }
}
export const chat = (content: string, finish_reason: string | null): Answer => ({
  events: [chunk({ content }), chunk({}, finish_reason)],
  json: whole({ content }, finish_reason),
})
