/** Converts conversations for the Responses API. */
import { createHash } from 'node:crypto'
import { eachOf, inPieces } from '../../base/async.ts'
import { takeIds } from '../../messages/clean.ts'
import { callHalf, isModelMade, kindOf, typeOf } from '../../messages/item-kinds.ts'
import { argumentsJson } from '../../messages/items.ts'
import { createNamer, FUNCTION_NAME } from '../../messages/names.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import { isOpenAI, takesReasoning } from '../families.ts'

export interface ResponsesTarget {
  model: string
  /** The provider stores nothing (`store: false`): it knows none of its earlier ids. */
  unstored: boolean
  /** Leaves out what only the provider that wrote it can read: reasoning, compacted history, and ids that are not required. */
  portable?: boolean
}

/** Longest id of an item or a call. Source: "string too long. Expected a string with maximum length 64". */
const MAX_ID_CHARS = 64
const VALID_ID = /^[A-Za-z0-9_-]+$/

/**
 * A conversation in the form that the Responses API accepts: ids with the prefix of their kind, call ids of at most 64 characters, JSON
 * arguments. Items of other providers are sent without those providers' data. Reasoning is sent to models that reason, and with
 * `store: false` only when it is encrypted; an item that followed left-out reasoning loses its id, which would require that reasoning.
 */
export const toResponsesInput = (
  items: readonly InputItem[],
  target: ResponsesTarget,
): InputItem[] | Promise<InputItem[]> => inPieces(items.length, convertItems(items, target))

/** The same work as a generator. */
export function* convertItems(items: readonly InputItem[], target: ResponsesTarget): Generator<undefined, InputItem[]> {
  const left = leftBehind(items, target)
  yield
  const slots = items.map((item) => ({ item, unnamed: false }))
  takeIds(slots, ({ item }) => (item.type === 'reasoning' ? left.has(item) : undefined))
  const nameCall = createNamer({ maxLength: MAX_ID_CHARS })
  const nameFunction = createNamer(FUNCTION_NAME)
  const input: InputItem[] = []
  yield
  yield* eachOf(slots, ({ item, unnamed }, index) => {
    if (left.has(item)) return
    const { provider_data, id, ...rest } = item
    const sent: InputItem = fitContent(rest)
    if (Array.isArray(item.tools) && item.type !== 'mcp_list_tools') sent.tools = functionsOf(item.tools)
    if (typeof sent.call_id === 'string') sent.call_id = nameCall(sent.call_id)
    if (item.type === 'function_call') sent.arguments = argumentsJson(item)
    if (item.type === 'function_call' || item.type === 'custom_tool_call') sent.name = nameFunction(item.name)
    if (item.type === 'reasoning' && !Array.isArray(item.summary)) sent.summary = []
    // "Invalid 'input[1].content': array too long. Expected an array with maximum length 0": musistudio/claude-code-router/issues/1783.
    if (item.type === 'reasoning' && isOpenAI(target.model)) delete sent.content
    const own = item.type === 'local_shell_call_output' ? nameCall(id ?? item.call_id) : idOf(item, unnamed, target)
    if (item.type === 'local_shell_call_output') delete sent.call_id
    if (own !== undefined) input.push({ ...sent, id: own })
    else input.push(kindOf(item)?.needsId === true ? { ...sent, id: makeId(item, index) } : sent)
  })
  return input
}

/**
 * The function definitions among the tools in an item (`tool_search_output`, `additional_tools`). Hosted tools are left out: only
 * agents may enable them, and a history may come from a caller.
 */
function functionsOf(tools: readonly unknown[]): JsonObject[] {
  return tools.filter(isObject).flatMap((tool) => {
    if (tool.type === 'function' || tool.type === 'custom') return [tool]
    return tool.type === 'namespace' && Array.isArray(tool.tools) ? [{ ...tool, tools: functionsOf(tool.tools) }] : []
  })
}

