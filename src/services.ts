/** The services that every route receives. */
import type { FastifyRequest } from 'fastify'
import type { ServedAgency } from './agency/served.ts'
import type { Charges } from './base/budget.ts'
import type { Limits } from './base/limits.ts'
import type { ServerLog } from './base/log.ts'
import type { A2aOptions } from './dialects/a2a/card.ts'
import type { Dialect } from './dialects/dialect.ts'
import type { McpDoor } from './dialects/mcp/door.ts'
import type { WriteRunLog } from './runs/run-log.ts'
import type { Run } from './runs/runner.ts'
import type { Runs } from './runs/start.ts'
import type { StoredRuns } from './runs/stored/service.ts'
import type { Tickets } from './runs/tickets.ts'
import type { FunctionTool } from './tools/tool.ts'
import type { AguiEvents, AguiRequest } from './wire/agui.ts'
import type { AgencyRequest, RequestRules } from './wire/requests.ts'
import type { RunRules } from './wire/runs.ts'
import type { Peers } from './workers/peers.ts'

/** The logs of requests. */
export interface RequestLogs {
  writer(id: unknown): WriteRunLog | undefined
  /** @param budget charged for the log while it is read */
  take(id: string, budget: Charges): Promise<unknown[] | undefined>
  /** Waits until the lines of one log, or of all, are on disk. */
  flush(id?: string): Promise<void>
}

/**
 * Says whose runs and threads a request is about: 1 to 256 characters. Undefined, an empty text or an error refuse the
 * request with 401.
 */
export type Identify = (request: FastifyRequest) => string | undefined | Promise<string | undefined>

/** Protocols beside the agencies' own endpoints. */
export interface Doors {
  /** The OpenAI endpoints at `/v1`, and whether tools that only OpenAI runs are ignored there. */
  readonly openai: { readonly ignoresHostedTools: boolean } | undefined
  /** The endpoints for pages on the AI SDK's `useChat`. */
  readonly aiSdk: { readonly disconnectGraceMs: number } | undefined
  /** The endpoints for A2A agents. */
  readonly a2a: A2aOptions | undefined
  /** The endpoint for AG-UI clients, over stored runs. */
  readonly agui: { readonly events: Partial<AguiEvents>; readonly disconnectGraceMs: number } | undefined
}

/** The run of an HTTP request. */
export interface RunNote {
  run: Run
  agency: string
  agent: string
  streaming: boolean
}

/** The services of one server, made once at its start. */
export interface Services extends Runs {
  readonly agencies: readonly ServedAgency[]
  readonly tools: readonly FunctionTool[]
  /** With `agui`, the agencies' stream endpoints speak AG-UI, and the other native endpoints that run an agency are absent. */
  readonly dialects: { readonly native: Dialect<AgencyRequest>; readonly agui: Dialect<AguiRequest> | undefined }
  /** Further protocols that are spoken over the same runs. */
  readonly doors: Doors
  /** Runs that outlive their request, and who asks for them. */
  readonly stored: {
    readonly runs: StoredRuns
    readonly identify: Identify | undefined
    /** Says whose browser has come back with a consent; false where nobody asks. */
    readonly identifyBrowser: Identify | false | undefined
    /** What a request for a run may ask. */
    readonly rules: RunRules
    /** Traces are kept and served. */
    readonly traces: boolean
  }
  /** The other workers of this machine; undefined where one process serves alone. */
  readonly peers: Peers | undefined
  /** True where agents use MCP servers with `oauth`. */
  readonly asksConsent: boolean
  /** Rights that pages have without the token. */
  readonly tickets: Tickets
  /** Set where `/mcp` is served. */
  readonly mcp: McpDoor | undefined
  readonly heartbeatMs: number
  readonly limits: Limits
  readonly requestRules: RequestRules
  /** Set when request logs are kept. */
  readonly requestLog: RequestLogs | undefined
  readonly redact: (text: string) => string
  /** Adds to the log line of a request what the request ran; set where requests are logged. */
  readonly noteRun: ((request: object, note: RunNote) => void) | undefined
  readonly log: ServerLog
  /** True once the server has begun to stop: new work is refused. */
  readonly stopping: () => boolean
}
