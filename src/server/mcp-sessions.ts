/** Sessions of MCP hosts that speak a protocol with sessions (2025-11-25 and before). */
import { randomUUID } from 'node:crypto'
import type { McpHandlerRequestOptions, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server'
import type { Budget } from '../base/budget.ts'
import type { McpDoor, McpSession } from '../dialects/mcp/door.ts'
import { RecentEvents } from './mcp-events.ts'

export interface McpSessionsOptions {
  door: McpDoor
  /** The most sessions. Beyond it the one that was idle longest ends. */
  most: number
  /** How long a session may be idle, in milliseconds. */
  idleMs: number
  keepAliveMs: number
  budget: Budget
}

interface Entry extends McpSession {
  owner: string
  transport: WebStandardStreamableHTTPServerTransport
  events: RecentEvents
  /** Requests and streams that are open. */
  open: number
  usedAt: number
}

/** What a session is charged beside its events, in bytes. */
const SESSION_BYTES = 32 * 1024
/** How soon a host whose stream was cut comes back, in milliseconds. */
const RETRY_MS = 1_000

export class McpSessions {
  readonly #options: McpSessionsOptions
  readonly #sessions = new Map<string, Entry>()

  constructor(options: McpSessionsOptions) {
    this.#options = options
    const { door, idleMs } = options
    const timer = setInterval(() => this.#endIdle(), Math.min(30_000, Math.max(50, idleMs / 2))).unref()
    door.stopping.addEventListener('abort', () => this.#leave(), { once: true })
    door.stopped.addEventListener('abort', () => {
      clearInterval(timer)
      for (const session of this.#sessions.values()) void session.server.close()
    })
  }

  /** The session of a request is in use until the returned function is called. */
  use(id: string | undefined): () => void {
    const session = id === undefined ? undefined : this.#sessions.get(id)
    if (session === undefined) return () => {}
    session.open++
    session.usedAt = Date.now()
    return () => {
      session.open--
      session.usedAt = Date.now()
    }
  }

  /** Answers a request of the older protocol; `authInfo.clientId` is the owner. */
  async handle(request: Request, options: McpHandlerRequestOptions): Promise<Response> {
    const { isInitializeRequest } = this.#options.door.sdk
    const owner = options.authInfo?.clientId ?? ''
    const id = request.headers.get('mcp-session-id')
    if (id === null)
      return request.method === 'POST' && isInitializeRequest(options.parsedBody)
        ? this.#begin(owner, request, options)
        : rpcError(400, -32000, 'The Mcp-Session-Id header is missing. Send initialize first.')
    const session = this.#sessions.get(id)
    if (session === undefined || session.owner !== owner)
      return rpcError(404, -32001, 'There is no such session. Send initialize to begin a new one.')
    const lastEventId = request.method === 'GET' ? request.headers.get('last-event-id') : null
    if (lastEventId && !session.events.has(lastEventId))
      return rpcError(400, -32000, 'The events after this Last-Event-ID are no longer kept.')
    return session.transport.handleRequest(request, options)
  }

  async #begin(owner: string, request: Request, options: McpHandlerRequestOptions): Promise<Response> {
    const { door, budget, keepAliveMs, most } = this.#options
    if (this.#sessions.size >= most && !this.#endLongestIdle())
      return rpcError(503, -32000, 'The server has too many sessions. Try again in a moment.')
    const held = budget.part()
    try {
      held.charge(SESSION_BYTES)
    } catch (error) {
      return rpcError(503, -32000, (error as Error).message)
    }
    const session = door.open(owner)
    const events = new RecentEvents(held)
    const transport = new door.sdk.WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: events,
      keepAliveMs,
      retryInterval: RETRY_MS,
      onsessioninitialized: (id) => {
        this.#sessions.set(id, { ...session, owner, transport, events, open: 0, usedAt: Date.now() })
      },
    })
    transport.onclose = () => {
      held.close()
      if (transport.sessionId !== undefined) this.#sessions.delete(transport.sessionId)
    }
    await session.server.connect(transport)
    const response = await transport.handleRequest(request, options)
    if (transport.sessionId === undefined) await session.server.close() // it was refused
    return response
  }

  #endIdle(): void {
    const before = Date.now() - this.#options.idleMs
    for (const session of this.#sessions.values())
      if (isIdle(session) && session.usedAt <= before) void session.server.close()
  }

  /** False when all are in use. */
  #endLongestIdle(): boolean {
    let longest: Entry | undefined
    for (const session of this.#sessions.values())
      if (isIdle(session) && (longest === undefined || session.usedAt < longest.usedAt)) longest = session
    if (longest?.transport.sessionId === undefined) return false
    this.#sessions.delete(longest.transport.sessionId)
    void longest.server.close()
    return true
  }

  /** The server stops: streams that wait for news end, sessions with running calls stay. */
  #leave(): void {
    for (const session of this.#sessions.values()) {
      session.transport.closeStandaloneSSEStream()
      if (session.calls() === 0) void session.server.close()
    }
  }
}

const isIdle = ({ open, calls }: Entry) => open === 0 && calls() === 0

const rpcError = (status: number, code: number, message: string) =>
  Response.json(
    { jsonrpc: '2.0', error: { code, message }, id: null },
    { status, headers: status === 503 ? { 'retry-after': '2' } : {} },
  )
