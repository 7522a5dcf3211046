import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

type Json = { [key: string]: unknown }

/** One call that a host of models has seen. */
export interface HostCall {
  host: string
  path: string
  /** In whichever header it came; undefined without one. */
  key: string | undefined
  headers: http.IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: bodies are foreign JSON that tests look into
  body: any
  kind: 'turn' | 'upload' | 'file' | 'name'
}

const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 }
const message = (text: string) => ({
  type: 'message',
  id: 'msg_1',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
})

/** A plain answer in the words of the API that a path belongs to. */
function answerTo(path: string, body: Json, text: string): Json {
  if (path.includes('/chat/completions'))
    return {
      id: 'chat_1',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: text } }],
    }
  if (path.endsWith('/messages')) {
    const asTool = Array.isArray(body.tools) && body.tools.some((tool) => tool.name === 'json')
    const content = asTool
      ? [{ type: 'tool_use', id: 'toolu_1', name: 'json', input: JSON.parse(text) }]
      : [{ type: 'text', text }]
    const rest = {
      role: 'assistant',
      model: 'claude',
      stop_reason: asTool ? 'tool_use' : 'end_turn',
      stop_sequence: null,
    }
    return { id: 'msg_1', type: 'message', content, usage, ...rest }
  }
  if (path.includes(':generateContent'))
    return { candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP' }] }
  return { id: 'resp_1', status: 'completed', model: body.model, output: [message(text)], usage }
}

/**
 * Real hosts of models, one per name, until the test is over: each speaks Responses, Chat Completions, Anthropic's and
 * Gemini's API and keeps files, and all note their calls in one list.
 */
export async function startHosts<const Name extends string>(names: readonly Name[]) {
  const seen: HostCall[] = []
  const started = await Promise.all(names.map(async (host) => [host, await startHost(host, seen)] as const))
  return { seen, urls: Object.fromEntries(started) as { [name in Name]: string } }
}

async function startHost(host: string, seen: HostCall[]): Promise<string> {
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('utf8')
    const path = new URL(request.url ?? '', 'http://host').pathname
    const files = /\/files(\/|$)/.test(path)
    const body: Json = files || text === '' ? {} : JSON.parse(text)
    const { headers, method } = request
    const bearer = headers.authorization?.replace('Bearer ', '')
    const key = headers['x-api-key'] ?? headers['x-goog-api-key'] ?? headers['api-key'] ?? bearer
    const naming = text.includes('chat_name')
    const kind = files ? (method === 'POST' ? 'upload' : 'file') : naming ? 'name' : 'turn'
    seen.push({ host, path, key: key === undefined ? undefined : String(key), headers, body, kind })
    const answer = files
      ? { id: path.split('/').at(-1), filename: 'a.pdf', status: 'processed' }
      : answerTo(path, body, naming ? '{"chat_name":"Two Words"}' : 'Hello')
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
