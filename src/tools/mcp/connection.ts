/** One connection to an MCP server that is described by plain data: opened at first use, again after a loss, closed when idle. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@modelcontextprotocol/client'
import { within } from '../../base/async.ts'
import { AgencyError, errorText } from '../../base/errors.ts'
import { consentNeeded, isConsentNeeded } from '../../base/model-errors.ts'
import { VERSION } from '../../base/version.ts'
import { createRedactor, type Redact } from '../../wire/redact.ts'
import { type McpServerConfig, secretsOf } from './config.ts'
import { loadClient } from './load-client.ts'
import { createLoginRedactor } from './oauth/desk.ts'
import type { Login } from './oauth/login.ts'
import { readResult } from './results.ts'
import { openWay, type Way } from './transports.ts'

/** Waits between the attempts to connect, in milliseconds. */
const ATTEMPT_PAUSES_MS = [250, 1_000]
/** After all attempts failed, uses fail at once for a while: 1 second, then twice as long each time, up to this. */
const MAX_PAUSE_MS = 30_000
const MAX_PAGES = 32
/** How long closing waits for running calls, and for the server, in milliseconds. */
const CLOSE_MS = 5_000

/** An open connection. */
interface Link {
  client: Client
  way: Way
  /** The tools, while the server tells of changes; undefined when they must be listed. */
  tools: readonly unknown[] | undefined
}

/** One call of a tool. */
export interface McpCall {
  signal: AbortSignal
  toolCallId: string
  /** The server says that the tool may run twice: it is called again when the connection was lost in the middle. */
  repeatable: boolean
}

/** The connections of each description, so that all who list one object share them: one for each login, or one without. */
const connections = new WeakMap<McpServerConfig, Map<Login | undefined, McpConnection>>()

export function connectionTo(config: McpServerConfig, login?: Login): McpConnection {
  const ofConfig = connections.get(config) ?? new Map<Login | undefined, McpConnection>()
  connections.set(config, ofConfig)
  // Owners come and go: a connection that is idle for long is forgotten with its login.
  const known = ofConfig.get(login) ?? new McpConnection(config, login, () => void (login && ofConfig.delete(login)))
  ofConfig.set(login, known)
  return known
}

/** Closes all connections to a server. */
export async function closeConnections(config: McpServerConfig): Promise<void> {
  await Promise.all([...(connections.get(config)?.values() ?? [])].map((connection) => connection.close()))
}

export class McpConnection {
  readonly config: McpServerConfig
  readonly name: string
  readonly #redact: Redact
  readonly #login: Login | undefined
  readonly #onIdle: () => void
  #opening: Promise<Link> | undefined
  #link: Link | undefined
  #failure: { error: Error; until: number; count: number } | undefined
  #active = 0
  #idle: NodeJS.Timeout | undefined
  #allDone = () => {}

  constructor(config: McpServerConfig, login?: Login, onIdle = () => {}) {
    this.config = config
    this.#login = login
    this.#onIdle = onIdle
    this.name = config.name ?? ('command' in config ? config.command : new URL(config.url).origin)
    const mask = createRedactor(() => secretsOf(config))
    const maskTokens = createLoginRedactor(() => login?.secrets ?? [])
    this.#redact = (text) => maskTokens(mask(text))
  }

