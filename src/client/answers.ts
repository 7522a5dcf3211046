import type { JsonObject, JsonSchema } from '../wire/json.ts'
import type { InputItem, StoredMessage, Usage } from '../wire/message.ts'
import type { AgencyRequestBody, CancelRequest } from '../wire/requests.ts'

/** How a run is stopped: at once, or when its turn is finished. */
export type CancelMode = NonNullable<CancelRequest['cancel_mode']>

/** The body of a request, in the wire's names (docs/wire.md, "Requests"); the server's own schema says what fits. */
export type RequestBody = Omit<AgencyRequestBody, 'message' | 'chat_history'> & {
  message: string | readonly InputItem[]
  chat_history?: readonly StoredMessage[] | null | undefined
}

/** A text, Responses input items, or a whole request. */
export type Message = RequestBody['message'] | RequestBody

/** What `getResponse` gives. */
export interface AgencyAnswer<Output = string> {
  /** The last agent's answer: a text, or an object where that agent has an output type. */
  response: Output
  /** What the run added to the conversation: append it to the history. */
  new_messages: StoredMessage[]
  /** Present when the answer was cut off. `reason`: `max_output_tokens`, `content_filter`, or the provider's own word. */
  incomplete_details?: { reason: string }
  /** Left out when no agent's usage is counted. */
  usage?: Usage
  /** Name in `file_urls` -> id of the stored file, when files were given. */
  file_ids_map?: { [name: string]: string }
  /** When asked for with `generate_chat_name`. */
  chat_name?: string
}

/** How a streamed run ended. */
export interface RunResult extends Omit<AgencyAnswer, 'response'> {
  run_id: string
  cancelled: boolean
  /** The text of the last answer to the user; empty when there was none. */
  response: string
}

/** What a cancel is answered. */
export interface CancelAnswer {
  /** False when the run had not ended after the server's wait; the request to stop stands. */
  ok: boolean
  run_id: string
  cancelled: boolean
  cancel_mode: CancelMode
  new_messages: StoredMessage[]
  timed_out?: boolean
}

/** An agency as a graph, with places to draw it (docs/wire.md, "Metadata"). */
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
  /** Folders whose files `file_urls` may name; null when local files are refused. */
  allowed_local_file_dirs: string[] | null
}

interface Placed {
  id: string
  position: { x: number; y: number }
}

/** An agent in the graph. */
export interface AgentNode extends Placed {
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
    conversationStarters?: string[]
    quickReplies?: string[]
  }
}

/** A tool in the graph, beside the agent it belongs to. */
export interface ToolNode extends Placed {
  type: 'tool'
  data: { label: string; description: string; type: string; parentAgent: string }
}

/** A line between two nodes, by their ids. */
export interface GraphEdge {
  id: string
  source: string
  target: string
  /** `owns` joins an agent to its tool, `communication` to an agent it may talk to. */
  type: 'owns' | 'communication'
  data?: JsonObject
}

/** The text that answers the user in `messages`: of the last assistant message outside of sub-agents' threads. */
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
