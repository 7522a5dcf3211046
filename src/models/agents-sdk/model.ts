/** Adapts models of the OpenAI Agents SDK. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { inFull } from '../../base/async.ts'
import { AgencyError, errorText } from '../../base/errors.ts'
import { modelFailed } from '../../base/model-errors.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { type Ending, endingOf, failureIn, finishReasonIn, isTerminal } from '../ending.ts'
import type { EventBatch, Model, ModelResponse, ResponseEvent, ResponseUsage, TurnRequest } from '../model.ts'
import { dropUnset } from '../openai/api.ts'
import { includesOf } from '../openai/responses.ts'
import { convertItems } from '../openai/responses-input.ts'
import { ResponseSynthesis, type SynthesisOptions } from '../synthesis.ts'
import { telemetryNameOfClient, telemetryNameOfSdk } from '../telemetry-names.ts'
import { readOutput, toProtocol, wrapItems } from './items.ts'

/** A Model of the OpenAI Agents SDK (`OpenAIResponsesModel`, `aisdk(...)`, one of your own), known by its shape. */
export interface SdkModel {
  getResponse(request: never): Promise<unknown>
  getStreamedResponse(request: never): AsyncIterable<unknown>
}

export const isSdkModel = (value: unknown): value is SdkModel =>
  isObject(value) && typeof value.getResponse === 'function' && typeof value.getStreamedResponse === 'function'

/** The same, with the types of our calls. */
interface CallableModel {
  getResponse(request: JsonObject): Promise<JsonObject>
  getStreamedResponse(request: JsonObject): AsyncIterable<JsonObject>
}

/**
 * An Agents SDK model as one of ours, without importing the SDK. One over the Responses API gets the wire's items untouched
 * and its provider's events are passed on unchanged; for all others, items are converted and events synthesised.
 */
export function fromSdkModel(given: SdkModel): Model {
  const sdk = given as unknown as CallableModel
  const overResponses = '_buildResponsesCreateRequest' in given
  const ownName = nameOf(given)
  let learntProvider: string | undefined
  let learntName: string | undefined // some models hide their name, but their answers have it
  const learn = (answer: unknown) => {
    if (!isObject(answer)) return
    if (typeof answer.model === 'string') learntName ??= answer.model
    // An AI SDK model behind `aisdk()` is hidden too; its answers carry metadata under the name of its provider.
    if (isObject(answer.providerMetadata))
      learntProvider ??= Object.keys(answer.providerMetadata).map(telemetryNameOfSdk)[0]
  }
  const name = () => ownName ?? learntName ?? (given.constructor === Object ? 'custom model' : given.constructor.name)
  return {
    get name() {
      return name()
    },
    get provider() {
      return providerOf(given) ?? learntProvider
    },
    runsHostedTools: overResponses,
    async *streamTurn(request, signal) {
      const answer = new SdkAnswer({ model: name(), request })
      try {
        for await (const event of sdk.getStreamedResponse(
          toSdkRequest(request, { overResponses, model: name() }, signal),
        )) {
          if (event.type === 'model') learn(event.event)
          const events = answer.read(event)
          if (events.length > 0) yield toBatch(events)
          if (answer.finished) return // some of these models throw after a cut answer
        }
      } catch (error) {
        signal.throwIfAborted()
        throw AgencyError.isInstance(error) ? error : modelFailed(errorText(error), error)
      }
      signal.throwIfAborted()
      if (!answer.finished) throw modelFailed("The model's stream ended before the response was complete.")
    },
    async completeTurn(request, signal) {
      const asked = toSdkRequest(request, { overResponses, model: name() }, signal)
      const response = await insideTrace(() => sdk.getResponse(asked)).catch((error: unknown) => {
        signal.throwIfAborted()
        throw modelFailed(errorText(error), error)
      })
      signal.throwIfAborted()
      const raw = response.providerData
      learn(raw)
      // The provider's own answer when it is one of the Responses API, so that nothing is lost.
      if (isObject(raw) && (overResponses || raw.object === 'response') && Array.isArray(raw.output))
        return raw as ModelResponse
      const failure = failureIn(raw)
      if (failure !== undefined) throw modelFailed(failure.message, failure)
      const parts = new ResponseSynthesis({ model: name(), request })
      readOutput(parts, response.output)
      parts.usage = toUsage(response.usage)
      return finish(parts, endingOf(finishReasonIn(raw)))
    },
  }
}

