import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent, Handoff, type Model, type ModelResponse, type Prices, tool, type Usage } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, type Frame, final, post, readFrames, startServer, useUpstream } from './support/client.ts'
import { startEvents } from './support/upstream.ts'

const agent = (name: string, options = {}) =>
  new Agent({ name, instructions: `I am ${name}.`, model: 'gpt-4.1', ...options })
const tokens = (input: number, output: number, more: object = {}) => ({
  input_tokens: input,
  output_tokens: output,
  total_tokens: input + output,
  ...more,
})
const look = tool({ name: 'look', execute: () => 'seen' })
const ask = (recipient: string) => ({
  name: 'send_message',
  arguments: { recipient_agent: recipient, message: 'go', additional_instructions: '' },
})

/** Everything that was said in deltas. */
const deltasOf = (frames: readonly Frame[]): string =>
  frames
    .map(({ data }) => (data?.data?.data?.type === 'response.output_text.delta' ? data.data.data.delta : ''))
    .join('')

/** Keeps warnings off the screen until the test is over. */
function quiet() {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  onTestFinished(() => warn.mockRestore())
  return warn
}

/** An in-process run of one agent whose model reports this usage. */
async function usageOf(model: string, usage: object | undefined, prices?: Prices): Promise<Usage> {
  const output: ModelResponse['output'] = [{ type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }]
  const scripted: Model = {
    name: model,
    streamTurn: () => {
      throw new Error('only asked plainly')
    },
    completeTurn: async () => ({ output, usage: usage as ModelResponse['usage'] & {} }),
  }
  const result = await new Agency(agent('Solo', { model: scripted })).getResponse('Hi', prices ? { prices } : {})
  return result.usage as Usage
}

test('each response has its own price tier and cache prices', async () => {
  promise('D2', 'D3')
  const details = { input_tokens_details: { cached_tokens: 100_000, cache_write_tokens: 50_000 } }
  await useUpstream((_body, index) =>
    index % 2 === 0
      ? { calls: [{ name: 'look', arguments: {} }], usage: tokens(200_000, 1000, details) }
      : { text: 'Done', usage: tokens(300_000, 1000, details) },
  )
  const { url } = await startServer({
    agencies: { solo: new Agency(agent('Solo', { model: 'gpt-5.6-luna', tools: [look] })) },
  })
  // The sum of both is above the tier's 272,000 tokens; only the second request is.
  const below = 50_000 * 0.2 + 100_000 * 0.02 + 50_000 * 0.25 + 1000 * 1.2
  const above = 150_000 * 0.4 + 100_000 * 0.04 + 50_000 * 0.5 + 1000 * 1.8
  const expected = {
    request_count: 2,
    cached_tokens: 200_000,
    cache_write_tokens: 100_000,
    input_tokens: 500_000,
    output_tokens: 2000,
    total_tokens: 502_000,
    total_cost: expect.closeTo((below + above) / 1e6, 12),
  }
  expect(final(await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })).usage).toEqual(expected)
  const plain = (await (await post(`${url}/solo/get_response`, { message: 'Hi' })).json()) as { usage: Usage }
  expect(plain.usage).toEqual(expected)
})

test('each agent has the price of its own model', async () => {
  promise('D3')
  await useUpstream((body) => {
    const done = (body.input as { type?: string }[]).at(-1)?.type === 'function_call_output'
    if (body.instructions === 'I am Lead.')
      return done
        ? { calls: [{ name: 'transfer_to_Last', arguments: { recipient_agent: 'Last' } }], usage: tokens(1000, 100) }
        : { calls: [ask('Helper')], usage: tokens(1000, 100) }
    return { text: 'Done', usage: tokens(10_000, 200) }
  })
  const [lead, helper, last] = [
    agent('Lead'),
    agent('Helper', { model: 'gpt-4.1-mini' }),
    agent('Last', { model: 'o3-2025-04-16' }),
  ]
  const team = new Agency(lead, {
    communicationFlows: [
      [lead, helper],
      [lead, last, Handoff],
    ],
  })
  const { url } = await startServer({ agencies: { team } })
  const { usage } = final(await allFrames(`${url}/team/get_response_stream`, { message: 'Hi' }))
  const cost = 2 * (1000 * 2 + 100 * 8) + (10_000 * 0.4 + 200 * 1.6) + (10_000 * 2 + 200 * 8)
  expect(usage).toMatchObject({ request_count: 4, total_cost: expect.closeTo(cost / 1e6, 12) })
})

