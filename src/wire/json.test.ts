import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonRefused, parseJson } from './json.ts'

const ALL = { depth: 1_000, keys: 1_000_000, values: 1_000_000 }
/** Every key but the one that is refused. */
const key = fc
  .oneof(
    fc.constantFrom('constructor', 'toString', '__proto', 'a"b', '\\', '__proto__x'),
    fc.string({ unit: 'binary', maxLength: 40 }),
  )
  .filter((text) => text !== '__proto__')
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('__proto__', '"__proto__":', '\\"', '\\\\', '[{', '\u2028'),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
  ),
}))

/** The sizes that the bounds are about, by walking the value. */
function measure(value: unknown): { depth: number; keys: number; values: number } {
  if (typeof value !== 'object' || value === null) return { depth: 0, keys: 0, values: 1 }
  const parts = Object.values(value).map(measure)
  const own = Array.isArray(value) ? 0 : parts.length
  return {
    depth: 1 + Math.max(0, ...parts.map((part) => part.depth)),
    keys: Math.max(own, ...parts.map((part) => part.keys)),
    values: 1 + parts.reduce((sum, part) => sum + part.values, 0),
  }
}

test('JSON within its bounds is parsed as by JSON.parse', () => {
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 1, '\t'), fc.boolean(), (sent, indent, escaped) => {
      const text = JSON.stringify(sent, null, indent)
      const written = escaped
        ? text.replace(/[^\x20-\x7e\n\t]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
        : text
      expect(parseJson(written, ALL)).toEqual(JSON.parse(written))
    }),
    { numRuns: 300 },
  )
})

test('depth and keys are counted exactly, values never too low', () => {
  const refuses = (text: string, bounds: typeof ALL) => {
    try {
      parseJson(text, bounds)
      return false
    } catch (error) {
      expect(error).toBeInstanceOf(JsonRefused)
      return true
    }
  }
  fc.assert(
    fc.property(value, (sent) => {
      const text = JSON.stringify(sent)
      const { depth, keys, values } = measure(sent)
      expect(refuses(text, { ...ALL, depth }), text).toBe(false)
      if (depth > 0) expect(refuses(text, { ...ALL, depth: depth - 1 }), text).toBe(true)
      expect(refuses(text, { ...ALL, keys }), text).toBe(false)
      if (keys > 0) expect(refuses(text, { ...ALL, keys: keys - 1 }), text).toBe(true)
      expect(refuses(text, { ...ALL, values: 2 * values }), text).toBe(false)
      if (depth > 0) expect(refuses(text, { ...ALL, values: values - 1 }), text).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('the key __proto__ is rejected as a key, not as a text', () => {
  const spelling = fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }).map((escapes) =>
    Array.from('__proto__', (char, index) => {
      const code = char.charCodeAt(0).toString(16)
      return escapes[index] ? `\\u00${index % 2 === 0 ? code : code.toUpperCase()}` : char
    }).join(''),
  )
  fc.assert(
    fc.property(spelling, fc.nat(3), fc.constantFrom('', ' ', '\n\t'), (name, depth, gap) => {
      const text = `${'{"a":['.repeat(depth)}{"b":1,"${name}"${gap}:{}}${']}'.repeat(depth)}`
      expect(() => parseJson(text, ALL), text).toThrow(JsonRefused)
      expect(() => parseJson(`["${name}"${gap}]`, ALL)).not.toThrow()
      expect(() => parseJson(`{"a":"${name}"${gap}}`, ALL)).not.toThrow()
    }),
  )
})
