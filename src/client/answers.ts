/** Requests and answers of the client, in the names of the wire (docs/wire.md). */
import type { JsonObject, JsonSchema } from '../wire/json.ts'
import type { InputItem, StoredMessage, Usage } from '../wire/message.ts'
import type { AgencyRequestBody, CancelRequest } from '../wire/requests.ts'

/** How to stop a run: `immediate` stops at once, `after_turn` lets the current turn finish. */
export type CancelMode = NonNullable<CancelRequest['cancel_mode']>

/** The body of a request, in the names of the wire (docs/wire.md, "Requests"). The server validates it. */
export type RequestBody = Omit<AgencyRequestBody, 'message' | 'chat_history'> & {
  message: string | readonly InputItem[]
  chat_history?: readonly StoredMessage[] | null | undefined
}

/** A text, a list of Responses input items, or a whole request body. */
export type Message = RequestBody['message'] | RequestBody

/** The answer of `getResponse`. */
export interface AgencyAnswer<Output = string> {
  /** The answer of the last agent: a text, or an object when that agent has an output type. */
  response: Output
  /** Messages the run added to the conversation. Append them to the history. */
  new_messages: StoredMessage[]
  /** Present when the answer was cut off. `reason`: `max_output_tokens`, `content_filter`, or a provider's own reason. */
  incomplete_details?: { reason: string }
  /** Absent when no agent counts usage. */
  usage?: Usage
  /** Name in `file_urls` -> id of the stored file. Present when the request had files. */
  file_ids_map?: { [name: string]: string }
  /** Present when the request set `generate_chat_name`. */
  chat_name?: string
}

/** How a streamed run ended. */
export interface RunResult extends Omit<AgencyAnswer, 'response'> {
  run_id: string
  cancelled: boolean
  /** The text of the last answer to the user; empty when there is none. */
  response: string
}

/** The answer to a cancel request. */
export interface CancelAnswer {
  /** False when the run was still going after the server's wait. The run still stops as soon as it can. */
  ok: boolean
  run_id: string
  cancelled: boolean
  cancel_mode: CancelMode
  new_messages: StoredMessage[]
  timed_out?: boolean
}

/** An agency as a graph, with a position for each node (docs/wire.md, "Metadata"). */
export interface AgencyMetadata {
  nodes: (AgentNode | ToolNode)[]
  edges: GraphEdge[]
  metadata: {
    agencyName: string
    totalAgents: number
    totalTools: number
    agents: string[]
    entryPoints: string[]
    sharedInstructions?: string | null
    layoutAlgorithm: string
  }
  agency_swarm_version: string
  /** Directories whose files `file_urls` may name; null when the server accepts no local files. */
  allowed_local_file_dirs: string[] | null
}

interface PositionedNode {
  id: string
  position: { x: number; y: number }
}

/** An agent in the graph. */
export interface AgentNode extends PositionedNode {
  type: 'agent'
  data: {
    label: string
    description: string
    isEntryPoint: boolean
    toolCount: number
    tools: { name: string; type: string; description: string; inputSchema?: JsonSchema }[]
    instructions: string
    model: string
    hasSubagents: boolean
    capabilities: string[]
    voice?: string
    conversationStarters?: string[]
    quickReplies?: string[]
  }
}

/** A tool in the graph. */
export interface ToolNode extends PositionedNode {
  type: 'tool'
  data: { label: string; description: string; type: string; parentAgent: string }
}

/** An edge between two nodes, by node id. */
export interface GraphEdge {
  id: string
  source: string
  target: string
  /** `owns` links an agent to its tool; `communication` links it to an agent it may talk to. */
  type: 'owns' | 'communication'
  data?: {
    label: string
    bidirectional: boolean
    /** How the agent reaches the other. Absent when it only sends messages. */
    kinds?: ('send_message' | 'handoff')[]
  }
}

/** The text of the last assistant message outside sub-agents' threads; empty when there is none. */
export function answerText(messages: readonly StoredMessage[]): string {
  const last = messages.findLast((message) => message.role === 'assistant' && message.callerAgent == null)
  return last === undefined ? '' : itemText(last)
}

/** The text of a message item. */
export function itemText({ content }: InputItem): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part: JsonObject | null) => (typeof part?.text === 'string' ? part.text : '')).join('')
}
