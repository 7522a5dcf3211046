/** A server with chat endpoints, and the AI SDK's own clients of them. */
import { Chat } from '@ai-sdk/react'
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses, type UIMessageChunk } from 'ai'
import { createParser } from 'eventsource-parser'
import { expect, vi } from 'vitest'
import type { AgencyUIMessage } from '../../src/client/index.ts'
import { type Agency, memory, type ServeOptions } from '../../src/index.ts'
import { post, startServer } from './client.ts'

type Part = AgencyUIMessage['parts'][number]
type Init = ConstructorParameters<typeof Chat<AgencyUIMessage>>[0]

export async function serveChat(agency: Agency, options: Partial<ServeOptions> = {}) {
  const store = memory()
  const server = await startServer({
    agencies: { agency },
    aiSdk: true,
    exposeErrors: true,
    runs: { store },
    ...options,
  })
  const base = `${server.url}/agency`
  return { ...server, store, base, chat: `${base}/chat`, runs: `${base}/runs` }
}

/** The thread of the chat in the store. */
export const CHAT = { agency: 'agency', owner: 'everybody', threadId: 'chat-1' }

export const userMessage = (text: string, id = 'u1') => ({
  id,
  role: 'user' as const,
  parts: [{ type: 'text' as const, text }],
})

/** The chunks of one request, with what every stream has to keep to. */
export async function ask(url: string, body: object): Promise<UIMessageChunk[]> {
  const response = await post(url, { id: 'chat-1', trigger: 'submit-message', ...body })
  expect(response.status).toBe(200)
  return readChunks(response)
}

export async function readChunks(response: Response): Promise<UIMessageChunk[]> {
  expect(response.headers.get('x-vercel-ai-ui-message-stream')).toBe('v1')
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  const data: string[] = []
  createParser({ onEvent: (event) => data.push(event.data) }).feed(await response.text())
  expect(data.pop()).toBe('[DONE]')
  return data.map((text) => JSON.parse(text))
}

/** The class behind `useChat`, with the AI SDK's own transport. */
export function openChat(url: string, init: Partial<Init> = {}) {
  return new Chat<AgencyUIMessage>({
    id: 'chat-1',
    transport: new DefaultChatTransport({ api: url }),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    ...init,
  } as Init)
}

export const textsIn = (parts: readonly Part[]) => parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
export const textOf = (message: AgencyUIMessage | undefined) => textsIn(message?.parts ?? []).join('|')
export const typesOf = (message: AgencyUIMessage | undefined) => message?.parts.map(({ type }) => type)
// biome-ignore lint/suspicious/noExplicitAny: the inputs and outputs of tools are foreign JSON that tests look into
export const toolIn = (message: AgencyUIMessage | undefined, name: string): any =>
  message?.parts.find(({ type }) => type === `tool-${name}`)
export const agentsIn = (message: AgencyUIMessage | undefined) =>
  (message?.parts ?? []).flatMap((part) => (part.type === 'data-agent' ? [part] : []))

/** Waits for a condition. */
export const until = (check: () => unknown) =>
  vi.waitFor(() => expect(check()).toBeTruthy(), { timeout: 8_000, interval: 10 })
