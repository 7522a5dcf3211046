import { expect, test } from 'vitest'
import { createPlaceMask, createRedactor, textsOf, toLogLine } from './redact.ts'

test('secrets are masked in URLs, JSON and Base64; short words are not', () => {
  const secret = 'key/+"quoted"%&'
  const redact = createRedactor(() => [secret, 'abc', undefined, null, ''])
  const forms = [
    secret,
    encodeURIComponent(secret),
    encodeURIComponent(secret).toLowerCase(),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
  ]
  for (const form of forms) expect(redact(`a ${form} b`)).toBe('a [redacted] b')
  expect(redact('abc and nothing else')).toBe('abc and nothing else')
  expect(createRedactor(() => ['\ud800lone'])('\ud800lone')).toBe('[redacted]')
})

test.for(['sk-1234567', 'sk-proj-abcdefgh', 'token with spaces & signs/+', 'ключ-секрет', 'pässwörd?>?>?>'])(
  '%s is masked at every alignment of Base64',
  (secret) => {
    const redact = createRedactor(() => [secret])
    const bytes = Buffer.from(secret)
    for (const before of ['', 'u', 'us', 'user:', 'ab:', 'abc:', '{"key":"'])
      for (const after of ['', '\n', '"}', ':x', 'more text']) {
        const text = before + secret + after
        for (const encoded of [
          Buffer.from(text).toString('base64'),
          Buffer.from(text).toString('base64url'),
          encodeURIComponent(Buffer.from(text).toString('base64')),
        ]) {
          const masked = redact(`Authorization: Basic ${encoded}, was wrong`)
          expect(masked, text).toContain('[redacted]')
          for (const piece of masked.split(/[^\w+/=-]/))
            for (const skip of [0, 1, 2, 3])
              expect(Buffer.from(piece.slice(skip), 'base64').includes(bytes.subarray(1, 6)), masked).toBe(false)
        }
      }
  },
)

const everyByte = (text: string) =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
const everyUnit = (text: string) =>
  text.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
test.for([
  ['a URL', encodeURIComponent],
  ['a URL, lower case', (text: string) => encodeURIComponent(text).replace(/%../g, (code) => code.toLowerCase())],
  ['a form', (text: string) => new URLSearchParams({ text }).toString().slice('text='.length)],
  ['percent signs alone', everyByte],
  ['percent signs alone, upper case', (text: string) => everyByte(text).toUpperCase().replaceAll('%', '%')],
  ['percent signs in part', (text: string) => encodeURIComponent(text).replace('s', '%73').replace('e', '%65')],
  ['JSON', (text: string) => JSON.stringify(text).slice(1, -1)],
  [
    'JSON in ASCII',
    (text: string) =>
      JSON.stringify(text)
        .slice(1, -1)
        .replace(/[^ -~]+/g, everyUnit),
  ],
  ['JSON with escaped slashes', (text: string) => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/')],
  ['escapes of JSON alone', everyUnit],
] as const)('a secret is masked in %s', ([, encode]) => {
  for (const secret of ['some+secret/key=', 'se "quoted" \\ key', 'geheimnis-schlüssel-😀', 'same%20same'])
    for (const [before, after] of [
      ['', ''],
      ['key%3D', '%26x=%zz'],
      ['é "', '\\" ü'],
      ['%e2%82%ac', '\\u00e9'],
    ] as const) {
      const redact = createRedactor(() => [secret])
      const masked = redact(`${before}${encode(secret)}${after}`)
      expect(masked, encode(secret)).toBe(`${before}[redacted]${after}`)
    }
})

test('texts with escapes and no secret stay as they are', () => {
  const redact = createRedactor(() => ['some secret'])
  for (const text of ['100 % of it', '%zz%e4\\q \\u12', 'C:\\temp\\new', '{"a":"\\n\\ud800"}', 'ä%C3%A4\\u00e4'])
    expect(redact(text)).toBe(text)
})

test('texts of a context are its long strings, a bounded number', () => {
  const context: { [key: string]: unknown } = {
    a: ['long enough', 'short', { b: 'deep and long' }],
    n: 12345678,
    d: new Date(),
  }
  context.self = context
  expect(textsOf(context).sort()).toEqual(['deep and long', 'long enough'])
  expect(textsOf(Array.from({ length: 100_000 }, (_, index) => `text number ${index}`)).length).toBeLessThanOrEqual(
    1_000,
  )
  expect(textsOf(undefined)).toEqual([])
})

test('server folders and stack lines are removed from texts', () => {
  const mask = createPlaceMask(['/srv/my.app', '/', '/users/me'])
  const error = "open '/srv/my.app/data/x.json'\n    at read (/srv/my.app/a.js:1:2)\n    at main"
  expect(mask(error)).toBe("open '/data/x.json'")
  for (const text of ['https://a.example/srv/my.app/v1', '/srv/my.application', '/srv/myXapp', '/users/meadow'])
    expect(mask(text)).toBe(text)
})

test('a line of a log stays one line of bounded length', () => {
  expect(toLogLine('a\nb\r\u001b[31mc\u2028d\u202ee\u009bf')).toBe('a b  [31mc d e f')
  expect(toLogLine('x'.repeat(10_000)).length).toBeLessThan(4_100)
})

test.each([
  ['words', 'a b '.repeat(100_000), 262_144],
  ['escapes', `failed: ${'\\"%41'.repeat(5e6)}`, 8],
  ['one word', 'x'.repeat(30e6), 0],
  ['a secret at the end', `${'a '.repeat(131_060)}sk-secret-${'0'.repeat(100)} more`, 262_120],
])('a long text is cut at a space, and no part of a secret is left: %s', (_name, text, length) => {
  const masked = createRedactor(() => [`sk-secret-${'0'.repeat(100)}`])(text)
  expect([masked.length, masked.slice(-5), masked.includes('sk-')]).toEqual([length + 5, '[cut]', false])
})
