import { modelFailed } from '../errors.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { type ApiOptions, apiModel, dropUnset, readSse, type StreamWait } from './api.ts'
import { type ChatQuirks, toMessages } from './chat-messages.ts'
import type { EventBatch, Model, ModelResponse, ResponseEvent, ResponseUsage, TurnRequest } from './model.ts'
import { ResponseSynthesis, type SynthesisOptions } from './synthesis.ts'

export interface ChatOptions extends ApiOptions {
  /** Kept in the `provider_data` of what the model says. Default: `label`. */
  origin?: string | undefined
  quirks?: ChatQuirks | undefined
}

/** A Model over Chat Completions: it speaks Responses events, synthesised from the chunks in the original's order. */
export function chatModel(options: ChatOptions): Model {
  const model = options.origin ?? options.label ?? options.name
  return apiModel(options, {
    runsHostedTools: false,
    path: '/chat/completions',
    buildBody: (request, stream) => buildBody({ ...options, origin: model }, request, stream),
    readStream: (response, { itemIds }, wait) => synthesise({ model, itemIds }, response, wait),
    readAnswer(answer, { itemIds }) {
      const choice: unknown = Array.isArray(answer.choices) ? answer.choices[0] : undefined
      if (!isObject(choice) || !isObject(choice.message)) return undefined
      const reader = new ChunkReader({ model, itemIds })
      reader.read({ ...answer, choices: [{ delta: indexCalls(choice.message) }] })
      return reader.finish()
    },
  })
}

/** A finished message has no indexes on its calls; a delta does. */
const indexCalls = (message: JsonObject): JsonObject => ({
  ...message,
  tool_calls: Array.isArray(message.tool_calls)
    ? message.tool_calls.map((call, index) => ({ ...call, index }))
    : undefined,
})

async function* synthesise(
  options: SynthesisOptions,
  response: Response,
  wait: StreamWait,
): AsyncGenerator<EventBatch, void, undefined> {
  const reader = new ChunkReader(options)
  let events: ResponseEvent[] = []
  let ended = false
  const onData = (data: string) => {
    if (data === '[DONE]') ended = true
    else events.push(...reader.read(JSON.parse(data)))
  }
  for await (const bytes of readSse(response, wait, onData)) {
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
  /** Calls by the provider's index; those without a `key` have no name yet and are not open. */
  readonly #calls = new Map<number, { id: string; key: number | undefined; early: string }>()
  #keys = 0
  /** True once the provider said why it stopped. */
  finished = false

  constructor(options: SynthesisOptions) {
    this.#parts = new ResponseSynthesis(options)
  }

  read(chunk: unknown): ResponseEvent[] {
    const parts = this.#parts
    if (!isObject(chunk)) return parts.take()
    if (isObject(chunk.error)) throw modelFailed(String(chunk.error.message ?? 'The model reported an error.'))
    if (typeof chunk.id === 'string') parts.identify(chunk.id)
    parts.begin()
    if (isObject(chunk.usage)) parts.usage = toUsage(chunk.usage)
    const choice = Array.isArray(chunk.choices) ? chunk.choices[0] : undefined
    if (!isObject(choice)) return parts.take()
    if (choice.finish_reason != null) this.finished = true
    const delta = isObject(choice.delta) ? choice.delta : {}
    const thought = delta.reasoning_content ?? delta.reasoning
    if (typeof thought === 'string') parts.think(thought)
    if (Array.isArray(delta.reasoning_details)) this.#keepDetails(delta.reasoning_details.filter(isObject))
    for (const text of [delta.content, delta.refusal]) if (typeof text === 'string') parts.say(text)
    for (const note of Array.isArray(delta.annotations) ? delta.annotations : [])
      if (isObject(note) && isObject(note.url_citation)) parts.cite({ type: 'url_citation', ...note.url_citation })
    for (const call of Array.isArray(delta.tool_calls) ? delta.tool_calls : []) if (isObject(call)) this.#readCall(call)
    return parts.take()
  }

  finish(): ModelResponse {
    return this.#parts.finish()
  }

  take(): ResponseEvent[] {
    return this.#parts.take()
  }

  /** Some providers number every call 0, and some tell a call's name late. */
  #readCall(call: JsonObject): void {
    const { name, arguments: args } = isObject(call.function) ? call.function : {}
    const index = Number(call.index ?? 0)
    const id = typeof call.id === 'string' ? call.id : ''
    let known = this.#calls.get(index)
    if (known === undefined || (id !== '' && known.id !== '' && id !== known.id)) {
      known = { id, key: undefined, early: '' }
      this.#calls.set(index, known)
    }
    if (known.id === '') known.id = id
    const text = typeof args === 'string' ? args : isObject(args) ? JSON.stringify(args) : ''
    if (known.key === undefined && typeof name === 'string' && name !== '') {
      known.key = this.#keys++
      this.#parts.openCall(known.key, { callId: known.id, name })
      this.#parts.addArguments(known.key, known.early)
    }
    if (known.key === undefined) known.early += text
    else {
      this.#parts.addArguments(known.key, text)
      if (isObject(call.extra_content)) this.#parts.attach({ call: known.key }, { extra_content: call.extra_content })
    }
  }

  /** Pieces of one block follow each other; what continues the last one is joined to it. */
  #keepDetails(pieces: readonly JsonObject[]): void {
    this.#parts.openThought(0)
    const { reasoning_details } = this.#parts.attached(0)
    const details = Array.isArray(reasoning_details) ? (reasoning_details as JsonObject[]) : []
    for (const piece of pieces) {
      const last = details.at(-1)
      if (last === undefined || last.type !== piece.type || last.index !== piece.index) details.push({ ...piece })
      else
        for (const [name, value] of Object.entries(piece))
          if (/^(text|summary|data)$/.test(name)) last[name] = `${last[name] ?? ''}${value ?? ''}`
          else if (value != null) last[name] = value
    }
    this.#parts.attach({ thought: 0 }, { reasoning_details: details })
  }
}

