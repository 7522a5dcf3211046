import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { OpenAIResponsesModel } from '@openai/agents'
import OpenAI, { AzureOpenAI } from 'openai'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent, chatCompletions, type Model, type ModelSpec, responses, type SdkModel } from '../src/index.ts'
import { promise } from './promises.ts'
import { post, startServer } from './support/client.ts'
import { PDF, page, startFileHost } from './support/file-host.ts'
import { type HostCall, startHosts } from './support/hosts.ts'
import { setEnv } from './support/providers.ts'

const HOSTS = ['openai', 'anthropic', 'gemini', 'openrouter', 'xai', 'azure', 'gateway', 'client', 'object'] as const
type Urls = { [host in (typeof HOSTS)[number]]: string }

const SERVER_KEYS = ['openai', 'anthropic', 'gemini', 'openrouter', 'xai', 'azure']
/** Every host at its provider's address, with a key `server-<provider>` for each. */
async function start() {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  onTestFinished(() => warn.mockRestore())
  const { urls, seen } = await startHosts(HOSTS)
  setEnv({
    OPENAI_BASE_URL: `${urls.openai}/v1`,
    ANTHROPIC_API_BASE: urls.anthropic,
    GEMINI_API_BASE: `${urls.gemini}/v1beta`,
    OPENROUTER_API_BASE: `${urls.openrouter}/v1`,
    XAI_API_BASE: `${urls.xai}/v1`,
    AZURE_API_BASE: urls.azure,
    ...Object.fromEntries(SERVER_KEYS.map((name) => [`${name.toUpperCase()}_API_KEY`, `server-${name}`])),
  })
  return { urls, seen }
}

/** A model of a user's own, which asks over HTTP as it likes. */
function ownModel(url: string): Model {
  const ask = async (body: object) => {
    const headers = { authorization: 'Bearer own', 'content-type': 'application/json' }
    const answer = await fetch(`${url}/v1/responses`, { method: 'POST', headers, body: JSON.stringify(body) })
    return (await answer.json()) as { output: [] }
  }
  return {
    name: 'mine',
    completeTurn: (request) => ask(request),
    async *streamTurn(request) {
      yield { events: [{ type: 'response.completed', response: await ask(request) }], bytes: 1 }
    },
  }
}

/** Every kind of model, and the end of the path that its calls go to. */
const MODELS: { [kind: string]: { make: (urls: Urls) => ModelSpec | SdkModel; path: string } } = {
  'gpt-4.1': { make: () => 'gpt-4.1', path: '/v1/responses' },
  'responses()': { make: () => responses('gpt-4.1'), path: '/v1/responses' },
  'chatCompletions()': { make: () => chatCompletions('gpt-4.1'), path: '/v1/chat/completions' },
  'own client': {
    make: ({ client }) => responses('mine', { client: new OpenAI({ apiKey: 'own', baseURL: `${client}/v1` }) }),
    path: '/v1/responses',
  },
  'own client over chat': {
    make: ({ client }) => chatCompletions('mine', { client: new OpenAI({ apiKey: 'own', baseURL: `${client}/v1` }) }),
    path: '/v1/chat/completions',
  },
  'Azure client': {
    make: ({ client }) =>
      responses('mine', { client: new AzureOpenAI({ baseURL: `${client}/openai`, apiKey: 'own', apiVersion: '1' }) }),
    path: '/responses',
  },
  'Azure client with a token provider': {
    make: ({ client }) => {
      const azureADTokenProvider = async () => 'own'
      return responses('mine', {
        client: new AzureOpenAI({ baseURL: `${client}/openai`, azureADTokenProvider, apiVersion: '1' }),
      })
    },
    path: '/responses',
  },
  'litellm/openai': { make: () => 'litellm/openai/gpt-4.1', path: '/v1/chat/completions' },
  'litellm/anthropic': { make: () => 'litellm/anthropic/claude-sonnet-4-5', path: '/v1/messages' },
  'litellm/openrouter': { make: () => 'litellm/openrouter/meta/llama', path: '/v1/chat/completions' },
  openrouter: { make: () => 'openrouter/meta/llama', path: '/v1/chat/completions' },
  'litellm/xai': { make: () => 'litellm/xai/grok-4', path: '/v1/chat/completions' },
  gemini: { make: () => 'gemini/gemini-2.5-flash', path: ':generateContent' },
  azure: { make: () => 'azure/mine', path: '/chat/completions' },
  'AI SDK object': {
    make: ({ object }) => createOpenAICompatible({ name: 'any', baseURL: `${object}/v1`, apiKey: 'own' })('mine'),
    path: '/v1/chat/completions',
  },
  'Agents SDK model': {
    make: ({ object }) =>
      new OpenAIResponsesModel(new OpenAI({ apiKey: 'own', baseURL: `${object}/v1`, maxRetries: 0 }), 'mine'),
    path: '/v1/responses',
  },
  'custom model': { make: ({ object }) => ownModel(object), path: '/v1/responses' },
  demo: { make: () => 'demo', path: '' },
}

