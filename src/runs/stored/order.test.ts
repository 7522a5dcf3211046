import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSeal, readSealKey, splitOrder } from './order.ts'

const key = randomBytes(32)
const secrets = { api_key: 'sk-caller-key', base_url: 'https://example.com' }
const request = { message: 'Hello' } as const
const start = (client_config?: object) =>
  splitOrder(
    {
      agency: 'a',
      owner: 'o',
      request: { ...request, ...(client_config && { client_config }) } as never,
      metadata: {},
    },
    { server: { maxTurns: 100, maxCost: null }, traceId: 't' },
  )

const flipFirstBit = (sealed: string) => {
  const bytes = Buffer.from(sealed, 'base64')
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0)
  return bytes.toString('base64')
}

test('sealed secrets come back, and the seal shows none of them', () => {
  const sealed = createSeal(key).close('run-1', secrets)
  expect(createSeal(key).open('run-1', sealed)).toEqual(secrets)
  expect(Buffer.from(sealed, 'base64').toString('latin1')).not.toContain('sk-')
})

test('the same secrets are sealed differently each time', () => {
  const seal = createSeal(key)
  expect(seal.close('run-1', secrets)).not.toBe(seal.close('run-1', secrets))
})

test.each([
  ['another key', (sealed: string) => createSeal(randomBytes(32)).open('run-1', sealed)],
  ['another run', (sealed: string) => createSeal(key).open('run-2', sealed)],
  ['a changed text', (sealed: string) => createSeal(key).open('run-1', flipFirstBit(sealed))],
  ['a cut text', (sealed: string) => createSeal(key).open('run-1', sealed.slice(0, 24))],
])('secrets are not opened with %s', (_what, open) => {
  const sealed = createSeal(key).close('run-1', secrets)
  expect(() => open(sealed)).toThrow()
})

test('a key is 32 bytes, as Base64 or as hexadecimal digits', () => {
  expect(readSealKey(key.toString('base64'))).toEqual(key)
  expect(readSealKey(key.toString('hex'))).toEqual(key)
  expect(readSealKey('short')).toBeUndefined()
  expect(readSealKey(randomBytes(33).toString('base64'))).toBeUndefined()
})

test('a request with secrets is stored without its client_config', () => {
  const { plan, secrets: taken } = start(secrets)
  expect(JSON.stringify(plan)).not.toContain('sk-caller-key')
  expect(taken).toEqual(secrets)
})

test('a client_config without secrets is stored with the request', () => {
  const { plan, secrets: taken } = start({ model: 'gpt-5' })
  expect(plan).toMatchObject({ request: { client_config: { model: 'gpt-5' } }, maxTurns: 100, maxCost: null })
  expect(taken).toBeUndefined()
})
