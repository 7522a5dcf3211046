/** The events of a run: its start, what happens in it, and its end. */
import type { ErrorCode } from '../base/errors.ts'
import type { ResponseEvent } from '../models/model.ts'
import type { InputItem, StoredMessage, Usage } from '../wire/message.ts'
import type { AgentReceipt } from './loop/receipt.ts'

/** The agent that an event belongs to. One object per `agent_run_id`, so that readers can cache what they derive from it. */
export interface Speaker {
  readonly agent: string
  readonly description: string
  readonly callerAgent: string | null
  /** Empty for an agent that did not start to work. */
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
  | 'tool_search_called'
  | 'tool_search_output_created'
  | 'mcp_list_tools'
  | 'mcp_approval_requested'

/** What the items of a call tell about its tool. */
export interface ToolFacts {
  readonly description: string | null
  readonly title: string | null
  /** Undefined for a name that is not a function of the agent; `mcpServer` names the server whose tool it is. */
  readonly origin: { readonly mcpServer: string | null } | undefined
}

/** The first event of every run. */
export interface RunStarted {
  kind: 'started'
  runId: string
  /** System items that were added before the request's own input, such as the list of its files. */
  notes: readonly InputItem[]
}

/** The last event of every run. */
export interface RunEnded {
  kind: 'ended'
  runId: string
  summary: RunSummary
  /** True for a stored run that was stopped while it waited for decisions and did nothing else. */
  waited?: boolean
}

/** The events between the first and the last one. */
export type RunProgress =
  | { kind: 'agent'; who: Speaker }
  /** `text` is the event's compact JSON, where it is known. */
  | { kind: 'model'; who: Speaker; event: ResponseEvent; text?: string | undefined }
  | {
      kind: 'item'
      who: Speaker
      /** True for the guidance of an input guardrail: the item is shown without the agent that it stands in for. */
      anonymous?: true
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
  /** What a tool sent with `context.emit()`; `value` is JSON. */
  | { kind: 'custom'; who: Speaker; callId: string; name: string; value: unknown }
  /** An error of the whole run, or of the sub-agent `who`. */
  | { kind: 'error'; who: Speaker | undefined; content: string }
  /** A guardrail ended the run. */
  | { kind: 'tripped'; content: string }

/** One event of a run: `started` first, `ended` last, and what happens between them. */
export type RunEvent = RunStarted | RunProgress | RunEnded

/** The result of a run. */
export interface RunSummary {
  newMessages: StoredMessage[]
  finalOutput: unknown
  /** Why the final answer was cut off, such as `max_output_tokens`; undefined for a whole one. */
  cut: string | undefined
  cancelled: boolean
  /** Undefined when no model call counts towards usage. */
  usage: Usage | undefined
  /** Name -> stored id of the files in `file_urls`; undefined when they were not given. */
  fileIdsMap: { readonly [name: string]: string } | undefined
  /** Undefined when no name was asked for, or none could be made. */
  chatName: string | undefined
  /** Why the run failed, as far as a caller may know. */
  failure: string | undefined
  /** The code of the error of a run that failed, where it has one. */
  errorCode?: ErrorCode
  /** The error itself, for callers in the same process. */
  error: unknown
  /** Calls that the client answers with its next request; the run ended with them. */
  clientCalls?: readonly InputItem[]
  /** True for a stored run that waits for decisions, or leaves this process. */
  paused?: boolean
  /** Of a stored run that was cancelled: what the cancel stopped. */
  receipt?: AgentReceipt
}
