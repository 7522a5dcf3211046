/** What a model reads of the answers of an API whose operations are tools, and how requests to the API can fail. */
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { type OpenApiToolsOptions, toolsFromOpenApi } from '../src/index.ts'
import { callTool, openApi, startApi } from './support/api.ts'

const securitySchemes = { bearer: { type: 'http', scheme: 'bearer' } }

/** One operation whose API answers so. */
async function answered(answer: Parameters<typeof startApi>[0], options: OpenApiToolsOptions = {}) {
  const api = await startApi(answer)
  const document = openApi(
    { '/x': { get: { operationId: 'op' } } },
    { components: { securitySchemes }, security: [{ bearer: [] }] },
  )
  const [tool] = await toolsFromOpenApi(document, { baseUrl: api.origin, auth: { bearer: 'hunter22' }, ...options })
  return { api, tool, result: callTool(tool) }
}

test('JSON is compact; a longer answer is cut off, and says so', async () => {
  const json = await answered(
    (_call, response) => void response.setHeader('content-type', 'application/problem+json').end('{ "a":  1 }'),
  )
  expect(await json.result).toBe('{"a":1}')
  const long = await answered(
    (_call, response) => void response.setHeader('content-type', 'text/plain').end('x'.repeat(9_000)),
    {
      maxResultBytes: 100,
    },
  )
  expect(await long.result).toMatch(/^x{100}\n\[The answer was cut off here, after 100 bytes\./)
})

test('an endless answer is read only to the bound', async () => {
  let closed = false
  const { result } = await answered((_call, response) => {
    response.setHeader('content-type', 'text/plain')
    const more = () => {
      while (response.write('y'.repeat(16_384)));
    }
    response.on('drain', more).on('close', () => {
      closed = true
    })
    more()
  })
  expect(String(await result).length).toBeLessThan(140_000)
  await expect.poll(() => closed).toBe(true)
})

test('compressed answers, pictures, other bytes and no content are read', async () => {
  const gzip = await answered((_call, response) => {
    response.setHeader('content-type', 'text/plain').setHeader('content-encoding', 'gzip').end(gzipSync('zipped'))
  })
  expect(await gzip.result).toBe('zipped')
  const picture = await answered(
    (_call, response) => void response.setHeader('content-type', 'image/png').end(Buffer.from([1, 2])),
  )
  expect(await picture.result).toEqual({ type: 'input_image', image_url: 'data:image/png;base64,AQI=' })
  const zip = await answered((_call, response) => void response.setHeader('content-type', 'application/zip').end('PK'))
  expect(await zip.result).toBe('GET /x was answered with application/zip, 2 bytes, which cannot be shown.')
  const nothing = await answered((_call, response) => void response.writeHead(204).end())
  expect(await nothing.result).toBe('GET /x was answered with HTTP 204 without content.')
})

test('a refusal is an error with the words of the API, without the credential', async () => {
  const { result } = await answered((_call, response) => {
    response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '7' })
    response.end('{"error": "the key hunter22 is used up"}')
  })
  await expect(result).rejects.toThrow(
    'GET /x was answered with HTTP 429 Too Many Requests. Try again after: 7. It says: {"error":"the key [redacted] is used up"}',
  )
})

test('an API that hangs, and one that is not there, are errors with a reason', async () => {
  const silent = await answered(() => {}, { timeoutMs: 50 })
  await expect(silent.result).rejects.toThrow('GET /x was not answered within 0.05 seconds.')
  const stuck = await answered((_call, response) => void response.writeHead(200).write('a'), { timeoutMs: 200 })
  await expect(stuck.result).rejects.toThrow('was not answered within 0.2 seconds.')
  const [gone] = await toolsFromOpenApi(openApi({ '/x': { get: {} } }), { baseUrl: 'http://127.0.0.1:9' })
  await expect(callTool(gone)).rejects.toThrow('127.0.0.1:9 could not be reached: ')
})

test('a cancelled run ends its request', async () => {
  const cancel = new AbortController()
  const closed = Promise.withResolvers<void>()
  const api = await startApi((_call, response) => {
    response.on('close', () => closed.resolve())
    cancel.abort()
  })
  const [tool] = await toolsFromOpenApi(openApi({ '/x': { get: {} } }), { baseUrl: api.origin })
  await expect(callTool(tool, {}, { signal: cancel.signal })).rejects.toThrow('aborted')
  await closed.promise
})

test('a redirect to another address is followed without the credentials', async () => {
  const other = await startApi()
  const redirect = new URL(other.origin.replace('127.0.0.1', 'localhost'))
  const away = await answered(
    (_call, response) => void response.writeHead(302, { location: `${redirect.origin}/y` }).end(),
  )
  await expect(away.result).rejects.toThrow('is not a public address')
  expect(other.calls).toEqual([])
  const here = await answered((call, response) => {
    if (call.url === '/x') response.writeHead(307, { location: '/y' }).end()
    else response.setHeader('content-type', 'text/plain').end(String(call.headers.authorization === 'Bearer hunter22'))
  })
  expect(await here.result).toBe('true')
})

test('a fetched document cannot send requests into the network', async () => {
  const inside = await startApi()
  const host = await startApi(
    (_call, response) =>
      void response.end(
        JSON.stringify(openApi({ '/x': { get: { operationId: 'op' } } }, { servers: [{ url: inside.origin }] })),
      ),
  )
  const [tool] = await toolsFromOpenApi(`${host.origin}/openapi.json`)
  await expect(callTool(tool)).rejects.toThrow('is not a public address. The program can allow it with baseUrl.')
  expect(inside.calls).toEqual([])
  const [allowed] = await toolsFromOpenApi(`${host.origin}/openapi.json`, { baseUrl: inside.origin })
  expect(await callTool(allowed)).toBe('{"ok":true}')
})
