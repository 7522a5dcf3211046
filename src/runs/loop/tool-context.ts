/** The context that a tool gets, and the events that it sends. */
import { createNoEmit, readToolEvent } from '../../tools/events.ts'
import { STATE } from '../../tools/state.ts'
import type { ToolContext } from '../../tools/tool.ts'
import { type AgentThread, BYTES_PER_EVENT, callScope, type RunState } from './agent-thread.ts'

/** What a context is for. */
interface ContextUse {
  /** Empty for questions that no call has asked, such as `isEnabled`. */
  toolCallId?: string
  idempotencyKey?: string
  /** Default: events are checked and dropped. */
  emit?: ToolContext['emit']
  /** Called when the tool has set the state. */
  onState?: () => void
}

export function createToolContext(
  run: RunState,
  { context }: AgentThread,
  { toolCallId = '', idempotencyKey = '', emit = createNoEmit(run.toolEventBytes), onState }: ContextUse = {},
): ToolContext {
  const facts = { toolCallId, idempotencyKey, signal: run.signal, emit }
  const own: ToolContext = Object.assign(Object.create(context), facts)
  if (onState === undefined) return own
  return Object.defineProperty(own, 'state', {
    get: () => context.state,
    set(value: unknown) {
      context.state = value
      onState()
    },
  })
}

/** The `emit` of one call, until it is closed. */
export function openToolEvents(run: RunState, thread: AgentThread, callId: string) {
  const { who, context } = thread
  const scope = callScope(thread, callId)
  run.shownState ??= printState(context.state)
  let open = true
  const send = (event: unknown) => {
    const { name, value, bytes } = readToolEvent(event, run.toolEventBytes)
    if (!open || run.signal.aborted) return
    run.emit([{ kind: 'custom', who, callId, name, value }], bytes + BYTES_PER_EVENT, scope)
  }
  /** Sends the state when it has changed. @throws INVALID_EVENT for a state that JSON cannot express, or a large one */
  const sendState = () => {
    const { state } = context
    const text = printState(state)
    if (text === run.shownState) return
    send({ name: STATE, value: state })
    run.shownState = text
  }
  const emit: ToolContext['emit'] = (event) => {
    sendState()
    send(event)
    return run.room() ?? Promise.resolve()
  }
  return {
    emit,
    sendState,
    close() {
      open = false
    },
  }
}

/** Equal for equal states. */
function printState(state: unknown): string {
  if (state === undefined) return ''
  try {
    return JSON.stringify(state)
  } catch {
    return ' ' // a state that cannot be sent: `send` says why
  }
}