/**
 * The items that are not sent: hosted calls of other providers, references to items that are not stored, and reasoning that must not
 * be sent or that leads to one of these.
 */
function leftBehind(items: readonly InputItem[], target: ResponsesTarget): ReadonlySet<InputItem> {
  const left = new Set<InputItem>()
  let led = false // true when the item after the reasoning is sent
  for (const item of items.toReversed()) {
    const isReasoning = item.type === 'reasoning'
    const stays: boolean = isReasoning
      ? led && isWanted(item, target)
      : !isForeignHosted(item) && !isStateless(item, target) && !hasUnknownAction(item)
    if (!stays) left.add(item)
    if (!isReasoning) led = stays && isModelMade(item)
  }
  return left
}

/** An item that refers to content outside this call. */
const isStateless = ({ type }: InputItem, { unstored, portable }: ResponsesTarget) =>
  (type === 'item_reference' && (unstored || portable === true)) || (type === 'compaction' && portable === true)

/** A hosted call of another provider, which OpenAI does not know. */
const isForeignHosted = (item: InputItem) =>
  item.provider_data !== undefined && typeOf(item).endsWith('_call') && callHalf(item) === undefined

/** OpenAI writes searches with the action `other` and refuses to read them: github.com/openai/codex/issues/7073. */
const hasUnknownAction = ({ type, action }: InputItem) =>
  type === 'web_search_call' && isObject(action) && !SEARCH_ACTIONS.has(action.type)
const SEARCH_ACTIONS = new Set<unknown>(['search', 'open_page', 'find_in_page'])

function isWanted(item: InputItem, { model, unstored, portable }: ResponsesTarget): boolean {
  if (item.provider_data !== undefined || portable === true || !takesReasoning(model)) return false
  // Only other servers, such as vLLM, write reasoning as plain text; OpenAI has not stored it.
  if (isOpenAI(model) && hasContent(item)) return Boolean(item.encrypted_content)
  return Boolean(item.encrypted_content) || (!unstored && isValidId(item))
}

const hasContent = ({ content }: InputItem) => Array.isArray(content) && content.length > 0

function isValidId(item: InputItem): boolean {
  const { id } = item
  if (typeof id !== 'string' || id.length > MAX_ID_CHARS || !VALID_ID.test(id)) return false
  return id.startsWith(kindOf(item)?.idPrefix ?? '')
}

/** The id that is sent, if any: approvals are matched by it, and hosted calls are refused without one. */
function idOf(item: InputItem, unnamed: boolean, { unstored, portable }: ResponsesTarget): unknown {
  if (item.type === 'mcp_approval_request' || item.type === 'item_reference') return item.id
  if (item.provider_data !== undefined || !isValidId(item)) return undefined
  if (item.type === 'reasoning') return item.id
  if (unstored || portable === true) return kindOf(item)?.needsId === true ? item.id : undefined
  return unnamed ? undefined : item.id
}

/** A stable id that no provider knows. */
function makeId(item: InputItem, index: number): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([index, item.type, item.id, item.call_id]))
    .digest('hex')
  return `${kindOf(item)?.idPrefix ?? 'item'}_${hash.slice(0, 48)}`
}

/** Texts of an assistant are `output_text`, all others `input_text`, regardless of their type in a history. */
function fitContent(item: InputItem): InputItem {
  const { role, content } = item
  if (typeof role !== 'string' || !Array.isArray(content)) return { ...item }
  const type = role === 'assistant' ? 'output_text' : 'input_text'
  const isMisnamed = (part: unknown): part is JsonObject =>
    isObject(part) && part.type !== type && TEXT_TYPES.has(part.type)
  if (!content.some(isMisnamed)) return { ...item }
  return { ...item, content: content.map((part) => (isMisnamed(part) ? { ...part, type } : part)) }
}
const TEXT_TYPES = new Set<unknown>(['text', 'input_text', 'output_text'])
