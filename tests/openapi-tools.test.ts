import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { toSchema } from '../src/agency/agency.ts'
import { Agency, Agent, type OpenApiToolsOptions, toolsFromOpenApi } from '../src/index.ts'
import { callTool, openApi, startApi } from './support/api.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'

type Json = { [key: string]: unknown }
const answers = { responses: { 200: { description: 'Fine.' } } }

/** One operation on a real API: calls it, and gives what arrived there. */
async function send(
  operation: Json,
  args: Json,
  options: OpenApiToolsOptions & { path?: string; method?: string } = {},
) {
  const { path = '/x', method = 'get', ...rest } = options
  const api = await startApi()
  const document = openApi({ [path]: { [method]: { operationId: 'op', ...answers, ...operation } } })
  const [tool] = await toolsFromOpenApi(document, { baseUrl: `${api.origin}/v1/`, ...rest })
  const result = await callTool(tool, args)
  return { result, tool, call: api.calls[0] }
}

test('each operation becomes a tool that is named after its operationId', async () => {
  const document = openApi({
    '/pets': { get: { operationId: 'listPets', summary: 'Lists pets.', ...answers } },
    '/pets/{id}': {
      get: { operationId: 'pets/get one', description: 'Gets a pet.', summary: 'short', ...answers },
      delete: { ...answers },
    },
  })
  const tools = await toolsFromOpenApi(document, { baseUrl: 'https://api.example' })
  expect(tools.map(({ name, description }) => [name, description])).toEqual([
    ['listPets', 'Lists pets.'],
    ['pets_get_one', 'Gets a pet.'],
    ['delete_pets_id', 'DELETE /pets/{id}'],
  ])
  const prefixed = await toolsFromOpenApi(document, { baseUrl: 'https://api.example', namePrefix: 'shop_' })
  expect(prefixed[0]?.name).toBe('shop_listPets')
})

test('a list or a function chooses the operations', async () => {
  const document = openApi({
    '/a': { get: { operationId: 'a', tags: ['read'] }, post: { operationId: 'b', deprecated: true } },
  })
  const names = async (operations: OpenApiToolsOptions['operations']) =>
    (await toolsFromOpenApi(document, { baseUrl: 'https://api.example', operations })).map(({ name }) => name)
  expect(await names(['b'])).toEqual(['b'])
  expect(await names(({ deprecated, method }) => !deprecated && method === 'GET')).toEqual(['a'])
  await expect(names(['c'])).rejects.toThrow('has no operation "c". It has, for example: a, b.')
})

test('operations can need approval, and those that read may run twice', async () => {
  const document = openApi({ '/a': { get: { operationId: 'a' }, post: { operationId: 'b' } } })
  const needsApproval = ({ method }: { method: string }) => method !== 'GET'
  const tools = await toolsFromOpenApi(document, { baseUrl: 'https://api.example', needsApproval })
  expect(tools.map((tool) => [tool.needsApproval, tool.safeToRetry])).toEqual([
    [undefined, true],
    [true, undefined],
  ])
})

const list = ['blue', 'b/k']
const map = { R: 100, G: 200 }
const parameter = (where: string, style: string, explode: boolean, more: Json = {}) => ({
  parameters: [{ name: 'color', in: where, style, explode, required: true, schema: {}, ...more }],
})

