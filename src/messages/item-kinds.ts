/** The kinds of Responses items: their fields, and which calls and outputs belong together. */
import type { InputItem } from '../wire/message.ts'

/**
 * What the Responses API accepts for one kind of item. Source: the item types of the `openai` package (ResponseInputItem and
 * the interfaces it names), which follow OpenAI's OpenAPI document; a test compares the keys with the installed version.
 */
interface ItemKind {
  /** The fields of the item; the API answers any other with "Unknown parameter". */
  keys: readonly string[]
  /** Prefix of its ids, as far as it is known. The API answers other ids with "Expected an ID that begins with ...". */
  idPrefix?: string
  /** The API refuses the item without an id. */
  needsId?: true
}

const kind = (keys: string, idPrefix?: string, needsId?: true): ItemKind => ({
  keys: `type id ${keys}`.trim().split(' '),
  ...(idPrefix === undefined ? {} : { idPrefix }),
  ...(needsId === undefined ? {} : { needsId }),
})

const ROWS: { readonly [type: string]: ItemKind } = {
  message: kind('role content status phase', 'msg'),
  reasoning: kind('summary content encrypted_content status', 'rs'),
  function_call: kind('call_id name arguments namespace async caller status', 'fc'),
  function_call_output: kind('call_id output name namespace caller status', 'fc'),
  custom_tool_call: kind('call_id name input namespace async caller', 'ctc'),
  custom_tool_call_output: kind('call_id output caller', 'ctc'),
  computer_call: kind('call_id action actions pending_safety_checks status', 'cu', true),
  computer_call_output: kind('call_id output acknowledged_safety_checks status', 'cu'),
  local_shell_call: kind('call_id action status', undefined, true),
  local_shell_call_output: kind('output status'), // its id is the call id of its call
  shell_call: kind('call_id action environment caller status'),
  shell_call_output: kind('call_id output max_output_length caller status'),
  apply_patch_call: kind('call_id operation caller status'),
  apply_patch_call_output: kind('call_id output caller status'),
  tool_search_call: kind('call_id arguments execution status'),
  tool_search_output: kind('call_id tools execution status'),
  mcp_approval_request: kind('server_label name arguments', 'mcpr', true),
  mcp_approval_response: kind('approval_request_id approve reason'),
  mcp_list_tools: kind('server_label tools error', 'mcpl', true),
  mcp_call: kind('server_label name arguments output error approval_request_id status', 'mcp', true),
  web_search_call: kind('action status', 'ws', true),
  file_search_call: kind('queries results status', 'fs', true),
  code_interpreter_call: kind('code container_id outputs status', 'ci', true),
  image_generation_call: kind(
    'result action background error output_format quality revised_prompt size status svg_usage',
    'ig',
    true,
  ),
  compaction: kind('encrypted_content'),
  item_reference: kind(''),
}

const KINDS: ReadonlyMap<string, ItemKind> = new Map(Object.entries(ROWS))

/** An item's kind; undefined for unknown ones. Messages may leave out their type. */
export const kindOf = (item: InputItem): ItemKind | undefined => KINDS.get(typeOf(item))

/** The type of an item; empty when it has no valid one. Items may come from any client. */
export const typeOf = ({ type, role }: InputItem): string =>
  typeof type === 'string' ? type : type === undefined && typeof role === 'string' ? 'message' : ''

/** Calls that the application answers, and the items with the answers. */
const PAIRS: readonly [call: string, output: string][] = [
  ['function_call', 'function_call_output'],
  ['custom_tool_call', 'custom_tool_call_output'],
  ['computer_call', 'computer_call_output'],
  ['local_shell_call', 'local_shell_call_output'],
  ['shell_call', 'shell_call_output'],
  ['apply_patch_call', 'apply_patch_call_output'],
  ['tool_search_call', 'tool_search_output'],
  ['mcp_approval_request', 'mcp_approval_response'],
]
/** Type of a call or output -> type of its call. */
const CALL_TYPES: ReadonlyMap<string, string> = new Map(
  PAIRS.flatMap(([call, output]) => [
    [call, call],
    [output, call],
  ]),
)

/** A call or an output: both halves of a call have the same `key`. */
export interface CallHalf {
  half: 'call' | 'output'
  key: string
}

/** Which half of which call an item is; undefined for messages, reasoning, and calls that the provider answers itself. */
export function callHalf(item: InputItem): CallHalf | undefined {
  const type = typeOf(item)
  const call = CALL_TYPES.get(type)
  if (call === undefined) return undefined
  // A tool search that OpenAI runs itself has no call id on either side.
  if (call === 'tool_search_call' && (item.execution === 'server' || typeof item.call_id !== 'string')) return undefined
  return { half: call === type ? 'call' : 'output', key: `${call} ${callKey(item)}` }
}

/** The id that links an item to its call: the call id; for approvals, the id of the request; for local shell outputs, their id. */
export function callKey(item: InputItem): string {
  const named =
    item.type === 'mcp_approval_request'
      ? item.id
      : item.type === 'mcp_approval_response'
        ? item.approval_request_id
        : item.type === 'local_shell_call_output'
          ? (item.id ?? item.call_id)
          : item.call_id
  return typeof named === 'string' ? named : ''
}

/** True for items that a model wrote: texts, reasoning and calls of every kind. */
export function isModelMade(item: InputItem): boolean {
  if (item.role === 'assistant') return true
  const type = typeOf(item)
  return type === 'reasoning' || type === 'mcp_approval_request' || type === 'program' || type.endsWith('_call')
}
