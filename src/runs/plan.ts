/** Turns a request into a plan: everything one run needs, as a value. */
import { randomUUID } from 'node:crypto'
import type { AgencyGraph } from '../agency/agency.ts'
import type { RunHooks } from '../agency/hooks.ts'
import { withStarterCache } from '../agency/starter-cache.ts'
import { latestTraceId } from '../messages/items.ts'
import type { RequestModels } from '../models/models.ts'
import type { Pricer } from '../models/pricing/prices.ts'
import type { OwnerLogins } from '../tools/mcp/oauth/desk.ts'
import type { HostedTool } from '../tools/tool.ts'
import type { JsonObject } from '../wire/json.ts'
import type { InputItem, StoredMessage } from '../wire/message.ts'
import type { ClientOffer } from '../wire/requests.ts'
import type { Telemetry, TraceContext } from './span.ts'

/** 32 hexadecimal digits. */
const randomHex = () => randomUUID().replaceAll('-', '')

export interface RunRequest {
  message: string | InputItem[]
  history: StoredMessage[]
  recipient?: string | null | undefined
  additionalInstructions?: string | null | undefined
  userContext: { [key: string]: unknown }
  /** Keys that the request brought: masked in every text that leaves. Default none. */
  secrets?: readonly string[]
  /** The logins of the run's owner at MCP servers. Default: none */
  logins?: OwnerLogins | undefined
  /** What `client_config` adds to each call of a model, in bytes. Default 0. */
  configBytes?: number | undefined
  /** Listeners of this run alone. */
  hooks?: RunHooks | undefined
  /** What the request adds to the conversation with the user. Default: nothing. */
  client?: ClientOffer | undefined
  price: Pricer
  /** Ask a model for a name of the conversation afterwards. Default false. */
  namesChat?: boolean
  streaming: boolean
  maxTurns: number | null
  telemetry?: Telemetry | undefined
  /** How telemetry names the agency. Default: its own name. */
  servedAs?: string | undefined
  traceContext?: TraceContext | undefined
  /** The time in milliseconds since 1970. Default: the system's clock. */
  now?: (() => number) | undefined
  /** Makes 32 hexadecimal digits that occur once. Default: random ones. */
  newHex?: (() => string) | undefined
}

const NO_OFFER: ClientOffer = { tools: [] }

/** Everything one run needs, as a value. Nothing in it is shared with another run but the frozen agency. */
export interface RunPlan {
  agency: AgencyGraph
  models: RequestModels
  recipient: string
  input: InputItem[]
  /** System items at the start of `input` that the request did not send, such as the list of its files. */
  notes: readonly InputItem[]
  history: StoredMessage[]
  additionalInstructions: string
  userContext: { [key: string]: unknown }
  secrets: readonly string[]
  /** The logins of the run's owner at MCP servers. */
  logins: OwnerLogins | undefined
  configBytes: number
  hooks: RunHooks | undefined
  price: Pricer
  namesChat: boolean
  traceId: string
  streaming: boolean
  maxTurns: number | null
  maxDepth: number
  /** Tools that the provider runs, for the conversation with the user. */
  hostedTools: readonly HostedTool[]
  /** Tools that the client runs, and the answer that it wants, for the conversation with the user. */
  client: ClientOffer
  /** Parts of the user's item that the model gets and nobody stores. */
  unstoredParts: readonly JsonObject[]
  /** Name -> stored id of what `file_urls` named; undefined when they were not given. */
  fileIdsMap: { readonly [name: string]: string } | undefined
  telemetry: Telemetry | undefined
  servedAs: string
  traceContext: TraceContext | undefined
  /** The time in milliseconds since 1970. */
  now: () => number
  /** Makes 32 hexadecimal digits that occur once, for the ids of the run. */
  newHex: () => string
}

/**
 * Turns a request into a plan: the last step that can refuse it.
 * @throws UNKNOWN_AGENT, MISSING_API_KEY, MODEL_NOT_SUPPORTED
 */
export function planRun(agency: AgencyGraph, models: RequestModels, request: RunRequest): RunPlan {
  const recipient = request.recipient ?? (agency.entryPoints[0] as { name: string }).name
  models.model(agency.role(recipient).agent.model, recipient)
  for (const agent of agency.agents) agent.freeze()
  const { now = Date.now, newHex = randomHex } = request
  return {
    agency,
    models: withStarterCache(models, { ...request, agent: agency.role(recipient).agent }),
    recipient,
    input: inputOf(request),
    notes: [],
    history: request.history,
    additionalInstructions: request.additionalInstructions ?? '',
    userContext: request.userContext,
    secrets: request.secrets ?? [],
    logins: request.logins,
    configBytes: request.configBytes ?? 0,
    hooks: request.hooks,
    price: request.price,
    namesChat: request.namesChat ?? false,
    traceId: latestTraceId(request.history) ?? `trace_${newHex()}`,
    streaming: request.streaming,
    maxTurns: request.maxTurns,
    maxDepth: 20,
    hostedTools: [],
    client: request.client ?? NO_OFFER,
    unstoredParts: [],
    fileIdsMap: undefined,
    telemetry: request.telemetry,
    servedAs: request.servedAs ?? agency.name ?? 'agency',
    traceContext: request.traceContext,
    now,
    newHex,
  }
}

/** A blank text is nothing to say in a stream; a plain run passes it to the model (docs/wire.md, "Requests"). */
function inputOf({ message, streaming }: RunRequest): InputItem[] {
  if (typeof message !== 'string') return message
  return streaming && message.trim() === '' ? [] : [{ content: message, role: 'user' }]
}