test.for<[where: string, style: string, explode: boolean, value: unknown, expected: string]>([
  ['path', 'simple', false, 'blue', '/v1/x/blue'],
  ['path', 'simple', false, list, '/v1/x/blue,b%2Fk'],
  ['path', 'simple', false, map, '/v1/x/R,100,G,200'],
  ['path', 'simple', true, map, '/v1/x/R=100,G=200'],
  ['path', 'label', false, list, '/v1/x/.blue,b%2Fk'],
  ['path', 'label', true, list, '/v1/x/.blue.b%2Fk'],
  ['path', 'label', true, map, '/v1/x/.R=100.G=200'],
  ['path', 'matrix', false, 'blue', '/v1/x/;color=blue'],
  ['path', 'matrix', false, list, '/v1/x/;color=blue,b%2Fk'],
  ['path', 'matrix', true, list, '/v1/x/;color=blue;color=b%2Fk'],
  ['path', 'matrix', false, map, '/v1/x/;color=R,100,G,200'],
  ['path', 'matrix', true, map, '/v1/x/;R=100;G=200'],
  ['query', 'form', true, 'a b&c=é', '/v1/x?color=a%20b%26c%3D%C3%A9'],
  ['query', 'form', true, list, '/v1/x?color=blue&color=b%2Fk'],
  ['query', 'form', false, list, '/v1/x?color=blue,b%2Fk'],
  ['query', 'form', true, map, '/v1/x?R=100&G=200'],
  ['query', 'form', false, map, '/v1/x?color=R,100,G,200'],
  ['query', 'form', true, [], '/v1/x'],
  ['query', 'spaceDelimited', false, list, '/v1/x?color=blue%20b%2Fk'],
  ['query', 'pipeDelimited', false, list, '/v1/x?color=blue%7Cb%2Fk'],
  ['query', 'deepObject', true, map, '/v1/x?color[R]=100&color[G]=200'],
  ['query', 'deepObject', true, { a: { b: [1, 2] } }, '/v1/x?color[a][b][0]=1&color[a][b][1]=2'],
])('%s parameter, style %s, explode %s: %j is %s', async ([where, style, explode, color, expected]) => {
  const path = where === 'path' ? '/x/{color}' : '/x'
  const { call } = await send(parameter(where, style, explode), { parameters: { color } }, { path })
  expect(call?.url).toBe(expected)
})

test('headers, cookies, JSON parameters and reserved characters are written', async () => {
  const parameters = [
    { name: 'X-Ids', in: 'header', schema: { type: 'array' } },
    { name: 'X-Map', in: 'header', explode: true, schema: { type: 'object' } },
    { name: 'session', in: 'cookie', schema: { type: 'string' } },
    { name: 'filter', in: 'query', content: { 'application/json': { schema: { type: 'object' } } } },
    { name: 'to', in: 'query', allowReserved: true, schema: { type: 'string' } },
    { name: 'Accept', in: 'header', schema: { type: 'string' } },
  ]
  const args = { 'X-Ids': [1, 2], 'X-Map': map, session: 's 1', filter: { a: 1 }, to: 'http://a/b?c&d' }
  const { call, tool } = await send({ parameters }, { parameters: args })
  expect(call?.headers).toMatchObject({ 'x-ids': '1,2', 'x-map': 'R=100,G=200', cookie: 'session=s%201' })
  expect(call?.url).toBe('/v1/x?filter=%7B%22a%22%3A1%7D&to=http://a/b?c%26d')
  expect(JSON.stringify(tool?.parameters)).not.toContain('Accept')
})

test('one name in path and query is two arguments', async () => {
  const parameters = [
    { name: 'id', in: 'path', required: true, schema: { type: 'integer' } },
    { name: 'id', in: 'query', schema: { type: 'integer' } },
  ]
  const { call } = await send({ parameters }, { parameters: { id: '7', id_query: 8 } }, { path: '/x/{id}' })
  expect(call?.url).toBe('/v1/x/7?id=8')
})

test.for(['..', '.', ''])('a path parameter %j does not lead to another path', async (id) => {
  await expect(send({}, { parameters: { id } }, { path: '/users/{id}/keys', method: 'delete' })).rejects.toThrow(
    'parameters.id must not be',
  )
})

test('a call without a required parameter is refused with its place', async () => {
  await expect(send(parameter('query', 'form', true), { parameters: {} })).rejects.toThrow(
    '["parameters.color","Field required"]',
  )
})

const body = (mediaType: string, schema: Json = { type: 'object' }, more: Json = {}) => ({
  requestBody: { required: true, content: { [mediaType]: { schema, ...more } } },
})

test('a JSON body is sent as it is, and null for an optional field is left out', async () => {
  const schema = { type: 'object', properties: { name: { type: 'string' }, tag: { type: 'string' } } }
  const { call } = await send(
    body('application/json', schema),
    { requestBody: { name: 'é', tag: null } },
    { method: 'post' },
  )
  expect(call).toMatchObject({ method: 'POST', headers: { 'content-type': 'application/json' } })
  expect(String(call?.body)).toBe('{"name":"é"}')
})

