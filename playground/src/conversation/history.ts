/** Rebuilds turns from a stored history. */
import type { ContentPart, StoredMessage, StreamEvent } from 'agency-swarm-js/client'
import { beginRun, followEvent, type RunView } from '../run/run.ts'
import type { Turn } from './conversation.ts'

/**
 * Converts a stored history to turns. Each user message starts a turn, and the messages after it are applied to a run view as
 * stream events are. Turns have no times, because stored messages do not contain durations.
 */
export function readHistory(messages: readonly StoredMessage[], newId: () => string): Turn[] {
  const turns: Turn[] = []
  for (const message of messages) {
    const fromUser = message.role === 'user' && message.callerAgent == null
    if (fromUser || turns.length === 0) turns.push(newTurn(newId(), fromUser ? message : undefined))
    const turn = turns.at(-1) as Turn
    turns[turns.length - 1] = { ...turn, run: tell(turn.run, message) }
  }
  return turns.map((turn) => ({ ...turn, run: close(turn.run) }))
}

const newTurn = (id: string, message: StoredMessage | undefined): Turn => ({
  id,
  input: { message: message === undefined ? '' : asInput(message), fileUrls: {} },
  addressed: message?.agent,
  run: beginRun(),
})

export const asInput = (message: StoredMessage) =>
  typeof message.content === 'string' ? message.content : [{ role: 'user', content: message.content as ContentPart[] }]

function tell(run: RunView, message: StoredMessage): RunView {
  const kept = { ...run, messages: [...run.messages, message] }
  return eventsOf(message).reduce<RunView>((view, event) => followEvent(view, event), kept)
}

function close(run: RunView): RunView {
  const { messages, runId = '' } = run
  const last: StreamEvent = { kind: 'messages', new_messages: [...messages], run_id: runId, cancelled: false }
  return followEvent(followEvent(run, last), { kind: 'end' })
}

function eventsOf(message: StoredMessage): StreamEvent[] {
  const { agent, callerAgent = null, agent_run_id = '', parent_run_id } = message
  const who = { agent, callerAgent, agent_run_id, ...(parent_run_id === undefined ? {} : { parent_run_id }) }
  const type = String(message.type ?? 'message')
  const item = (name: string): StreamEvent => ({ kind: 'item', name, type: '', item: message, ...who })
  if (message.role === 'user' || message.role === 'system' || message.role === 'developer') return []
  if (type === 'message') return [{ kind: 'agent', ...who }, item('message_output_created')]
  if (type === 'reasoning') return [{ kind: 'agent', ...who }, item('reasoning_item_created')]
  if (type === 'function_call_output') {
    const to = handedTo(message)
    return to === undefined ? [item('tool_output')] : [{ ...item('handoff_occured'), target_agent: to } as StreamEvent]
  }
  if (/^transfer_to_/.test(String(message.name))) return [{ kind: 'agent', ...who }, item('handoff_requested')]
  if (/_call$/.test(type)) {
    const called = item('tool_called')
    // Only function calls have their outputs in separate messages.
    return type === 'function_call'
      ? [{ kind: 'agent', ...who }, called]
      : [{ kind: 'agent', ...who }, called, item('tool_output')]
  }
  return []
}

/** The agent that the output of a handoff names; undefined for any other output. */
const handedTo = (message: StoredMessage) => /^\{"assistant": ?"(.+)"\}$/.exec(String(message.output))?.[1]
