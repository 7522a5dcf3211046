/** What the client of a run gets as its answer: the texts of the conversation with the user. */
import { messageText } from '../messages/items.ts'
import type { RunSummary } from '../runs/events.ts'
import type { StoredMessage } from '../wire/message.ts'

/** Between two messages of one answer. */
export const BETWEEN = '\n\n'

/** The answer of a run: its messages to the user, or the output of the tool that is the answer. */
export function answerOf(summary: RunSummary): string {
  const texts: string[] = []
  for (const message of summary.newMessages) {
    if (message.message_origin === 'output_guardrail_error')
      texts.pop() // it rejects the answer before it
    else if (isAnswer(message)) texts.push(messageText(message))
  }
  const tool = toolAnswerOf(summary)
  return [...texts, ...(tool === undefined ? [] : [tool])].filter((text) => text !== '').join(BETWEEN)
}

/** The answer that is the output of a tool, not a message; undefined for any other. */
export function toolAnswerOf({ newMessages, finalOutput }: RunSummary): string | undefined {
  const last = newMessages.findLast(({ callerAgent }) => callerAgent === null)
  if (finalOutput == null || last?.type !== 'function_call_output') return undefined
  return typeof finalOutput === 'string' ? finalOutput : JSON.stringify(finalOutput)
}

const isAnswer = ({ role, type, callerAgent }: StoredMessage) =>
  role === 'assistant' && (type === 'message' || type === undefined) && callerAgent === null

/** What a tool gave, as one text. */
export function toText(output: unknown): string {
  if (typeof output === 'string') return output
  if (!Array.isArray(output)) return JSON.stringify(output ?? '')
  return output
    .map((part: { text?: unknown }) => (typeof part?.text === 'string' ? part.text : JSON.stringify(part)))
    .join('\n')
}
