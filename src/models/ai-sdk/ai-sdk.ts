/** Models over language models of the AI SDK. */
import { type Charges, weigh } from '../../base/budget.ts'
import { AgencyError, errorText } from '../../base/errors.ts'
import { UPSTREAM_LIMITS, type UpstreamLimits } from '../../base/limits.ts'
import { modelFailed } from '../../base/model-errors.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { type Ending, endingOf, failureIn, type ModelError } from '../ending.ts'
import type { Model, ModelResponse, ResponseUsage, TurnRequest } from '../model.ts'
import { withRetries } from '../retry.ts'
import { ResponseSynthesis } from '../synthesis.ts'
import { EventWatch, inTime } from '../timeouts.ts'
import { estimateUsage } from '../usage.ts'
import { toPrompt } from './prompt.ts'
import { toCallSettings, withCalledTools, withoutThinking } from './settings.ts'

/** The used part of an AI SDK language model (specification v4). */
export interface LanguageModel {
  readonly specificationVersion: string
  /** Such as `anthropic.messages`. */
  readonly provider: string
  readonly modelId: string
  doGenerate(options: object): PromiseLike<{ content: readonly object[]; usage: object; response?: object }>
  doStream(options: object): PromiseLike<{ stream: ReadableStream<unknown> }>
}

export const isLanguageModel = (value: object): value is LanguageModel =>
  'specificationVersion' in value && 'doStream' in value && 'doGenerate' in value

export interface AiSdkOptions {
  /** The model's name in responses, and for its price. */
  label: string
  /** The provider's name in telemetry. @default none */
  provider?: string
  /** Creates the model of one call, which merges `extraBody` into its body and charges `budget` for what it reads. */
  open: (extraBody: JsonObject, budget: Charges | undefined) => LanguageModel | Promise<LanguageModel>
  /** `client_config.model_settings_extra_args`. */
  extraArgs?: JsonObject | undefined
  /** Sent with every call. */
  headers?: { readonly [name: string]: string } | undefined
  /** Timeouts. @default the server's */
  limits?: UpstreamLimits | undefined
}

/** A Model over an AI SDK language model, whose parts become Responses events. */
export function aiSdkModel({ label, provider, open, extraArgs, headers, limits }: AiSdkOptions): Model {
  const { upstreamFirstByteMs: firstMs, upstreamIdleMs: idleMs } = limits ?? UPSTREAM_LIMITS
  const prepare = async (request: TurnRequest, signal: AbortSignal) => {
    const { extraBody, ...settings } = toCallSettings(request, extraArgs)
    const model = await open(extraBody, request.budget)
    const made = toPrompt(request, { provider: namespaceOf(model), model: model.modelId })
    const prompt = made instanceof Promise ? await made : made
    const options = {
      ...withCalledTools(startsThinking(model, request, label) ? settings : withoutThinking(settings), prompt),
      prompt,
      headers: { ...request.settings.extraHeaders, ...headers },
      abortSignal: signal,
    }
    return { model, options, reader: new PartReader(label, request) }
  }
  return {
    name: label,
    ...(provider === undefined ? {} : { provider }),
    async *streamTurn(request, signal) {
      const silence = new AbortController()
      const abortSignal = AbortSignal.any([signal, silence.signal])
      const { model, options, reader } = await prepare(request, abortSignal)
      const onSilence = (error: Error) => silence.abort(modelFailed(error.message, error))
      let watch: EventWatch | undefined
      const attempt = () => {
        watch?.stop()
        watch = new EventWatch({ began: performance.now(), firstMs, idleMs }, onSilence)
        return asked(model.doStream(options), abortSignal) // some packages read the first part before they return the stream
      }
      try {
        const { stream } = await withRetries(attempt, { signal, withinMs: firstMs, onRetry: request.onRetry })
        for await (const part of stream as unknown as AsyncIterable<unknown>) {
          reader.read(part)
          const events = reader.parts.take()
          watch?.hear()
          if (events.length > 0) yield { events, bytes: sizeOf(part) }
          watch?.wait()
        }
      } catch (error) {
        throw failureOf(error, abortSignal)
      } finally {
        watch?.stop()
      }
      signal.throwIfAborted()
      reader.finish()
      yield { events: reader.parts.take(), bytes: 0 }
    },
    async completeTurn(request, signal) {
      const { model, options, reader } = await prepare(request, signal)
      const result = await withRetries(
        () =>
          inTime(firstMs, signal, (abortSignal) => asked(model.doGenerate({ ...options, abortSignal }), abortSignal)),
        { signal, withinMs: firstMs, onRetry: request.onRetry },
      )
      signal.throwIfAborted()
      return reader.readAnswer(result as unknown as JsonObject)
    },
  }
}

/**
 * False in the middle of a turn that another model began: Claude thinks before its first call of a turn or not at all ("Expected
 * `thinking` or `redacted_thinking`, but found `tool_use`": Anthropic's guide on extended thinking).
 */
