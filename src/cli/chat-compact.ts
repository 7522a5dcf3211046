/** `/compact` of `chat`: replaces a long conversation with a summary of it. */
import type { AgencyClient, StoredMessage } from '../client/index.ts'
import type { Talk } from './chat-talk.ts'
import { CommandError } from './errors.ts'

const REQUEST = `Summarise our conversation for yourself: you will go on with the summary alone. Keep what the user wants, decisions, facts,
names, numbers, and what is left to do. Call no tools. Answer with the summary only.`

/**
 * The history that stands for a conversation from now on: its summary, written by the agent that answers next.
 * @throws CommandError when there is nothing to summarise, and for a summary without text; ClientError
 */
export async function compactHistory(agency: AgencyClient, talk: Talk, signal: AbortSignal): Promise<StoredMessage[]> {
  const messages = await talk.messages()
  if (messages.length === 0) throw new CommandError('There is nothing to compact yet.')
  const recipient = talk.recipient === undefined ? {} : { recipient_agent: talk.recipient }
  const body = { message: REQUEST, chat_history: [...messages], ...recipient }
  const { response, new_messages } = await agency.getResponse<unknown>(body, { signal })
  const summary = typeof response === 'string' ? response.trim() : JSON.stringify(response ?? '')
  if (summary === '') throw new CommandError('The agent wrote no summary. The conversation stays as it is.')
  const { agent = '', timestamp = 0 } = new_messages.at(-1) ?? {}
  const content = `Summary of our conversation so far:\n\n${summary}`
  return [{ role: 'user', type: 'message', content, agent: talk.recipient ?? agent, callerAgent: null, timestamp }]
}
