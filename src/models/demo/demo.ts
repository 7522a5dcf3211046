/** The demo model: an offline stand-in for the Responses API. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '../../wire/json.ts'
import { type PlayedResponse, playBack } from '../playback.ts'
import { chooseAnswer, type DemoCall } from './choice.ts'
import { createDemoFiles, type DemoFiles } from './files.ts'

/** The pause between two deltas. */
const PACE_MS = 25

/**
 * The demo model: an offline, deterministic stand-in for `POST .../responses` and the Files API, given to the `openai` client
 * as its `fetch`, so that demo traffic runs through the real parser. Every answer says that it is a demo.
 * @param paceMs pause between deltas, in milliseconds; 0 for none
 */
export function createDemoFetch({ paceMs = PACE_MS }: { paceMs?: number } = {}): typeof fetch {
  const files = createDemoFiles()
  return async (url, init) => {
    const { pathname } = new URL(String(url))
    if (/\/files(\/|$)/.test(pathname)) return files.answer(init?.method ?? 'GET', pathname, init?.body, init?.headers)
    const request: JsonObject = JSON.parse(String(init?.body ?? '{}'))
    const response = buildResponse(request, files)
    if (request.stream !== true) return Response.json(response)
    return new Response(stream(response, paceMs, init?.signal ?? undefined), {
      headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    })
  }
}

const id = (prefix: string) => `${prefix}_${randomBytes(16).toString('hex')}`
const tokens = (value: unknown) => Math.ceil(JSON.stringify(value ?? '').length / 4)

function buildResponse(request: JsonObject, files: DemoFiles): JsonObject {
  const answer = chooseAnswer(request, files.describe)
  const output: JsonObject[] =
    typeof answer === 'string'
      ? [
          {
            id: id('msg'),
            type: 'message',
            role: 'assistant',
            status: 'completed',
            content: [{ type: 'output_text', text: answer, annotations: [] }],
          },
        ]
      : answer.map((call: DemoCall) => ({
          id: id('fc'),
          type: 'function_call',
          status: 'completed',
          call_id: id('call'),
          name: call.name,
          arguments: JSON.stringify(call.arguments),
        }))
  const input_tokens = tokens([request.instructions, request.input])
  const output_tokens = tokens(answer)
  return {
    id: id('resp'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status: 'completed',
    model: 'demo',
    output,
    usage: {
      input_tokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input_tokens + output_tokens,
    },
  }
}

/** The response as the API would stream it, as bytes, with pauses; it stops when the reader leaves. */
function stream(response: JsonObject, paceMs: number, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const events = playBack(response as PlayedResponse)
  return new ReadableStream({
    async pull(controller) {
      const next = events.next()
      if (next.done) return controller.close()
      const event = next.value
      if (paceMs > 0 && event.type.endsWith('.delta')) await sleep(paceMs, undefined, signal ? { signal } : {})
      controller.enqueue(encoder.encode(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`))
    },
  })
}