/** Where each copy of the SDK keeps its current trace. */
const TRACE = Symbol.for('openai.agents.core.asyncLocalStorage')

/** Plain calls of the SDK's models fail outside of a trace, although none is wanted; inside an empty one nothing is traced. */
function insideTrace<T>(work: () => Promise<T>): Promise<T> {
  const shared = globalThis as { [TRACE]?: AsyncLocalStorage<{ active: boolean }> }
  shared[TRACE] ??= new AsyncLocalStorage()
  return shared[TRACE].getStore()?.active === true ? work() : shared[TRACE].run({ active: true }, work)
}

const nameOf = (model: object): string | undefined =>
  ['_model', 'model', 'modelId', 'modelName', 'name']
    .map((key) => (model as { [key: string]: unknown })[key])
    .find((value) => typeof value === 'string')

/** The API that an object names, or that of its class; undefined when neither is known. */
function providerOf(model: object): string | undefined {
  const { provider } = model as { provider?: unknown }
  if (typeof provider === 'string') return telemetryNameOfSdk(provider)
  for (let type = Object.getPrototypeOf(model); type !== null; type = Object.getPrototypeOf(type))
    if (/^OpenAI/.test(type.constructor?.name ?? ''))
      return telemetryNameOfClient((model as { _client?: unknown })._client)
  return '_buildResponsesCreateRequest' in model ? 'openai' : undefined
}

/** Reads the events of one streamed answer. */
class SdkAnswer {
  readonly #parts: ResponseSynthesis
  readonly #streamed = { text: '', reasoning: '' }
  /** The provider's own Responses events are present and replace synthesised ones. */
  #raw = false
  /** The provider's finish reason. */
  #reason: unknown
  finished = false

  constructor(options: SynthesisOptions) {
    this.#parts = new ResponseSynthesis(options)
  }

