import { isJsonObject, type Memory, responsesRefusal, toolSettingRefusal } from './responses-rules.ts'

// biome-ignore lint/suspicious/noExplicitAny: bodies are foreign JSON that rules look into
type Json = { [key: string]: any }

/** Why the provider behind a path would refuse a body; undefined when it would not. Each rule names where it is known from. */
export function refusalOf(path: string, body: Json, memory?: Memory): string | undefined {
  if (path.endsWith('/responses')) return responsesRefusal(body, memory)
  if (path.endsWith('/chat/completions')) return chatRefusal(body)
  return path.includes('/v1beta/') ? geminiRefusal(path, body) : anthropicRefusal(body)
}

const MESSAGE_FIELDS = new Set([
  ...['role', 'content', 'name', 'refusal', 'tool_calls', 'tool_call_id', 'reasoning_content', 'reasoning_details'],
])
const isBlank = (content: unknown) =>
  content == null || (typeof content === 'string' ? content.trim() === '' : (content as unknown[]).length === 0)

function chatRefusal(body: Json): string | undefined {
  const messages: Json[] = body.messages
  const ids = new Set<string>()
  const refusal = toolSettingRefusal(body)
  if (refusal !== undefined) return refusal
  for (const [index, message] of messages.entries()) {
    const { role, content, tool_calls: calls } = message
    const before = messages[index - 1]
    // The API reference knows no other fields, and OpenAI answers "Unrecognized request argument".
    const unknown = Object.keys(message).find((key) => !MESSAGE_FIELDS.has(key))
    if (unknown !== undefined) return `unknown field messages[${index}].${unknown}`
    // "System message must be at the beginning.": QwenLM/Qwen3.8/issues/244, vllm-project/vllm/issues/41114.
    if (role === 'system' && index > 0) return 'System message must be at the beginning.'
    // "message at position 1 with role 'assistant' must not be empty" (Moonshot); Mistral: "must have either content or tool_calls".
    if (calls === undefined && isBlank(content) && index < messages.length - 1 && role !== 'tool')
      return `messages[${index}] is empty`
    const parts: Json[] = Array.isArray(content) ? content : []
    for (const { type, file } of parts) {
      if (!['text', 'image_url', 'input_audio', 'file'].includes(type)) return `no part: ${type}`
      if (type === 'file' && file.file_id === undefined && file.file_data === undefined) return 'a file without data'
    }
    for (const call of calls ?? []) {
      // A second call with an id: "tool_call_id ... duplicate"; the pattern of names: the API reference.
      if (typeof call.id !== 'string' || call.id === '' || ids.has(call.id)) return `call id ${call.id}`
      ids.add(call.id)
      if (!/^[\w-]{1,64}$/.test(call.function.name)) return `name ${call.function.name}`
      if (!isJsonObject(call.function.arguments)) return `arguments of ${call.id}`
      const problem = callIdRefusal(body.model, call.id)
      if (problem !== undefined) return problem
    }
    // "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'" (OpenAI).
    if (calls !== undefined) {
      const answers = messages.slice(index + 1, index + 1 + calls.length).map(({ tool_call_id }) => tool_call_id)
      if (
        answers.toSorted().join() !==
        calls
          .map((call: Json) => call.id)
          .toSorted()
          .join()
      )
        return `calls unanswered at ${index}`
    }
    if (role === 'tool' && before?.role !== 'tool' && before?.tool_calls === undefined)
      return "role 'tool' must follow a call"
    const order = orderRefusal(body.model, message, before)
    if (order !== undefined) return order
  }
  // "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant": huggingface/smolagents/issues/757.
  if (isMistral(body.model) && messages.at(-1)?.role === 'assistant') return 'Expected last role User or Tool'
  return undefined
}

const isMistral = (model: string) => /mistral/.test(model)

/** 40 characters: microsoft/autogen/issues/6377, langgenius/dify/issues/28987. Nine: anomalyco/opencode/issues/1680. */
function callIdRefusal(model: string, id: string): string | undefined {
  if (/^gpt-/.test(model) && id.length > 40) return 'Expected a string with maximum length 40'
  if (isMistral(model) && !/^[a-zA-Z0-9]{9}$/.test(id))
    return `Tool call id was ${id} but must be a-z, A-Z, 0-9, with a length of 9.`
  return undefined
}

function orderRefusal(model: string, message: Json, before: Json | undefined): string | undefined {
  // "Unexpected role 'user' after role 'tool'": NousResearch/hermes-agent/issues/20154, datapizza-labs/datapizza-ai/issues/98.
  if (isMistral(model) && message.role === 'user' && before?.role === 'tool')
    return "Unexpected role 'user' after role 'tool'"
  // "Conversation roles must alternate user/assistant/...": the chat template of Gemma; charmbracelet/crush/issues/279 (Ministral).
  if (/gemma|mistral/.test(model) && message.role === before?.role && message.role !== 'tool')
    return 'roles must alternate'
  // "Missing `reasoning_content` field in the assistant message": deepseek-ai/DeepSeek-V3/issues/1053. Moonshot takes no empty one:
  // theopenco/llmgateway/pull/2093.
  if (/deepseek|kimi/.test(model) && message.tool_calls !== undefined && !message.reasoning_content)
    return 'Missing `reasoning_content` field'
  return undefined
}

