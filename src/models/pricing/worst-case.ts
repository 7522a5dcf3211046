/** The highest cost of a model call, computed before the call. */
import { isObject, type JsonObject } from '../../wire/json.ts'
import type { TurnRequest } from '../model.ts'
import type { ModelPrice, TokenRates } from './prices.ts'

/** A model call that is about to be made. */
export interface PricedCall {
  request: TurnRequest
  price: ModelPrice
  /** The model's provider: `Model.provider`. */
  provider?: string | undefined
  /** `client_config.model_settings_extra_args` of the request. */
  extraArgs?: JsonObject | null | undefined
}

export interface WorstCase {
  usd: number
  inputTokens: number
  outputTokens: number
  /** The call to make, with `maxTokens` where nothing else limits its answer. */
  request: TurnRequest
}

/** The token limit of an answer where neither the agent nor the price table sets one; the call is then sent with this limit. */
const DEFAULT_OUTPUT_TOKENS = 32_768
/** Tokens counted for content that only the provider can measure, when the model's context window is unknown. */
const DEFAULT_INPUT_TOKENS = 1_048_576
/** More than any provider charges for an image: 48,169 tokens, for gpt-4o-mini at high detail. */
const IMAGE_TOKENS = 50_000
/** Tokens that providers add to a request with tools or a schema. */
const OVERHEAD_TOKENS = 2_048

/**
 * Counts upwards: a text has at most as many tokens as bytes, since every tokenizer makes a token of at least one byte. The input
 * is charged at the highest rate that may apply, and the answer at its full length, reasoning included.
 */
export function worstCaseOf(call: PricedCall): WorstCase {
  const { request, price } = call
  const extras = readExtras(call)
  const input = measureInput(call, extras)
  const bound = boundOutput(call, extras)
  const audio = input.audio || !extras.known
  const inputRate = highestRate(call.price, input.tokens, [
    'inputUsdPerMillion',
    'cacheReadUsdPerMillion',
    'cacheWriteUsdPerMillion',
    ...(audio ? ['audioInputUsdPerMillion' as const] : []),
  ])
  const outputRate = highestRate(price, input.tokens, [
    'outputUsdPerMillion',
    'reasoningUsdPerMillion',
    ...(audio ? ['audioOutputUsdPerMillion' as const] : []),
  ])
  const usd = (input.tokens * inputRate + bound.tokens * outputRate) / 1_000_000
  const { settings } = request
  return {
    usd,
    inputTokens: input.tokens,
    outputTokens: bound.tokens,
    request: bound.isSent ? { ...request, settings: { ...settings, maxTokens: bound.tokens } } : request,
  }
}

/** The highest of some rates, also over the tiers that an input of this size may reach. */
function highestRate(price: ModelPrice, inputTokens: number, names: readonly (keyof TokenRates)[]): number {
  const reached = (price.tiers ?? []).filter(({ aboveInputTokens }) => inputTokens > aboveInputTokens)
  return Math.max(...[price, ...reached].flatMap((rates) => names.map((name) => rates[name] ?? 0)))
}

/** The provider-specific fields of a call beside its settings. */
interface Extras {
  bodies: readonly JsonObject[]
  /** False when one of them may lift the bounds of the call, or bring content that is not counted. */
  known: boolean
}

/** Fields that change neither the size of the input nor the limit of the output, except the limits that are read from them. */
const HARMLESS = new Set([
  ...['temperature', 'top_p', 'top_k', 'seed', 'stop', 'user', 'metadata', 'verbosity', 'service_tier', 'truncation'],
  ...['presence_penalty', 'frequency_penalty', 'logit_bias', 'include', 'store', 'tool_choice', 'parallel_tool_calls'],
  ...['reasoning', 'reasoning_effort', 'reasoning_summary', 'effort', 'prompt_cache_key', 'safety_identifier', 'text'],
  ...['max_tokens', 'max_output_tokens', 'max_completion_tokens', 'extra_body'],
])

function readExtras({ request, extraArgs }: PricedCall): Extras {
  const given = [request.settings.extraBody, extraArgs].filter(isObject)
  const bodies = given.flatMap((body) => [body, ...(isObject(body.extra_body) ? [body.extra_body] : [])])
  return { bodies, known: bodies.every((body) => Object.keys(body).every((name) => HARMLESS.has(name))) }
}

function boundOutput({ request, price, provider }: PricedCall, { bodies, known }: Extras) {
  const { maxTokens, reasoning } = request.settings
  const asked = bodies
    .flatMap((body) => [body.max_tokens, body.max_output_tokens, body.max_completion_tokens])
    .filter((tokens) => typeof tokens === 'number')
  // Anthropic's package adds the thinking budget to `maxTokens`.
  const thinksOnTop = provider === 'anthropic' && (reasoning != null || bodies.length > 0)
  const isBounded = maxTokens !== undefined && known && !thinksOnTop
  const most = price.maxOutputTokens ?? DEFAULT_OUTPUT_TOKENS
  const tokens = Math.max(isBounded ? maxTokens : Math.max(most, maxTokens ?? 0), ...asked)
  return { tokens, isSent: maxTokens === undefined && price.maxOutputTokens === undefined }
}

function measureInput({ request, price }: PricedCall, { bodies, known }: Extras): { tokens: number; audio: boolean } {
  const { instructions, input, tools, hostedTools = [], outputSchema } = request
  const size = measure([instructions, input, tools, outputSchema, bodies])
  const window = price.maxInputTokens
  const counted = size.tokens + OVERHEAD_TOKENS
  if (!size.unknown && known && hostedTools.length === 0)
    return { tokens: Math.min(counted, window ?? Number.POSITIVE_INFINITY), audio: size.audio }
  return { tokens: window ?? counted + DEFAULT_INPUT_TOKENS, audio: size.audio }
}

/** The most tokens of a JSON value. `unknown`: it has parts whose size only the provider knows. */
function measure(value: unknown): { tokens: number; unknown: boolean; audio: boolean } {
  const waiting = [value] // no recursion: callers choose the depth
  const size = { tokens: 0, unknown: false, audio: false }
  while (waiting.length > 0) {
    const next = waiting.pop()
    if (next === undefined) continue
    if (typeof next === 'string') size.tokens += Buffer.byteLength(next)
    else if (!isObject(next) && !Array.isArray(next)) size.tokens += SCALAR_TOKENS
    else if (isObject(next) && MEDIA.test(String(next.type))) {
      if (IMAGE.test(String(next.type))) size.tokens += IMAGE_TOKENS
      else size.unknown = true
      size.audio ||= String(next.type).endsWith('audio')
    } else
      for (const [key, part] of Object.entries(next)) {
        size.tokens += (Array.isArray(next) ? 0 : Buffer.byteLength(key)) + PUNCTUATION_TOKENS
        waiting.push(part)
      }
  }
  return size
}

/** Types of parts and items whose tokens do not depend on the length of their JSON. */
const MEDIA = /image|screenshot|^(input_|output_)?(file|audio|video|document)$|^item_reference$/
const IMAGE = /image|screenshot/

/** Quotes, colon and comma around a value. */
const PUNCTUATION_TOKENS = 4
/** The length of a number, true, false or null as text. */
const SCALAR_TOKENS = 25