const api_key = 'request'
const litellm_keys = Object.fromEntries(
  ['openai', 'anthropic', 'gemini', 'openrouter', 'xai', 'azure'].map((name) => [name, `lite-${name}`]),
)
const default_headers = { 'x-team': 'blue' }
/** What a request says. `x-team` in a cell is `default_headers`. */
const CONFIGS: { [name: string]: (urls: Urls) => object | undefined } = {
  nothing: () => undefined,
  key: () => ({ api_key }),
  url: ({ gateway }) => ({ base_url: `${gateway}/v1` }),
  'url, key': ({ gateway }) => ({ base_url: `${gateway}/v1`, api_key }),
  headers: () => ({ default_headers }),
  'key, headers': () => ({ api_key, default_headers }),
  keys: () => ({ litellm_keys }),
  'url, key, keys, headers': ({ gateway }) => ({ base_url: `${gateway}/v1`, api_key, litellm_keys, default_headers }),
  'url of a neighbour': ({ openai }) => ({ base_url: `${openai}/neighbour/v1` }),
  'model gpt-4o, key': () => ({ model: 'gpt-4o', api_key }),
  'model openrouter, key, headers': () => ({ model: 'openrouter/meta/llama', api_key, default_headers }),
  'model litellm/anthropic, key, keys': () => ({ model: 'litellm/anthropic/claude', api_key, litellm_keys }),
  arguments: () => ({ model_settings_extra_args: { custom_field: 1 } }),
}