test('a form is urlencoded with the rules of each field', async () => {
  const encoding = { items: { style: 'deepObject', explode: true }, ids: { style: 'form', explode: false } }
  const requestBody = { name: 'a b', items: [{ price: 1 }], ids: [1, 2], tags: ['x', 'y'], plain: { a: 1 } }
  const { call } = await send(
    body('application/x-www-form-urlencoded', { type: 'object' }, { encoding }),
    { requestBody },
    { method: 'post' },
  )
  expect(call?.headers['content-type']).toBe('application/x-www-form-urlencoded')
  expect(String(call?.body)).toBe('name=a%20b&items[0][price]=1&ids=1,2&tags=x&tags=y&plain=%7B%22a%22%3A1%7D')
})

test('a multipart body carries files, texts and JSON', async () => {
  const properties = {
    file: { type: 'string', format: 'binary' },
    meta: { type: 'object' },
    title: { type: 'string' },
    pages: { type: 'array', items: { type: 'string', contentMediaType: 'image/png' } },
  }
  const png = `data:image/png;base64,${Buffer.from([137, 80, 78, 71, 0, 255]).toString('base64')}`
  const requestBody = { file: 'hello', meta: { a: 1 }, title: 't', pages: [png, png] }
  const { call, tool } = await send(
    body('multipart/form-data', { type: 'object', properties }),
    { requestBody },
    { method: 'post' },
  )
  const form = await new Response(new Uint8Array(call?.body ?? []), {
    headers: { 'content-type': String(call?.headers['content-type']) },
  }).formData()
  expect(await (form.get('file') as File).text()).toBe('hello')
  expect((form.get('meta') as File).type).toBe('application/json')
  expect(form.get('title')).toBe('t')
  const [page] = form.getAll('pages') as File[]
  expect(page?.type).toBe('image/png')
  expect([...new Uint8Array(await (page as File).arrayBuffer())]).toEqual([137, 80, 78, 71, 0, 255])
  expect(JSON.stringify(tool?.parameters)).toContain('data: URL')
})

test('a text body and a body of bytes are sent as such', async () => {
  const text = await send(body('text/plain', { type: 'string' }), { requestBody: 'hi' }, { method: 'post' })
  expect([text.call?.headers['content-type'], String(text.call?.body)]).toEqual(['text/plain', 'hi'])
  const bytes = await send(
    body('application/octet-stream', {}),
    { requestBody: 'data:image/gif;base64,AP8=' },
    { method: 'put' },
  )
  expect([bytes.call?.headers['content-type'], [...(bytes.call?.body ?? [])]]).toEqual(['image/gif', [0, 255]])
})

const securitySchemes = {
  inHeader: { type: 'apiKey', in: 'header', name: 'X-Key' },
  inQuery: { type: 'apiKey', in: 'query', name: 'key' },
  inCookie: { type: 'apiKey', in: 'cookie', name: 'sid' },
  bearer: { type: 'http', scheme: 'bearer' },
  basic: { type: 'http', scheme: 'basic' },
  oauth: { type: 'oauth2', flows: {} },
}

test.for<[scheme: keyof typeof securitySchemes, expected: Json]>([
  ['inHeader', { headers: { 'x-key': 'secret' } }],
  ['inQuery', { url: '/x?key=secret' }],
  ['inCookie', { headers: { cookie: 'sid=secret' } }],
  ['bearer', { headers: { authorization: 'Bearer secret' } }],
  ['basic', { headers: { authorization: `Basic ${Buffer.from('secret').toString('base64')}` } }],
  ['oauth', { headers: { authorization: 'Bearer secret' } }],
])('the scheme %s puts its credential where it belongs', async ([scheme, expected]) => {
  const api = await startApi()
  const document = openApi(
    { '/x': { get: { operationId: 'op', security: [{ other: [] }, { [scheme]: [] }] } } },
    { components: { securitySchemes: { other: { type: 'http', scheme: 'bearer' }, ...securitySchemes } } },
  )
  const auth = { [scheme]: async () => 'secret' }
  const [tool] = await toolsFromOpenApi(document, { baseUrl: api.origin, auth })
  await callTool(tool)
  expect(api.calls[0]).toMatchObject(expected)
})