function startsThinking({ provider, modelId }: LanguageModel, { input }: TurnRequest, label: string): boolean {
  if (!/anthropic|claude/.test(`${provider} ${modelId}`) || input.at(-1)?.type !== 'function_call_output') return true
  const call = input.findLast(({ type }) => type === 'function_call')
  return isObject(call?.provider_data) && call.provider_data.model === label
}

/** The key of a provider's own options and metadata. */
export const namespaceOf = ({ provider }: LanguageModel): string => provider.split('.')[0] as string

/** The size of a part for back-pressure, in bytes. */
const sizeOf = (part: unknown) => 64 + (isObject(part) && typeof part.delta === 'string' ? part.delta.length : 0)

/** Reads the parts of one answer into a response. */
class PartReader {
  readonly parts: ResponseSynthesis
  #ending: Ending | undefined
  /** Finished calls by id: a later call with the same id is another one. */
  readonly #called = new Map<string, number>()
  /** The call that the answer ends with so far; empty when something follows the last one. */
  #lastCall = ''
  readonly #structured: boolean
  /** The start of the open text block. */
  #textStart = 0
  readonly #sources: JsonObject[] = []

  readonly #budget: Charges | undefined
  readonly #request: TurnRequest

  constructor(label: string, request: TurnRequest) {
    this.#request = request
    this.#budget = request.budget
    this.parts = new ResponseSynthesis({ model: label, request })
    this.#structured = request.outputSchema !== undefined
  }

  /** @throws MODEL_FAILED when the answer failed, or ended without a finish reason */
  finish(): ModelResponse {
    if (this.#ending === undefined) throw modelFailed("The model's stream ended before the answer was complete.")
    return this.parts.finish(this.#ending)
  }

  /** The synthesis's key of a call: ids may repeat. */
  #keyOf(id: string): string {
    const count = this.#called.get(id) ?? 0
    return count === 0 ? id : `${id} ${count}`
  }

  read(part: unknown): void {
    if (!isObject(part)) return
    const { parts } = this
    const key = String(part.id ?? part.toolCallId ?? '')
    switch (part.type) {
      case 'response-metadata':
        if (typeof part.id === 'string') parts.identify(part.id)
        parts.begin()
        break
      case 'text-start':
        this.#textStart = parts.saidChars
        this.#lastCall = ''
        this.#keep('message', part)
        break
      case 'text-delta':
        parts.say(String(part.delta))
        this.#keep('message', part)
        break
      case 'text-end':
        for (const citation of Array.isArray(part.citations) ? part.citations : [])
          this.#cite(citation, this.#textStart)
        this.#keep('message', part)
        break
      case 'reasoning-start':
        this.#lastCall = ''
        parts.openThought(key)
        this.#keep({ thought: key }, part)
        break
      case 'reasoning-delta':
        parts.think(String(part.delta), key)
        this.#keep({ thought: key }, part)
        break
      case 'reasoning-end':
        this.#keep({ thought: key }, part)
        break
      case 'tool-input-start':
      case 'tool-input-delta':
      case 'tool-call':
        if (part.providerExecuted !== true) this.#readCall(part, key) // else its outcome is part of the answer
        break
      case 'source':
        this.#budget?.charge(weigh(part))
        this.#sources.push(part)
        break
      case 'file':
        this.#addFile(part)
        break
      case 'finish':
        this.#finish(part)
        break
      case 'error':
        throw failed(part.error)
    }
  }

  #readCall(part: JsonObject, id: string): void {
    const { parts } = this
    const key = this.#keyOf(id)
    if (part.type === 'tool-input-delta') parts.addArguments(key, String(part.delta))
    else parts.openCall(key, { callId: id, name: String(part.toolName) })
    if (part.type !== 'tool-call') return
    parts.setArguments(key, typeof part.input === 'string' ? part.input : JSON.stringify(part.input ?? {}))
    this.#keep({ call: key }, part)
    this.#called.set(id, (this.#called.get(id) ?? 0) + 1)
    this.#lastCall = key
  }

  readAnswer(result: JsonObject): ModelResponse {
    const { parts } = this
    const content = Array.isArray(result.content) ? result.content.filter(isObject) : []
    if (isObject(result.response) && typeof result.response.id === 'string') parts.identify(result.response.id)
    // Drafts beside a structured answer are not part of it.
    const chosen = this.#structured && typeof result.structuredOutputText === 'string'
    for (const [index, part] of content.entries()) {
      const id = `${part.type}_${index}`
      if (part.type === 'text') {
        if (chosen) continue
        this.read({ type: 'text-start', id })
        this.read({ ...part, type: 'text-delta', delta: part.text, id })
        this.read({ ...part, type: 'text-end', id })
      } else if (part.type === 'reasoning') {
        this.read({ ...part, type: 'reasoning-start', id })
        this.read({ type: 'reasoning-delta', delta: part.text, id })
      } else this.read(part)
    }
    if (chosen) parts.say(String(result.structuredOutputText))
    this.#finish(result)
    return this.finish()
  }