  /** @throws PACKAGE_MISSING, or an Error with the reason */
  async list(): Promise<readonly unknown[]> {
    return this.#use(async (link) => {
      if (link.tools !== undefined) return link.tools
      const { tools } = await link.client.listTools(undefined, { timeout: this.config.startTimeoutMs ?? 30_000 })
      if (link.client.getServerCapabilities()?.tools?.listChanged === true) link.tools = tools
      return tools
    }, true)
  }

  /** @throws an Error for the model */
  async call(name: string, args: object, { signal, toolCallId, repeatable }: McpCall): Promise<unknown> {
    const { timeoutMs = 60_000, maxCallMs = 600_000, maxResultBytes = 131_072, onProgress } = this.config
    const result = await this.#use(
      (link) =>
        link.client.callTool(
          { name, arguments: args as { [key: string]: unknown } },
          {
            signal,
            timeout: timeoutMs,
            maxTotalTimeout: maxCallMs,
            resetTimeoutOnProgress: true,
            onprogress: ({ progress, total, message }) => {
              try {
                onProgress?.({ tool: name, toolCallId, progress, total, message })
              } catch {
                // A listener does not decide about the call.
              }
            },
          },
        ),
      repeatable,
    ).catch((error) => {
      throw isTimeout(error) ? tooSlow(timeoutMs, maxCallMs, error) : error
    })
    return readResult(result, maxResultBytes)
  }

  /** Closes the connection when its calls have ended, or after a few seconds. A later use opens it again. */
  async close(): Promise<void> {
    clearTimeout(this.#idle)
    await this.#opening?.catch(() => {})
    if (this.#active > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#allDone = resolve
      await Promise.race([promise, sleep(CLOSE_MS, undefined, { ref: false })])
    }
    if (this.#link !== undefined) await this.#drop(this.#link)
  }

  /**
   * Work with the connection. A connection that was lost is opened anew, and work that the server has not seen is done again, once.
   * @param repeatable the work may be done twice
   */
  async #use<T>(work: (link: Link) => Promise<T>, repeatable: boolean): Promise<T> {
    clearTimeout(this.#idle)
    this.#active++
    try {
      return await this.#try(work, (error) => repeatable || isUnseen(error))
    } finally {
      this.#active--
      if (this.#active === 0) this.#rest()
    }
  }

  async #try<T>(work: (link: Link) => Promise<T>, again: (error: unknown) => boolean): Promise<T> {
    await this.#login?.require()
    const link = this.#link ?? (await this.#open())
    try {
      return await work(link)
    } catch (error) {
      const needed = await this.#findConsent(error)
      if (this.#link === link && (needed !== undefined || isLoss(error))) await this.#drop(link)
      if (needed !== undefined) throw needed
      const lost = this.#link !== link
      if (lost && again(error)) return this.#try(work, () => false)
      throw this.#explain(error, lost ? link.way.note() : undefined)
    }
  }

  /** CONSENT_NEEDED when only the owner can help: there is no token, or it does not allow enough. */
  async #findConsent(error: unknown): Promise<AgencyError | undefined> {
    if (this.#login === undefined) return undefined
    const { InsufficientScopeError } = await loadClient()
    for (const one of causesOf(error)) {
      if (isConsentNeeded(one)) return one
      if (!(one instanceof InsufficientScopeError)) continue
      await this.#login.widen({ scope: one.requiredScope, resourceMetadataUrl: one.resourceMetadataUrl })
      return consentNeeded(this.#login.label)
    }
    return undefined
  }

  async #drop(link: Link): Promise<void> {
    this.#link = undefined
    await shut(link)
  }

  #rest(): void {
    this.#allDone()
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => {
      this.#onIdle()
      void this.close()
    }, this.config.idleTimeoutMs ?? 300_000)
    this.#idle.unref()
  }

  /** The error without secrets; `note` is what a program that is gone said last. */
  #explain(error: unknown, note: string | undefined): Error {
    if (error instanceof AgencyError) return error
    const text =
      note === undefined ? errorText(error) : `The connection to the MCP server was lost: ${errorText(error)}`
    return new Error(this.#redact(note === undefined || note === '' ? text : `${text}. It wrote: ${note}`), {
      cause: error,
    })
  }

  #open(): Promise<Link> {
    const failed = this.#failure
    if (failed !== undefined && performance.now() < failed.until) return Promise.reject(failed.error)
    this.#opening ??= this.#attempt().then(
      (link) => {
        this.#opening = undefined
        this.#failure = undefined
        return link
      },
      (error) => {
        this.#opening = undefined
        if (isConsentNeeded(error)) throw error
        const count = (failed?.count ?? 0) + 1
        const pause = Math.min(1_000 * 2 ** (count - 1), MAX_PAUSE_MS)
        this.#failure = { error, until: performance.now() + pause, count }
        throw error
      },
    )
    return this.#opening
  }

  async #attempt(): Promise<Link> {
    const { startTimeoutMs = 30_000 } = this.config
    const deadline = performance.now() + startTimeoutMs
    for (let attempt = 0; ; attempt++) {
      const left = Math.ceil(deadline - performance.now())
      try {
        return await this.#connect(Math.max(left, 1))
      } catch (error) {
        const pause = ATTEMPT_PAUSES_MS[attempt]
        const inTime = pause !== undefined && performance.now() + pause < deadline
        if (error instanceof AgencyError || isFinal((error as Error).cause) || !inTime) throw error
        await sleep(pause)
      }
    }
  }

  async #connect(timeout: number): Promise<Link> {
    const { Client } = await loadClient()
    const way = await openWay(this.config, this.#login)
    // Newer servers are asked what they speak; for a program that would start it twice, and all of them speak the older protocol.
    const probe = !('command' in this.config) && this.config.transport !== 'sse'
    const client = new Client(
      { name: 'agency-swarm-js', version: VERSION },
      {
        listMaxPages: MAX_PAGES,
        listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => this.#forgetTools(client) } },
        ...(probe ? { versionNegotiation: { mode: 'auto', probe: { timeoutMs: timeout } } } : {}),
      },
    )
    const link: Link = { client, way, tools: undefined }
    client.onclose = () => {
      if (this.#link === link) this.#link = undefined
      void way.release()
    }
    try {
      await within(timeout, 'Connecting to the MCP server', client.connect(way.transport, { timeout }))
    } catch (error) {
      await shut(link)
      const needed = await this.#findConsent(error)
      if (needed !== undefined) throw needed
      const note = way.note()
      throw new Error(this.#redact(note === '' ? errorText(error) : `${errorText(error)}. It wrote: ${note}`), {
        cause: error,
      })
    }
    this.#link = link
    return link
  }

  #forgetTools(client: Client): void {
    if (this.#link?.client === client) this.#link.tools = undefined
  }
}