test('reasoning and audio tokens are counted and priced', async () => {
  promise('D2', 'D3')
  const usage = tokens(1000, 500, {
    input_tokens_details: { audio_tokens: 400 },
    output_tokens_details: { reasoning_tokens: 100, audio_tokens: 300 },
  })
  const audio = await usageOf('gpt-audio', usage)
  expect(audio).toMatchObject({ reasoning_tokens: 100, audio_tokens: 700 })
  expect(audio.total_cost).toBeCloseTo((600 * 2.5 + 400 * 32 + 200 * 10 + 300 * 64) / 1e6, 12)
  const plain = await usageOf('gpt-4.1', usage)
  expect(plain.total_cost).toBeCloseTo((1000 * 2 + 500 * 8) / 1e6, 12)
  const reasoning = await usageOf('perplexity/sonar-deep-research', usage)
  expect(reasoning.total_cost).toBeCloseTo((1000 * 2 + 400 * 8 + 100 * 3) / 1e6, 12)
  const none = await usageOf('gpt-4.1', tokens(1, 1))
  expect(none).not.toHaveProperty('reasoning_tokens')
  expect(none).not.toHaveProperty('audio_tokens')
})

test('the price lookup tries the full name, then shorter ones', async () => {
  promise('D3')
  const cost = async (model: string, prices?: Prices) => (await usageOf(model, tokens(1_000_000, 0), prices)).total_cost
  expect(await cost('gemini/gemini-2.5-pro')).toBe(2.5) // the tier above 200,000 tokens
  expect(await cost('somewhere/else/gpt-4.1')).toBe(2)
  expect(await cost('somewhere/gpt-4.1-2099-12-31')).toBe(2)
  expect(await cost('gpt-4.1-turbocharged')).toBe(2)
  const mine = { inputUsdPerMillion: 7, outputUsdPerMillion: 0 }
  expect(await cost('gpt-4.1', { 'gpt-4.1': mine })).toBe(7)
  expect(await cost('gpt-4.1-mini', { 'gpt-4.1': mine })).toBe(0.4) // an exact name is worth more than one's own
  expect(await cost('our-model', { 'our-model': mine })).toBe(7)
  expect(await cost('__proto__', { 'our-model': mine })).toBe(0)
})

