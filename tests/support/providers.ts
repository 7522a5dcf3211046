import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { LLMock } from '@copilotkit/aimock'
import { onTestFinished } from 'vitest'

export type Fixture = Parameters<LLMock['addFixture']>[0]
type Json = { [key: string]: unknown }

export interface SeenCall {
  path: string
  headers: http.IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: bodies are foreign JSON that tests look into
  body: any
  /** Settles when the connection is closed before the answer was complete. */
  aborted: Promise<void>
}

/**
 * An independent mock of the APIs of OpenAI, Anthropic and Gemini behind a front that notes every call as it came.
 * `answer` may take a call for itself: it then writes the response and gives true.
 */
export async function startMock(
  fixtures: readonly Fixture[],
  answer: (call: SeenCall, response: http.ServerResponse, index: number) => boolean = () => false,
) {
  const mock = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent', strict: true, chunkSize: 4 })
  for (const fixture of fixtures) mock.addFixture(fixture)
  await mock.start()
  const seen: SeenCall[] = []
  const front = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('utf8')
    const aborted = new Promise<void>((resolve) => {
      response.once('close', () => {
        if (!response.writableFinished) resolve()
      })
    })
    const call = { path: request.url ?? '', headers: request.headers, body: JSON.parse(text), aborted }
    seen.push(call)
    if (answer(call, response, seen.length - 1)) return
    const onward = http.request(`${mock.url}${request.url}`, { method: 'POST', headers: request.headers }, (from) => {
      response.writeHead(from.statusCode ?? 502, from.headers)
      from.pipe(response)
    })
    response.once('close', () => onward.destroy())
    onward.once('error', () => response.destroy())
    onward.end(text)
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`
  onTestFinished(async () => {
    front.closeAllConnections()
    front.close()
    await mock.stop()
  })
  return { url, seen, mock }
}

/** Sets environment variables until the test is over; undefined unsets. */
export function setEnv(values: { readonly [name: string]: string | undefined }): void {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const)
  const apply = (entries: readonly (readonly [string, string | undefined])[]) => {
    for (const [name, value] of entries)
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  }
  apply(Object.entries(values))
  onTestFinished(() => apply(before))
}

/** Every provider's address at one mock, and a key for each. */
export const everyProviderAt = (url: string) =>
  setEnv({
    OPENAI_BASE_URL: `${url}/v1`,
    OPENAI_API_KEY: 'sk-server-openai',
    ANTHROPIC_API_BASE: url,
    ANTHROPIC_API_KEY: 'sk-server-anthropic',
    GEMINI_API_BASE: `${url}/v1beta`,
    GEMINI_API_KEY: 'sk-server-gemini',
    GROQ_API_BASE: `${url}/v1`,
    GROQ_API_KEY: 'sk-server-groq',
    OPENROUTER_API_BASE: `${url}/v1`,
    OPENROUTER_API_KEY: 'sk-server-openrouter',
  })

/** Writes server-sent events as Anthropic does, with their names; an answer to be given to `startMock`. */
export function writeAnthropic(response: http.ServerResponse, events: readonly Json[], end = true): true {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of events) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  if (end) response.end()
  return true
}

/** The first event of an Anthropic answer. */
export const messageStart = (usage: Json = { input_tokens: 9, output_tokens: 1 }): Json => ({
  type: 'message_start',
  message: {
    id: 'msg_anthropic_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  },
})
