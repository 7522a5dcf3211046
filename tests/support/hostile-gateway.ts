import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerEvents, type EventLists } from './upstream.ts'

const MIB = 1024 * 1024
type Api = 'responses' | 'chat' | 'anthropic'

/** Writes a piece again and again until the reader leaves, or `times` times. */
async function flood(response: http.ServerResponse, piece: string, times = Number.POSITIVE_INFINITY): Promise<void> {
  let wake = () => {}
  const onMove = () => wake()
  response.on('drain', onMove).on('close', onMove)
  for (let count = 0; count < times && !response.destroyed; count++) {
    if (response.write(piece) || response.destroyed) continue
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
}

/** A tool call with long arguments, as one event or one plain answer of each API. */
function callOf(api: Api, name: string, args: string): { events: string[]; plain: string } {
  const json = JSON.stringify
  switch (api) {
    case 'responses': {
      const output = [{ id: 'fc', type: 'function_call', call_id: 'c', name, arguments: args }]
      const response = { id: 'r', status: 'completed', output }
      const done = { type: 'response.output_item.done', output_index: 0, item: output[0] }
      return { events: [json(done), json({ type: 'response.completed', response })], plain: json(response) }
    }
    case 'chat': {
      const tool_calls = [{ index: 0, id: 'c', type: 'function', function: { name, arguments: args } }]
      const delta = { role: 'assistant', tool_calls }
      return {
        events: [
          json({ id: 'r', choices: [{ index: 0, delta }] }),
          json({ choices: [{ finish_reason: 'tool_calls' }] }),
        ],
        plain: json({ id: 'r', choices: [{ index: 0, message: delta, finish_reason: 'tool_calls' }] }),
      }
    }
    case 'anthropic': {
      const usage = { input_tokens: 1, output_tokens: 1 }
      const message = { id: 'r', type: 'message', role: 'assistant', model: 'm', content: [], usage }
      const block = { type: 'tool_use', id: 'c', name, input: {} }
      const events = [
        { type: 'message_start', message },
        { type: 'content_block_start', index: 0, content_block: block },
        { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: args } },
        { type: 'content_block_stop', index: 0 },
        { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage },
        { type: 'message_stop' },
      ]
      const content = [{ ...block, input: JSON.parse(args) }]
      return {
        events: events.map((event) => json(event)),
        plain: json({ ...message, content, stop_reason: 'tool_use' }),
      }
    }
  }
}

/** What it does to its caller; the message of the request names one. */
export const ATTACKS = {
  'an-event-without-end': (response) => flood(response, 'x'.repeat(65_536)),
  'lines-without-end': (response) => flood(response, `data: "${'x'.repeat(65_000)}",\r\n`),
  'empty-values': (response) => flood(response, '{},'.repeat(20_000), 1_000),
  'nested-values': (response) => flood(response, '{"a":[[],[]]},'.repeat(5_000), 1_000),
  'large-events': (response) => flood(response, `data: {"type":"x","a":"${'x'.repeat(30 * MIB)}"}\n\n`),
  'small-events': (response) =>
    flood(response, 'data: {"type":"x","choices":[{"delta":{"content":"x"}}]}\n\n'.repeat(1_000)),
  'hidden-details': (response) =>
    flood(
      response,
      `data: ${JSON.stringify({ choices: [{ delta: { reasoning_details: [{ type: 't', text: 'x'.repeat(MIB) }] } }] })}\n\n`,
    ),
} satisfies { [name: string]: (response: http.ServerResponse) => Promise<void> }

/** How an attack begins, so that it is taken for an answer. */
const HEADS: { [name: string]: string } = {
  'an-event-without-end': '{"type":"x","a":"',
  'lines-without-end': '[',
  'empty-values': '{"type":"x","output":[',
  'nested-values': '{"type":"x","output":[',
}

/**
 * A model that attacks its caller, over every API. The user's message says how: `attack:NAME`, or `call:MIB` for a
 * tool call with arguments of that size in every turn, of the tool that `tool:NAME` names. Whatever else it is asked, it refuses.
 */
export async function startHostileGateway() {
  let scripted: http.RequestListener | undefined
  const server = http.createServer(async (request, response) => {
    if (scripted !== undefined) return scripted(request, response)
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      return // the server left in the middle of its request
    }
    const text = Buffer.concat(
      chunks,
      Math.min(
        65_536,
        chunks.reduce((sum, { length }) => sum + length, 0),
      ),
    ).toString()
    const whole = Buffer.concat(chunks)
    const streaming = whole.includes('"stream":true')
    const api: Api = /responses/.test(request.url ?? '')
      ? 'responses'
      : /chat/.test(request.url ?? '')
        ? 'chat'
        : 'anthropic'
    response.on('error', () => {})
    if (!/attack:|call:/.test(text)) {
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{"message":"no"}}')
      return
    }
    response.writeHead(200, { 'content-type': streaming ? 'text/event-stream' : 'application/json' })
    const attack = /attack:([a-z-]+)/.exec(text)?.[1] as keyof typeof ATTACKS | undefined
    if (attack !== undefined) {
      const head = HEADS[attack]
      if (head !== undefined) response.write(streaming ? `data: ${head}` : head)
      await ATTACKS[attack](response)
    } else {
      const size = Number(/call:(\d+)/.exec(text)?.[1] ?? 0)
      const tool = /tool:(\w+)/.exec(text)?.[1] ?? 'echo'
      const { events, plain } = callOf(api, tool, JSON.stringify({ a: 'x'.repeat(size * MIB) }))
      response.write(streaming ? events.map((data) => `data: ${data}\n\n`).join('') : plain)
    }
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  /** From now on it answers with these events, whatever it is asked; without any it attacks again. */
  const answerWith = (events: EventLists | undefined) => {
    scripted = events === undefined ? undefined : answerEvents(events)
  }
  return { baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, answerWith, close }
}
