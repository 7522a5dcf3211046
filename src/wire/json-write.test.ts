import fc from 'fast-check'
import { expect, test } from 'vitest'
import { writeJson } from './json-write.ts'

test('long lists are written as JSON.stringify writes them', async () => {
  const value = fc.oneof(fc.jsonValue(), fc.constant(undefined))
  const object = fc.dictionary(fc.string(), fc.oneof(value, fc.array(value, { maxLength: 4 })))
  await fc.assert(
    fc.asyncProperty(object, async (given) => {
      const sent = { ...given, input: Array.from({ length: 600 }, (_, index) => Object.values(given)[index % 7]) }
      expect(await writeJson(sent)).toBe(JSON.stringify(sent))
    }),
    { numRuns: 50 },
  )
})
