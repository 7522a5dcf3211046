import { PRICES_JSON } from './prices.data.ts'

type Row = [input: number, output: number, cacheRead: number | null, cacheWrite: number | null]

let table: Map<string, Row> | undefined // parsed on first use: it is not needed before the first answer

/** Prices by name: exact, after the last `/`, without a date, without the last `-part` (docs/wire.md, "Usage"). */
function priceOf(model: string): Row | undefined {
  table ??= new Map(Object.entries(JSON.parse(PRICES_JSON) as { [model: string]: Row }))
  const short = model.slice(model.lastIndexOf('/') + 1)
  const undated = short.replace(/-\d{4}-\d{2}-\d{2}$/, '')
  return table.get(model) ?? table.get(short) ?? table.get(undated) ?? table.get(undated.replace(/-[^-]*$/, ''))
}

/** The price of one response in US dollars; 0 for an unknown model. Token counts as the provider reported them. */
export function costUsd(
  model: string,
  tokens: { input: number; output: number; cached: number; cacheWrite: number },
): number {
  const price = priceOf(model)
  if (price === undefined) return 0
  const [input, output, cacheRead, cacheWrite] = price
  const plain = tokens.input - tokens.cached - tokens.cacheWrite
  const million =
    plain * input +
    tokens.cached * (cacheRead ?? input) +
    tokens.cacheWrite * (cacheWrite ?? input) +
    tokens.output * output
  return million / 1_000_000
}
