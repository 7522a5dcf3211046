import { expect, test } from 'vitest'
import { gatewayRefused, ModelTimeout, modelFailed } from '../base/model-errors.ts'
import { isUnbilled, waitBefore, withRetries } from './retry.ts'

/** An error as the clients make them: with a status, headers or a cause. */
const failure = (fields: object, cause?: unknown) =>
  modelFailed('failed', Object.assign(new Error('from the client', { cause }), fields))
const headers = (fields: Record<string, string>) => ({ headers: new Headers(fields) })

test('transient errors are retried, others and our limits are not', () => {
  for (const status of [408, 409, 429, 500, 502, 503, 504, 529])
    expect(waitBefore(0, failure({ status })), `${status}`).toBeGreaterThan(0)
  for (const statusCode of [429, 503]) expect(waitBefore(0, failure({ statusCode }))).toBeGreaterThan(0)
  for (const code of [
    'ECONNRESET',
    'ECONNREFUSED',
    'EPIPE',
    'UND_ERR_SOCKET',
    'UND_ERR_CONNECT_TIMEOUT',
    'HPE_INVALID_CONSTANT',
  ])
    expect(waitBefore(0, failure({}, failure({ code }))), code).toBeGreaterThan(0)
  const lasting = [
    ...[400, 401, 403, 404, 413, 422].map((status) =>
      failure({ status, ...headers({ 'retry-after': '1', 'x-should-retry': 'true' }) }),
    ),
    failure({}, failure({ code: 'UND_ERR_HEADERS_TIMEOUT' })),
    failure({ code: 'UND_ERR_BODY_TIMEOUT' }),
    modelFailed('failed', new ModelTimeout('headers', 'late')),
    modelFailed('failed', new ModelTimeout('event', 'silent')),
    failure({}, gatewayRefused('inner')),
    modelFailed('an empty answer'),
    new SyntaxError('no JSON'),
    null,
  ]
  for (const error of lasting) expect(waitBefore(0, error)).toBeUndefined()
})

test('calls that were refused or never sent are not billed, others may be', () => {
  const unbilled = [
    ...[400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 529].map((status) => failure({ status })),
    failure({ statusCode: 400 }),
    ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].map((code) => failure({}, failure({ code }))),
    failure({}, gatewayRefused('inner')),
  ]
  for (const error of unbilled) expect(isUnbilled(error)).toBe(true)
  const unknown = [
    ...[408, 504, 524].map((status) => failure({ status })),
    ...['ECONNRESET', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT'].map((code) => failure({}, failure({ code }))),
    modelFailed('late', new ModelTimeout('headers', 'late')),
    modelFailed('an empty answer'),
    new Error('The run was cancelled.'),
    undefined,
  ]
  for (const error of unknown) expect(isUnbilled(error)).toBe(false)
})

test('Retry-After is respected up to 20 seconds, else waits grow', () => {
  const wait = (fields: Record<string, string>) => waitBefore(0, failure({ status: 429, ...headers(fields) })) as number
  expect(wait({ 'retry-after': '7' })).toBe(7_000)
  expect(wait({ 'retry-after': '0' })).toBe(0)
  expect(wait({ 'retry-after': '3600' })).toBe(20_000)
  expect(wait({ 'retry-after': '1e999' })).toBeLessThanOrEqual(20_000)
  expect(wait({ 'retry-after-ms': '250', 'retry-after': '9' })).toBe(250)
  const date = wait({ 'retry-after': new Date(Date.now() + 5_000).toUTCString() })
  expect(date).toBeGreaterThan(3_000)
  expect(date).toBeLessThanOrEqual(5_000)
  for (const odd of ['soon', '-5', '', new Date(0).toUTCString()]) {
    expect(wait({ 'retry-after': odd })).toBeGreaterThan(300)
    expect(wait({ 'retry-after': odd })).toBeLessThanOrEqual(500)
  }
  expect(waitBefore(0, failure({ statusCode: 429, responseHeaders: { 'retry-after': '3' } }))).toBe(3_000)
  expect(waitBefore(1, failure({ status: 500 }))).toBeGreaterThan(700)
})

test('there are at most three attempts, and an abort ends the wait', async () => {
  let attempts = 0
  const fail = () => {
    attempts++
    return Promise.reject(failure({ status: 503, ...headers({ 'retry-after': '0' }) }))
  }
  await expect(withRetries(fail, { signal: new AbortController().signal, withinMs: 60_000 })).rejects.toMatchObject({
    code: 'MODEL_FAILED',
  })
  expect(attempts).toBe(3)
  const abort = new AbortController()
  const waiting = withRetries(() => Promise.reject(failure({ status: 429, ...headers({ 'retry-after': '20' }) })), {
    signal: abort.signal,
    withinMs: 60_000,
  })
  setTimeout(() => abort.abort(new Error('enough')), 10)
  await expect(waiting).rejects.toThrow('enough')
})

test('no attempt begins after the time for all of them is over', async () => {
  let attempts = 0
  const fail = () => {
    attempts++
    return Promise.reject(failure({ status: 503, ...headers({ 'retry-after': '2' }) }))
  }
  const bounds = { signal: new AbortController().signal, withinMs: 1_000 }
  await expect(withRetries(fail, bounds)).rejects.toMatchObject({ code: 'MODEL_FAILED' })
  expect(attempts).toBe(1)
})
