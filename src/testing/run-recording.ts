/** The recording of a stored run: what was said and called in it, read from its messages. */
import { z } from 'zod'
import { messageText, toModelItem } from '../messages/items.ts'
import type { InputItem, StoredMessage } from '../wire/message.ts'
import { type CallFact, parse, readCall, readFacts } from './facts.ts'

const message = z.looseObject({ agent: z.string(), callerAgent: z.string().nullable(), timestamp: z.number() })
/** The content of the file. */
export const runRecording = z.object({
  kind: z.literal('run'),
  version: z.literal(1),
  run_id: z.string(),
  agency: z.string(),
  recipient_agent: z.string(),
  /** The conversation before the run. */
  history: z.array(message),
  /** What the run added to it: the user's message, answers, calls and their outputs, of all agents. */
  new_messages: z.array(message),
  response: z.unknown(),
})
export type RunRecording = Omit<z.infer<typeof runRecording>, 'history' | 'new_messages'> & {
  history: StoredMessage[]
  new_messages: StoredMessage[]
}

/** One answer of an agent's model. */
export interface RecordedTurn {
  agent: string
  items: InputItem[]
}

/** What the user sent: the items of the user's thread before the first answer. */
export function inputOf({ new_messages }: RunRecording): InputItem[] {
  const own = new_messages.filter(({ callerAgent }) => callerAgent === null)
  const end = own.findIndex(isAnswer)
  return own.slice(0, end < 0 ? undefined : end).flatMap((item) => (item.message_origin ? [] : [toModelItem(item)]))
}

/** The answers of all models, in the order in which they were given. */
export function turnsOf({ new_messages }: RunRecording): RecordedTurn[] {
  const turns: (RecordedTurn & { at: number })[] = []
  for (const messages of conversationsOf(new_messages).values()) {
    let open: (RecordedTurn & { at: number }) | undefined
    for (const item of messages) {
      if (!isAnswer(item)) open = undefined
      else if (open?.agent === item.agent) open.items.push(toModelItem(item))
      else {
        open = { agent: item.agent, items: [toModelItem(item)], at: item.timestamp }
        turns.push(open)
      }
    }
  }
  return turns.sort((a, b) => a.at - b.at).map(({ agent, items }) => ({ agent, items }))
}

export const callsOf = ({ new_messages }: Pick<RunRecording, 'new_messages'>): readonly CallFact[] =>
  readFacts(new_messages).calls

/** The messages of the user's thread and of each pair of agents, in order. */
export function conversationsOf(messages: readonly StoredMessage[]): Map<string, StoredMessage[]> {
  const conversations = new Map<string, StoredMessage[]>()
  for (const item of messages) {
    const key = item.callerAgent === null ? 'the user' : `${item.callerAgent} and ${item.agent}`
    conversations.set(key, [...(conversations.get(key) ?? []), item])
  }
  return conversations
}

/** True for what a model has written. Reminders, guidance and the like have an origin. */
export const isAnswer = ({ type, role, message_origin }: StoredMessage): boolean =>
  message_origin === undefined &&
  (role === 'assistant' || (role === undefined && type !== undefined && !type.endsWith('_output')))

/** A message without what differs from run to run, to compare it. */
export function gist(item: StoredMessage): { [key: string]: unknown } {
  const { type, agent, output, role } = item
  const call = readCall(item)
  if (call !== undefined) return { agent, call: call.tool, arguments: call.arguments }
  if (type === 'function_call_output') return { agent, output: parse(output) }
  return { agent, ...(role === undefined ? { type } : { role, text: messageText(item) }) }
}
