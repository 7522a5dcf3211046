import { modelFailed } from '../errors.ts'
import { withTextOutputs } from '../messages/text-outputs.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { type ApiOptions, apiModel, dropUnset, readSse } from './api.ts'
import type { EventBatch, Model, ModelResponse, ResponseEvent, ResponseUsage, TurnRequest } from './model.ts'
import { ResponseSynthesis } from './synthesis.ts'

/** A Model over Chat Completions: it speaks Responses events, synthesised from the chunks in the original's order. */
export const chatModel = (options: ApiOptions): Model =>
  apiModel(options, {
    runsHostedTools: false,
    send: (client, body, call) => client.chat.completions.create(body as never, call),
    buildBody: (request, stream) => buildBody(options.name, request, stream, options.extraArgs),
    readStream: (response, signal) => synthesise(options.name, response, signal),
    readAnswer(answer) {
      const choice: unknown = Array.isArray(answer.choices) ? answer.choices[0] : undefined
      if (!isObject(choice) || !isObject(choice.message)) return undefined
      const reader = new ChunkReader(options.name)
      reader.read({ ...answer, choices: [{ delta: indexCalls(choice.message) }] })
      return reader.finish()
    },
  })

/** A finished message has no indexes on its calls; a delta does. */
const indexCalls = (message: JsonObject): JsonObject => ({
  ...message,
  tool_calls: Array.isArray(message.tool_calls)
    ? message.tool_calls.map((call, index) => ({ ...call, index }))
    : undefined,
})

async function* synthesise(model: string, response: Response, signal: AbortSignal): AsyncGenerator<EventBatch> {
  const reader = new ChunkReader(model)
  let events: ResponseEvent[] = []
  let ended = false
  const onData = (data: string) => {
    if (data === '[DONE]') ended = true
    else events.push(...reader.read(JSON.parse(data)))
  }
  for await (const bytes of readSse(response, signal, onData)) {
    if (events.length > 0) yield { events, bytes }
    events = []
    if (ended) break
  }
  if (!ended && !reader.finished) throw modelFailed("The model's stream ended before the answer was complete.")
  reader.finish()
  yield { events: reader.take(), bytes: 0 }
}

/** Reads the chunks of one answer into a response. */
class ChunkReader {
  readonly #parts: ResponseSynthesis
  /** True once the provider said why it stopped. */
  finished = false

  constructor(model: string) {
    this.#parts = new ResponseSynthesis({ model })
  }

  read(chunk: unknown): ResponseEvent[] {
    const parts = this.#parts
    if (!isObject(chunk)) return parts.take()
    if (isObject(chunk.error)) throw modelFailed(String(chunk.error.message ?? 'The model reported an error.'))
    if (isObject(chunk.usage)) parts.usage = toUsage(chunk.usage)
    const choice = Array.isArray(chunk.choices) ? chunk.choices[0] : undefined
    if (!isObject(choice)) return parts.take()
    if (choice.finish_reason != null) this.finished = true
    const delta = isObject(choice.delta) ? choice.delta : {}
    const thought = delta.reasoning_content ?? delta.reasoning
    if (typeof thought === 'string') parts.think(thought)
    if (typeof delta.content === 'string') parts.say(delta.content)
    for (const call of Array.isArray(delta.tool_calls) ? delta.tool_calls : []) {
      if (!isObject(call)) continue
      const { name, arguments: args } = isObject(call.function) ? call.function : {}
      const key = Number(call.index ?? 0)
      parts.openCall(key, { callId: typeof call.id === 'string' ? call.id : '', name: String(name ?? '') })
      if (typeof args === 'string') parts.addArguments(key, args)
    }
    return parts.take()
  }

  finish(): ModelResponse {
    return this.#parts.finish()
  }

  take(): ResponseEvent[] {
    return this.#parts.take()
  }
}

function toUsage(usage: JsonObject): ResponseUsage {
  const details = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {}
  const output = isObject(usage.completion_tokens_details) ? usage.completion_tokens_details : {}
  return {
    input_tokens: Number(usage.prompt_tokens ?? 0),
    output_tokens: Number(usage.completion_tokens ?? 0),
    total_tokens: Number(usage.total_tokens ?? 0),
    input_tokens_details: { ...details, cached_tokens: Number(details.cached_tokens ?? 0) },
    output_tokens_details: { ...output, reasoning_tokens: Number(output.reasoning_tokens ?? 0) },
  }
}

function buildBody(
  model: string,
  request: TurnRequest,
  stream: boolean,
  extraArgs: JsonObject | undefined,
): JsonObject {
  const { settings, outputSchema } = request
  const choice = settings.toolChoice
  const named = typeof choice === 'string' && !['auto', 'required', 'none'].includes(choice)
  const tools = request.tools.map(({ name, description, parameters, strict }) => ({
    type: 'function',
    function: { name, description, parameters, strict },
  }))
  const { extra_body, ...rest } = extraArgs ?? {}
  return dropUnset({
    model,
    messages: toMessages(request),
    tools: tools.length > 0 ? tools : undefined,
    temperature: settings.temperature,
    top_p: settings.topP,
    max_tokens: settings.maxTokens,
    tool_choice: named ? { type: 'function', function: { name: choice } } : choice,
    parallel_tool_calls: settings.parallelToolCalls,
    reasoning_effort: settings.reasoning?.effort,
    verbosity: settings.verbosity,
    response_format: outputSchema && { type: 'json_schema', json_schema: outputSchema },
    store: settings.store,
    metadata: settings.metadata,
    ...settings.extraBody,
    ...rest,
    ...(isObject(extra_body) ? extra_body : {}),
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  })
}

/** Responses items as chat messages; calls of one turn belong to one assistant message. Reasoning and hosted calls are left out. */
function toMessages({ instructions, input }: TurnRequest): JsonObject[] {
  const messages: JsonObject[] = instructions === undefined ? [] : [{ role: 'system', content: instructions }]
  for (const item of withTextOutputs(input)) {
    const last = messages.at(-1)
    if (item.type === 'function_call') {
      const call = { id: item.call_id, type: 'function', function: { name: item.name, arguments: item.arguments } }
      if (last?.role === 'assistant') last.tool_calls = [...((last.tool_calls as JsonObject[] | undefined) ?? []), call]
      else messages.push({ role: 'assistant', content: null, tool_calls: [call] })
    } else if (item.type === 'function_call_output')
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: toContent(item.output) })
    else if (typeof item.role === 'string') messages.push({ role: item.role, content: toContent(item.content) })
  }
  return messages
}

function toContent(content: unknown): unknown {
  if (!Array.isArray(content)) return typeof content === 'string' ? content : ''
  const parts = content.filter(isObject)
  if (parts.every((part) => typeof part.text === 'string')) return parts.map((part) => part.text).join('')
  return parts.map((part) => {
    // This API knows no stored images; the model is told, so that it can tell.
    if (part.type === 'input_image' && part.image_url == null)
      return { type: 'text', text: `(The image ${part.file_id} cannot be shown to this model.)` }
    if (part.type === 'input_image')
      return { type: 'image_url', image_url: { url: part.image_url, detail: part.detail ?? 'auto' } }
    if (part.type === 'input_file')
      return { type: 'file', file: { file_id: part.file_id, file_data: part.file_data, filename: part.filename } }
    return { type: 'text', text: String(part.text ?? '') }
  })
}
