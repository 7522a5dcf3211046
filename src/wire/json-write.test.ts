import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeJson, isShortJson, writeJson, writePieces } from './json-write.ts'
import { toWellFormedJson } from './well-formed.ts'

const LONG = 200_000
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string())
const value = fc.oneof(fc.jsonValue(), fc.constant(undefined), fc.date({ noInvalidDate: true }))
/** Values of all kinds in long texts, long lists and objects, inside each other. */
const parts = fc.tuple(
  fc.dictionary(text, fc.oneof(value, fc.array(value, { maxLength: 4 }))),
  text,
  fc.nat({ max: 70_000 }),
)
const enlarge = ([object, part, odd]: [object, string, number]) => ({
  ...object,
  text: 'x'.repeat(LONG + odd) + `${part}\u{1f600}"\\\n\ud800`.repeat(LONG / (part.length + 6)),
  list: Array.from({ length: LONG / 20 }, (_, index) => (index % 9 === 8 ? object : Object.values(object)[index % 7])),
  inner: [{ deep: [part.repeat(LONG / (part.length + 1)), object, undefined, 'y'.repeat(LONG)] }, [], {}],
  nothing: undefined,
})

test('large values are written as JSON.stringify writes them', async () => {
  await fc.assert(
    fc.asyncProperty(parts, async (small) => {
      const sent = enlarge(small)
      const expected = JSON.stringify(sent)
      expect(String(await writeJson(sent)) === toWellFormedJson(expected)).toBe(true)
      expect(Buffer.concat(await encodeJson(sent)).toString() === expected).toBe(true)
    }),
    { numRuns: 8 },
  )
})

test('no piece is long, whatever the value', () => {
  for (const sent of [
    'x'.repeat(1_000_000),
    ['x'.repeat(1_000_000), 1],
    Array.from({ length: 200_000 }, () => 1),
    { a: { b: Array.from({ length: 200_000 }, () => ({})) } },
  ])
    for (const piece of writePieces(sent)) expect(piece.length).toBeLessThanOrEqual(70_000)
  expect(isShortJson({ a: 'x'.repeat(1_000) })).toBe(true)
})