test('an open operation gets no credential, and each user has an own one', async () => {
  const api = await startApi()
  const document = openApi(
    { '/open': { get: { operationId: 'open', security: [] } }, '/mine': { get: { operationId: 'mine' } } },
    { components: { securitySchemes }, security: [{ bearer: [] }] },
  )
  const [open, mine] = await toolsFromOpenApi(document, {
    baseUrl: api.origin,
    auth: { bearer: (context) => context.get<string>('token') },
  })
  await callTool(open, {}, { userContext: { token: 'ann' } })
  await callTool(mine, {}, { userContext: { token: 'ann' } })
  await callTool(mine, {}, { userContext: { token: 'bob' } })
  expect(api.calls.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer ann', 'Bearer bob'])
  await expect(toolsFromOpenApi(document, { baseUrl: api.origin, auth: { nope: 'x' } })).rejects.toThrow(
    'has no security scheme "nope". It has: inHeader',
  )
})

test('fixed headers and parameters are sent, and hidden from the model', async () => {
  const parameters = [
    { name: 'account', in: 'path', required: true, schema: { type: 'string' } },
    { name: 'X-Version', in: 'header', required: true, schema: { type: 'string' } },
  ]
  const { call, tool } = await send(
    { parameters },
    {},
    {
      path: '/x/{account}',
      headers: { 'x-version': '2', 'User-Agent': 'mine' },
      params: { account: 'acme', key: 'k 1' },
    },
  )
  expect(call?.url).toBe('/v1/x/acme?key=k%201')
  expect(call?.headers).toMatchObject({ 'x-version': '2', 'user-agent': 'mine' })
  expect(tool?.parameters.properties).toEqual({})
})

test('schemas are closed under references, circular ones too', async () => {
  const schemas = {
    Node: {
      type: 'object',
      required: ['id', 'name'],
      properties: {
        id: { type: 'string', readOnly: true },
        name: { type: 'string', nullable: true },
        size: { type: 'integer', minimum: 0, exclusiveMinimum: true },
        children: { type: 'array', items: { $ref: '#/components/schemas/Node' } },
      },
    },
    Pet: { oneOf: [{ $ref: '#/components/schemas/Node' }, { allOf: [{ type: 'object' }] }] },
  }
  const operation = { operationId: 'op', ...body('application/json', { $ref: '#/components/schemas/Pet' }) }
  const document = openApi({ '/x': { post: operation } }, { openapi: '3.0.3', components: { schemas } })
  const [tool] = await toolsFromOpenApi(document, { baseUrl: 'https://api.example' })
  expect(tool?.parameters.$defs).toEqual({
    Node: {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: ['string', 'null'] },
        size: { type: 'integer', exclusiveMinimum: 0 },
        children: { type: 'array', items: { $ref: '#/$defs/Node' } },
      },
    },
  })
})

test('strict mode is asked for where it can express the schema', async () => {
  const all = parameter('query', 'form', true, { schema: { type: 'string', enum: ['a', 'b'] } })
  const optional = parameter('query', 'form', true, { required: false, schema: { type: 'string' } })
  const document = openApi({ '/x': { get: { operationId: 'a', ...all }, post: { operationId: 'b', ...optional } } })
  const tools = await toolsFromOpenApi(document, { baseUrl: 'https://api.example' })
  expect(tools.map((tool) => toSchema(tool).strict)).toEqual([true, false])
  const [loose] = await toolsFromOpenApi(document, { baseUrl: 'https://api.example', strict: false })
  expect(toSchema(loose as never).strict).toBe(false)
})