/** Host and key of turn and chat name, then of the files where they go elsewhere: `-` is no key, `+` the request's headers. */
const EXPECTED: { [kind: string]: { [config: string]: string } } = {
  'gpt-4.1': {
    nothing: 'openai server-openai',
    key: 'openai request',
    url: 'gateway server-openai',
    'url, key': 'gateway request',
    headers: 'openai server-openai +',
    'key, headers': 'openai request +',
    keys: 'openai server-openai',
    'url, key, keys, headers': 'gateway request +',
    'url of a neighbour': 'openai -',
    'model gpt-4o, key': 'openai request',
    'model openrouter, key, headers': 'openrouter request + | openai server-openai',
    'model litellm/anthropic, key, keys': 'anthropic lite-anthropic | openai request',
    arguments: 'openai server-openai',
  },
  'own client': {
    nothing: 'client own',
    key: 'client request',
    url: 'gateway server-openai',
    'url, key': 'gateway request',
    headers: 'client own +',
    'key, headers': 'client request +',
    keys: 'client own',
    'url, key, keys, headers': 'gateway request +',
    'url of a neighbour': 'openai -',
    'model gpt-4o, key': 'client request',
    'model openrouter, key, headers': 'openrouter request + | client own',
    'model litellm/anthropic, key, keys': 'anthropic lite-anthropic | client request',
    arguments: 'client own',
  },
  'litellm/openai': {
    nothing: 'openai server-openai',
    key: 'openai request',
    url: 'gateway server-openai',
    'url, key': 'gateway request',
    headers: 'openai server-openai +',
    'key, headers': 'openai request +',
    keys: 'openai lite-openai',
    'url, key, keys, headers': 'gateway lite-openai +',
    'url of a neighbour': 'openai -',
    'model gpt-4o, key': 'openai request',
    'model openrouter, key, headers': 'openrouter request + | openai server-openai',
    'model litellm/anthropic, key, keys': 'anthropic lite-anthropic | openai request',
    arguments: 'openai server-openai',
  },
  openrouter: {
    nothing: 'openrouter server-openrouter | openai server-openai',
    key: 'openrouter request | openai server-openai',
    url: 'gateway server-openrouter | openai server-openai',
    'url, key': 'gateway request | openai server-openai',
    headers: 'openrouter server-openrouter + | openai server-openai',
    'key, headers': 'openrouter request + | openai server-openai',
    keys: 'openrouter lite-openrouter | openai lite-openai',
    'url, key, keys, headers': 'gateway lite-openrouter + | openai lite-openai',
    'url of a neighbour': 'openai - | openai server-openai',
    'model gpt-4o, key': 'openai request',
    'model openrouter, key, headers': 'openrouter request + | openai server-openai',
    'model litellm/anthropic, key, keys': 'anthropic lite-anthropic | openai request',
    arguments: 'openrouter server-openrouter | openai server-openai',
  },
  'AI SDK object': {
    nothing: 'object own | openai server-openai',
    key: 'object own | openai request',
    url: 'object own | gateway server-openai',
    'url, key': 'object own | gateway request',
    headers: 'object own | openai server-openai +',
    'key, headers': 'object own | openai request +',
    keys: 'object own | openai server-openai',
    'url, key, keys, headers': 'object own | gateway request +',
    'url of a neighbour': 'object own | openai -',
    'model gpt-4o, key': 'object own | openai request',
    'model openrouter, key, headers': 'object own | openai request +',
    'model litellm/anthropic, key, keys': 'object own | openai request',
    arguments: 'object own | openai server-openai',
  },
  demo: {
    ...Object.fromEntries(Object.keys(CONFIGS).map((config) => [config, ''])),
    'model gpt-4o, key': 'openai request',
    'model openrouter, key, headers': 'openrouter request + | openai server-openai',
    'model litellm/anthropic, key, keys': 'anthropic lite-anthropic | openai request',
  },
}
/** A provider whose key is never `api_key`, which is OpenAI's then, unless it came with an address. */
const keyedByName = (name: string) => ({
  ...EXPECTED.openrouter,
  nothing: `${name} server-${name} | openai server-openai`,
  key: `${name} server-${name} | openai request`,
  url: `gateway server-${name} | openai server-openai`,
  'url, key': `gateway server-${name} | openai server-openai`,
  headers: `${name} server-${name} + | openai server-openai`,
  'key, headers': `${name} server-${name} + | openai request`,
  keys: `${name} lite-${name} | openai lite-openai`,
  'url, key, keys, headers': `gateway lite-${name} + | openai lite-openai`,
  arguments: `${name} server-${name} | openai server-openai`,
})
Object.assign(EXPECTED, {
  'responses()': EXPECTED['gpt-4.1'],
  'chatCompletions()': EXPECTED['gpt-4.1'],
  'own client over chat': EXPECTED['own client'],
  'Azure client': EXPECTED['own client'],
  'Azure client with a token provider': EXPECTED['own client'],
  'litellm/anthropic': keyedByName('anthropic'),
  'litellm/openrouter': keyedByName('openrouter'),
  'litellm/xai': keyedByName('xai'),
  gemini: keyedByName('gemini'),
  azure: {
    ...keyedByName('azure'),
    key: 'azure request | openai server-openai',
    'url, key': 'gateway request | openai server-openai',
    'key, headers': 'azure request + | openai server-openai',
  },
  'Agents SDK model': EXPECTED['AI SDK object'],
  'custom model': EXPECTED['AI SDK object'],
})