function anthropicRefusal({ model, messages, tools }: Json): string | undefined {
  const ids = new Set<string>()
  // "first message must use the \"user\" role": docs.anthropic.com/en/api/messages.
  if (messages[0]?.role !== 'user') return 'first message must use the "user" role'
  for (const [index, { role, content }] of (messages as Json[]).entries()) {
    if (role === messages[index - 1]?.role) return 'roles must alternate'
    if (content.length === 0) return `messages.${index}: content is empty`
    const calls = content.filter(({ type }: Json) => type === 'tool_use')
    for (const { id, name, input } of calls) {
      // "String should match pattern '^[a-zA-Z0-9_-]+$'": maximhq/bifrost/issues/5097; length 64 (Bedrock): maximhq/bifrost/pull/6300.
      if (!/^[a-zA-Z0-9_-]{1,64}$/.test(id)) return `tool_use.id ${id}`
      // "`tool_use` ids must be unique": BerriAI/litellm/issues/23510.
      if (ids.has(id)) return '`tool_use` ids must be unique'
      ids.add(id)
      if (!/^[a-zA-Z0-9_-]{1,128}$/.test(name)) return `tool_use.name ${name}`
      if (typeof input !== 'object') return `tool_use.input of ${id}`
    }
    // Bedrock: "The toolConfig field must be defined when using toolUse and toolResult content blocks."
    if (calls.length > 0 && !(tools?.length > 0)) return 'tool_use without tools'
    // "`tool_use` ids were found without `tool_result` blocks immediately after": anthropics/claude-code/issues/5060; the other way
    // round: anthropics/claude-code/issues/13460.
    const results = resultsOf(messages[index + 1])
    const called = calls.map(({ id }: Json) => id).toSorted()
    if (role === 'assistant' && results.toSorted().join() !== called.join())
      return `tool_use and tool_result at ${index}`
    // "messages: text content blocks must be non-empty", "... must contain non-whitespace text": LibreChat-AI/agents/pull/124.
    const inner = content.flatMap((block: Json) => (Array.isArray(block.content) ? block.content : []))
    for (const block of [...content, ...inner])
      if (block.type === 'text' && isBlank(block.text)) return 'text content blocks must be non-empty'
  }
  const last = messages.at(-1)
  // "This model does not support assistant message prefill": ericc-ch/copilot-api/pull/261 (from Claude 4.6 on).
  if (last.role === 'assistant' && /4-[6-9]/.test(model))
    return 'This model does not support assistant message prefill.'
  return undefined
}

/** Results have to come first in their message: docs.anthropic.com, "Handling results from client tools". */
function resultsOf(message: Json | undefined): string[] {
  if (message?.role !== 'user') return []
  const end = message.content.findIndex(({ type }: Json) => type !== 'tool_result')
  return (end === -1 ? message.content : message.content.slice(0, end)).map(({ tool_use_id }: Json) => tool_use_id)
}

function geminiRefusal(path: string, { contents }: Json): string | undefined {
  for (const [index, { role, parts }] of (contents as Json[]).entries()) {
    const before = contents[index - 1]
    // "contents.parts must not be empty": vercel/ai/issues/3775; a part without data: 54xzh/FLIT/pull/70.
    if (parts.length === 0 || parts.some(({ text }: Json) => text !== undefined && text.trim() === ''))
      return `contents[${index}].parts is empty`
    const calls = parts.filter(({ functionCall }: Json) => functionCall !== undefined)
    // "function call turn comes immediately after a user turn or after a function response turn" (Gemini API).
    if (calls.length > 0 && before?.role !== 'user') return 'a function call has to follow the user'
    if (index === 0 && role !== 'user') return 'the first turn has to be the user'
    // "the number of function response parts is equal to the number of function call parts": google-gemini/gemini-cli/issues/3814.
    const answers = (contents[index + 1]?.parts ?? []).filter(
      ({ functionResponse }: Json) => functionResponse !== undefined,
    )
    if (role === 'model' && answers.length !== calls.length) return 'the number of function response parts'
    // Responses are found by the name of their function: ai.google.dev/gemini-api/docs/function-calling.
    const namesOf = (list: Json[]) => list.map((part) => (part.functionCall ?? part.functionResponse).name).toSorted()
    if (role === 'model' && namesOf(answers).join() !== namesOf(calls).join()) return 'the names of function responses'
    // "Function call is missing a thought_signature": ai.google.dev/gemini-api/docs/thought-signatures, dify-official-plugins/issues/2088.
    if (path.includes('gemini-3') && calls.length > 0 && calls[0].thoughtSignature === undefined)
      return 'thought_signature'
  }
  // "Please ensure that multiturn requests end with a user role or a function response" (Gemini API).
  return contents.at(-1)?.role === 'user' ? undefined : 'requests have to end with a user role'
}
