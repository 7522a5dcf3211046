/** The context that a tool gets. */
import type { ToolContext } from '../../tools/tool.ts'
import type { AgentThread, RunState } from './agent-thread.ts'

/** What a context is for. */
interface ContextUse {
  /** Empty for questions that no call has asked, such as `isEnabled`. */
  toolCallId?: string
  idempotencyKey?: string
  /** Default: that of the run. */
  signal?: AbortSignal
}

export const createToolContext = (
  run: RunState,
  { context }: AgentThread,
  { toolCallId = '', idempotencyKey = '', signal = run.signal }: ContextUse = {},
): ToolContext => Object.assign(Object.create(context), { toolCallId, idempotencyKey, signal })