test('the prices option overrides and adds prices, with tiers', async () => {
  promise('D3')
  const prices: Prices = {
    house: {
      inputUsdPerMillion: 1,
      outputUsdPerMillion: 2,
      cacheReadUsdPerMillion: 0.5,
      cacheWriteUsdPerMillion: 1.5,
      reasoningUsdPerMillion: 3,
      tiers: [
        { aboveInputTokens: 20_000, inputUsdPerMillion: 100 },
        { aboveInputTokens: 10_000, inputUsdPerMillion: 10, outputUsdPerMillion: 20 },
      ],
    },
  }
  const details = {
    input_tokens_details: { cached_tokens: 1000, cache_write_tokens: 1000 },
    output_tokens_details: { reasoning_tokens: 400 },
  }
  const low = (8000 * 1 + 1000 * 0.5 + 1000 * 1.5 + 600 * 2 + 400 * 3) / 1e6
  const middle = (13_000 * 10 + 1000 * 0.5 + 1000 * 1.5 + 600 * 20 + 400 * 3) / 1e6
  const high = (28_000 * 100 + 1000 * 0.5 + 1000 * 1.5 + 600 * 20 + 400 * 3) / 1e6
  for (const [input, cost] of [
    [10_000, low],
    [15_000, middle],
    [30_000, high],
  ] as const) {
    expect((await usageOf('house', tokens(input, 1000, details), prices)).total_cost).toBeCloseTo(cost, 12)
    await useUpstream(() => ({ text: 'Hi', usage: tokens(input, 1000, details) }))
    const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo', { model: 'house' })) }, prices })
    const { usage } = final(await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' }))
    expect(usage.total_cost).toBeCloseTo(cost, 12)
  }
})

test('a price that is none is an error at start that says where', async () => {
  promise('A12')
  const solo = new Agency(agent('Solo', { model: 'demo' }))
  const start = (prices: unknown) => startServer({ agencies: { solo }, prices: prices as Prices })
  const fine = { inputUsdPerMillion: 1, outputUsdPerMillion: 1 }
  for (const [prices, sentence] of [
    [[fine], /prices is an object/],
    [{ m: 1 }, /prices\["m"\] has to be an object/],
    [{ m: { inputUsdPerMillion: 1 } }, /needs inputUsdPerMillion and outputUsdPerMillion/],
    [{ m: { ...fine, input: 1 } }, /unknown price "input"/],
    [{ m: { ...fine, cacheReadUsdPerMillion: -1 } }, /cacheReadUsdPerMillion has to be a number/],
    [{ m: { ...fine, reasoningUsdPerMillion: Number.NaN } }, /not NaN/],
    [{ m: { ...fine, outputUsdPerMillion: '3' } }, /outputUsdPerMillion has to be a number/],
    [{ m: { ...fine, tiers: {} } }, /tiers is a list/],
    [{ m: { ...fine, tiers: [{ inputUsdPerMillion: 1 }] } }, /tiers\[0\] needs aboveInputTokens/],
    [{ m: { ...fine, tiers: [{ aboveInputTokens: 1, inputUsd: 1 }] } }, /tiers\[0\] has the unknown price "inputUsd"/],
  ] as const)
    await expect(start(prices)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(sentence),
    })
  await expect(solo.getResponse('Hi', { prices: { m: {} } as never })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})

test('a model without a price costs nothing, with one warning', async () => {
  promise('D3')
  const warn = quiet()
  await useUpstream(() => ({ text: 'Hi', usage: tokens(1000, 1000) }))
  const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo', { model: 'homemade' })) } })
  const run = async (client_config?: object) =>
    final(await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi', client_config })).usage
  for (let round = 0; round < 3; round++)
    expect(await run()).toMatchObject({ total_cost: 0, input_tokens: 1000, request_count: 1 })
  expect(warn.mock.calls.map(([text]) => text)).toEqual([expect.stringContaining('"homemade"')])
  for (let index = 0; index < 120; index++) await run({ model: `odd\u001b[31m\n${index}` })
  const said = warn.mock.calls.map(([text]) => String(text)).filter((text) => text.includes('price'))
  expect(said).toHaveLength(100)
  expect(said.join('')).not.toMatch(/\p{Cc}/u)
  const silent = new Agency(agent('Solo', { model: 'demo' }))
  await silent.getResponse('Hi')
  expect(warn.mock.calls.flat().join('')).not.toContain('"demo"')
})

test('usage is valid JSON for any report of a provider', async () => {
  promise('D2', 'D3')
  const odd = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MAX_VALUE, Number.NaN, -1, '12', '', null, undefined, [], {}, true),
    fc.nat(),
  )
  const object = (keys: readonly string[]) =>
    fc.oneof(odd, fc.record(Object.fromEntries(keys.map((key) => [key, odd])), { requiredKeys: [] }))
  const usages = fc.oneof(
    odd,
    fc.record(
      {
        input_tokens: odd,
        output_tokens: odd,
        total_tokens: odd,
        input_tokens_details: object(['cached_tokens', 'cache_write_tokens', 'audio_tokens']),
        output_tokens_details: object(['reasoning_tokens', 'audio_tokens']),
      },
      { requiredKeys: [] },
    ),
  )
  const models = fc.constantFrom('gpt-4.1', 'gpt-5.6-luna', 'gpt-audio', 'gemini/gemini-2.5-pro', 'nobody-knows-it')
  quiet()
  await fc.assert(
    fc.asyncProperty(models, usages, async (model, reported) => {
      const usage = await usageOf(model, reported as object)
      for (const [key, value] of Object.entries(usage)) {
        expect(Number.isFinite(value), key).toBe(true)
        expect(value, key).toBeGreaterThanOrEqual(0)
        if (key !== 'total_cost') expect(Number.isInteger(value), key).toBe(true)
      }
      expect(usage.request_count).toBe(1)
      expect(JSON.parse(JSON.stringify(usage))).toEqual(usage)
    }),
    { numRuns: 300 },
  )
})

