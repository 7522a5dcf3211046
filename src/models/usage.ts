/** Counts tokens and costs. */
import type { Usage } from '../wire/message.ts'
import type { ResponseUsage, TurnRequest } from './model.ts'
import type { Pricer, TokenCounts } from './pricing/prices.ts'

/** A provider's token count as a number, also from a text; 0 for any value that is not a count. */
export function countOf(value: unknown): number {
  const count = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return Number.isSafeInteger(count) && Number(count) > 0 ? Number(count) : 0
}

export const emptyUsage = (): Usage => ({
  request_count: 0,
  cached_tokens: 0,
  cache_write_tokens: 0,
  input_tokens: 0,
  output_tokens: 0,
  total_tokens: 0,
  total_cost: 0,
})

/** The usage of an answer that came from no provider. Compared by identity, since some models report zeros for unknown counts. */
export const UNASKED_USAGE: ResponseUsage = Object.freeze({ input_tokens: 0, output_tokens: 0, total_tokens: 0 })

/** One response to count: its model and the price of that model. */
export interface Billed {
  model: string
  usage: ResponseUsage | null | undefined
  price: Pricer
}

/** The tokens of one response. Odd provider fields count as 0. */
export function readTokens(usage: ResponseUsage | null | undefined): TokenCounts {
  const details = usage?.input_tokens_details
  const outputDetails = usage?.output_tokens_details
  return {
    input: countOf(usage?.input_tokens ?? usage?.prompt_tokens),
    output: countOf(usage?.output_tokens ?? usage?.completion_tokens),
    cached: countOf(details?.cached_tokens),
    cacheWrite: countOf(details?.cache_write_tokens),
    reasoning: countOf(outputDetails?.reasoning_tokens),
    audioInput: countOf(details?.audio_tokens),
    audioOutput: countOf(outputDetails?.audio_tokens),
  }
}

/** The sum so far plus one response. */
export function addResponse(sum: Usage, { model, usage, price }: Billed): Usage {
  const tokens = readTokens(usage)
  const reasoning = (sum.reasoning_tokens ?? 0) + tokens.reasoning
  const audio = (sum.audio_tokens ?? 0) + tokens.audioInput + tokens.audioOutput
  return {
    ...sum,
    request_count: sum.request_count + 1,
    cached_tokens: sum.cached_tokens + tokens.cached,
    cache_write_tokens: sum.cache_write_tokens + tokens.cacheWrite,
    input_tokens: sum.input_tokens + tokens.input,
    output_tokens: sum.output_tokens + tokens.output,
    total_tokens: sum.total_tokens + (countOf(usage?.total_tokens) || tokens.input + tokens.output),
    total_cost: sum.total_cost + price(model, tokens),
    ...(reasoning > 0 ? { reasoning_tokens: reasoning } : {}),
    ...(audio > 0 ? { audio_tokens: audio } : {}),
  }
}

/** A rule of thumb for most languages; good enough for usage that is marked as estimated. */
const CHARS_PER_TOKEN = 4

/** Estimates the usage of a call that broke off from the size of its request and the `said` characters of its answer. */
export const estimateUsage = (request: TurnRequest, said: number): ResponseUsage => ({
  input_tokens: Math.ceil(textSize([request.instructions, request.input, request.tools]) / CHARS_PER_TOKEN),
  output_tokens: Math.ceil(said / CHARS_PER_TOKEN),
})

/** The characters of all texts in a value. Embedded files are left out: their tokens do not depend on their length. */
function textSize(value: unknown): number {
  const waiting = [value] // no recursion: callers choose the depth
  let size = 0
  while (waiting.length > 0) {
    const next = waiting.pop()
    if (typeof next === 'string') size += next.startsWith('data:') ? 0 : next.length
    else if (typeof next === 'object' && next !== null) for (const item of Object.values(next)) waiting.push(item)
  }
  return size
}
