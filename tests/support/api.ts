import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { FunctionTool, ToolContext } from '../../src/index.ts'

type Json = { [key: string]: unknown }

export interface ApiCall {
  method: string
  url: string
  headers: http.IncomingHttpHeaders
  body: Buffer
}

type Answer = (call: ApiCall, response: http.ServerResponse) => void

const ok: Answer = (_call, response) => {
  response.setHeader('content-type', 'application/json').end('{"ok": true}')
}

/** A real HTTP API until the test is over; it notes every call. */
export async function startApi(answer: Answer = ok) {
  const calls: ApiCall[] = []
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method = '', url = '', headers } = request
    const call = { method, url, headers, body: Buffer.concat(chunks) }
    calls.push(call)
    answer(call, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls }
}

/** An OpenAPI 3.1 document with these paths. */
export const openApi = (paths: Json, more: Json = {}): Json => ({
  openapi: '3.1.0',
  info: { title: 'Shop', version: '1' },
  paths,
  ...more,
})

const contextOf = (userContext: Json, signal: AbortSignal): ToolContext => ({
  currentAgentName: 'Clerk',
  toolCallId: 'call_1',
  idempotencyKey: 'key_1',
  signal,
  emit: async () => {},
  userContext,
  get: ((key: string) => userContext[key]) as ToolContext['get'],
  set: (key, value) => {
    userContext[key] = value
  },
})

/** Calls a tool as a run does: its arguments are checked first. */
export async function callTool(
  tool: FunctionTool | undefined,
  args: Json = {},
  { userContext = {}, signal = new AbortController().signal }: { userContext?: Json; signal?: AbortSignal } = {},
): Promise<unknown> {
  if (tool === undefined) throw new Error('There is no such tool.')
  const checked = await tool.check(args, [], 'model')
  if (!checked.ok) throw new Error(JSON.stringify(checked.details.map(({ loc, msg }) => [loc.join('.'), msg])))
  return tool.run(checked.value, contextOf(userContext, signal))
}
