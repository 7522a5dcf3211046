import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createFilesApi } from './files-api.ts'
import { createVectorStoresApi } from './vector-stores-api.ts'

type Json = { [key: string]: unknown }

/** What the scripted model does in one turn. */
export type Turn =
  | { text: string; deltas?: number | readonly string[]; delayMs?: number; usage?: Json }
  | { calls: { name: string; arguments: Json; id?: string }[]; usage?: Json }
  /** Output items as they are. */
  | { output: Json[] }
  | { json: Json }
  | { status: number; message: string; retryAfter?: string }
  /** `early`: not even headers come. */
  | { hang: true; early?: boolean }
  | { text: string; cut: true; deltas?: number; delayMs?: number }
  /** The stream ends in a failure with this message. */
  | { text: string; fails: string }

export interface SeenRequest {
  headers: http.IncomingHttpHeaders
  body: Json
  /** Settles when the connection of this request is closed before the answer was complete. */
  aborted: Promise<void>
}

async function listen(server: http.Server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return { origin, baseURL: `${origin}/v1`, close }
}

/** A scripted Responses API on a real HTTP server, with a Files API beside it: each request asks `script` what to do. */
export async function startUpstream(script: (body: Json, index: number) => Turn) {
  const seen: SeenRequest[] = []
  const files = createFilesApi()
  const stores = createVectorStoresApi(files)
  let serial = 0
  let open = 0
  const server = http.createServer(async (request, response) => {
    open++
    response.once('close', () => open--)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    if (request.url?.startsWith('/v1/files')) return files.handle(request, response, Buffer.concat(chunks))
    if (request.url?.startsWith('/v1/vector_stores')) return stores.handle(request, response, Buffer.concat(chunks))
    const body: Json = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    const aborted = new Promise<void>((resolve) => {
      response.once('close', () => {
        if (!response.writableFinished) resolve()
      })
    })
    seen.push({ headers: request.headers, body, aborted })
    const turn = script(body, seen.length - 1)
    if ('status' in turn) {
      const wait = turn.retryAfter === undefined ? {} : { 'retry-after': turn.retryAfter }
      response.writeHead(turn.status, { 'content-type': 'application/json', ...wait })
      response.end(
        JSON.stringify({ error: { message: turn.message, type: 'invalid_request_error', code: 'scripted' } }),
      )
      return
    }
    if ('json' in turn) {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(turn.json))
      return
    }
    if ('hang' in turn) {
      if (body.stream === true && turn.early !== true)
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      return
    }
    const output = outputOf(turn, () => ++serial)
    const usage = ('usage' in turn && turn.usage) || { input_tokens: 10, output_tokens: 5, total_tokens: 15 }
    const final = { id: `resp_${++serial}`, object: 'response', status: 'completed', model: body.model, output, usage }
    if (body.stream !== true) {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(final))
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const event of eventsOf(final, 'deltas' in turn ? turn.deltas : undefined)) {
      if (response.destroyed) return
      if ('cut' in turn && event.type === 'response.output_text.done') {
        response.destroy()
        return
      }
      if ('fails' in turn && event.type === 'response.completed') {
        const failed = { ...final, status: 'failed', output: [], error: { code: 'server_error', message: turn.fails } }
        response.end(`data: ${JSON.stringify({ type: 'response.failed', response: failed })}\n\n`)
        return
      }
      if ('delayMs' in turn && event.type === 'response.output_text.delta') await sleep(turn.delayMs)
      if (!response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`) && !response.destroyed)
        await drained(response)
    }
    response.end()
  })
  return { ...(await listen(server)), seen, files, stores, open: () => open }
}

/** Resolves when the response takes more, or is closed. */
async function drained(response: http.ServerResponse): Promise<void> {
  const over = new AbortController()
  const { signal } = over
  await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]).finally(() =>
    over.abort(),
  )
}

function outputOf(turn: Turn, next: () => number): Json[] {
  if ('output' in turn) return turn.output
  if ('calls' in turn)
    return turn.calls.map(({ name, arguments: args, id }) => {
      const serial = next()
      return {
        id: `fc_${serial}`,
        type: 'function_call',
        status: 'completed',
        call_id: id ?? `call_${serial}`,
        name,
        arguments: JSON.stringify(args),
      }
    })
  const text = 'text' in turn ? turn.text : ''
  return [
    {
      id: `msg_${next()}`,
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text, annotations: [] }],
    },
  ]
}

function* eventsOf(final: Json, deltas: number | readonly string[] | undefined): Generator<Json & { type: string }> {
  const started = { ...final, status: 'in_progress', output: [] }
  yield { type: 'response.created', response: started }
  yield { type: 'response.in_progress', response: started }
  for (const [output_index, item] of (final.output as Json[]).entries()) {
    const at = { item_id: item.id, output_index }
    yield {
      type: 'response.output_item.added',
      output_index,
      item: { ...item, status: 'in_progress', content: [], arguments: '' },
    }
    const [part] = item.type === 'message' ? (item.content as Json[]) : []
    if (part?.type === 'refusal') {
      yield { type: 'response.refusal.delta', ...at, content_index: 0, delta: part.refusal }
      yield { type: 'response.refusal.done', ...at, content_index: 0, refusal: part.refusal }
    } else if (item.type === 'message') {
      const text = String((item.content as Json[])[0]?.text)
      const parts =
        typeof deltas === 'number' ? Array.from({ length: deltas }, (_, index) => `${index} `) : (deltas ?? [text])
      const open = { ...at, content_index: 0, part: { type: 'output_text', text: '', annotations: [] } }
      yield { type: 'response.content_part.added', ...open }
      for (const delta of parts) yield { type: 'response.output_text.delta', ...at, content_index: 0, delta }
      yield { type: 'response.output_text.done', ...at, content_index: 0, text }
      yield { type: 'response.content_part.done', ...open, part: { ...open.part, text } }
    } else if (item.type === 'function_call')
      yield { type: 'response.function_call_arguments.done', ...at, arguments: item.arguments }
    yield { type: 'response.output_item.done', output_index, item }
  }
  yield { type: 'response.completed', response: final }
}

/** A server that answers its n-th request with the n-th list of SSE data (one flat list: always the same). */
export const startEvents = (answers: EventLists) => listen(http.createServer(answerEvents(answers)))

/** The data of the events of every answer, or of one answer after the other; later answers are empty. */
export type EventLists = readonly string[] | readonly (readonly string[])[]

/** Answers as `startEvents` does. */
export function answerEvents(answers: EventLists): http.RequestListener {
  let count = 0
  return (request, response) => {
    request.resume()
    const answer = typeof answers[0] === 'string' ? answers : (answers[count++] ?? [])
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end([...(answer as readonly string[]), '[DONE]'].map((data) => `data: ${data}\n\n`).join(''))
  }
}

/** A model that always says `deltas` words, `paceMs` apart, and remembers nothing but how many streams are open. */
export async function startStreams(deltas: number, paceMs: number) {
  let open = 0
  const item = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed' }
  const output = [{ ...item, content: [{ type: 'output_text', text: 'word '.repeat(deltas), annotations: [] }] }]
  const usage = { input_tokens: 5, output_tokens: deltas, total_tokens: 5 + deltas }
  const events = [...eventsOf({ id: 'resp_1', status: 'completed', output, usage }, deltas)]
  const server = http.createServer(async (request, response) => {
    open++
    response.once('close', () => open--)
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const event of events) {
      if (response.destroyed) return
      response.write(`data: ${JSON.stringify(event)}\n\n`)
      if (event.type === 'response.output_text.delta') await sleep(paceMs)
    }
    response.end()
  })
  return { ...(await listen(server)), open: () => open }
}