test('a schema that is too large to send is simplified', async () => {
  const schemas = Object.fromEntries(
    Array.from({ length: 120 }, (_, index) => [
      `S${index}`,
      {
        type: 'object',
        properties: Object.fromEntries(
          Array.from({ length: 120 }, (_, field) => [
            `f${field}`,
            { $ref: `#/components/schemas/S${(index * 7 + field) % 120}` },
          ]),
        ),
      },
    ]),
  )
  const operation = { operationId: 'op', ...body('application/json', { $ref: '#/components/schemas/S0' }) }
  const document = openApi({ '/x': { post: operation } }, { components: { schemas } })
  const [tool] = await toolsFromOpenApi(document, { baseUrl: 'https://api.example' })
  const sent = toSchema(tool as never)
  expect(JSON.stringify(sent).length).toBeLessThan(500_000)
  expect(JSON.stringify(sent)).toContain('f119')
})

const swagger = `swagger: '2.0'
info: { title: Old, version: '1' }
host: old.example
basePath: /v2
schemes: [https]
securityDefinitions:
  key: { type: apiKey, in: header, name: X-Key }
security: [{ key: [] }]
definitions:
  Pet: { type: object, properties: { parent: { $ref: '#/definitions/Pet' } } }
paths:
  /pets/{id}:
    put:
      operationId: putPet
      parameters:
        - { name: id, in: path, required: true, type: integer }
        - { name: tags, in: query, type: array, items: { type: string }, collectionFormat: pipes }
        - { name: pet, in: body, schema: { $ref: '#/definitions/Pet' } }
      responses: { 200: { description: ok } }
`

test('Swagger 2.0 in YAML is read from a text, a file and an address', async () => {
  const api = await startApi((call, response) => void response.end(call.url === '/old.yaml' ? swagger : '{}'))
  const file = join(useFolder(), 'old.yaml')
  writeFileSync(file, swagger)
  for (const source of [swagger, file, pathToFileURL(file), `${api.origin}/old.yaml`]) {
    const [tool] = await toolsFromOpenApi(source, { baseUrl: `${api.origin}/v2`, auth: { key: 'k123' } })
    await callTool(tool, { parameters: { id: 1, tags: ['a', 'b'] }, requestBody: { parent: {} } })
    expect(api.calls.at(-1)).toMatchObject({
      method: 'PUT',
      url: '/v2/pets/1?tags=a%7Cb',
      headers: { 'x-key': 'k123' },
    })
    expect(String(api.calls.at(-1)?.body)).toBe('{"parent":{}}')
  }
})

test('OpenAPI 3.2: the method query, more operations and a whole query string', async () => {
  const api = await startApi()
  const document = openApi(
    {
      '/x': {
        query: { operationId: 'find', ...body('application/json') },
        additionalOperations: { COPY: { operationId: 'copy' } },
        get: {
          operationId: 'whole',
          parameters: [
            { name: 'q', in: 'querystring', content: { 'application/x-www-form-urlencoded': { schema: {} } } },
          ],
        },
      },
    },
    { openapi: '3.2.0', servers: [{ url: `${api.origin}/{area}`, variables: { area: { default: 'eu' } } }] },
  )
  const tools = await toolsFromOpenApi(document, { serverVariables: { area: 'us' } })
  const named = (name: string) => tools.find((tool) => tool.name === name)
  await callTool(named('whole'), { parameters: { q: { a: 1, b: 'x y' } } })
  expect(api.calls[0]?.url).toBe('/us/x?a=1&b=x%20y')
  expect(tools.map(({ name }) => name)).toEqual(['whole', 'find', 'copy'])
})

test.for<[document: unknown, sentence: string]>([
  ['{"openapi": "3.1.0", ', 'is not valid JSON'],
  ['openapi: 3.1.0\npaths: [', 'is not valid YAML'],
  [{ info: {} }, 'has neither "openapi" nor "swagger"'],
  [{ openapi: '4.0.0', paths: {} }, 'has the version "4.0.0"; supported are'],
  [{ swagger: '1.2' }, 'has the Swagger version "1.2"'],
  [{ openapi: '3.1.0' }, 'has no "paths"'],
  [openApi({ '/x': { get: {} } }), 'names no server that can be called ("/")'],
  [
    openApi({ '/x': { get: { parameters: [{ $ref: '#/components/parameters/No' }] } } }),
    'refers to "#/components/parameters/No" in GET /x',
  ],
  [
    openApi({ '/x': { post: body('application/json', { $ref: 'pet.yaml#/Pet' }) } }),
    'refers to another file, "pet.yaml#/Pet"',
  ],
  ['./no-such-file.json', 'There is no OpenAPI document at "./no-such-file.json"'],
])('the broken document %j is an error that says so', async ([document, sentence]) => {
  await expect(toolsFromOpenApi(document as Json)).rejects.toMatchObject({
    code: 'INVALID_TOOL',
    message: expect.stringContaining(sentence),
  })
})

