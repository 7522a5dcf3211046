/** Stored messages as those of AG-UI, for snapshots of a conversation that the server keeps. */
import type { AguiMessage } from '../../wire/agui.ts'
import type { InputItem, StoredMessage } from '../../wire/message.ts'
import { contentOf, toolNameOf, toResult } from './parts.ts'

/**
 * The conversation before and with the input of a run.
 * @param history messages of the thread, or of `chat_history`
 * @param input the message of the request
 */
export function toAguiMessages(
  runId: string,
  history: readonly StoredMessage[],
  input: string | readonly InputItem[],
): AguiMessage[] {
  const items = typeof input === 'string' ? [{ role: 'user', content: input }] : input
  return [
    ...history.flatMap((item, index) => toMessages(item, `message_${index + 1}`)),
    ...items.flatMap((item, index) => toMessages(item, `${runId}_input_${index + 1}`)),
  ]
}

/** @param fallback the id of an item that has none */
function toMessages(item: InputItem & Partial<StoredMessage>, fallback: string): AguiMessage[] {
  const id = typeof item.id === 'string' ? item.id : fallback
  const { agent, callerAgent, agent_run_id, parent_run_id } = item
  const metadata = agent === undefined ? {} : { metadata: { agent, callerAgent, agent_run_id, parent_run_id } }
  const toolName = toolNameOf(item)
  if (toolName !== undefined) {
    const callId = String(item.call_id ?? item.id)
    const call = { id: callId, type: 'function' as const, function: { name: toolName, arguments: contentOf(item) } }
    return [{ id: id === callId ? `${id}_call` : id, role: 'assistant', toolCalls: [call], ...metadata }]
  }
  if (item.type === 'function_call_output') {
    const callId = String(item.call_id)
    return [{ id: callId, role: 'tool', toolCallId: callId, content: toResult(item.output, true), ...metadata }]
  }
  const content = typeof item.content === 'string' ? item.content : contentOf(item)
  if (item.role === 'assistant') return [{ id, role: 'assistant', name: agent, content, ...metadata }]
  const ofUser = callerAgent == null // an agent's question stands in its call
  if (item.role === 'user') return ofUser ? [{ id, role: 'user', content }] : []
  return item.role === 'system' || item.role === 'developer' ? [{ id, role: item.role, content }] : []
}
