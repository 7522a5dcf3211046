import type { ResponseEvent } from '../models/model.ts'
import type { InputItem } from '../wire/message.ts'

/** Whose event it is. One object per `agent_run_id`, so that readers can cache what they derive from it. */
export interface Speaker {
  readonly agent: string
  readonly description: string
  readonly callerAgent: string | null
  readonly agentRunId: string
  readonly parentRunId: string | undefined
}

export type ItemName =
  | 'reasoning_item_created'
  | 'tool_called'
  | 'message_output_created'
  | 'tool_output'
  | 'handoff_requested'
  | 'handoff_occured'

/** What the items of a call tell about its tool. */
export interface ToolFacts {
  readonly description: string | null
  readonly title: string | null
  /** Undefined for a name that is not a function of the agent; `mcpServer` names the server whose tool it is. */
  readonly origin: { readonly mcpServer: string | null } | undefined
}

/** What a run tells while it goes on. */
export type RunEvent =
  | { kind: 'agent'; who: Speaker }
  /** `text` is the event's compact JSON, where it is known. */
  | { kind: 'model'; who: Speaker; event: ResponseEvent; text?: string | undefined }
  | {
      kind: 'item'
      who: Speaker
      name: ItemName
      type: string
      raw: InputItem
      source: Speaker
      target?: Speaker
      /** Of calls and their outputs. */
      tool?: ToolFacts
      /** What a tool returned, as plain JSON. */
      output?: unknown
    }
  | { kind: 'error'; who: Speaker; nested: boolean; content: string }
  /** A guardrail ended the run. */
  | { kind: 'tripped'; who: Speaker; content: string }

/** The speaker of what is nobody's: it has no name and no id. */
export const nobody: Speaker = { agent: '', description: '', callerAgent: null, agentRunId: '', parentRunId: undefined }