test('a document that cannot be fetched is an error', async () => {
  const api = await startApi((_call, response) => void response.writeHead(404).end())
  await expect(toolsFromOpenApi(`${api.origin}/openapi.json?key=hunter2`)).rejects.toThrow(
    new RegExp(`^The OpenAPI document at ${api.origin}/openapi.json cannot be fetched: HTTP 404\\.$`),
  )
})

test.for<[options: Json, sentence: string]>([
  [{ timeout: 5 }, 'Use instead: timeoutMs'],
  [{ base_url: 'x' }, 'Write "baseUrl"'],
  [{ timeoutMs: 0 }, 'timeoutMs of toolsFromOpenApi() must be a whole number'],
  [{ maxResultBytes: 1e9 }, 'must be a whole number from 1 to 262144'],
  [{ baseUrl: 'api.example' }, 'baseUrl of toolsFromOpenApi() must be an http(s) address'],
  [{ operations: 'op' }, 'must be a list of operation ids or a function'],
])('the option %j is refused', async ([options, sentence]) => {
  await expect(toolsFromOpenApi(openApi({ '/x': { get: {} } }), options)).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining(sentence),
  })
})

const offered = (request: Json | undefined) => ((request?.tools ?? []) as { name: string }[]).map(({ name }) => name)

test('the documents of schemasFolder are tools of the agent in a run', async () => {
  const api = await startApi()
  const folder = useFolder()
  const document = (id: string) =>
    JSON.stringify(openApi({ '/x': { get: { operationId: id } } }, { servers: [{ url: api.origin }] }))
  writeFileSync(join(folder, 'b.json'), document('second'))
  writeFileSync(join(folder, 'a.json'), document('first'))
  writeFileSync(join(folder, '.hidden.json'), '{')
  writeFileSync(join(folder, 'notes.txt'), 'no document')
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'first', arguments: {} }] } : { text: 'Done.' },
  )
  const agent = new Agent({
    name: 'Clerk',
    model: 'gpt-4.1',
    schemasFolder: folder,
    apiHeaders: { 'a.json': { 'x-key': 'k1' } },
    apiParams: { 'a.json': { units: 'metric' } },
  })
  const { newMessages } = await new Agency(agent.clone({ description: 'a copy' })).getResponse('Go.')
  expect(offered(upstream.seen[0]?.body)).toEqual(['first', 'second'])
  expect(api.calls).toMatchObject([{ url: '/x?units=metric', headers: { 'x-key': 'k1' } }])
  expect(newMessages.find((message) => message.type === 'function_call_output')?.output).toBe('{"ok":true}')
})

test('a wrong schemasFolder, and a file it does not have, are errors', () => {
  const folder = useFolder()
  expect(() => new Agent({ name: 'A', schemasFolder: './no-such-folder' })).toThrow(
    /there is no folder "\.\/no-such-folder"\. Tried: /,
  )
  expect(() => new Agent({ name: 'A', schemasFolder: folder })).toThrow('has no .json, .yaml or .yml file')
  writeFileSync(join(folder, 'a.json'), '{}')
  expect(() => new Agent({ name: 'A', schemasFolder: folder })).toThrow('a.json" has neither "openapi" nor "swagger"')
  expect(() => new Agent({ name: 'A', schemasFolder: folder, apiHeaders: { 'b.json': {} } })).toThrow(
    'apiHeaders of agent "A" names the file "b.json", which is not in schemasFolder. It has: a.json.',
  )
})
