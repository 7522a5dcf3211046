import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, Agent, BaseTool, buildApp, type ServeOptions, tool, toolFactory, VERSION } from '../src/index.ts'
import { promise } from './promises.ts'

class Address extends BaseTool.define({ street: z.string().min(1), zip: z.int().optional() }) {
  static override description = 'Formats an address.'
  run() {
    return `${this.street} ${this.zip ?? ''}`
  }
}
const street = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
const route = tool({
  name: 'plan_route',
  description: 'Plans a route.',
  parameters: {
    type: 'object',
    properties: { from: { $ref: '#/$defs/Street' }, via: { type: 'array', items: { $ref: '#' } } },
    required: ['from', 'via'],
    $defs: { Street: street },
  },
  execute: () => 'left',
})
const other = tool({
  name: 'other',
  parameters: {
    type: 'object',
    properties: { at: { $ref: '#/$defs/Street' } },
    $defs: { Street: { type: 'string' } },
  },
  execute: () => '',
})
class Usage extends BaseTool.define({ kind: z.string() }) {
  run() {
    return this.kind
  }
}
const team = () => new Agency(new Agent({ name: 'Assistant', model: 'demo' }), { name: 'team' })
const build = async (options: Partial<ServeOptions> = {}) => {
  const app = await buildApp({
    agencies: { 'my team': team(), 'R&D': team() },
    tools: [Address, route, other, Usage],
    ...options,
  })
  onTestFinished(() => app.close())
  return app
}

test('the OpenAPI document is valid 3.1 and lists everything', async () => {
  promise('B11')
  const app = await build()
  const answer = await app.inject({ url: '/openapi.json', headers: { host: 'agents.example:81' } })
  expect(answer.headers['content-type']).toBe('application/json')
  const document = answer.json()
  expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true })
  expect(document).toMatchObject({
    openapi: '3.1.0',
    info: { version: VERSION },
    servers: [{ url: 'http://agents.example:81' }],
    components: { securitySchemes: { HTTPBearer: { type: 'http', scheme: 'bearer' } } },
  })
  const methods = Object.entries(document.paths).map(([path, item]) => `${Object.keys(item as object)} ${path}`)
  const agency = (name: string) => [
    `post /${name}/get_response`,
    `post /${name}/get_response_stream`,
    `post /${name}/cancel_response_stream`,
    `get /${name}/get_metadata`,
    `post,get /${name}/runs`,
    `get,delete /${name}/runs/{run_id}`,
    `get /${name}/runs/{run_id}/events`,
    `post /${name}/runs/{run_id}/cancel`,
    `post /${name}/runs/{run_id}/retry`,
    `post /${name}/runs/{run_id}/steer`,
    `post /${name}/runs/{run_id}/pause`,
    `post /${name}/runs/{run_id}/continue`,
    `post /${name}/runs/{run_id}/approvals/{approval_id}`,
    `get /${name}/approvals`,
    `post /${name}/tickets`,
    `get /${name}/webhooks`,
    `post /${name}/webhooks/{webhook_id}/redrive`,
    `post,get /${name}/threads`,
    `get,patch,delete /${name}/threads/{thread_id}`,
    `get /${name}/threads/{thread_id}/messages`,
    `get /${name}/threads/{thread_id}/stream`,
  ]
  expect(methods.sort()).toEqual(
    [
      ...agency('my_team'),
      ...agency('R%26D'),
      'get /healthz',
      'get /readyz',
      'post /tool/Address',
      'post /tool/plan_route',
      'post /tool/other',
      'post /tool/Usage',
    ].sort(),
  )
  const { schemas } = document.components
  expect(schemas.ModifiedRequest.required).toEqual(['message'])
  expect(Object.keys(schemas.ModifiedRequest.properties)).toEqual([
    'message',
    'chat_history',
    'file_ids',
    'file_urls',
    'recipient_agent',
    'additional_instructions',
    'user_context',
    'generate_chat_name',
    'client_config',
  ])
  expect(schemas.ClientConfig.properties).toHaveProperty('base_url')
  expect(schemas.Address).toMatchObject({ required: ['street'], properties: { street: { minLength: 1 } } })
  expect(schemas.plan_routeRequest.properties.from).toEqual({ $ref: '#/components/schemas/Street' })
  expect(schemas.plan_routeRequest.properties.via.items).toEqual({ $ref: '#/components/schemas/plan_routeRequest' })
  expect(schemas.Street).toEqual(street)
  expect(schemas.otherRequest.properties.at).toEqual({ $ref: '#/components/schemas/otherRequest_Street' })
  expect(document.paths['/tool/Usage'].post.requestBody.content['application/json'].schema.$ref).toMatch(/Usage_2$/)
  expect(schemas.Usage_2.required).toEqual(['kind'])
  const named = await build({ serverUrl: 'https://api.example.com' })
  expect((await named.inject('/openapi.json')).json().servers).toEqual([{ url: 'https://api.example.com' }])
})

