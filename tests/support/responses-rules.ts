import { readItemFields } from './item-types.ts'

// biome-ignore lint/suspicious/noExplicitAny: bodies are foreign JSON that rules look into
type Json = { [key: string]: any }

const FIELDS = readItemFields()

/** Kinds that are refused without an id: their `id` is not optional in OpenAI's types. */
const NEEDS_ID = new Set([
  ...[
    'web_search_call',
    'file_search_call',
    'code_interpreter_call',
    'image_generation_call',
    'mcp_call',
    'mcp_list_tools',
  ],
  ...['computer_call', 'local_shell_call', 'mcp_approval_request'],
])

/** "Invalid 'input[1].id': 'call_...'. Expected an ID that begins with 'fc'.": github.com/nodetool-ai/nodetool/pull/4252 (fc),
 * openai/codex/issues/33176 (msg), jlcodes99/cockpit-tools/issues/2090 (rs); the others as OpenAI's guides on tools show them. */
const PREFIXES: { [type: string]: string } = {
  message: 'msg',
  reasoning: 'rs',
  function_call: 'fc',
  function_call_output: 'fc',
  custom_tool_call: 'ctc',
  web_search_call: 'ws',
  file_search_call: 'fs',
  code_interpreter_call: 'ci',
  image_generation_call: 'ig',
  computer_call: 'cu',
  mcp_call: 'mcp',
  mcp_approval_request: 'mcpr',
}

const OUTPUTS: { [output: string]: string } = {
  function_call_output: 'function_call',
  custom_tool_call_output: 'custom_tool_call',
  computer_call_output: 'computer_call',
  local_shell_call_output: 'local_shell_call',
  shell_call_output: 'shell_call',
  apply_patch_call_output: 'apply_patch_call',
  mcp_approval_response: 'mcp_approval_request',
}
const CALLS = new Set(Object.values(OUTPUTS))

const typeOf = (item: Json): string => item.type ?? 'message'
const isModelMade = (item: Json) =>
  item.role === 'assistant' || /^(reasoning|.*_call|mcp_approval_request)$/.test(typeOf(item))

/** What the provider remembers of answers it has stored: item id -> id of the reasoning it came of. */
export type Memory = ReadonlyMap<string, string>

/** Why OpenAI's Responses API would refuse this body; undefined when it would not. */
export function responsesRefusal(body: Json, memory: Memory = new Map()): string | undefined {
  const items: Json[] = body.input
  // platform.openai.com/docs/api-reference/responses: conversation state is sent by the caller here.
  if ('previous_response_id' in body || 'conversation' in body) return 'state of the provider is used'
  return (
    toolSettingRefusal(body) ??
    first(items, (item, index) => fieldRefusal(item, index) ?? contentRefusal(item, index)) ??
    idRefusal(items, body.store === false) ??
    pairRefusal(items) ??
    reasoningRefusal(items, body, memory)
  )
}