test('costs add up, and more tokens never cost less', async () => {
  promise('D3')
  const size = fc.integer({ min: 0, max: 2_000_000 })
  const usages = fc.record({ input: size, output: size, cached: size })
  const models = ['gpt-4.1', 'gpt-5.6-luna', 'gpt-5.4', 'gemini/gemini-2.5-pro', 'claude-sonnet-4-5']
  const report = ({ input, output, cached }: { input: number; output: number; cached: number }) =>
    tokens(input, output, { input_tokens_details: { cached_tokens: Math.min(cached, input) } })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...models), usages, size, async (model, usage, more) => {
      const cost = async (of: typeof usage) => (await usageOf(model, report(of))).total_cost
      const base = await cost(usage)
      expect(await cost({ ...usage, input: usage.input + more })).toBeGreaterThanOrEqual(base - 1e-9)
      expect(await cost({ ...usage, output: usage.output + more })).toBeGreaterThanOrEqual(base)
    }),
    { numRuns: 100 },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(usages, { minLength: 1, maxLength: 6 }), async (turns) => {
      const single = await Promise.all(
        turns.map(async (turn) => (await usageOf('gpt-5.6-luna', report(turn))).total_cost),
      )
      await useUpstream((_body, index) => {
        const usage = report(turns[index] as (typeof turns)[0])
        return index < turns.length - 1 ? { calls: [{ name: 'look', arguments: {} }], usage } : { text: 'Done', usage }
      })
      const solo = new Agency(agent('Solo', { model: 'gpt-5.6-luna', tools: [look] }))
      const { usage } = await solo.getResponse('Hi')
      expect(usage?.total_cost).toBeCloseTo(
        single.reduce((sum, cost) => sum + cost, 0),
        9,
      )
      expect(usage?.input_tokens).toBe(turns.reduce((sum, turn) => sum + turn.input, 0))
    }),
    { numRuns: 10 },
  )
})

test('a cancelled stream reports its usage, partly estimated', async () => {
  promise('D5')
  await useUpstream((body) =>
    body.instructions === 'I am Helper.'
      ? { text: 'never', deltas: 10_000, delayMs: 2 }
      : { calls: [ask('Helper')], usage: tokens(1000, 100) },
  )
  const [lead, helper] = [agent('Lead'), agent('Helper', { model: 'gpt-4.1-mini' })]
  const { url } = await startServer({ agencies: { team: new Agency(lead, { communicationFlows: [[lead, helper]] }) } })
  const frames: Frame[] = []
  let deltas = 0
  for await (const frame of readFrames(`${url}/team/get_response_stream`, { message: 'Story' })) {
    frames.push(frame)
    if (frame.data?.data?.data?.type === 'response.output_text.delta' && ++deltas === 20)
      await post(`${url}/team/cancel_response_stream`, { run_id: frames[0]?.data.run_id })
  }
  // "I am Helper." and the item's "go", "user", "message": 12 + 2 + 4 + 7 characters, four to a token.
  const [input, output] = [Math.ceil(25 / 4), Math.ceil(deltasOf(frames).length / 4)]
  expect(final(frames)).toMatchObject({ cancelled: true })
  expect(final(frames).usage).toEqual({
    request_count: 2,
    cached_tokens: 0,
    cache_write_tokens: 0,
    input_tokens: 1000 + input,
    output_tokens: 100 + output,
    total_tokens: 1100 + input + output,
    total_cost: expect.closeTo((1000 * 2 + 100 * 8 + input * 0.4 + output * 1.6) / 1e6, 12),
    estimated: true,
  })
})

test('a stopped plain run counts the input of its call', async () => {
  promise('D5')
  const upstream = await useUpstream(() => ({ hang: true }))
  const stop = new AbortController()
  const parts = [
    { type: 'input_text', text: 'x'.repeat(4000) },
    { type: 'input_image', image_url: `data:image/png;base64,${'A'.repeat(1_000_000)}` },
  ]
  const running = new Agency(agent('Solo')).getResponse([{ role: 'user', content: parts }], { signal: stop.signal })
  await expect.poll(() => upstream.seen.length).toBe(1)
  stop.abort()
  const { usage, cancelled } = await running
  expect(cancelled).toBe(true)
  expect(usage).toMatchObject({ request_count: 1, output_tokens: 0, estimated: true })
  expect(usage?.input_tokens).toBeGreaterThanOrEqual(1000)
  expect(usage?.input_tokens).toBeLessThan(1100)
})

