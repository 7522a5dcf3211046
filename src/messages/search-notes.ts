/** Notes about hosted searches, and citations of files. */
import { isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem, StoredMessage } from '../wire/message.ts'
import { messageText } from './items.ts'

const HOSTED_CALLS = new Set<unknown>(
  ['web_search', 'file_search', 'code_interpreter', 'image_generation', 'mcp'].map((tool) => `${tool}_call`),
)

/** True for a call that the provider ran itself. */
export const isHostedCall = ({ type }: InputItem): boolean => HOSTED_CALLS.has(type)

/**
 * Notes with the results of hosted searches, to store after the items of their conversation, so that later turns and other models
 * know them. For a file search: its passages. For a web search: its sources and the answer written from them. The first two
 * lines are the original's (docs/wire.md, "Messages"). Notes have no run ids.
 */
export function searchNotes(items: readonly StoredMessage[]): StoredMessage[] {
  const answers = new Set(items.filter((item) => item.role === 'assistant' && messageText(item) !== ''))
  return items.flatMap((call) => {
    if (call.type === 'file_search_call') return createNote(call, 'file_search', 'SEARCH_RESULTS', listPassages(call))
    if (call.type !== 'web_search_call') return []
    const answer = [...answers].find((item) => item.agent === call.agent)
    if (answer === undefined) return []
    answers.delete(answer) // each answer belongs to one search
    return createNote(
      call,
      'web_search',
      'WEB_SEARCH_RESULTS',
      `Search Results:\n${messageText(answer)}\n${listSources(call)}`,
    )
  })
}

function createNote(call: StoredMessage, tool: string, tag: string, found: string): StoredMessage[] {
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

const textOr = (value: unknown, fallback: string) => (typeof value === 'string' ? value : fallback)
const toList = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

const listPassages = ({ results }: InputItem): string =>
  toList(results)
    .map(
      ({ file_id, text }, index) =>
        `File ${index + 1}: ${textOr(file_id, 'unknown')}\nContent: ${textOr(text, '')}\n\n`,
    )
    .join('')

function listSources({ action }: InputItem): string {
  const urls = toList(isObject(action) ? action.sources : []).flatMap(({ url }) =>
    typeof url === 'string' ? [url] : [],
  )
  return urls.length === 0 ? '' : `Sources:\n${[...new Set(urls)].join('\n')}\n`
}

/** The files that an assistant's text cites, as `citations` of its stored message; empty for any other item. */
export function citationsOf({ role, content }: InputItem): { citations?: JsonObject[] } {
  if (role !== 'assistant' || !Array.isArray(content)) return {}
  const citations = content
    .flatMap((part) => toList(isObject(part) ? part.annotations : []))
    .filter(({ type }) => type === 'file_citation')
    .map(({ file_id, filename, index, type }) => ({ file_id, filename, index, type, method: 'direct_file' }))
  return citations.length === 0 ? {} : { citations }
}
