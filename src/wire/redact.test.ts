import { expect, test } from 'vitest'
import { createPlaceMask, createRedactor, textsOf, toLogLine } from './redact.ts'

test('a secret is masked as it is, in a URL, in JSON and in Base64, and short words are left alone', () => {
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

test('the texts of a context are its strings of some length at any depth, a bounded number of them, circles or not', () => {
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

test('folders of the server and lines of a stack leave a text, addresses that look like them stay', () => {
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
