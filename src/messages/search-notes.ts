import { isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem, StoredMessage } from '../wire/message.ts'
import { messageText } from './items.ts'

const HOSTED_CALLS = new Set<unknown>(
  ['web_search', 'file_search', 'code_interpreter', 'image_generation', 'mcp'].map((tool) => `${tool}_call`),
)

/** A call that the provider has carried out itself. */
export const isHostedCall = ({ type }: InputItem): boolean => HOSTED_CALLS.has(type)

/**
 * What the searches of a provider have found, as notes to be stored behind the items of their conversation: later turns and
 * other models then know it too. Passages of a file search; of a web search its sources and the text that was made of them.
 * Their first two lines are the original's (docs/wire.md, "Messages"); they belong to no run.
 */
export function searchNotes(items: readonly StoredMessage[]): StoredMessage[] {
  const answers = new Set(items.filter((item) => item.role === 'assistant' && messageText(item) !== ''))
  return items.flatMap((call) => {
    if (call.type === 'file_search_call') return noteOf(call, 'file_search', 'SEARCH_RESULTS', passagesOf(call))
    if (call.type !== 'web_search_call') return []
    const answer = [...answers].find((item) => item.agent === call.agent)
    if (answer === undefined) return []
    answers.delete(answer) // each answer stands for one search
    return noteOf(
      call,
      'web_search',
      'WEB_SEARCH_RESULTS',
      `Search Results:\n${messageText(answer)}\n${sourcesOf(call)}`,
    )
  })
}

function noteOf(call: StoredMessage, tool: string, tag: string, found: string): StoredMessage[] {
  if (found === '') return []
  const { agent, callerAgent, history_protocol, timestamp } = call
  return [
    {
      role: 'system',
      content: `[${tag}] Tool Call ID: ${textOr(call.id, 'unknown')}\nTool Type: ${tool}\n${found}`,
      message_origin: `${tool}_preservation`,
      agent,
      callerAgent,
      ...(history_protocol === undefined ? {} : { history_protocol }),
      timestamp,
      type: 'message',
    },
  ]
}

const textOr = (value: unknown, other: string) => (typeof value === 'string' ? value : other)
const listOf = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

const passagesOf = ({ results }: InputItem): string =>
  listOf(results)
    .map(
      ({ file_id, text }, index) =>
        `File ${index + 1}: ${textOr(file_id, 'unknown')}\nContent: ${textOr(text, '')}\n\n`,
    )
    .join('')

function sourcesOf({ action }: InputItem): string {
  const urls = listOf(isObject(action) ? action.sources : []).flatMap(({ url }) =>
    typeof url === 'string' ? [url] : [],
  )
  return urls.length === 0 ? '' : `Sources:\n${[...new Set(urls)].join('\n')}\n`
}

/** The files that an assistant's text cites, as `citations` of its stored message; nothing for any other item. */
export function citationsOf({ role, content }: InputItem): { citations?: JsonObject[] } {
  if (role !== 'assistant' || !Array.isArray(content)) return {}
  const citations = content
    .flatMap((part) => listOf(isObject(part) ? part.annotations : []))
    .filter(({ type }) => type === 'file_citation')
    .map(({ file_id, filename, index, type }) => ({ file_id, filename, index, type, method: 'direct_file' }))
  return citations.length === 0 ? {} : { citations }
}
