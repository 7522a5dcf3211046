/** Stored messages as those of AG-UI, for snapshots of a conversation that the server keeps. */
import type { AguiMessage } from '../../wire/agui.ts'
import type { InputItem, StoredMessage } from '../../wire/message.ts'
import { contentOf, hostedResultOf, toolNameOf, toResult } from './parts.ts'

/**
 * The conversation before and with the input of a run.
 * @param history messages of the thread, or of `chat_history`
 * @param input the message of the request
 * @param modern true for clients that know protocol 1.0
 */
export function toAguiMessages(
  runId: string,
  {
    history,
    input,
    modern,
  }: { history: readonly StoredMessage[]; input: string | readonly InputItem[]; modern: boolean },
): AguiMessage[] {
  const items = typeof input === 'string' ? [{ role: 'user', content: input }] : input
  return [
    ...history.flatMap((item, index) => toMessages(item, `message_${index + 1}`, modern)),
    ...items.flatMap((item, index) => toMessages(item, `${runId}_input_${index + 1}`, modern)),
  ]
}

/** The key of stored messages that has the id which their client gave them. */
export const CLIENT_ID = 'client_message_id'

/** @param fallback the id of an item that has none */
function toMessages(item: InputItem & Partial<StoredMessage>, fallback: string, modern: boolean): AguiMessage[] {
  const id = [item[CLIENT_ID], item.id].find((known) => typeof known === 'string') ?? fallback
  const { agent, callerAgent, agent_run_id, parent_run_id } = item
  const metadata = agent === undefined ? {} : { metadata: { agent, callerAgent, agent_run_id, parent_run_id } }
  const toolName = toolNameOf(item)
  if (toolName !== undefined) {
    const callId = String(item.call_id ?? item.id)
    const call = { id: callId, type: 'function' as const, function: { name: toolName, arguments: contentOf(item) } }
    const result = hostedResultOf(item)
    return [
      { id: id === callId ? `${id}_call` : id, role: 'assistant', toolCalls: [call], ...metadata },
      ...(result === undefined
        ? []
        : [{ id: callId, role: 'tool' as const, toolCallId: callId, content: result, ...metadata }]),
    ]
  }
  if (item.type === 'function_call_output') {
    const callId = String(item.call_id)
    return [{ id: callId, role: 'tool', toolCallId: callId, content: toResult(item.output, modern), ...metadata }]
  }
  const content = typeof item.content === 'string' ? item.content : contentOf(item)
  if (item.type === 'reasoning') return content === '' ? [] : [{ id, role: 'reasoning', content, ...metadata }]
  if (item.role === 'assistant') return [{ id, role: 'assistant', name: agent, content, ...metadata }]
  const ofUser = callerAgent == null // an agent's question stands in its call
  if (item.role === 'user') return ofUser ? [{ id, role: 'user', content }] : []
  return item.role === 'system' || item.role === 'developer' ? [{ id, role: item.role, content }] : []
}
