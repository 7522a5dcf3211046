import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Budget, VALUE_BYTES, weigh } from './budget.ts'

class Full extends Error {}
const refuse = (bound: number) => new Full(`${bound}`)
const NO_BOUND = { bound: Number.POSITIVE_INFINITY, refuse }

/** What a charge throws; undefined when it fits. */
function charge(budget: Budget, bytes: number): unknown {
  try {
    budget.charge(bytes)
    return undefined
  } catch (error) {
    return error
  }
}

test('closed parts return everything, in any order of operations', () => {
  const step = fc.record({
    part: fc.nat(9),
    act: fc.constantFrom('charge', 'charge', 'release', 'close', 'share'),
    bytes: fc.nat(400),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.boolean(), (steps, fair) => {
      const root = new Budget({ bound: 1_000, refuse, fair })
      const parts: Budget[] = []
      for (let index = 0; index < 10; index++)
        parts.push(index < 4 ? root.part({ bound: 600, refuse }) : (parts[index - 4] as Budget).part())
      const users = parts.map(() => 1)
      for (const { part: index, act, bytes } of steps) {
        const part = parts[index] as Budget
        const before = root.heldBytes
        if (act === 'charge') {
          if (charge(part, bytes) instanceof Full) expect(root.heldBytes).toBe(before)
        } else if (act === 'release') part.release(bytes)
        else if (act === 'share' && (users[index] as number) > 0) {
          part.share()
          users[index] = (users[index] as number) + 1
        } else if (act === 'close') {
          part.close()
          users[index] = Math.max(0, (users[index] as number) - 1)
        }
        expect(root.heldBytes).toBeLessThanOrEqual(1_000)
        expect(root.heldBytes).toBeGreaterThanOrEqual(0)
      }
      for (const [index, part] of parts.entries())
        for (let left = users[index] as number; left > 0; left--) part.close()
      expect(root.heldBytes).toBe(0)
      for (const part of parts) charge(part, 1)
      expect(root.heldBytes).toBe(0)
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['large', 10, 1 / 100],
  ['of middle size', 5_000, 1 / 1_000],
])('small parts get something beside many %s parts', (_name, count, share) => {
  const bound = 1_000_000
  const root = new Budget({ bound, refuse, fair: true })
  for (let index = 0; index < count; index++) {
    const part = root.part(NO_BOUND)
    if (charge(part, share * bound) !== undefined) break
    while (share === 1 / 100 && charge(part, 100) === undefined);
  }
  for (let index = 0; index < 200; index++) expect(charge(root.part(NO_BOUND), bound / 2_500)).toBeUndefined()
})

test('a charge beyond a bound is refused by the budget whose bound it is', () => {
  const root = new Budget({ bound: 100, refuse: () => new Error('process') })
  const run = root.part({ bound: 50, refuse: () => new Error('run') })
  const call = run.part()
  expect(charge(call, 60)).toMatchObject({ message: 'run' })
  root.part(NO_BOUND).charge(70)
  expect(charge(call, 40)).toMatchObject({ message: 'process' })
  expect([root.heldBytes, run.heldBytes, call.heldBytes]).toEqual([70, 0, 0])
})

test.each([
  ['a text', 'abc', VALUE_BYTES + 3],
  ['a number', 7, VALUE_BYTES],
  ['lists in lists', [[], []], 3 * VALUE_BYTES],
  ['an object', { key: 'value' }, 2 * VALUE_BYTES + 8],
  ['a long text whose JSON is longer', '\u0000'.repeat(2_000), VALUE_BYTES + 12_000],
  ['bytes', new Uint8Array(500), VALUE_BYTES + 500],
])('%s weighs its texts and a fixed weight for each value', (_name, value, bytes) => {
  expect(weigh(value)).toBe(bytes)
})

test('a text weighs no less than its JSON', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const long = text.repeat(Math.ceil(2_000 / Math.max(1, text.length))).toWellFormed()
      expect(weigh(long)).toBeGreaterThanOrEqual(JSON.stringify(long).length)
    }),
  )
})
