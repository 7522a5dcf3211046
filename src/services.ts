import type { AgencyGraph } from './agency/agency.ts'
import type { Limits } from './base/limits.ts'
import type { FileDesk } from './files/attachments.ts'
import type { Models } from './models/models.ts'
import type { Pricer } from './models/pricing/prices.ts'
import type { Hub, Run } from './runs/hub.ts'
import type { Telemetry } from './runs/span.ts'
import type { FunctionTool } from './tools/tool.ts'
import type { AguiEvents } from './wire/agui.ts'
import type { StoredMessage } from './wire/message.ts'
import type { RequestRules } from './wire/requests.ts'

/** What a factory is given: `loadThreads` gives the request's `chat_history`. */
export interface AgencyCallbacks {
  loadThreads: () => StoredMessage[]
  saveThreads: (messages: StoredMessage[]) => void
}

/** One agency as it is served. */
export interface ServedAgency {
  /** The path segment. */
  readonly path: string
  /** Made once at start: names and metadata come from it. */
  readonly preview: AgencyGraph
  /** The agency of one request. @throws FACTORY_FAILED */
  make(callbacks: AgencyCallbacks): Promise<AgencyGraph>
}

/** Where a request's log lines go. */
export interface RequestLogs {
  writer(id: unknown): ((level: 'INFO' | 'WARNING' | 'ERROR', message: string, where: string) => void) | undefined
  take(id: string): Promise<unknown[] | undefined>
  flush(): Promise<void>
}

/** A pino logger, Fastify's `app.log`, or anything of their shape. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What an HTTP request was for, where it ran an agency. */
export interface RunNote {
  run: Run
  agency: string
  agent: string
  streaming: boolean
}

/** The bundle every route and dialect is given. */
export interface Services {
  readonly agencies: readonly ServedAgency[]
  readonly tools: readonly FunctionTool[]
  readonly hub: Hub
  readonly models: Models
  readonly files: FileDesk
  readonly price: Pricer
  readonly streamScalars: 'json' | 'python'
  /** Set when the agencies' stream endpoints speak AG-UI, which takes the other native endpoints away; the operator's choice of events. */
  readonly agui: Partial<AguiEvents> | undefined
  readonly heartbeatMs: number
  readonly limits: Limits
  readonly requestRules: RequestRules
  /** Set when request logs are kept. */
  readonly requestLog: RequestLogs | undefined
  readonly redact: (text: string) => string
  /** Set while somebody listens. */
  readonly telemetry: Telemetry | undefined
  /** Tells the log line of a request what the request ran; set where requests are logged. */
  readonly noteRun: ((request: object, note: RunNote) => void) | undefined
  /** One line in the log, secrets masked. `fields` say where it happened. */
  readonly logError: (error: unknown, mask?: (text: string) => string, fields?: object) => void
  /** True once the server has begun to stop: new work is refused. */
  readonly stopping: () => boolean
}