test('rejected turns count nothing, broken ones are estimated', async () => {
  promise('D5')
  const run = async (turn: Parameters<typeof useUpstream>[0]) => {
    await useUpstream(turn)
    const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo')) } })
    const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
    return { said: deltasOf(frames), usage: final(frames).usage }
  }
  const nothing = { request_count: 0, input_tokens: 0, output_tokens: 0, total_tokens: 0, total_cost: 0 }
  const refused = await run(() => ({ status: 400, message: 'no' }))
  expect(refused.usage).toEqual({ ...nothing, cached_tokens: 0, cache_write_tokens: 0 })
  const cut = await run(() => ({ text: '', cut: true, deltas: 12, delayMs: 5 }))
  expect(cut.said.length).toBeGreaterThan(8)
  const output_tokens = Math.ceil(cut.said.length / 4)
  expect(cut.usage).toMatchObject({ request_count: 1, input_tokens: 6, output_tokens, estimated: true })

  const gateway = async (events: object[]) => {
    const server = await startEvents(events.map((event) => JSON.stringify(event)))
    onTestFinished(() => server.close())
    await useUpstream(() => ({ hang: true }))
    process.env.OPENAI_BASE_URL = server.baseURL
    const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo')) } })
    return final(await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })).usage
  }
  const created = { type: 'response.created', response: { id: 'resp_1', output: [] } }
  const incomplete = { id: 'resp_1', incomplete_details: { reason: 'max_output_tokens' }, usage: tokens(900, 50) }
  const known = await gateway([created, { type: 'response.incomplete', response: incomplete }])
  expect(known).toMatchObject({ request_count: 1, input_tokens: 900, output_tokens: 50 })
  expect(known).not.toHaveProperty('estimated')
  const failed = { type: 'response.failed', response: { error: { message: 'overloaded' }, usage: null } }
  expect(await gateway([created, failed])).toMatchObject({ request_count: 1, output_tokens: 0, estimated: true })
  expect(await gateway([failed])).toMatchObject(nothing)
})

test('agents with includeUsage: false are not counted', async () => {
  promise('D4')
  const uncounted = { modelSettings: { includeUsage: false } }
  const scripted = (body: { [key: string]: unknown }) => {
    const done = (body.input as { type?: string }[]).at(-1)?.type === 'function_call_output'
    return body.instructions === 'I am Lead.' && !done
      ? { calls: [ask('Helper')], usage: tokens(1000, 100) }
      : { text: 'Done', usage: tokens(1000, 100) }
  }
  await useUpstream(scripted)
  const team = (lead: object, helper: object) => {
    const [a, b] = [agent('Lead', lead), agent('Helper', helper)]
    return new Agency(a, { communicationFlows: [[a, b]] })
  }
  const { url } = await startServer({ agencies: { helper: team({}, uncounted), both: team(uncounted, uncounted) } })
  const run = async (path: string, body: object = {}) =>
    final(await allFrames(`${url}/${path}/get_response_stream`, { message: 'Hi', ...body }))
  expect((await run('helper')).usage).toMatchObject({ request_count: 2, input_tokens: 2000 })
  expect(await run('helper', { recipient_agent: 'Helper' })).not.toHaveProperty('usage')
  expect(await run('both')).not.toHaveProperty('usage')
  const plain = await post(`${url}/both/get_response`, { message: 'Hi' })
  expect(await plain.json()).not.toHaveProperty('usage')
  await useUpstream(() => ({ status: 400, message: 'no' }))
  const { url: again } = await startServer({ agencies: { both: team(uncounted, uncounted) } })
  expect(final(await allFrames(`${again}/both/get_response_stream`, { message: 'Hi' }))).not.toHaveProperty('usage')
})

test('hooks see the usage of every model call, streamed or not', async () => {
  promise('F1')
  await useUpstream(() => ({ text: 'Hi', usage: tokens(7, 3) }))
  const seen: unknown[] = []
  const hooks = { onLlmEnd: (_c: unknown, _a: unknown, response: { usage?: unknown }) => seen.push(response.usage) }
  const solo = new Agency(agent('Solo'))
  await solo.getResponse('Hi', { hooks })
  await solo.getResponseStream('Hi', { hooks }).finalResult
  expect(seen).toEqual([tokens(7, 3), tokens(7, 3)])
})
