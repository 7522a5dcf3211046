import type { Usage } from '../wire/message.ts'
import type { ResponseUsage } from './model.ts'
import { costUsd } from './prices.ts'

const count = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0)

export const emptyUsage = (): Usage => ({
  request_count: 0,
  cached_tokens: 0,
  cache_write_tokens: 0,
  input_tokens: 0,
  output_tokens: 0,
  total_tokens: 0,
  total_cost: 0,
})

/** The sum so far plus one response, priced at the model that gave it. Odd provider fields count as 0. */
export function addResponse(sum: Usage, model: string, usage: ResponseUsage | null | undefined): Usage {
  const input = count(usage?.input_tokens)
  const output = count(usage?.output_tokens)
  const cached = count(usage?.input_tokens_details?.cached_tokens)
  const cacheWrite = count(usage?.input_tokens_details?.cache_write_tokens)
  const reasoning = count(usage?.output_tokens_details?.reasoning_tokens)
  const total: Usage = {
    request_count: sum.request_count + 1,
    cached_tokens: sum.cached_tokens + cached,
    cache_write_tokens: sum.cache_write_tokens + cacheWrite,
    input_tokens: sum.input_tokens + input,
    output_tokens: sum.output_tokens + output,
    total_tokens: sum.total_tokens + (count(usage?.total_tokens) || input + output),
    total_cost: sum.total_cost + costUsd(model, { input, output, cached, cacheWrite }),
  }
  const reasoningTotal = (sum.reasoning_tokens ?? 0) + reasoning
  return reasoningTotal > 0 ? { ...total, reasoning_tokens: reasoningTotal } : total
}