test('the docs pages load local files only, under a prefix too', async () => {
  promise('B11')
  const host = Fastify()
  onTestFinished(() => host.close())
  await host.register(agencySwarm, { prefix: '/ai', agencies: { team: team() } })
  for (const [app, prefix] of [[await build(), ''] as const, [host, '/ai'] as const]) {
    for (const path of ['/docs', '/redoc']) {
      const page = await app.inject(prefix + path)
      expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
      expect(page.headers['content-security-policy']).toContain("default-src 'none'")
      expect(page.body).not.toMatch(/https?:|\/\//)
      const files = [...page.body.matchAll(/(?:src|href)="([^":]+)"/g)].map((match) => match[1] as string)
      expect(files.length).toBeGreaterThan(1)
      for (const file of files) {
        const asset = await app.inject(new URL(file, `http://localhost${prefix}${path}`).pathname)
        expect(asset.statusCode, file).toBe(200)
        expect(asset.rawPayload.length, file).toBe(Number(asset.headers['content-length']))
        expect(asset.headers['content-type']).toMatch(/^text\/(javascript|css); charset=utf-8$/)
      }
    }
    const { servers } = (await app.inject({ url: `${prefix}/openapi.json`, headers: { host: 'a.example' } })).json()
    expect(servers).toEqual([{ url: `http://a.example${prefix}` }])
  }
})

test('the bundled renderers are the published ones, byte for byte as noted', () => {
  const folder = new URL('../assets/docs/', import.meta.url)
  const manifest: { [file: string]: { source: string; sha256: string } } = JSON.parse(
    readFileSync(new URL('manifest.json', folder), 'utf8'),
  )
  expect(Object.keys(manifest)).toContain('swagger-ui.LICENSE.txt')
  for (const [file, { sha256 }] of Object.entries(manifest))
    expect(
      createHash('sha256')
        .update(readFileSync(new URL(file, folder)))
        .digest('hex'),
      file,
    ).toBe(sha256)
})

test('the docs stay open beside a token unless they are protected', async () => {
  promise('E2')
  process.env.DOCS_TOKEN = 'docs-secret'
  onTestFinished(() => {
    delete process.env.DOCS_TOKEN
  })
  const paths = ['/docs', '/redoc', '/openapi.json', '/docs/swagger-ui.css']
  const open = await build({ appTokenEnv: 'DOCS_TOKEN' })
  const closed = await build({ appTokenEnv: 'DOCS_TOKEN', protectDocs: true })
  for (const path of paths) {
    expect((await open.inject(path)).statusCode, path).toBe(200)
    expect((await closed.inject(path)).statusCode, path).toBe(401)
    const headers = { authorization: 'Bearer docs-secret' }
    expect((await closed.inject({ url: path, headers })).statusCode, path).toBe(200)
  }
})

test('toolFactory.getOpenApiSchema writes a valid document of standalone tools', async () => {
  promise('F6')
  const text = toolFactory.getOpenApiSchema([Address, route], { url: 'https://tools.example', title: 'My tools' })
  expect(text).toMatch(/^\{\n {2}"openapi": "3\.1\.0"/)
  const document = JSON.parse(text)
  expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true })
  expect(document).toMatchObject({
    info: { title: 'My tools' },
    servers: [{ url: 'https://tools.example' }],
    paths: {
      '/tool/Address': {
        post: {
          operationId: 'Address',
          description: 'Formats an address.',
          security: [{ HTTPBearer: [] }],
          requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Address' } } } },
        },
      },
    },
  })
  expect(Object.keys(document.paths)).toEqual(['/tool/Address', '/tool/plan_route'])
  expect(() => toolFactory.getOpenApiSchema([{} as never], { url: '' })).toThrow(/A tool must be created by/)
})

test('the document is compressed for clients that take it, for each address', async () => {
  const app = await build()
  const ask = (host: string) =>
    app.inject({ url: '/openapi.json', headers: { host, 'accept-encoding': 'gzip, deflate, br' } })
  for (const host of ['a.example', 'b.example', 'a.example']) {
    const small = await ask(host)
    expect(small.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
    const plain = (await app.inject({ url: '/openapi.json', headers: { host } })).body
    expect(gunzipSync(small.rawPayload).toString()).toBe(plain)
    expect(small.rawPayload.length).toBeLessThan(plain.length / 5)
  }
  // A client can name any number of hosts: the server keeps a few, and sends others the plain document.
  for (let count = 0; count < 8; count++) await ask(`${count}.example`)
  expect((await ask('last.example')).headers['content-encoding']).toBeUndefined()
  expect((await ask('last.example')).json().servers).toEqual([{ url: 'http://last.example' }])
})
