import { expect, test } from 'vitest'
import type { TurnRequest } from '../model.ts'
import { createPriceList, type ModelPrice } from './prices.ts'
import { type PricedCall, worstCaseOf } from './worst-case.ts'

const { priceOf } = createPriceList({ ours: { inputUsdPerMillion: 1, outputUsdPerMillion: 2 } }, () => {})
const EMPTY: TurnRequest = { instructions: undefined, input: [], tools: [], settings: {} }
const flat: ModelPrice = {
  inputUsdPerMillion: 1,
  outputUsdPerMillion: 10,
  maxInputTokens: 200_000,
  maxOutputTokens: 50_000,
}

const worst = (request: Partial<TurnRequest> = {}, more: Partial<PricedCall> = {}) =>
  worstCaseOf({ request: { ...EMPTY, ...request }, price: flat, ...more })
const userSays = (content: unknown) => [{ type: 'message', role: 'user', content }] as TurnRequest['input']

/** An empty request, with an answer of the most tokens. */
test.each([
  { model: 'gpt-4.1', output: 32_768, usd: 0.27 },
  { model: 'gpt-5.4', output: 128_000, usd: 1.93 },
  { model: 'claude-sonnet-5-5', output: 128_000, usd: 1.29 },
  { model: 'gemini/gemini-2.5-pro', output: 65_536, usd: 0.66 },
  { model: 'perplexity/sonar-deep-research', output: 128_000, usd: 1.03 },
  { model: 'gpt-audio', output: 16_384, usd: 0.17 },
  { model: 'ours', output: 32_768, usd: 0.07 },
  { model: 'demo', output: 32_768, usd: 0 },
])('$model: an answer of $output tokens, $usd dollars', ({ model, output, usd }) => {
  const found = worst({}, { price: priceOf(model) as ModelPrice })
  expect(found.outputTokens).toBe(output)
  expect(found.usd).toBeCloseTo(usd, 1.9)
})

test('an answer is bounded by maxTokens', () => {
  const { outputTokens, request } = worst({ settings: { maxTokens: 300 } })
  expect({ outputTokens, sent: request.settings.maxTokens }).toEqual({ outputTokens: 300, sent: 300 })
})

test('a model whose maximum is not known is sent the bound that is reserved', () => {
  const price = { inputUsdPerMillion: 1, outputUsdPerMillion: 1 }
  expect(worst({}, { price }).request.settings).toEqual({ maxTokens: 32_768 })
  expect(worst().request.settings).toEqual({})
})

test.each([
  [{ max_tokens: 900 }, 900],
  [{ max_output_tokens: 900 }, 900],
  [{ extra_body: { max_completion_tokens: 900 } }, 900],
  [{ max_tokens: 1 }, 300],
  [{ temperature: 0, reasoning_effort: 'high' }, 300],
  [{ generationConfig: { maxOutputTokens: 70_000 } }, 50_000],
  [{ extra_body: { plugins: [{ id: 'web' }] } }, 50_000],
])('fields of a request raise what is reserved, never lower it: %j', (extraArgs, tokens) => {
  const settings = { maxTokens: 300 }
  expect(worst({ settings }, { extraArgs }).outputTokens).toBe(tokens)
  expect(worst({ settings: { ...settings, extraBody: extraArgs } }).outputTokens).toBe(tokens)
})

test('an Anthropic model that thinks may use its own maximum', () => {
  const settings = { maxTokens: 300, reasoning: { effort: 'high' } }
  expect(worst({ settings }, { provider: 'anthropic' }).outputTokens).toBe(50_000)
  expect(worst({ settings }, { provider: 'openai' }).outputTokens).toBe(300)
})

test.each(['plain text', 'Grüße', '日本語のテキスト', '🧑‍🚀🧑‍🚀', '\u0000\u0001', ' '.repeat(50)])(
  'a text counts at least a token for each of its bytes: %j',
  (text) => {
    const more = worst({ input: userSays(text) }).inputTokens - worst({ input: userSays('') }).inputTokens
    expect(more).toBe(Buffer.byteLength(text))
  },
)

test('instructions, tools, schemas and added fields are counted', () => {
  const word = 'x'.repeat(1000)
  const tool = { type: 'function', name: 'f', description: word, parameters: {}, strict: true } as const
  const least = worst().inputTokens
  for (const request of [
    { instructions: word },
    { tools: [tool] },
    { outputSchema: { name: word, schema: {}, strict: true } },
    { settings: { extraBody: { user: word } } },
  ])
    expect(worst(request).inputTokens).toBeGreaterThan(least + 990)
})

test('an image counts 50,000 tokens, whatever its size', () => {
  const image = (data: string) => worst({ input: userSays([{ type: 'input_image', image_url: data }]) }).inputTokens
  expect(image(`data:image/png;base64,${'A'.repeat(100_000)}`)).toBe(image('https://example.com/a.png'))
  expect(image('')).toBeGreaterThan(50_000)
})

test.each([
  ['a file', { input: userSays([{ type: 'input_file', file_id: 'file-1' }]) }],
  ['a reference', { input: [{ type: 'item_reference', id: 'msg_1' }] as TurnRequest['input'] }],
  ['a hosted tool', { hostedTools: [{ type: 'web_search' }] }],
  ['a text longer than the context', { instructions: 'x'.repeat(300_000) }],
  ['unknown fields', { settings: { extraBody: { web_search_options: {} } } }],
])('%s counts as the whole context of the model', (_name, request) => {
  expect(worst(request).inputTokens).toBe(200_000)
})

test('a file for a model of unknown context counts more than a million tokens', () => {
  const { maxInputTokens: _, ...price } = flat
  expect(worst({ input: userSays([{ type: 'input_file', file_id: 'f' }]) }, { price }).inputTokens).toBeGreaterThan(
    1_048_576,
  )
})

test('a text that begins like embedded data is a text', () => {
  expect(worst({ input: userSays(`data:${'x'.repeat(9_000)}`) }).inputTokens).toBeGreaterThan(9_000)
})

test('the dearest rate that may apply is taken', () => {
  const least = worst({ settings: { maxTokens: 1000 } }).usd
  const usd = (rates: Partial<ModelPrice>) =>
    worst({ settings: { maxTokens: 1000 } }, { price: { ...flat, ...rates } }).usd
  expect(usd({ cacheReadUsdPerMillion: 0.1, reasoningUsdPerMillion: 1 })).toBe(least)
  expect(usd({ audioInputUsdPerMillion: 99, audioOutputUsdPerMillion: 99 })).toBe(least)
  expect(usd({ cacheWriteUsdPerMillion: 2 })).toBeGreaterThan(least)
  expect(usd({ reasoningUsdPerMillion: 20 }) - least).toBeCloseTo(0.01)
})

test('audio is charged at its own rates', () => {
  const input = userSays([{ type: 'input_audio', data: '' }])
  const price = { ...flat, audioInputUsdPerMillion: 50 }
  expect(worst({ input }, { price }).usd).toBeGreaterThan((200_000 * 50) / 1e6)
})

test('a tier counts once the input may reach it, and never lowers a price', () => {
  const usd = (inputUsdPerMillion: number, size: number) =>
    worst(
      { instructions: 'x'.repeat(size), settings: { maxTokens: 1 } },
      { price: { ...flat, tiers: [{ aboveInputTokens: 50_000, inputUsdPerMillion }] } },
    ).usd
  expect(usd(9, 10)).toBe(usd(1, 10))
  expect(usd(9, 60_000)).toBeGreaterThan(8 * usd(1, 60_000))
  expect(usd(0.1, 60_000)).toBe(usd(1, 60_000))
})
