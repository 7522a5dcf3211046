/** The MCP server without its transports: which tools it has, and how calls of them are answered. */
import { setImmediate } from 'node:timers/promises'
/** @ts-ignore an optional package: its types are any where it is not installed */
import type { CallToolRequest, CallToolResult, Server, ServerContext } from '@modelcontextprotocol/server'
import type { ServedAgency } from '../../agency/served.ts'
import { orAbort } from '../../base/async.ts'
import type { Budget } from '../../base/budget.ts'
import { AgencyError, causeOf, errorText } from '../../base/errors.ts'
import type { ServerLog } from '../../base/log.ts'
import { VERSION } from '../../base/version.ts'
import type { StoredRuns } from '../../runs/stored/service.ts'
import { toToolNames } from '../../tools/names.ts'
import type { FunctionTool } from '../../tools/tool.ts'
import type { RequestRules } from '../../wire/requests.ts'
import { toAskTool } from './agency-tool.ts'
import { errorResult, type McpTool } from './mcp-tool.ts'
import { loadNodeAdapter, loadSdk, type McpSdk } from './packages.ts'
import { type Progress, startProgress } from './progress.ts'
import { toMcpTool } from './standalone-tool.ts'

/** How the MCP server presents itself. */
export interface McpOptions {
  /** Its name for hosts. @default 'agency-swarm-js' */
  name?: string | undefined
  /** Tells the host's model what the server is for. @default none */
  instructions?: string | undefined
}

export interface McpParts {
  agencies: readonly ServedAgency[]
  tools: readonly FunctionTool[]
  runs: StoredRuns
  rules: RequestRules
  budget: Budget
  /** The most bytes of an event that a tool sends. */
  toolEventBytes: number
  log: ServerLog
  redact(text: string): string
}

/** How long a stop waits for calls that it ended, in milliseconds. */
const CUT_MS = 1_000
/** Most calls of one session, or one program, that run at the same time. */
const MAX_CALLS = 64

/** A server object of the official package for one session, one program, or one request without a session. */
export interface McpSession {
  readonly server: Server
  /** Calls in progress. */
  readonly calls: () => number
}

/** The MCP server of a process. */
export class McpDoor {
  readonly sdk: McpSdk
  /** Aborts when the server begins to stop: nobody waits for news any more. */
  readonly stopping: AbortSignal
  /** Aborts when calls have ended: sessions end. */
  readonly stopped: AbortSignal
  readonly #tools: ReadonlyMap<string, McpTool>
  readonly #parts: McpParts
  readonly #options: McpOptions
  readonly #stopping = new AbortController()
  readonly #stopped = new AbortController()
  /** Aborts when running calls have had their time. */
  readonly #cut = new AbortController()
  #running = 0
  #whenIdle = () => {}

  constructor(sdk: McpSdk, options: McpOptions, parts: McpParts) {
    this.sdk = sdk
    this.#options = options
    this.#parts = parts
    this.#tools = new Map(listTools(parts).map((tool) => [tool.definition.name, tool]))
    this.stopping = this.#stopping.signal
    this.stopped = this.#stopped.signal
  }

  /** @param owner whose calls they are */
  open(owner: string): McpSession {
    const { name = 'agency-swarm-js', instructions } = this.#options
    const info = { capabilities: { tools: {} }, ...(instructions === undefined ? {} : { instructions }) }
    const server = new this.sdk.Server({ name, version: VERSION }, info)
    let calls = 0
    server.setRequestHandler('tools/list', () => ({ tools: [...this.#tools.values()].map((tool) => tool.definition) }))
    server.setRequestHandler('tools/call', async ({ params }, ctx) => {
      const tool = this.#tools.get(params.name)
      const { ProtocolError, ProtocolErrorCode } = this.sdk
      if (tool === undefined)
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, `There is no tool "${params.name.slice(0, 100)}".`)
      if (calls >= MAX_CALLS) return errorResult(`Error: ${MAX_CALLS} calls are in progress. Wait for one to end.`)
      calls++
      this.#running++
      try {
        const result = await this.#call(tool, params, { owner, ctx })
        return server.projectCallToolResult(result, tool.definition.outputSchema)
      } finally {
        calls--
        if (--this.#running === 0) this.#whenIdle()
      }
    })
    return { server, calls: () => calls }
  }

  async #call(
    tool: McpTool,
    { arguments: args = {} }: CallToolRequest['params'],
    { owner, ctx }: { owner: string; ctx: ServerContext },
  ): Promise<CallToolResult> {
    const signal = AbortSignal.any([ctx.mcpReq.signal, this.#cut.signal])
    if (this.#stopping.signal.aborted) return errorResult('The server is shutting down. Try again in a moment.')
    const progress = progressOf(ctx)
    try {
      const traceparent = ctx.http?.req?.headers.get('traceparent') ?? undefined
      return await orAbort(tool.call(args, { owner, signal, report: progress?.report, traceparent }), signal)
    } catch (error) {
      ctx.mcpReq.signal.throwIfAborted()
      return this.#explain(tool, error)
    } finally {
      await progress?.stop()
    }
  }

  #explain({ definition: { name } }: McpTool, error: unknown): CallToolResult {
    const { redact, log } = this.#parts
    if (this.#stopping.signal.aborted) return errorResult('The server stopped before the call ended.')
    if (AgencyError.isInstance(error)) return errorResult(redact(error.message))
    log.error(`The MCP tool ${name} failed: ${errorText(error)}`, causeOf(error))
    return errorResult('The server failed to answer this call. Its log has the reason.')
  }

  /** Calls are refused from now on. */
  stop(): void {
    this.#stopping.abort()
  }

  /** Waits for running calls, at most so long, and then ends them; resolves when their results are out. */
  async drain(ms: number): Promise<void> {
    await this.#idle(Math.max(0, ms))
    this.#cut.abort()
    await this.#idle(CUT_MS)
    // The package sends the result of a call some steps after its handler has returned it.
    for (let turn = 0; turn < 3; turn++) await setImmediate()
  }

  async #idle(ms: number): Promise<void> {
    if (this.#running === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#whenIdle = resolve
    const timer = setTimeout(resolve, ms)
    await promise
    clearTimeout(timer)
  }

  /** Ends all sessions. */
  close(): void {
    this.#stopping.abort()
    this.#stopped.abort()
  }
}

/** @throws PACKAGE_MISSING */
export async function createMcpDoor(options: McpOptions, parts: McpParts): Promise<McpDoor> {
  const [sdk] = await Promise.all([loadSdk(), loadNodeAdapter()])
  return new McpDoor(sdk, options, parts)
}

/** In a stable order: hosts cache the list. */
function listTools({ agencies, tools, runs, rules, redact, log, budget, toolEventBytes }: McpParts): McpTool[] {
  const texts = [...tools.map(({ name }) => name), ...agencies.map(({ path }) => `ask_${decodeURIComponent(path)}`)]
  const names = toToolNames(texts)
  const note = (tool: string, error: unknown) => log.error(`Tool ${tool} failed: ${errorText(error)}`, causeOf(error))
  return [
    ...tools.map((tool, index) => toMcpTool(tool, names[index] as string, { redact, note, budget, toolEventBytes })),
    ...agencies.map((served, index) => toAskTool(served, { name: names[tools.length + index] as string, runs, rules })),
  ]
}

function progressOf({ mcpReq: { _meta, notify } }: ServerContext): Progress | undefined {
  const progressToken = _meta?.progressToken
  if (progressToken === undefined) return undefined
  return startProgress((params) => notify({ method: 'notifications/progress', params: { ...params, progressToken } }))
}
