import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Pieces } from './pieces.ts'

test('pieces of any sizes come back as what they were together', () => {
  const sizes = fc.array(fc.oneof(fc.nat(3), fc.nat(70_000)), { maxLength: 40 })
  fc.assert(
    fc.property(sizes, (lengths) => {
      const given = lengths.map((length, index) => Buffer.alloc(length, index + 1))
      const pieces = new Pieces()
      for (const piece of given) pieces.add(piece)
      expect(Buffer.concat(pieces.list()).equals(Buffer.concat(given))).toBe(true)
      expect(pieces.whole().equals(Buffer.concat(given))).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test('a piece alone is not copied, and tiny ones share blocks', () => {
  const alone = Buffer.from('whole')
  const one = new Pieces()
  one.add(alone)
  expect(one.whole()).toBe(alone)
  const many = new Pieces()
  for (let index = 0; index < 100_000; index++) many.add(Buffer.from('x'))
  expect(many.list().length).toBeLessThan(5)
})
