/** Prices of models, and the cost of an answer. */
import { invalidOption } from '../../base/start-errors.ts'
import { isObject } from '../../wire/json.ts'
import { PRICES } from './prices.data.ts'

/** Prices of tokens, in US dollars per million. */
export interface TokenRates {
  inputUsdPerMillion: number
  outputUsdPerMillion: number
  /** Input read from the provider's cache. Default: the price of input. */
  cacheReadUsdPerMillion?: number
  /** Input written to the provider's cache. Default: the price of input. */
  cacheWriteUsdPerMillion?: number
  /** Output spent on reasoning. Default: the price of output. */
  reasoningUsdPerMillion?: number
  /** Default: the price of input. */
  audioInputUsdPerMillion?: number
  /** Default: the price of output. */
  audioOutputUsdPerMillion?: number
}

/** The price of one model. */
export interface ModelPrice extends TokenRates {
  /**
   * Most tokens of one answer, reasoning included. A cost limit reserves this much for a call without `maxTokens`.
   * Default: the value in the shipped table.
   */
  maxOutputTokens?: number
  /** Most tokens of one request. A cost limit reserves this much for files and hosted tools. Default: as in the shipped table. */
  maxInputTokens?: number
  /** Prices for requests with more input tokens than this; of several tiers the highest one that is exceeded counts. */
  tiers?: readonly (Partial<TokenRates> & { aboveInputTokens: number })[]
}

/** Model name -> its price: the `prices` option. */
export type Prices = { readonly [model: string]: ModelPrice }

/** The tokens of one response. `input` includes cached, cache-writing and audio input; `output` includes reasoning and audio. */
export interface TokenCounts {
  input: number
  output: number
  cached: number
  cacheWrite: number
  reasoning: number
  audioInput: number
  audioOutput: number
}

/** The price of one response in US dollars: finite, never negative, 0 for a model without a price. */
export type Pricer = (model: string, tokens: TokenCounts) => number

/** The prices of a server, or of a run in process. */
export interface PriceList {
  readonly price: Pricer
  /** The price of a model; undefined for one without. */
  readonly priceOf: (model: string) => ModelPrice | undefined
}

/** In the order of the shipped table's columns. */
const RATES = [
  'inputUsdPerMillion',
  'outputUsdPerMillion',
  'cacheReadUsdPerMillion',
  'cacheWriteUsdPerMillion',
  'reasoningUsdPerMillion',
  'audioInputUsdPerMillion',
  'audioOutputUsdPerMillion',
] as const satisfies readonly (keyof TokenRates)[]

/** Callers may name models, so the memory of their names is limited. */
const KNOWN_NAMES = 1000
const NAME_CHARS = 200
const SAID_WARNINGS = 100
/** One US dollar per token. */
const MAX_RATE = 1_000_000
const FREE: ModelPrice = { inputUsdPerMillion: 0, outputUsdPerMillion: 0 }
/** Models that answer without a provider. */
const OFFLINE_MODELS = ['demo', 'scripted']

/** Logs each warning once, at most 100 warnings. */
export function warnOnce(say: (message: string) => void): (message: string) => void {
  const said = new Set<string>()
  return (message) => {
    if (said.has(message) || said.size >= SAID_WARNINGS) return
    said.add(message)
    say(message)
  }
}

/**
 * Prices from the shipped table and the given ones, which take precedence.
 * @param warn called for a name without a price, possibly more than once: see `warnOnce`
 * @throws INVALID_OPTION for an invalid price
 */
export function createPriceList(given: Prices | undefined, warn: (message: string) => void): PriceList {
  const own = checkPrices(given)
  const known = new Map<string, ModelPrice | undefined>(OFFLINE_MODELS.map((name) => [name, FREE]))
  const find = (model: string) => {
    const price = findPrice(model, own)
    if (known.size < KNOWN_NAMES && model.length <= NAME_CHARS) known.set(model, price)
    if (price === undefined) warn(unpriced(model))
    return price
  }
  const priceOf = (model: string) => (known.has(model) ? known.get(model) : find(model))
  return {
    priceOf,
    price(model, tokens) {
      const price = priceOf(model)
      return price === undefined ? 0 : costUsd(price, tokens)
    },
  }
}

const unpriced = (model: string) =>
  `There is no price for the model "${model.replace(/\p{Cc}/gu, ' ').slice(0, 100)}": its calls count 0 US dollars. Give one with the prices option.`

/** By exact name, by what follows the last `/`, by that without a date, by that without its last `-part`. */
function findPrice(model: string, own: ReadonlyMap<string, ModelPrice>): ModelPrice | undefined {
  const short = model.slice(model.lastIndexOf('/') + 1)
  const names = [model, short, short.replace(/-\d{4}-\d{2}-\d{2}$/, ''), short.replace(/-[^-]*$/, '')]
  for (const name of new Set(names)) {
    const [given, shipped] = [own.get(name), shippedPrice(name)]
    if (given !== undefined) return { ...boundsOf(shipped), ...given }
    if (shipped !== undefined) return shipped
  }
  return undefined
}

const boundsOf = ({ maxInputTokens, maxOutputTokens }: Partial<ModelPrice> = {}): Partial<ModelPrice> => ({
  ...(maxInputTokens === undefined ? {} : { maxInputTokens }),
  ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
})