/** Ends a connection: its session, its process, its sockets. A server that does not answer is not waited for. */
async function shut({ client, way }: Link): Promise<void> {
  const { transport } = way
  try {
    if ('terminateSession' in transport && typeof transport.terminateSession === 'function')
      await within(CLOSE_MS, 'The end of the session', Promise.resolve(transport.terminateSession()))
  } catch {
    // The server forgets its session by itself.
  }
  await client.close().catch(() => {})
  await transport.close().catch(() => {}) // a client that never connected does not close it
  await way.release()
}

interface Described {
  code?: unknown
  status?: unknown
  data?: unknown
  cause?: unknown
}

/** The codes and HTTP status of an error and of its causes. */
function marksOf(error: unknown): string[] {
  return causesOf(error).flatMap(({ code, status, data }) => {
    const inner = typeof data === 'object' && data !== null ? (data as Described).status : undefined
    return [code, status, inner].filter((mark) => mark !== undefined).map(String)
  })
}

/** An error and its causes, the outermost first. */
function causesOf(error: unknown): Described[] {
  const causes: Described[] = []
  for (let place = error; typeof place === 'object' && place !== null && causes.length < 10; ) {
    causes.push(place)
    place = (place as Described).cause
  }
  return causes
}

/** The server has no such session (any more), or is not there: nothing of the request was seen. */
const isUnseen = (error: unknown) =>
  marksOf(error).some((mark) => ['404', 'ECONNREFUSED', 'NOT_CONNECTED', 'SESSION_EXPIRED'].includes(mark)) ||
  lacksSession(error)

/**
 * A session is unknown to a server that was restarted. The answer has to be 404; many say it with another status:
 * modelcontextprotocol/python-sdk/issues/1004, markmhendrickson/neotoma/issues/1923.
 */
const lacksSession = (error: unknown) =>
  marksOf(error).some((mark) => ['400', '410', '503', '-32001'].includes(mark)) &&
  causesOf(error).some((one) => /\bsession\b/i.test(errorText(one)))

const isTimeout = (error: unknown) => marksOf(error).includes('REQUEST_TIMEOUT')
const tooSlow = (timeoutMs: number, maxCallMs: number, cause: unknown) =>
  new Error(
    `the server was silent for ${timeoutMs} ms, or took more than ${maxCallMs} ms in all. The call may have taken effect; check before you call it again.`,
    { cause },
  )

/** The connection is of no more use. */
const isLoss = (error: unknown) =>
  isUnseen(error) ||
  marksOf(error).some((mark) => /^(ECONN|EPIPE|UND_ERR_SOCKET|CONNECTION_CLOSED|SEND_FAILED)/.test(mark))

/** Another attempt would end the same way: there is no such program, or the key is wrong. */
const isFinal = (error: unknown) =>
  marksOf(error).some((mark) => ['ENOENT', 'EACCES', 'ENOTDIR', '401', '403'].includes(mark))
