import { randomBytes } from 'node:crypto'
import { modelFailed } from '../errors.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import { type ApiOptions, apiModel, dropUnset, readSse } from './api.ts'
import type { EventBatch, Model, ModelResponse, ResponseEvent, ResponseUsage, TurnRequest } from './model.ts'

/** A Model over Chat Completions: it speaks Responses events, synthesised from the chunks in the original's order. */
export const chatModel = (options: ApiOptions): Model =>
  apiModel(options, {
    send: (client, body, call) => client.chat.completions.create(body as never, call),
    buildBody: (request, stream) => buildBody(options.name, request, stream, options.extraArgs),
    readStream: (response, signal) => synthesise(options.name, response, signal),
    readAnswer(answer) {
      const choice: unknown = Array.isArray(answer.choices) ? answer.choices[0] : undefined
      if (!isObject(choice) || !isObject(choice.message)) return undefined
      const turn = new Turn(options.name)
      turn.read({ ...answer, choices: [{ delta: indexCalls(choice.message) }] })
      return turn.finish().response
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
  const turn = new Turn(model)
  let events: ResponseEvent[] = []
  let ended = false
  const onData = (data: string) => {
    if (data === '[DONE]') ended = true
    else events.push(...turn.read(JSON.parse(data)))
  }
  for await (const bytes of readSse(response, signal, onData)) {
    if (events.length > 0) yield { events, bytes }
    events = []
    if (ended) break
  }
  if (!ended && !turn.finished) throw modelFailed("The model's stream ended before the answer was complete.")
  yield { events: turn.finish().events, bytes: 0 }
}

type Item = InputItem & { id: string }

/** One turn being put together: chunks in, Responses events out (order: docs/wire.md, "Chat Completions"). */
class Turn {
  readonly #model: string
  readonly #id = `resp_${randomBytes(16).toString('hex')}`
  readonly #output: Item[] = []
  readonly #calls = new Map<number, Item>()
  #message: Item | undefined
  #reasoning: Item | undefined
  #usage: ResponseUsage | undefined
  #sequence = 0
  #started = false
  /** True once the provider said why it stopped. */
  finished = false

  constructor(model: string) {
    this.#model = model
  }

  read(chunk: unknown): ResponseEvent[] {
    const events: ResponseEvent[] = []
    const emit = (type: string, fields: JsonObject) =>
      events.push({ type, ...fields, sequence_number: this.#sequence++ })
    if (!this.#started) {
      this.#started = true
      emit('response.created', { response: { ...this.#response(), status: 'in_progress', output: [] } })
    }
    if (!isObject(chunk)) return events
    if (isObject(chunk.error)) throw modelFailed(String(chunk.error.message ?? 'The model reported an error.'))
    if (isObject(chunk.usage)) this.#usage = toUsage(chunk.usage)
    const choice = Array.isArray(chunk.choices) ? chunk.choices[0] : undefined
    if (!isObject(choice)) return events
    if (choice.finish_reason != null) this.finished = true
    const delta = isObject(choice.delta) ? choice.delta : {}
    const thought = delta.reasoning_content ?? delta.reasoning
    if (typeof thought === 'string' && thought !== '') this.#think(thought, emit)
    if (typeof delta.content === 'string' && delta.content !== '') this.#say(delta.content, emit)
    for (const call of Array.isArray(delta.tool_calls) ? delta.tool_calls : [])
      if (isObject(call)) this.#call(call, emit)
    return events
  }

  finish(): { events: ResponseEvent[]; response: ModelResponse } {
    const events: ResponseEvent[] = []
    const emit = (type: string, fields: JsonObject) =>
      events.push({ type, ...fields, sequence_number: this.#sequence++ })
    for (const item of this.#output) {
      item.status = 'completed'
      const output_index = this.#output.indexOf(item)
      if (item === this.#reasoning)
        emit('response.reasoning_summary_part.done', {
          item_id: item.id,
          output_index,
          summary_index: 0,
          part: (item.summary as JsonObject[])[0],
        })
      if (item === this.#message)
        emit('response.content_part.done', {
          item_id: item.id,
          output_index,
          content_index: 0,
          part: (item.content as JsonObject[])[0],
        })
    }
    const order = (item: Item) => (item === this.#message ? 2 : item === this.#reasoning ? 0 : 1)
    for (const item of [...this.#output].sort((a, b) => order(a) - order(b)))
      emit('response.output_item.done', { output_index: this.#output.indexOf(item), item })
    const response = this.#response()
    emit('response.completed', { response })
    return { events, response }
  }

  #response(): ModelResponse {
    return {
      id: this.#id,
      object: 'response',
      status: 'completed',
      model: this.#model,
      output: this.#output,
      usage: this.#usage ?? null,
    }
  }

  #open(item: Item, emit: Emit): Item {
    item.provider_data = { model: this.#model, response_id: this.#id }
    this.#output.push(item)
    emit('response.output_item.added', { output_index: this.#output.length - 1, item: structuredClone(item) })
    return item
  }

  #think(delta: string, emit: Emit): void {
    if (this.#reasoning === undefined) {
      this.#reasoning = this.#open({ id: newId('rs'), type: 'reasoning', summary: [] }, emit)
      const part = { type: 'summary_text', text: '' }
      this.#reasoning.summary = [part]
      emit('response.reasoning_summary_part.added', {
        ...this.#at(this.#reasoning),
        summary_index: 0,
        part: { ...part },
      })
    }
    const part = (this.#reasoning.summary as JsonObject[])[0] as JsonObject
    part.text += delta
    emit('response.reasoning_summary_text.delta', { ...this.#at(this.#reasoning), summary_index: 0, delta })
  }

  #say(delta: string, emit: Emit): void {
    if (this.#message === undefined) {
      this.#message = this.#open(
        { id: newId('msg'), type: 'message', role: 'assistant', status: 'in_progress', content: [] },
        emit,
      )
      const part = { type: 'output_text', text: '', annotations: [] }
      this.#message.content = [part]
      emit('response.content_part.added', { ...this.#at(this.#message), content_index: 0, part: { ...part } })
    }
    const part = (this.#message.content as JsonObject[])[0] as JsonObject
    part.text += delta
    emit('response.output_text.delta', { ...this.#at(this.#message), content_index: 0, delta })
  }

  #call(call: JsonObject, emit: Emit): void {
    const index = Number(call.index ?? 0)
    const fn = isObject(call.function) ? call.function : {}
    let item = this.#calls.get(index)
    if (item === undefined) {
      const id = typeof call.id === 'string' && call.id !== '' ? call.id : newId('call')
      item = this.#open({ id, type: 'function_call', call_id: id, name: String(fn.name ?? ''), arguments: '' }, emit)
      this.#calls.set(index, item)
    }
    if (typeof fn.arguments !== 'string' || fn.arguments === '') return
    item.arguments += fn.arguments
    emit('response.function_call_arguments.delta', { ...this.#at(item), delta: fn.arguments })
  }

  #at(item: Item) {
    return { item_id: item.id, output_index: this.#output.indexOf(item) }
  }
}

type Emit = (type: string, fields: JsonObject) => void

const newId = (prefix: string) => `${prefix}_${randomBytes(16).toString('hex')}`

function toUsage(usage: JsonObject): ResponseUsage {
  const details = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {}
  const output = isObject(usage.completion_tokens_details) ? usage.completion_tokens_details : {}
  return {
    input_tokens: Number(usage.prompt_tokens ?? 0),
    output_tokens: Number(usage.completion_tokens ?? 0),
    total_tokens: Number(usage.total_tokens ?? 0),
    input_tokens_details: { cached_tokens: Number(details.cached_tokens ?? 0) },
    output_tokens_details: { reasoning_tokens: Number(output.reasoning_tokens ?? 0) },
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
  for (const item of input) {
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
    if (part.type === 'input_image')
      return { type: 'image_url', image_url: { url: part.image_url, detail: part.detail ?? 'auto' } }
    if (part.type === 'input_file')
      return { type: 'file', file: { file_id: part.file_id, file_data: part.file_data, filename: part.filename } }
    return { type: 'text', text: String(part.text ?? '') }
  })
}