  #finish({ usage, finishReason }: JsonObject): void {
    this.parts.usage = this.#complete(toUsage(isObject(usage) ? usage : {}))
    const isOver = (isObject(finishReason) ? finishReason.unified : finishReason) !== 'interrupted'
    this.#ending = isOver ? endingOf(finishReason) : undefined
    // Packages return the arguments as an object, so a call that was cut off looks complete.
    if (this.#ending?.kind === 'cut' && this.#lastCall !== '') this.parts.breakOff(this.#lastCall)
    for (const source of this.#sources.splice(0)) this.#cite({ source }, this.parts.saidChars)
  }

  /** The usage; each missing count is estimated. */
  #complete(usage: ResponseUsage): ResponseUsage {
    const written = this.parts.writtenChars
    const lacksInput = usage.input_tokens === 0
    const lacksOutput = usage.output_tokens === 0 && written > 0
    if (!lacksInput && !lacksOutput) return usage
    const guess = estimateUsage(this.#request, written)
    const input_tokens = (lacksInput ? guess.input_tokens : usage.input_tokens) ?? 0
    const output_tokens = (lacksOutput ? guess.output_tokens : usage.output_tokens) ?? 0
    return { ...usage, input_tokens, output_tokens, total_tokens: input_tokens + output_tokens, estimated: true }
  }

  #keep(to: Parameters<ResponseSynthesis['attach']>[0], { providerMetadata }: JsonObject): void {
    if (!isObject(providerMetadata)) return
    this.#budget?.charge(weigh(providerMetadata)) // no event shows it
    this.parts.attach(to, { provider_metadata: providerMetadata })
  }

  /** @param start start of the cited range when the citation has none: an index into the text block */
  #cite(citation: unknown, start: number): void {
    if (!isObject(citation) || !isObject(citation.source)) return
    const { startIndex, endIndex, source } = citation
    const { url, title = '', filename, id } = source
    const start_index = typeof startIndex === 'number' ? this.#textStart + startIndex : start
    const end_index = typeof endIndex === 'number' ? this.#textStart + endIndex : this.parts.saidChars
    this.parts.cite(
      typeof url === 'string'
        ? { type: 'url_citation', url, title, start_index, end_index }
        : { type: 'file_citation', file_id: String(id ?? ''), filename: String(filename ?? title), index: end_index },
    )
  }

  #addFile({ mediaType, data }: JsonObject): void {
    const bytes = isObject(data) ? data.data : undefined
    if (!String(mediaType).startsWith('image/') || bytes === undefined) return
    const result = typeof bytes === 'string' ? bytes : Buffer.from(bytes as Uint8Array).toString('base64')
    this.parts.addItem({ type: 'image_generation_call', status: 'completed', result })
  }
}

function toUsage({ inputTokens, outputTokens }: JsonObject): ResponseUsage {
  const input = isObject(inputTokens) ? inputTokens : {}
  const output = isObject(outputTokens) ? outputTokens : {}
  const total = Number(input.total ?? 0)
  const said = Number(output.total ?? 0)
  return {
    input_tokens: total,
    output_tokens: said,
    total_tokens: total + said,
    input_tokens_details: {
      cached_tokens: Number(input.cacheRead ?? 0),
      cache_write_tokens: Number(input.cacheWrite ?? 0),
    },
    output_tokens_details: { reasoning_tokens: Number(output.reasoning ?? 0) },
  }
}

/** Awaits a call. @throws MODEL_FAILED when it fails; the signal's reason after an abort */
const asked = async <T>(call: PromiseLike<T>, signal: AbortSignal): Promise<T> => {
  try {
    return await call
  } catch (error) {
    throw failureOf(error, signal)
  }
}

/** @throws the signal's reason after an abort */
function failureOf(error: unknown, signal: AbortSignal): AgencyError {
  signal.throwIfAborted()
  return AgencyError.isInstance(error) ? error : failed(error)
}

const failed = (error: unknown) => {
  const told = error instanceof Error ? toldIn(error) : failureIn({ error }, true)
  return modelFailed(told?.message ?? reasonOf(error), told ?? (error instanceof Error ? error : undefined))
}

/** The failure in a body with HTTP 200, which the packages only report as invalid. */
function toldIn(error: Error & { responseBody?: unknown; statusCode?: unknown }): ModelError | undefined {
  if (error.statusCode !== 200 || typeof error.responseBody !== 'string') return undefined
  try {
    return failureIn(JSON.parse(error.responseBody), true)
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return errorText(error)
  // The packages wrap the cause in a sentence without information.
  const cause = error.cause instanceof Error && /^Failed to process/.test(error.message) ? error.cause : error
  return cause.message === '' ? 'The model failed without a reason.' : cause.message
}
