import type { AgencyGraph } from './agency/agency.ts'
import type { Limits } from './limits.ts'
import type { ModelEdge } from './models/provider.ts'
import type { Hub } from './runs/hub.ts'
import type { FunctionTool } from './tools/tool.ts'
import type { StoredMessage } from './wire/message.ts'

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

/** The bundle every route and dialect is given. */
export interface Services {
  readonly agencies: readonly ServedAgency[]
  readonly tools: readonly FunctionTool[]
  readonly hub: Hub
  readonly models: ModelEdge
  readonly streamScalars: 'json' | 'python'
  readonly heartbeatMs: number
  readonly limits: Limits
  /** Set when request logs are kept. */
  readonly requestLog: RequestLogs | undefined
  readonly redact: (text: string) => string
  /** One line on stderr, secrets masked. */
  readonly logError: (error: unknown) => void
  /** True once the server has begun to stop: new work is refused. */
  readonly stopping: () => boolean
}
