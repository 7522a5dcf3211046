/** A receiver of webhooks over real HTTP. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Json } from './runs.ts'

export interface ReceivedWebhook {
  path: string
  headers: http.IncomingHttpHeaders
  /** The bytes of the body, as signatures need them. */
  raw: string
  body: Json
}

type Answer = number | { status: number; headers?: http.OutgoingHttpHeaders } | 'silence'

/** @param answer what the receiver says to the webhook with this index; default 204 */
export async function startWebhookHost(answer: (webhook: ReceivedWebhook, index: number) => Answer = () => 204) {
  const received: ReceivedWebhook[] = []
  const server = http.createServer(async (request, response) => {
    let raw = ''
    for await (const chunk of request.setEncoding('utf8')) raw += chunk
    const webhook = { path: request.url ?? '', headers: request.headers, raw, body: JSON.parse(raw) }
    const say = answer(webhook, received.push(webhook) - 1)
    if (say === 'silence') return
    const { status, headers = {} } = typeof say === 'number' ? { status: say } : say
    response.writeHead(status, headers).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${port}`, received }
}
