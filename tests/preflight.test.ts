import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, buildApp } from '../src/index.ts'
import { promise } from './promises.ts'

const LISTED = 'https://app.example'
const methods = 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY'

/** Asks as a browser does before a request; the answers were compared with the original's (Starlette 1.10). */
async function preflight(corsOrigins: readonly string[], headers: { [name: string]: string }) {
  const app = await buildApp({
    agencies: { solo: new Agency(new Agent({ name: 'Solo', model: 'demo' })) },
    corsOrigins,
  })
  onTestFinished(() => app.close())
  return app.inject({ method: 'OPTIONS', url: '/solo/get_response', headers })
}

type Row = [method: string, origin: string, more: { [name: string]: string }, status: number, text: string]

test.each<Row>([
  ...methods.split(', ').map((method) => [method, LISTED, {}, 200, 'OK'] satisfies Row),
  ['BREW', LISTED, {}, 400, 'Disallowed CORS method'],
  ['CONNECT', LISTED, {}, 400, 'Disallowed CORS method'],
  ['post', LISTED, {}, 400, 'Disallowed CORS method'],
  ['', LISTED, {}, 400, 'Disallowed CORS method'],
  ['*', LISTED, {}, 400, 'Disallowed CORS method'],
  ['POST, BREW', LISTED, {}, 400, 'Disallowed CORS method'],
  ['POST', 'https://evil.example', {}, 400, 'Disallowed CORS origin'],
  ['BREW', 'https://evil.example', {}, 400, 'Disallowed CORS origin, method'],
  ['POST', LISTED, { 'access-control-request-private-network': 'true' }, 400, 'Disallowed CORS private-network'],
  [
    'BREW',
    'https://evil.example',
    { 'access-control-request-private-network': 'true' },
    400,
    'Disallowed CORS origin, method, private-network',
  ],
])('a preflight for %j from %s is answered as the original answers it', async (method, origin, more, status, text) => {
  promise('A5')
  const asked = { origin, 'access-control-request-method': method, 'access-control-request-headers': 'x-a', ...more }
  const listed = await preflight([LISTED], asked)
  expect([listed.statusCode, listed.body]).toEqual([status, text])
  expect(listed.headers).toMatchObject({
    'access-control-allow-methods': methods,
    'access-control-max-age': '600',
    'access-control-allow-headers': 'x-a',
    'content-type': 'text/plain; charset=utf-8',
  })
  expect(listed.headers['access-control-allow-origin']).toBe(origin === LISTED ? LISTED : undefined)
  const open = await preflight(['*'], asked)
  expect(open.body).toBe(text.replace(/ origin,/, '').replace(/^Disallowed CORS origin$/, 'OK'))
})