  read(event: JsonObject): ResponseEvent[] {
    const { type } = event
    if (type === 'model' && isResponsesEvent(event)) {
      this.#raw = true
      const own = event.event as ResponseEvent
      if (isTerminal(own.type)) this.finished = true
      return [own]
    }
    // The first event arrives before it is known which of the two follows.
    if (this.#raw || type === 'response_started') return []
    if (type === 'model') {
      const raw = event.event
      const failure = isObject(raw) && (raw.error != null || raw.type === 'error') ? failureIn(raw) : undefined
      if (failure !== undefined) throw modelFailed(failure.message, failure)
      this.#reason = finishReasonIn(event.event) ?? this.#reason
      const thought = reasoningOf(event.event)
      this.#streamed.reasoning += thought
      this.#parts.think(thought)
    } else if (type === 'output_text_delta') {
      this.#streamed.text += String(event.delta)
      this.#parts.say(String(event.delta))
    } else if (type === 'response_done' && isObject(event.response)) {
      readOutput(this.#parts, event.response.output, this.#streamed)
      this.#parts.usage = toUsage(event.response.usage)
      finish(this.#parts, endingOf(this.#reason ?? finishReasonIn(event.response.providerData)))
      this.finished = true
    }
    return this.#parts.take()
  }
}

/** Some models send their reasoning after the text; in a conversation it must come before. */
function finish(parts: ResponseSynthesis, ending: Ending): ModelResponse {
  const response = parts.finish(ending)
  const late = (item: { type?: string }) => Number(item.type !== 'reasoning')
  response.output = response.output.toSorted((a, b) => late(a) - late(b))
  return response
}

function isResponsesEvent({ event, providerData }: JsonObject): boolean {
  const source = isObject(providerData) ? providerData.rawModelEventSource : undefined
  if (source !== undefined && source !== 'openai-responses') return false
  return isObject(event) && /^(response\.|error$)/.test(String(event.type))
}

/** A reasoning delta in the chunk of another API: Chat Completions, or a part of the AI SDK. */
function reasoningOf(chunk: unknown): string {
  if (!isObject(chunk)) return ''
  if (chunk.type === 'reasoning-delta') return String(chunk.delta ?? '')
  const choice = Array.isArray(chunk.choices) ? chunk.choices[0] : undefined
  const delta = isObject(choice) && isObject(choice.delta) ? choice.delta : {}
  const thought = delta.reasoning_content ?? delta.reasoning
  return typeof thought === 'string' ? thought : ''
}

function toBatch(events: ResponseEvent[]): EventBatch {
  const texts = events.map((event) => JSON.stringify(event))
  return { events, texts, bytes: texts.reduce((sum, text) => sum + text.length, 0) }
}

interface SdkTarget {
  overResponses: boolean
  model: string
}

function toSdkRequest(request: TurnRequest, { overResponses, model }: SdkTarget, signal: AbortSignal): JsonObject {
  const { instructions, input, tools, hostedTools = [], outputSchema, settings } = request
  const { notes, items } = overResponses
    ? { notes: [], items: wrapItems(inFull(convertItems(input, { model, unstored: settings.store === false }))) }
    : toProtocol(input)
  const system = [instructions, ...notes].filter(Boolean).join('\n\n')
  return {
    systemInstructions: system === '' ? instructions : system,
    input: items,
    modelSettings: toSdkSettings(request, overResponses),
    tools: [
      ...tools,
      ...hostedTools.map((definition) => ({
        type: 'hosted_tool',
        name: String(definition.type),
        providerData: definition,
      })),
    ],
    outputType: outputSchema === undefined ? 'text' : { type: 'json_schema', ...outputSchema },
    handoffs: [],
    tracing: false,
    signal,
  }
}

/** Our settings under the SDK's names; fields of the Responses API go into `providerData`, which the SDK passes on. */
function toSdkSettings(request: TurnRequest, overResponses: boolean): JsonObject {
  const { temperature, topP, maxTokens, toolChoice, parallelToolCalls, truncation, reasoning, verbosity, ...rest } =
    request.settings
  const { store, metadata, extraHeaders, extraBody } = rest
  const named = typeof toolChoice === 'string'
  const providerData = dropUnset({
    metadata,
    ...(overResponses
      ? { include: includesOf(request), extraHeaders, tool_choice: named ? undefined : toolChoice }
      : {}),
    ...extraBody,
  })
  return dropUnset({
    temperature,
    topP,
    maxTokens,
    toolChoice: named ? toolChoice : undefined,
    parallelToolCalls,
    truncation: truncation ?? (overResponses ? 'auto' : undefined),
    reasoning,
    text: verbosity === undefined ? undefined : { verbosity },
    store,
    providerData: Object.keys(providerData).length > 0 ? providerData : undefined,
  })
}

/** The SDK's usage under the wire's names; its details are one object or one per request. */
function toUsage(usage: unknown): ResponseUsage | undefined {
  if (!isObject(usage)) return undefined
  const details = (value: unknown) => (Array.isArray(value) ? value[0] : value)
  const input = details(usage.inputTokensDetails)
  const output = details(usage.outputTokensDetails)
  return {
    input_tokens: Number(usage.inputTokens ?? 0),
    output_tokens: Number(usage.outputTokens ?? 0),
    total_tokens: Number(usage.totalTokens ?? 0),
    ...(isObject(input) ? { input_tokens_details: input } : {}),
    ...(isObject(output) ? { output_tokens_details: output } : {}),
  }
}
