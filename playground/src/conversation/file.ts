/** Exports and imports conversations as JSON files. */
import type { StoredMessage } from 'agency-swarm-js/client'
import { FRONT } from '../run/run.ts'
import type { Conversation, Turn } from './conversation.ts'
import { readHistory } from './history.ts'

/** The content of an export. `chat_history` can be sent unchanged. */
interface ConversationFile {
  agency: string
  title: string
  recipient_agent?: string
  chat_history: StoredMessage[]
}

/** Writes a conversation as the text of a JSON file. */
export function writeConversationFile(conversation: Conversation): string {
  const { agency, title, recipient } = conversation
  const file: ConversationFile = {
    agency,
    title,
    ...(recipient === undefined ? {} : { recipient_agent: recipient }),
    chat_history: conversation.turns.flatMap((turn) =>
      turn.run.messages.length > 0 ? turn.run.messages : [asMessage(turn)],
    ),
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/** The user's message of a turn that failed before the server stored anything. */
const asMessage = ({ input, addressed, run }: Turn): StoredMessage => ({
  role: 'user',
  type: 'message',
  content: typeof input.message === 'string' ? input.message : (input.message.at(-1)?.content ?? ''),
  agent: addressed ?? '',
  callerAgent: null,
  timestamp: (run.startedAt ?? 0) * 1000,
})

/**
 * Reads a conversation from an export of this page, or from any JSON that is or has a `chat_history`.
 * @param agency the agency to use when the file names none, or one that is not served
 * @throws Error whose message says what is wrong with the file
 */
export function readConversationFile(
  text: string,
  { agency, served, newId, at }: { agency: string; served: readonly string[]; newId: () => string; at: number },
): Conversation {
  const file = parse(text)
  const history = Array.isArray(file) ? file : file.chat_history
  if (!Array.isArray(history)) throw new Error('The file has no "chat_history" (a list of messages).')
  const strange = history.findIndex(
    (message) => typeof message !== 'object' || message === null || Array.isArray(message),
  )
  if (strange !== -1) throw new Error(`Entry ${strange + 1} of "chat_history" is not a message.`)
  if (history.length === 0) throw new Error('The "chat_history" is empty.')
  const turns = readHistory(history, newId)
  const named = Array.isArray(file) ? {} : file
  return {
    id: newId(),
    agency: served.includes(String(named.agency)) ? String(named.agency) : agency,
    title: typeof named.title === 'string' && named.title !== '' ? named.title : 'Imported conversation',
    updatedAt: at,
    turns,
    recipient: typeof named.recipient_agent === 'string' ? named.recipient_agent : inCharge(turns),
  }
}

/** The agent that the last handoff put in charge; undefined when there was none. */
function inCharge(turns: readonly Turn[]): string | undefined {
  const entries = turns.flatMap(({ run }) => run.threads.get(FRONT) ?? [])
  return entries.findLast((entry) => entry.kind === 'handoff')?.to
}

function parse(text: string): Partial<ConversationFile> & { chat_history?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch (error) {
    throw new Error(`Not valid JSON: ${(error as Error).message}.`)
  }
  throw new Error('Not a JSON object or list.')
}