const shown = ({ host, key, headers }: HostCall) => `${host} ${key ?? '-'}${headers['x-team'] === 'blue' ? ' +' : ''}`

test.for(Object.keys(MODELS))('%s: every call of a run goes its way, with its key and headers', async (kind) => {
  promise('C5', 'C13', 'C14', 'C16')
  const { urls, seen } = await start()
  const { make, path } = MODELS[kind] as (typeof MODELS)[string]
  const host = await startFileHost({ '/a.pdf': page(PDF) })
  const model = make(urls)
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Solo', model })) },
    trustedModelOrigins: [urls.gateway],
    trustedFileOrigins: [host.origin],
  })
  for (const [name, config] of Object.entries(CONFIGS)) {
    seen.length = 0
    const body = {
      message: 'Hi',
      file_ids: kind === 'demo' && !name.startsWith('model') ? [] : ['file-1'],
      file_urls: { 'a.pdf': `${host.origin}/a.pdf` },
      generate_chat_name: true,
      client_config: config(urls),
    }
    const answer = await (await post(`${url}/solo/get_response`, body)).json()
    const chosen = name.startsWith('model') && !isObject(kind)
    expect(answer, name).toMatchObject({ response: expect.any(String), chat_name: expect.any(String) })
    const of = (...kinds: HostCall['kind'][]) => seen.filter((call) => kinds.includes(call.kind))
    const [way = '', files = way] = String(EXPECTED[kind]?.[name]).split(' | ')
    const told = { calls: of('turn', 'name').map(shown), files: [...new Set(of('upload', 'file').map(shown))] }
    expect({ name, ...told }).toEqual(
      way === '' ? { name, calls: [], files: [] } : { name, calls: [way, way], files: [files] },
    )
    if (way === '') continue
    expect(
      of('upload', 'file')
        .map((call) => call.kind)
        .sort(),
      name,
    ).toEqual(['file', 'file', 'upload'])
    const [turn, naming] = [of('turn')[0], of('name')[0]] as [HostCall, HostCall]
    if (!chosen) expect(turn.path, name).toMatch(new RegExp(`${path}$`))
    expect(naming.path, name).toBe(turn.path)
    const small = turn.path.endsWith('/responses') && !isObject(kind) && !chosen && turn.host !== 'client'
    expect(naming.body.model, name).toBe(small ? 'gpt-5.6-luna' : turn.body.model)
    expect([turn, naming].map(({ body }) => body.custom_field)).toEqual([
      name === 'arguments' && !isObject(kind) ? 1 : undefined,
      undefined,
    ])
  }
})

const isObject = (kind: string) => ['AI SDK object', 'Agents SDK model', 'custom model'].includes(kind)

test.for(['openrouter', 'azure', 'litellm/anthropic', 'gemini'])(
  '%s: files need an OpenAI key, of the server or the request',
  async (kind) => {
    promise('C5', 'C14')
    const { urls, seen } = await start()
    setEnv({ OPENAI_API_KEY: undefined })
    const model = (MODELS[kind] as (typeof MODELS)[string]).make(urls)
    const { url } = await startServer({ agencies: { solo: new Agency(new Agent({ name: 'Solo', model })) } })
    const ask = async (client_config: object) => {
      const answer = await post(`${url}/solo/get_response`, { message: 'Hi', file_ids: ['file-1'], client_config })
      return (await answer.json()) as { error?: string }
    }
    for (const config of [{ default_headers }, { model: 'openrouter/meta/llama', api_key }]) {
      expect((await ask(config)).error).toMatch(/no key for the Files API.*client_config\.litellm_keys\.openai/)
      expect(seen).toEqual([])
    }
    expect(await ask({ litellm_keys: { openai: 'lite-openai' } })).toMatchObject({ response: 'Hello' })
    expect(seen.map(({ kind, host, key }) => `${kind} ${host} ${key}`)[0]).toBe('file openai lite-openai')
  },
)
