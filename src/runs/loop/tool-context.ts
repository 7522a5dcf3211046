/** The context that a tool gets, and the events that it sends. */
import { createNoEmit, readToolEvent } from '../../tools/events.ts'
import type { ToolContext } from '../../tools/tool.ts'
import { type AgentThread, BYTES_PER_EVENT, callScope, type RunState } from './agent-thread.ts'

/** What a context is for. */
interface ContextUse {
  /** Empty for questions that no call has asked, such as `isEnabled`. */
  toolCallId?: string
  idempotencyKey?: string
  /** Default: events are checked and dropped. */
  emit?: ToolContext['emit']
}

export const createToolContext = (
  run: RunState,
  { context }: AgentThread,
  { toolCallId = '', idempotencyKey = '', emit = createNoEmit(run.toolEventBytes) }: ContextUse = {},
): ToolContext => Object.assign(Object.create(context), { toolCallId, idempotencyKey, signal: run.signal, emit })

/** The `emit` of one call, until it is closed. */
export function openToolEvents(run: RunState, thread: AgentThread, callId: string) {
  const { who } = thread
  const scope = callScope(thread, callId)
  let open = true
  const emit: ToolContext['emit'] = (event) => {
    const { name, value, bytes } = readToolEvent(event, run.toolEventBytes)
    if (!open || run.signal.aborted) return Promise.resolve()
    run.emit([{ kind: 'custom', who, callId, name, value }], bytes + BYTES_PER_EVENT, scope)
    return run.room() ?? Promise.resolve()
  }
  return {
    emit,
    close() {
      open = false
    },
  }
}