function first<T>(list: readonly T[], rule: (one: T, index: number) => string | undefined): string | undefined {
  for (const [index, one] of list.entries()) {
    const refusal = rule(one, index)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

/** "'parallel_tool_calls' is only allowed when 'tools' are specified": github.com/Upsonic/Upsonic/issues/323, camel-ai/camel/pull/3706. */
export function toolSettingRefusal(body: Json): string | undefined {
  if (body.tools?.length > 0) return undefined
  const idle = ['tool_choice', 'parallel_tool_calls'].find((key) => key in body)
  return idle === undefined ? undefined : `'${idle}' is only allowed when 'tools' are specified`
}

/** Fields that OpenAI's types call null and require. */
const NULLABLE = new Set(['code', 'outputs', 'result', 'results'])

/** "Unknown parameter: 'input[0].agent'.": the answer to every field that an item's type does not have. */
function fieldRefusal(item: Json, index: number): string | undefined {
  const known = FIELDS.get(typeOf(item))
  if (known === undefined) return undefined
  // "expected a string, but got null instead": openai/openai-python/pull/3025.
  const empty = Object.keys(item).find((key) => item[key] === null && !NULLABLE.has(key))
  if (empty !== undefined) return `Invalid type for 'input[${index}].${empty}': got null instead.`
  const unknown = Object.keys(item).find((key) => !known.has(key))
  return unknown === undefined ? undefined : `Unknown parameter: 'input[${index}].${unknown}'.`
}

/** Types of parts: the API reference. Arguments: "Invalid 'messages[..].arguments'", and every chat template parses them. */
function contentRefusal(item: Json, index: number): string | undefined {
  const { role, content, output } = item
  if (role !== undefined && content == null) return `Invalid type for 'input[${index}].content'`
  if (role === 'assistant' && content.length === 0 && Array.isArray(content))
    return `empty array input[${index}].content`
  const wrong = role === 'assistant' ? /^(input_|text$)/ : /^(output_|text$)/
  if (Array.isArray(content) && item.type !== 'reasoning' && content.some(({ type }) => wrong.test(type)))
    return `Invalid value in input[${index}].content`
  if (/^(function|custom_tool)_call_output$/.test(typeOf(item))) {
    if (typeof output !== 'string' && !Array.isArray(output)) return `Invalid type for 'input[${index}].output'`
    if (Array.isArray(output) && !output.every((part) => /^input_(text|image|file)$/.test(part?.type)))
      return `Invalid value in input[${index}].output`
  }
  // "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.": the API reference on tools.
  if (/^(function|custom_tool)_call$/.test(typeOf(item)) && !/^[\w-]{1,64}$/.test(item.name))
    return `Invalid 'input[${index}].name'`
  if (typeOf(item) === 'function_call' && !isJsonObject(item.arguments)) return `no JSON: input[${index}].arguments`
  return undefined
}

export function isJsonObject(text: unknown): boolean {
  try {
    const value: unknown = JSON.parse(String(text))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

/**
 * Characters ("Expected an ID that contains letters, numbers, underscores, or dashes"): langchain-ai/langchainjs/issues/11044. Length 64:
 * can1357/oh-my-pi/issues/284 (id), AnswerDotAI/fastllm/issues/45 (call_id). Twice: OpenRouterTeam/ai-sdk-provider/issues/254. With
 * `store: false` ("Items are not persisted when store is set to false"): langchain-ai/langchain/pull/38372.
 */
function idRefusal(items: readonly Json[], unstored: boolean): string | undefined {
  const seen = new Set<string>()
  return first(items, (item, index) => {
    const { id, call_id } = item
    const type = typeOf(item)
    if (call_id !== undefined && (typeof call_id !== 'string' || call_id === '' || call_id.length > 64))
      return `Invalid 'input[${index}].call_id'`
    if (id === undefined) return NEEDS_ID.has(type) ? `Missing required parameter: 'input[${index}].id'.` : undefined
    if (type === 'local_shell_call_output') return undefined
    if (typeof id !== 'string' || id.length > 64 || !/^[\w-]+$/.test(id))
      return `Invalid 'input[${index}].id': '${id}'.`
    if (!id.startsWith(PREFIXES[type] ?? '')) return `Expected an ID that begins with '${PREFIXES[type]}': ${id}`
    if (seen.has(id)) return `Duplicate item found with id ${id}.`
    seen.add(id)
    if (unstored && !NEEDS_ID.has(type) && type !== 'reasoning') return `Item with id '${id}' not found.`
    return undefined
  })
}

/** "No tool output found for function call ...": router-for-me/CLIProxyAPI/issues/2368; of custom calls: diegosouzapw/OmniRoute/issues/8946. */
function pairRefusal(items: readonly Json[]): string | undefined {
  const open = new Map<string, boolean>()
  const refusal = first(items, (item) => {
    const type = typeOf(item)
    const isOutput = Object.hasOwn(OUTPUTS, type)
    if (!isOutput && !CALLS.has(type)) return undefined
    const key = `${isOutput ? OUTPUTS[type] : type} ${item.approval_request_id ?? item.call_id ?? item.id}`
    if (!isOutput) {
      if (open.has(key)) return `Duplicate call ${key}`
      open.set(key, true)
    } else {
      if (!open.has(key)) return `No tool call found for ${key}`
      if (open.get(key) === false) return `More than one output for ${key}`
      open.set(key, false)
    }
    return undefined
  })
  const unanswered = [...open].find(([, waits]) => waits)
  return refusal ?? (unanswered === undefined ? undefined : `No tool output found for ${unanswered[0]}.`)
}

/**
 * "Reasoning input items can only be provided to a reasoning or computer use model": openai/openai-agents-python/issues/569. "of type
 * 'reasoning' was provided without its required following item": vercel/ai/issues/7099. "... was provided without its required
 * 'reasoning' item": cline/cline/issues/12242; NousResearch/hermes-agent/pull/102282 (messages).
 */
function reasoningRefusal(items: readonly Json[], { model, store }: Json, memory: Memory): string | undefined {
  const here = new Set(items.flatMap(({ type, id }) => (type === 'reasoning' ? [id] : [])))
  return first(items, (item, index) => {
    if (item.type === 'reasoning') {
      if (/^gpt-4/.test(model)) return 'Reasoning input items can only be provided to a reasoning model.'
      if (!item.encrypted_content && (store === false || item.id === undefined)) return `Item '${item.id}' not found.`
      const next = items[index + 1]
      if (next === undefined || !isModelMade(next)) return `Item '${item.id}' without its required following item.`
    }
    const needs = store === false ? undefined : memory.get(item.id)
    if (needs !== undefined && !here.has(needs))
      return `Item '${item.id}' without its required 'reasoning' item: '${needs}'.`
    return undefined
  })
}
