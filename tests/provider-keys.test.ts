/** Which key goes to which address. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import OpenAI, { AzureOpenAI } from 'openai'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, buildApp, chatCompletions, responses } from '../src/index.ts'
import { PROVIDER_NAMES } from '../src/wire/provider-names.ts'
import { promise } from './promises.ts'
import { allFrames, post, startServer } from './support/client.ts'
import { agent, hello, keyOf, listen, serveAt, solo } from './support/keyed-server.ts'
import { everyProviderAt, setEnv, startMock } from './support/providers.ts'

test("each provider's key is sent to that provider only", async () => {
  promise('C13', 'C14')
  listen()
  const hosts = {
    openai: await startMock([hello]),
    anthropic: await startMock([hello]),
    gemini: await startMock([hello]),
    groq: await startMock([hello]),
  }
  everyProviderAt(hosts.openai.url)
  setEnv({
    ANTHROPIC_API_BASE: hosts.anthropic.url,
    GEMINI_API_BASE: `${hosts.gemini.url}/v1beta`,
    GROQ_API_BASE: `${hosts.groq.url}/v1`,
  })
  const models = {
    openai: 'gpt-4.1',
    anthropic: 'anthropic/claude-sonnet-4-5',
    gemini: 'litellm/google/gemini-2.5-flash',
    groq: 'groq/llama',
  }
  const agents = Object.entries(models).map(([name, model]) => agent(model, name))
  const { url } = await startServer({ agencies: { all: new Agency(agents) } })
  const ask = (recipient_agent: string, client_config?: object) =>
    post(`${url}/all/get_response`, { message: 'Hi', recipient_agent, ...(client_config && { client_config }) })
  const own = {
    api_key: 'k-request-openai',
    litellm_keys: { anthropic: 'k-request-anthropic', gemini: 'k-request-gemini', groq: 'k-request-groq' },
  }
  for (const name of Object.keys(models)) {
    expect((await ask(name)).status, name).toBe(200)
    expect((await ask(name, own)).status, name).toBe(200)
    expect((await ask(name, { litellm_keys: { bedrock: 'k-request-bedrock' } })).status, name).toBe(200)
  }
  for (const [name, { seen }] of Object.entries(hosts)) {
    expect(seen.map(keyOf), name).toEqual([`sk-server-${name}`, `k-request-${name}`, `sk-server-${name}`])
    const everything = JSON.stringify(seen.map(({ path, headers, body }) => [path, headers, body]))
    for (const other of Object.keys(models))
      if (other !== name) expect(everything).not.toMatch(new RegExp(`(server|request)-${other}`))
  }
})

test('a base_url replaces every address and gets no server key', async () => {
  promise('C13', 'C14')
  listen()
  const gateway = await startMock([hello])
  everyProviderAt(gateway.url)
  const elsewhere = await startMock([hello])
  setEnv({
    ANTHROPIC_API_BASE: elsewhere.url,
    GROQ_API_BASE: `${elsewhere.url}/v1`,
    GEMINI_API_BASE: elsewhere.url,
    OPENROUTER_API_BASE: elsewhere.url,
  })
  const base_url = `${gateway.url}/v1`
  for (const [model, name, path] of [
    ['anthropic/claude-sonnet-4-5', 'anthropic', '/v1/messages'],
    ['litellm/groq/llama', 'groq', '/v1/chat/completions'],
    ['openrouter/meta/llama', 'openrouter', '/v1/chat/completions'],
  ] as const) {
    // The operator's own address of OpenAI may be reached, but it is not this provider's.
    gateway.seen.length = 0
    const untrusting = await serveAt(gateway.url, model, { trustedModelOrigins: [] })
    expect((await untrusting({ base_url })).status).toBe(200)
    expect((await untrusting({ base_url, litellm_keys: { [name]: 'k-own' } })).status).toBe(200)
    const trusting = await serveAt(gateway.url, model)
    expect((await trusting({ base_url })).status).toBe(200)
    expect(gateway.seen.map(keyOf)).toEqual([undefined, 'k-own', `sk-server-${name}`])
    expect(gateway.seen.map((call) => call.path)).toEqual([path, path, path])
  }
  const google = await serveAt(gateway.url, 'gemini/gemini-2.5-flash')
  expect((await google({ base_url: `${gateway.url}/v1beta`, litellm_keys: { gemini: 'k-own' } })).status).toBe(200)
  expect(gateway.seen.at(-1)?.path).toBe('/v1beta/models/gemini-2.5-flash:generateContent')
  expect(elsewhere.seen).toEqual([])
  const refused = await (await serveAt(gateway.url, 'anthropic/claude', {}))({ base_url: 'http://10.0.0.1/v1' })
  expect(refused.status).toBe(422)
})

test.for([
  ['gemini-2.5-flash', 'models/gemini-2.5-flash'],
  ['tunedModels/mine', 'tunedModels/mine'],
  ['%2e%2e/%2e%2e/other/models/x', '%252e%252e/%252e%252e/other/models/x'],
  ['..\\..\\other', 'models/..%5C..%5Cother'],
  ['x?key=other', 'models/x%3Fkey%3Dother'],
  ['x#', 'models/x%23'],
  ['.\t./.\n./other', '.%09./.%0A./other'],
  ['\ud800x', 'models/%EF%BF%BDx'],
])("a request's model name cannot redirect Gemini's key: %j", async ([name, path]) => {
  promise('C13')
  const gateway = await startMock([hello])
  everyProviderAt(gateway.url)
  setEnv({ GEMINI_API_BASE: `${gateway.url}/team/v1beta` })
  const ask = await serveAt(gateway.url, 'gpt-4.1')
  await ask({ model: `gemini/${name}` })
  expect(gateway.seen.map((call) => [keyOf(call), call.path])).toEqual([
    ['sk-server-gemini', `/team/v1beta/${path}:generateContent`],
  ])
})

test("headers from the server's environment stay with OpenAI", async () => {
  promise('C13')
  const mock = await startMock([hello])
  everyProviderAt(mock.url)
  setEnv({ OPENAI_CUSTOM_HEADERS: 'X-Gateway-Secret: abc', OPENAI_ORG_ID: 'org-1', OPENAI_ADMIN_KEY: 'sk-admin' })
  const models = ['gpt-4.1', 'groq/llama']
  const { url } = await startServer({ agencies: { all: new Agency(models.map((model) => agent(model, model))) } })
  for (const recipient_agent of models) await post(`${url}/all/get_response`, { message: 'Hi', recipient_agent })
  expect(mock.seen[0]?.headers).toMatchObject({ 'x-gateway-secret': 'abc', 'openai-organization': 'org-1' })
  expect(JSON.stringify(mock.seen[1]?.headers)).not.toMatch(/abc|org-1|sk-admin|x-gateway/i)
})

test('litellm_keys accepts every provider name of LiteLLM', async () => {
  promise('C14', 'C18')
  const said = listen()
  const mock = await startMock([hello])
  everyProviderAt(mock.url)
  const ask = await serveAt(mock.url, 'groq/llama')
  const all = Object.fromEntries(PROVIDER_NAMES.map((name) => [name, `k-${name}`]))
  expect(PROVIDER_NAMES.length).toBeGreaterThan(100)
  for (let count = 0; count < 2; count++) expect((await ask({ litellm_keys: all })).status).toBe(200)
  expect(mock.seen.map(keyOf)).toEqual(['k-groq', 'k-groq'])
  expect(said.filter((line) => /litellm_keys has a key for "bedrock".*ignored/.test(line))).toHaveLength(1)
  expect(said.join()).not.toMatch(/"(groq|anthropic|gemini|ollama_chat)", which/)
  expect(said.join()).not.toContain('k-bedrock')
  const answer = await ask({ litellm_keys: { bogus: 'k-secret-1', groq: 5, anthropic: 'k secret 2' } })
  expect(answer.status).toBe(422)
  const { detail } = (await answer.json()) as { detail: { type: string; loc: string[]; msg: string }[] }
  expect(detail[0]).toMatchObject({
    type: 'enum',
    loc: ['body', 'client_config', 'litellm_keys', 'bogus', '[key]'],
    input: 'bogus',
    msg: expect.stringMatching(/^Input should be 'openai', 'chatgpt', .* or 'bedrock_mantle'$/),
    ctx: { expected: expect.stringMatching(/^'openai'.*'bedrock_mantle'$/) },
  })
  expect(detail[1]).toMatchObject({ type: 'string_type', loc: ['body', 'client_config', 'litellm_keys', 'groq'] })
  const odd = await ask({ litellm_keys: { anthropic: 'k secret 2' } })
  expect(odd.status).toBe(422)
  expect(JSON.stringify([detail, await odd.json()])).not.toMatch(/secret/)
})

test("a provider's own words about a key never show it", async () => {
  promise('C14', 'D6')
  const logged: unknown[] = []
  for (const method of ['error', 'warn'] as const) {
    const spy = vi.spyOn(console, method).mockImplementation((...words) => void logged.push(words))
    onTestFinished(() => spy.mockRestore())
  }
  for (const [model, name] of [
    ['anthropic/claude-sonnet-4-5', 'anthropic'],
    ['gemini/gemini-2.5-flash', 'gemini'],
    ['groq/llama', 'groq'],
  ] as const) {
    const mock = await startMock([], (call, response) => {
      response.writeHead(401, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({
          type: 'error',
          error: {
            type: 'authentication_error',
            message: `invalid key ${keyOf(call)}`,
            code: 401,
            status: 'UNAUTHENTICATED',
          },
        }),
      )
      return true
    })
    everyProviderAt(mock.url)
    const { url } = await startServer({ agencies: solo(model), exposeErrors: true })
    const keys = [undefined, { litellm_keys: { [name]: 'k-of-the-request' } }]
    for (const client_config of keys) {
      const body = { message: 'Hi', ...(client_config && { client_config }) }
      const plain = await post(`${url}/solo/get_response`, body)
      expect(plain.status).toBe(500)
      const text = (await plain.text()) + JSON.stringify(await allFrames(`${url}/solo/get_response_stream`, body))
      expect(text.match(/invalid key \[redacted\]/g), model).toHaveLength(2)
    }
    expect(mock.seen).toHaveLength(4) // a wrong key is not tried again
  }
  expect(JSON.stringify(logged)).not.toMatch(/sk-server|k-of-the-request/)
})

test('overlapping requests with keys of their own never see each other', async () => {
  promise('C17')
  listen()
  const mock = await startMock([{ match: {}, latency: 2, response: { content: 'Hello there, this takes a while' } }])
  everyProviderAt(mock.url)
  const models = ['anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash', 'groq/llama']
  const { url } = await startServer({ agencies: { all: new Agency(models.map((model) => agent(model, model))) } })
  await Promise.all(
    Array.from({ length: 45 }, async (_, index) => {
      const recipient_agent = models[index % 3] as string
      const name = recipient_agent.split('/')[0] as string
      const client_config = index % 2 === 0 ? { litellm_keys: { [name]: `k${index}x` } } : undefined
      await allFrames(`${url}/all/get_response_stream`, { message: `mark${index}x`, recipient_agent, client_config })
    }),
  )
  expect(mock.seen).toHaveLength(45)
  for (const call of mock.seen) {
    const [, number] = /mark(\d+)x/.exec(JSON.stringify(call.body)) as unknown as [string, string]
    const even = Number(number) % 2 === 0
    expect(keyOf(call)).toMatch(even ? new RegExp(`^k${number}x$`) : /^sk-server/)
  }
})

test('client_config does not change an AI SDK model, with one log line', async () => {
  promise('C15')
  const said = listen()
  const mock = await startMock([hello])
  const model = createOpenAICompatible({ name: 'mine', baseURL: `${mock.url}/v1`, apiKey: 'sk-object' })('any')
  const ask = await serveAt(mock.url, model)
  const answer = await ask({
    api_key: 'k1',
    base_url: 'https://1.1.1.1/v1',
    model: 'gpt-4o',
    litellm_keys: { groq: 'k2' },
  })
  expect(await answer.json()).toMatchObject({ response: 'Hello' })
  expect(mock.seen.map((call) => [call.body.model, keyOf(call)])).toEqual([['any', 'sk-object']])
  expect(said.filter((line) => line.includes('leaves the custom model of agent "Solo" alone'))).toHaveLength(1)
})

test('a model may have its own client, which request settings use', async () => {
  promise('C13', 'C16', 'F9')
  listen()
  const mock = await startMock([hello])
  const gateway = await startMock([hello])
  const azure = new AzureOpenAI({ endpoint: mock.url, apiKey: 'sk-azure', apiVersion: '2025-04-01-preview' })
  everyProviderAt(gateway.url)
  const own = new OpenAI({ apiKey: 'sk-own', baseURL: `${mock.url}/v1`, defaultHeaders: { 'x-own-secret': 's' } })
  for (const [model, path, key, name] of [
    [responses('vendor/name', { client: own }), '/v1/responses', 'sk-own', 'vendor/name'],
    [chatCompletions('vendor/name', { client: own }), '/v1/chat/completions', 'sk-own', 'vendor/name'],
    [
      responses('my-deployment', { client: azure }),
      '/openai/responses?api-version=2025-04-01-preview',
      'sk-azure',
      'my-deployment',
    ],
    [
      chatCompletions('my-deployment', { client: azure }),
      '/openai/deployments/my-deployment/chat/completions?api-version=2025-04-01-preview',
      'sk-azure',
      'my-deployment',
    ],
  ] as const) {
    mock.seen.length = 0
    gateway.seen.length = 0
    const ask = await serveAt(gateway.url, model)
    const { url } = await startServer({ agencies: solo(model) })
    expect(JSON.stringify(await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' }))).toContain('Hello')
    expect((await ask({ api_key: 'k1', default_headers: { 'x-team': 'blue' } })).status).toBe(200)
    expect((await ask({ model: 'other' })).status).toBe(200)
    expect(mock.seen.map((call) => [keyOf(call), call.headers['x-team'], call.body.model])).toEqual([
      [key, undefined, name],
      ['k1', 'blue', name],
      [key, undefined, 'other'],
    ])
    expect(mock.seen[0]?.path).toBe(path)
    expect((await ask({ base_url: `${gateway.url}/v1`, api_key: 'k2' })).status).toBe(200)
    expect((await ask({ model: 'litellm/groq/llama' })).status).toBe(200)
    expect(gateway.seen.map((call) => [keyOf(call), call.headers['x-own-secret']])).toEqual([
      ['k2', undefined],
      ['sk-server-groq', undefined],
    ])
  }
})

test('a missing key or address stops the start with a remedy', async () => {
  promise('F9')
  listen()
  setEnv({
    ANTHROPIC_API_KEY: undefined,
    GROQ_API_KEY: undefined,
    OPENAI_API_KEY: 'sk-x',
    OPENAI_BASE_URL: undefined,
    AZURE_API_BASE: undefined,
  })
  for (const [model, code, words] of [
    ['litellm/anthropic/claude', 'MISSING_API_KEY', ['ANTHROPIC_API_KEY', 'litellm_keys.anthropic', 'keyPerRequest']],
    ['groq/llama', 'MISSING_API_KEY', ['GROQ_API_KEY', 'litellm_keys.groq', 'keyPerRequest']],
    ['litellm/azure/deployment', 'MODEL_NOT_SUPPORTED', ['AZURE_API_BASE', 'base_url']],
    ['litellm/bedrock/claude', 'MODEL_NOT_SUPPORTED', ['bedrock/claude', 'anthropic, gemini', 'OPENAI_BASE_URL']],
    ['nobody/claude', 'MODEL_NOT_SUPPORTED', ['nobody/claude']],
  ] as const) {
    const failed = await buildApp({ agencies: solo(model) }).catch((error: unknown) => error)
    expect(failed, model).toMatchObject({ code })
    for (const word of words) expect((failed as Error).message).toContain(word)
  }
  const old = { specificationVersion: 'v2', provider: 'x', modelId: 'y', doStream: () => {}, doGenerate: () => {} }
  await expect(buildApp({ agencies: solo(old as never) })).rejects.toMatchObject({ code: 'MODEL_NOT_SUPPORTED' })
  await expect(buildApp({ agencies: solo({ name: 'odd' } as never) })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  const { url } = await startServer({ agencies: solo('groq/llama'), keyPerRequest: true })
  const answer = await post(`${url}/solo/get_response`, { message: 'Hi' })
  expect(answer.status).toBe(500)
  expect(await answer.text()).toContain('GROQ_API_KEY')
})