/** The table stays a text: only the line of a requested model is parsed. */
function shippedPrice(name: string): ModelPrice | undefined {
  const start = /^[!-~]+$/.test(name) ? PRICES.indexOf(`\n${name} `) : -1
  if (start === -1) return undefined
  const line = PRICES.slice(start + 1, PRICES.indexOf('\n', start + 1))
  const [, base = '', ...more] = line.split(' ')
  const tiers = more.filter((cell) => cell.includes(':'))
  return {
    ...FREE,
    ...readRates(base),
    ...readBounds(more.find((cell) => cell.includes('/'))),
    tiers: tiers.map((tier) => {
      const [thousands, cells = ''] = tier.split(':')
      return { ...readRates(cells), aboveInputTokens: Number(thousands) * 1000 }
    }),
  }
}

function readRates(cells: string): Partial<TokenRates> {
  const rates: Partial<TokenRates> = {}
  for (const [index, cell] of cells.split(',').entries())
    if (cell !== '') rates[RATES[index] as keyof TokenRates] = Number(cell)
  return rates
}

function readBounds(cell = '/'): Partial<ModelPrice> {
  const [input, output] = cell.split('/').map((tokens) => (tokens === '' ? undefined : Number(tokens)))
  return boundsOf({ maxInputTokens: input, maxOutputTokens: output } as Partial<ModelPrice>)
}

/** Every rate comes from the tier of the request's input size. */
function costUsd(price: ModelPrice, tokens: TokenCounts): number {
  const rate = (name: keyof TokenRates, fallback = 0): number => {
    let found = price[name]
    for (const tier of price.tiers ?? []) if (tokens.input > tier.aboveInputTokens) found = tier[name] ?? found
    return found ?? fallback
  }
  const { input, output, cached, cacheWrite, reasoning, audioInput, audioOutput } = tokens
  const inputRate = rate('inputUsdPerMillion')
  const outputRate = rate('outputUsdPerMillion')
  const millionths =
    Math.max(0, input - cached - cacheWrite - audioInput) * inputRate +
    cached * rate('cacheReadUsdPerMillion', inputRate) +
    cacheWrite * rate('cacheWriteUsdPerMillion', inputRate) +
    audioInput * rate('audioInputUsdPerMillion', inputRate) +
    Math.max(0, output - reasoning - audioOutput) * outputRate +
    reasoning * rate('reasoningUsdPerMillion', outputRate) +
    audioOutput * rate('audioOutputUsdPerMillion', outputRate)
  return millionths / 1_000_000
}

function checkPrices(given: Prices | undefined): ReadonlyMap<string, ModelPrice> {
  if (given === undefined) return new Map()
  if (!isObject(given)) throw invalidOption('prices is an object: { "my-model": { inputUsdPerMillion: 1, ... } }.')
  return new Map(Object.entries(given).map(([model, price]) => [model, checkPrice(model, price)]))
}

function checkPrice(model: string, price: unknown): ModelPrice {
  const at = `prices["${model}"]`
  const rates = checkRates(at, price, ['tiers', ...BOUNDS])
  if (rates.inputUsdPerMillion === undefined || rates.outputUsdPerMillion === undefined)
    throw invalidOption(`${at} needs inputUsdPerMillion and outputUsdPerMillion.`)
  const { tiers = [] } = price as { tiers?: unknown }
  if (!Array.isArray(tiers)) throw invalidOption(`${at}.tiers is a list of { aboveInputTokens, ... }.`)
  const checked = tiers.map((tier: unknown, index) => {
    const rates = checkRates(`${at}.tiers[${index}]`, tier, ['aboveInputTokens'])
    const { aboveInputTokens } = tier as { aboveInputTokens: unknown }
    if (!(typeof aboveInputTokens === 'number' && aboveInputTokens > 0))
      throw invalidOption(`${at}.tiers[${index}] needs aboveInputTokens, a number above 0.`)
    return { ...rates, aboveInputTokens }
  })
  return {
    ...FREE,
    ...rates,
    ...checkBounds(at, price as ModelPrice),
    tiers: checked.sort((a, b) => a.aboveInputTokens - b.aboveInputTokens),
  }
}

const BOUNDS = ['maxInputTokens', 'maxOutputTokens'] as const

function checkBounds(at: string, price: ModelPrice): Partial<ModelPrice> {
  for (const name of BOUNDS)
    if (price[name] !== undefined && !(Number.isSafeInteger(price[name]) && price[name] > 0))
      throw invalidOption(`${at}.${name} has to be a whole number of tokens above 0, not ${price[name]}.`)
  return boundsOf(price)
}

function checkRates(at: string, given: unknown, more: readonly string[]): Partial<TokenRates> {
  if (!isObject(given)) throw invalidOption(`${at} has to be an object of prices.`)
  const rates: Partial<TokenRates> = {}
  for (const [key, value] of Object.entries(given)) {
    if (more.includes(key) || value === undefined) continue
    const name = RATES.find((rate) => rate === key)
    if (name === undefined)
      throw invalidOption(`${at} has the unknown price "${key}". Known: ${[...RATES, ...more].join(', ')}.`)
    if (!(typeof value === 'number' && value >= 0 && value <= MAX_RATE))
      throw invalidOption(`${at}.${key} has to be a number of US dollars per million tokens, not ${value}.`)
    rates[name] = value
  }
  return rates
}
