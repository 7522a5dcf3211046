/** What the messages of an AI SDK chat carry beside texts and tools: metadata, and the parts of sub-agents. */
import type { Usage } from './message.ts'

/** The metadata of an answer. */
export interface AgencyMessageMetadata {
  /** The run that made the answer: `/{agency}/runs/{run_id}`. */
  run_id?: string
  /** Of an answer that waits for approvals: where its run goes on from. */
  last_event_id?: number
  /** Of all model calls of the run; present once it has ended. */
  usage?: Usage
  chat_name?: string
  file_ids_map?: { readonly [name: string]: string }
}

/** What a tool told while it worked, such as its progress: the data of a `data-tool` part. */
export interface AgencyToolData {
  agent: string
  toolCallId: string
  name: string
  value: unknown
}

/** What an agent does that works for another one: the data of a `data-agent` part. */
export interface AgencyAgentData {
  agent: string
  callerAgent: string | null
  /** The tool part that the agent works for, such as `send_message`. */
  parentToolCallId: string | null
  state: 'working' | 'done' | 'failed' | 'stopped'
  /** What it has said so far. */
  text: string
  tools: { toolCallId: string; toolName: string; state: 'running' | 'done' }[]
  /** Of `failed`: why. */
  error?: string
}