function toUsage(usage: JsonObject): ResponseUsage {
  const details = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {}
  const output = isObject(usage.completion_tokens_details) ? usage.completion_tokens_details : {}
  const cached = details.cached_tokens ?? usage.prompt_cache_hit_tokens ?? usage.cached_tokens
  return {
    input_tokens: Number(usage.prompt_tokens ?? 0),
    output_tokens: Number(usage.completion_tokens ?? 0),
    total_tokens: Number(usage.total_tokens ?? 0),
    input_tokens_details: { ...details, cached_tokens: Number(cached ?? 0) },
    output_tokens_details: { ...output, reasoning_tokens: Number(output.reasoning_tokens ?? 0) },
  }
}

function buildBody(options: ChatOptions & { origin: string }, request: TurnRequest, stream: boolean): JsonObject {
  const { name: model, quirks = {}, extraArgs } = options
  const { settings, outputSchema } = request
  const choice = settings.toolChoice
  const named = typeof choice === 'string' && !['auto', 'required', 'none'].includes(choice)
  const tools = request.tools.map(({ name, description, parameters, strict }) => ({
    type: 'function',
    function: { name, description, parameters, ...(strict ? { strict } : {}) },
  }))
  const { extra_body, max_tokens = settings.maxTokens, ...rest } = toChatArgs(extraArgs, quirks)
  return dropUnset({
    model,
    messages: toMessages(request, { origin: options.origin, quirks }),
    tools: tools.length > 0 ? tools : undefined,
    temperature: settings.temperature,
    top_p: settings.topP,
    [REASONING_MODEL.test(model) ? 'max_completion_tokens' : 'max_tokens']: max_tokens,
    tool_choice: named ? { type: 'function', function: { name: choice } } : choice,
    parallel_tool_calls: settings.parallelToolCalls,
    reasoning_effort: settings.reasoning?.effort,
    verbosity: settings.verbosity,
    response_format: outputSchema && toFormat(outputSchema, quirks),
    store: settings.store,
    metadata: settings.metadata,
    ...settings.extraBody,
    ...rest,
    ...(isObject(extra_body) ? extra_body : {}),
    stream: stream || undefined,
    stream_options: stream && quirks.noStreamOptions !== true ? { include_usage: true } : undefined,
  })
}

/** OpenAI's reasoning models refuse `max_tokens`. */
const REASONING_MODEL = /^(o\d|gpt-([5-9]|\d{2}))/

const toFormat = (schema: NonNullable<TurnRequest['outputSchema']>, { noJsonSchema }: ChatQuirks): JsonObject =>
  noJsonSchema === true ? { type: 'json_object' } : { type: 'json_schema', json_schema: schema }

/** `model_settings_extra_args` speaks the original's names; these are Chat Completions'. */
function toChatArgs(args: JsonObject | undefined, quirks: ChatQuirks): JsonObject {
  if (args === undefined) return {}
  const { reasoning, reasoning_effort, reasoning_summary: _, effort, include: __, ...rest } = args
  const given = [reasoning_effort, effort, reasoning].map((value) => (isObject(value) ? value.effort : value))
  return dropUnset({
    ...rest,
    reasoning: quirks.reasoning === 'reasoning_details' ? reasoning : undefined,
    reasoning_effort: given.find((value) => typeof value === 'string'),
  })
}
