import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

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
