import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Model, TurnRequest } from '../models/model.ts'
import { createPriceList } from '../models/pricing/prices.ts'
import { UNASKED_USAGE } from '../models/usage.ts'
import {
  type CostAccount,
  createMemoryAccount,
  Ledger,
  type LedgerBound,
  type LedgerOptions,
  payFor,
  type Used,
} from './ledger.ts'

const prices = { ours: { inputUsdPerMillion: 0, outputUsdPerMillion: 1_000 } }
/** At most 0.10 dollars. */
const request: TurnRequest = { instructions: undefined, input: [], tools: [], settings: { maxTokens: 100 } }
const model = { name: 'ours' } as Model
const never = new AbortController().signal

function createLedger({
  limitUsd = 1,
  account = createMemoryAccount(),
  roomWaitMs = 5_000,
  clientConfig = null,
}: {
  limitUsd?: number
  account?: CostAccount
  roomWaitMs?: number
  clientConfig?: LedgerOptions['clientConfig']
}) {
  const bounds: LedgerBound[] = [{ of: 'run', scope: 'run', limitUsd }]
  const ledger = new Ledger({ ...createPriceList(prices, () => {}), account, bounds, clientConfig, roomWaitMs })
  const call = (make: () => Promise<unknown>, used: () => Used = () => ({ output_tokens: 1 }), signal = never) =>
    payFor({ ledger, model, request, signal }, make, used)
  /** What has room now. */
  const room = async () => {
    const answer = await account.reserve('probe', limitUsd, bounds)
    if (answer.granted) return limitUsd
    return limitUsd - answer.full.spentUsd - answer.full.reservedUsd
  }
  return { ledger, call, room }
}
const done = async () => 'done'
const failing = (fields: object) => () => Promise.reject(Object.assign(new Error('failed'), fields))

test('without a ledger a call is just made', async () => {
  expect(
    await payFor(
      { ledger: undefined, model, request, signal: never },
      async (sent) => sent,
      () => null,
    ),
  ).toBe(request)
})

test.each([
  { name: 'reported usage', make: done, used: { output_tokens: 40 }, usd: 0.04 },
  { name: 'more than was reserved', make: done, used: { output_tokens: 300 }, usd: 0.3 },
  { name: 'an answer without usage', make: done, used: undefined, usd: 0.1 },
  { name: 'an answer whose usage is zeros', make: done, used: { input_tokens: 0, output_tokens: 0 }, usd: 0.1 },
  { name: 'an answer that no provider was asked for', make: done, used: UNASKED_USAGE, usd: 0 },
  { name: 'an answer that was cut off', make: failing({}), used: 'unknown' as const, usd: 0.1 },
  { name: 'a failure that reports usage', make: failing({ status: 500 }), used: { output_tokens: 7 }, usd: 0.007 },
  { name: 'a refusal', make: failing({ status: 400 }), used: undefined, usd: 0 },
  { name: 'a refusal after parts of an answer', make: failing({ status: 500 }), used: 'unknown' as const, usd: 0.1 },
  { name: 'a failure that says nothing', make: failing({}), used: undefined, usd: 0.1 },
])('$name costs $usd dollars', async ({ make, used, usd }) => {
  const { call, room } = createLedger({})
  await call(make, () => used).catch(() => {})
  expect(await room()).toBeCloseTo(1 - usd)
})

test('an address of the caller cannot report more than was reserved', async () => {
  const { call, room } = createLedger({ clientConfig: { base_url: 'https://gateway.example.com/v1' } })
  await call(done, () => ({ output_tokens: 10 ** 12 }))
  expect(await room()).toBeCloseTo(0.9)
})

test('a call waits while only the reservations of others stand in its way', async () => {
  const { call } = createLedger({ limitUsd: 0.15 })
  const gate = Promise.withResolvers<void>()
  const order: string[] = []
  const first = call(async () => {
    await gate.promise
    order.push('first')
  })
  const second = call(async () => void order.push('second'))
  await sleep(30)
  expect(order).toEqual([])
  gate.resolve()
  await Promise.all([first, second])
  expect(order).toEqual(['first', 'second'])
})

test('a call that waited too long is refused, and says what is reserved', async () => {
  const { call } = createLedger({ limitUsd: 0.15, roomWaitMs: 20 })
  const gate = Promise.withResolvers<void>()
  const first = call(() => gate.promise)
  await expect(call(done)).rejects.toMatchObject({
    code: 'COST_LIMIT',
    message: expect.stringContaining('of the $0.15 for this run, $0 are spent and $0.1 are reserved.'),
  })
  gate.resolve()
  await first
})

test('after a refusal no call is made, even where it would have room', async () => {
  const { ledger, call } = createLedger({ limitUsd: 0.05 })
  await expect(call(done)).rejects.toMatchObject({ code: 'COST_LIMIT' })
  const small = { ...request, settings: { maxTokens: 1 } }
  await expect(ledger.reserve(model, small, never)).rejects.toMatchObject({ code: 'COST_LIMIT' })
})

test('an abort ends the wait for room', async () => {
  const { call } = createLedger({ limitUsd: 0.15 })
  const gate = Promise.withResolvers<void>()
  const first = call(() => gate.promise)
  const abort = new AbortController()
  const second = call(done, undefined, abort.signal)
  abort.abort(new Error('cancelled'))
  await expect(second).rejects.toThrow('cancelled')
  gate.resolve()
  await first
})

test('a reservation that comes after an abort is given back', async () => {
  const abort = new AbortController()
  const inner = createMemoryAccount()
  const account: CostAccount = {
    settle: inner.settle,
    reserve(...given) {
      abort.abort(new Error('cancelled'))
      return inner.reserve(...given)
    },
  }
  const { call, room } = createLedger({ account })
  await expect(call(done, undefined, abort.signal)).rejects.toThrow('cancelled')
  expect(await room()).toBe(1)
})

test('a model without a price is refused before it is asked', async () => {
  const { ledger } = createLedger({})
  await expect(ledger.reserve({ name: 'unknown' } as Model, request, never)).rejects.toMatchObject({
    code: 'MODEL_NOT_PRICED',
  })
})
