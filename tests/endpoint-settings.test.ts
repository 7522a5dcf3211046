import { OpenAIResponsesModel } from '@openai/agents'
import OpenAI from 'openai'
import { expect, onTestFinished, test, vi } from 'vitest'
import {
  Agency,
  Agent,
  type AgentOptions,
  chatCompletions,
  codeInterpreter,
  fileSearch,
  hostedMcp,
  responses,
  type ServeOptions,
  webSearch,
} from '../src/index.ts'
import { promise } from './promises.ts'
import { post, startServer } from './support/client.ts'
import { type HostCall, startHosts } from './support/hosts.ts'
import { setEnv } from './support/providers.ts'

/** OpenAI's address, a gateway that the operator trusts, and the other providers at one host. */
async function start(options: ServeOptions = {}) {
  for (const method of ['warn', 'error'] as const) {
    const spy = vi.spyOn(console, method).mockImplementation(() => {})
    onTestFinished(() => spy.mockRestore())
  }
  const { urls, seen } = await startHosts(['openai', 'gateway', 'others'])
  const names = ['OPENAI', 'ANTHROPIC', 'GEMINI', 'XAI', 'OPENROUTER', 'GROQ']
  setEnv({
    ...Object.fromEntries(names.map((name) => [`${name}_API_BASE`, `${urls.others}/v1`])),
    ...Object.fromEntries(names.map((name) => [`${name}_API_KEY`, `server-${name.toLowerCase()}`])),
    OPENAI_BASE_URL: `${urls.openai}/v1`,
  })
  /** The calls of one run. */
  const run = async (agent: Partial<AgentOptions>, client_config?: object, more: object = {}) => {
    seen.length = 0
    const { url } = await startServer({
      agencies: { solo: new Agency(new Agent({ name: 'Solo', ...agent })) },
      trustedModelOrigins: [urls.gateway],
      ...options,
    })
    const answer = await post(`${url}/solo/get_response`, { message: 'Hi', client_config, ...more })
    return { status: answer.status, answer: await answer.text(), turn: seen[0] as HostCall, seen: [...seen] }
  }
  return { urls, seen, run, at: (path = '/v1') => ({ base_url: urls.gateway + path }) }
}

const of = ({ reasoning, text, reasoning_effort, verbosity }: HostCall['body']) => [
  reasoning?.effort ?? reasoning_effort,
  text?.verbosity ?? verbosity,
]

test.for([
  [{}, undefined, ['none', 'low']],
  [{ model: 'gpt-5' }, undefined, ['low', 'low']],
  [{ model: 'gpt-5.2-pro' }, undefined, ['medium', 'low']],
  [{ model: 'gpt-5.7' }, undefined, [undefined, 'low']],
  [{ model: 'gpt-4.1' }, undefined, [undefined, undefined]],
  [{ model: 'openai/gpt-5' }, undefined, [undefined, undefined]],
  [{ model: responses('gpt-5.4-mini') }, undefined, ['none', 'low']],
  [{ model: chatCompletions('gpt-5') }, undefined, ['low', 'low']],
  [{ model: 'openrouter/openai/gpt-5' }, undefined, ['low', 'low']],
  [{ model: 'litellm/openai/gpt-5' }, undefined, [undefined, undefined]],
  // An agent's own settings come first, each for itself.
  [{ model: 'gpt-5', modelSettings: { reasoning: { effort: 'high' } } }, undefined, ['high', 'low']],
  [{ model: 'gpt-5', modelSettings: { reasoning: { summary: 'auto' } } }, undefined, [undefined, 'low']],
  [{ modelSettings: { verbosity: 'high' } }, undefined, ['none', 'high']],
  // What a request adds comes before both, and the model that it chooses brings its own defaults.
  [{}, { model_settings_extra_args: { reasoning_effort: 'high' } }, ['high', 'low']],
  [{}, { model_settings_extra_args: { reasoning_summary: 'auto', verbosity: 'medium' } }, ['none', 'medium']],
  [{ modelSettings: { reasoning: { effort: 'high' }, verbosity: 'high' } }, { model: 'gpt-5' }, ['low', 'low']],
  [{}, { model: 'gpt-4o' }, [undefined, undefined]],
  [{}, { model: 'openrouter/openai/gpt-5.4' }, ['none', 'low']],
  [{}, { model: 'groq/gpt-5' }, [undefined, undefined]],
] as const)('%j with %j asks for this effort and verbosity: %j', async ([agent, config, expected]) => {
  promise('C16')
  const { run } = await start()
  expect(of((await run(agent as Partial<AgentOptions>, config)).turn.body)).toEqual(expected)
})

test('gateways, clients and name calls get the defaults too', async () => {
  promise('C16')
  const { run, at, urls } = await start()
  expect(of((await run({}, at())).turn.body)).toEqual(['none', 'low'])
  expect(of((await run({}, { ...at(), model: 'openai/gpt-5' })).turn.body)).toEqual([undefined, undefined])
  const client = new OpenAI({ apiKey: 'own', baseURL: `${urls.gateway}/v1` })
  expect(of((await run({ model: responses('gpt-5', { client }) })).turn.body)).toEqual(['low', 'low'])
  const sdk = await run({ model: new OpenAIResponsesModel(client, 'gpt-5') })
  expect(of(sdk.turn.body)).toEqual(['low', 'low'])
  const high = { reasoning: { effort: 'high' } }
  const own = await run({ model: new OpenAIResponsesModel(client, 'gpt-5.4'), modelSettings: high })
  expect(of(own.turn.body)).toEqual(['high', 'low'])
  const settings = { reasoning: { effort: 'high' }, extraHeaders: { 'x-tenant': 'a' } }
  const { seen } = await run({ model: 'gpt-4.1', modelSettings: settings }, undefined, { generate_chat_name: true })
  expect(seen.map(({ kind, body, headers }) => [kind, ...of(body), body.store, headers['x-tenant']])).toEqual([
    ['turn', 'high', undefined, undefined, 'a'],
    ['name', 'none', 'low', false, 'a'],
  ])
})

test.for([
  [
    'anthropic/claude',
    { include: ['a'], thinking: { type: 'enabled', budgetTokens: 16_000 }, effort: 'high' },
    { thinking: { type: 'enabled', budget_tokens: 16_000 }, reasoning: { effort: 'high' } },
  ],
  [
    'anthropic/claude',
    { reasoning_effort: 'low', reasoning_summary: 'auto', max_tokens: 9 },
    { reasoning: { effort: 'low' }, max_output_tokens: 9 },
  ],
  [
    'gemini/gemini-3-pro',
    { thinkingConfig: { thinkingBudget: 512 }, include: ['a'] },
    { thinking: { type: 'enabled', budget_tokens: 512 }, reasoning: { summary: 'auto' } },
  ],
  [
    'google/gemini-3-pro',
    { thinkingConfig: { thinkingLevel: 'low' } },
    { reasoning: { effort: 'low', summary: 'auto' } },
  ],
  ['xai/grok-4', { reasoning_effort: 'high', include: ['a'] }, {}],
  ['xai/grok-3-mini', { effort: 'high' }, { reasoning: { effort: 'high' } }],
  ['meta/llama', { reasoning_effort: 'high', include: ['a'] }, { reasoning: { effort: 'high' } }],
] as const)('%s at a gateway: %j is sent as %j', async ([model, model_settings_extra_args, expected]) => {
  promise('C16')
  const { run, at } = await start()
  const { turn } = await run({ model: 'gpt-4.1' }, { ...at(), api_key: 'k', model, model_settings_extra_args })
  expect([turn.host, turn.path, turn.body.model]).toEqual(['gateway', '/v1/responses', model])
  const { model: _, input, tools, truncation, include, ...sent } = turn.body
  expect(sent).toEqual(expected)
  expect(include).toEqual([])
})

test.for([
  ['litellm/xai/grok-4', 'high', undefined],
  ['litellm/xai/grok-3', 'high', undefined],
  ['xai/grok-4-fast', 'high', undefined],
  ['litellm/xai/grok-4-1-fast-non-reasoning', 'high', undefined],
  ['litellm/xai/grok-3-mini', 'high', 'high'],
  ['xai/grok-4.3', 'low', 'low'],
  ['openrouter/x-ai/grok-4', 'high', undefined],
] as const)('%s asked for the effort %s is sent %s', async ([model, effort, sent]) => {
  promise('C16')
  const { run } = await start()
  const asked = [
    await run({ model }, { model_settings_extra_args: { reasoning_effort: effort } }),
    await run({ model }, { model_settings_extra_args: { reasoning: { effort } } }),
    await run({ model, modelSettings: { reasoning: { effort } } }),
    await run({ model: 'gpt-4.1' }, { model, model_settings_extra_args: { reasoning_effort: effort } }),
  ]
  for (const { turn } of asked) expect([turn.host, turn.body.reasoning_effort]).toEqual(['others', sent])
})

const HOSTED = [
  webSearch(),
  fileSearch({ vectorStoreIds: 'vs_1', includeSearchResults: true }),
  codeInterpreter({ includeOutputs: true }),
  hostedMcp({ serverLabel: 'desk', serverUrl: 'https://mcp.example', authorization: 'secret-of-the-server' }),
]
const KINDS = ['web_search', 'file_search', 'code_interpreter', 'mcp']
const include = ['web_search_call.results', 'message.output_text.logprobs']
const settings = { include, store: false }
const GENERIC = ['message.output_text.logprobs', 'reasoning.encrypted_content']

test("a gateway gets functions in place of OpenAI's hosted tools", async () => {
  promise('C13', 'C16')
  const { run, at, urls } = await start()
  const agent = { model: 'gpt-4.1', tools: HOSTED, modelSettings: settings }
  const names = ['web_search', 'file_search', 'code_interpreter', 'hosted_mcp']
  for (const config of [at(), { ...at(), api_key: 'k' }, { base_url: `${urls.openai}/neighbour/v1`, api_key: 'k' }]) {
    const { turn } = await run(agent, {
      ...config,
      model_settings_extra_args: { include: ['web_search_call.results'] },
    })
    expect(turn.body.tools.map((tool: { type: string; name: string }) => [tool.type, tool.name])).toEqual(
      names.map((name) => ['function', name]),
    )
    expect(turn.body.include).toEqual(GENERIC)
    expect(JSON.stringify([turn.headers, turn.body])).not.toContain('secret-of-the-server')
  }
  for (const config of [
    undefined,
    { api_key: 'k' },
    { base_url: `${urls.openai}/v1` },
    { base_url: `${urls.openai}/v1/team` },
  ]) {
    const { turn } = await run(agent, config)
    expect(turn.body.tools.map((tool: { type: string }) => tool.type)).toEqual(KINDS)
    expect(turn.body.include).toEqual(expect.arrayContaining([...include, 'file_search_call.results']))
  }
})

test.for([
  ['web_search', { type: 'function', name: 'web_search' }, { type: 'web_search' }],
  [{ type: 'file_search' }, { type: 'function', name: 'file_search' }, { type: 'file_search' }],
  [
    { type: 'mcp', server_label: 'desk' },
    { type: 'function', name: 'hosted_mcp' },
    { type: 'mcp', server_label: 'desk' },
  ],
  [{ type: 'image_generation' }, undefined, { type: 'image_generation' }],
  ['required', 'required', 'required'],
] as const)('the tool choice %j is %j at a gateway, %j at OpenAI', async ([toolChoice, there, here]) => {
  const { run, at } = await start()
  const agent = { model: 'gpt-4.1', tools: HOSTED, modelSettings: { toolChoice } }
  expect((await run(agent, at())).turn.body.tool_choice).toEqual(there)
  expect((await run(agent)).turn.body.tool_choice).toEqual(here)
  const chat = (await run({ ...agent, model: chatCompletions('gpt-4.1') })).turn.body.tool_choice
  expect(chat).toEqual(typeof there === 'object' ? { type: 'function', function: { name: there.name } } : there)
})

test('an option passes them on, with what they ask for', async () => {
  promise('C16')
  const { run, at } = await start({ gatewayHostedTools: true })
  const { turn } = await run({ model: 'gpt-4.1', tools: HOSTED, modelSettings: settings }, at())
  expect(turn.host).toBe('gateway')
  expect(turn.body.tools.map((tool: { type: string }) => tool.type)).toEqual(KINDS)
  expect(turn.body.include).toEqual(expect.arrayContaining([...include, 'file_search_call.results']))
})

test.for([
  ['https://chatgpt.com/backend-api/codex', 'litellm/anthropic/claude', 'lite-anthropic', '/v1/messages'],
  ['https://api.openai.com/v1', 'anthropic/claude', 'lite-anthropic', '/v1/messages'],
  ['https://eu.api.openai.com/v1', 'openrouter/meta/llama', 'lite-openrouter', '/v1/chat/completions'],
  ['https://mine.openai.azure.com/openai/v1', 'litellm/groq/llama', 'lite-groq', '/v1/chat/completions'],
] as const)('%s takes no call of %s', async ([base_url, model, key, path]) => {
  promise('C13', 'C14')
  const { run } = await start()
  const litellm_keys = { anthropic: 'lite-anthropic', openrouter: 'lite-openrouter', groq: 'lite-groq' }
  const config = { base_url, api_key: 'of-openai', litellm_keys, default_headers: { 'x-account': 'of-openai' } }
  for (const [agent, more] of [
    [{ model }, {}],
    ...(model.startsWith('anthropic') ? [] : [[{ model: 'gpt-4.1' }, { model }]]),
  ] as const) {
    const { status, answer, seen } = await run(agent, { ...config, ...more }, { generate_chat_name: true })
    expect(status, answer).toBe(200)
    expect(seen.map((call) => [call.kind, call.host, call.path, call.key])).toEqual([
      ['turn', 'others', path, key],
      ['name', 'others', path, key],
    ])
    expect(JSON.stringify(seen)).not.toContain('of-openai')
  }
})

test("the server's key goes to its own address and below, to nothing beside it", async () => {
  promise('C13')
  const { run, urls } = await start({ trustedModelOrigins: [] })
  setEnv({ OPENAI_BASE_URL: `${urls.openai}/team/v1` })
  for (const [path, key] of [
    ['/team/v1', 'server-openai'],
    ['/team/v1/', 'server-openai'],
    ['/team/v1/mine', 'server-openai'],
    ['/other/v1', undefined],
    ['/v1', undefined],
    ['', undefined],
    ['/team/v1x', undefined],
    ['/team/v1/../../other', undefined],
    ['/team/v1/..%2fother', undefined],
    ['/team/v1/%2e%2e/%2E%2e/other', undefined],
  ] as const) {
    const { turn, answer } = await run({ model: 'gpt-4.1' }, { base_url: urls.openai + path })
    expect([path, turn?.host, turn?.key], answer).toEqual([path, 'openai', key])
    const mine = await run({ model: 'gpt-4.1' }, { base_url: urls.openai + path, api_key: 'request' })
    expect(mine.turn.key).toBe('request')
  }
})

test('an entry of trustedModelOrigins with a path trusts only below it', async () => {
  promise('C13')
  const { urls, seen } = await start()
  const agent = new Agency(new Agent({ name: 'Solo', model: 'gpt-4.1' }))
  const { url } = await startServer({ agencies: { solo: agent }, trustedModelOrigins: [`${urls.gateway}/tenant/v1`] })
  const ask = (path: string) =>
    post(`${url}/solo/get_response`, { message: 'Hi', client_config: { base_url: urls.gateway + path } })
  expect([(await ask('/tenant/v1')).status, seen.map(({ key }) => key)]).toEqual([200, ['server-openai']])
  expect([(await ask('/other/v1')).status, seen.length]).toEqual([422, 1])
})

const blank = (field: string) => [{ [field]: '' }, [field]] as const
test.for([
  blank('api_key'),
  [{ litellm_keys: { openai: '' } }, ['litellm_keys', 'openai']],
  [{ litellm_keys: { anthropic: 'k', groq: '' } }, ['litellm_keys', 'groq']],
  [{ api_key: ' ' }, ['api_key']],
  [{ litellm_keys: { xai: '\t' } }, ['litellm_keys', 'xai']],
  blank('model'),
  [{ model: ' ' }, ['model']],
  [{ model: ' gpt-4o' }, ['model']],
  [{ model: 'litellm/' }, ['model']],
  [{ model: 'openrouter/' }, ['model']],
  [{ model: 'litellm/openrouter/' }, ['model']],
  [{ model: 'litellm/ /x' }, ['model']],
  [{ model: 'anthropic/' }, ['model']],
  [{ model: '/' }, ['model']],
  [{ model: 'groq//llama', api_key: 'k' }, ['model']],
  [{ model: 'gemini/../../other/models/x' }, ['model']],
  [{ model: 'litellm/gemini/models/../x' }, ['model']],
  [{ model: 'azure/..' }, ['model']],
  [{ model: './gpt-4.1', base_url: 'https://gateway.example/v1' }, ['model']],
  ...[
    ...['model', 'models', 'instructions', 'tools', 'input', 'messages', 'prompt', 'system', 'contents', 'functions'],
    ...['previous_response_id', 'conversation', 'background', 'stream', 'n', 'mcp_servers', 'system_instruction'],
    ...['systemInstruction', 'toolConfig', 'cachedContent', 'api_key', 'api_base', 'base_url', 'extra_headers'],
    'extra_query',
  ].map((name) => [{ model_settings_extra_args: { [name]: 1 } }, ['model_settings_extra_args', name]] as const),
  [
    { model_settings_extra_args: { extra_body: { model: 'gpt-4o' } } },
    ['model_settings_extra_args', 'extra_body', 'model'],
  ],
  ...['extra_body', 'extraBody', 'Extra-Body'].map(
    (name) =>
      [
        { model_settings_extra_args: { extra_body: { [name]: { model: 'gpt-4o' } } } },
        ['model_settings_extra_args', 'extra_body', name],
      ] as const,
  ),
] as const)('%j is refused at %j, and no model is asked', async ([config, place]) => {
  promise('C14', 'C18')
  const { run } = await start()
  for (const model of ['gpt-4.1', 'anthropic/claude']) {
    const { status, answer, seen } = await run({ model }, config)
    expect([status, seen], answer).toEqual([422, []])
    expect(JSON.parse(answer)).toMatchObject({
      detail: [{ type: 'value_error', loc: ['body', 'client_config', ...place] }],
    })
  }
  const field = `clientConfig.${place.join('.')}`
  const agency = new Agency(new Agent({ name: 'Solo', model: 'gpt-4.1' }))
  await expect(agency.getResponse('Hi', { clientConfig: config })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining(field),
  })
})

test('settings that a provider knows are sent', async () => {
  promise('C16')
  const { run } = await start()
  const args = {
    prompt_cache_key: 'a',
    service_tier: 'flex',
    safety_identifier: 'u',
    stream_options: {},
    top_logprobs: 2,
  }
  const { status, turn } = await run({ model: 'gpt-4.1' }, { model_settings_extra_args: args })
  expect([status, turn.body]).toEqual([200, expect.objectContaining(args)])
})

test.for([
  { model: 'gpt-4o' },
  { instructions: 'x' },
  { messages: [] },
  { previous_response_id: 'resp_1' },
  { stream: true },
  { systemInstruction: 'x' },
  { extra_body: { tools: [] } },
])('an agent with extraBody %j is rejected, new or changed', (extraBody) => {
  const name = Object.keys(extraBody)[0] as string
  const wrong = { name: 'Solo', model: 'gpt-4.1', modelSettings: { extraBody } }
  expect(() => new Agent(wrong)).toThrow(`modelSettings.extraBody.${name}`)
  const right = new Agent({ name: 'Solo', model: 'gpt-4.1', modelSettings: { extraBody: { service_tier: 'flex' } } })
  expect(() => {
    right.modelSettings = wrong.modelSettings
  }).toThrow('is set by the run')
  expect(right.modelSettings).toEqual({ extraBody: { service_tier: 'flex' } })
})

test.for(['', ' ', 'litellm/', 'openrouter/ ', 'a//b', responses(''), chatCompletions(' ')])(
  'an agent whose model is %j is refused',
  (model) => {
    expect(() => new Agent({ name: 'Solo', model })).toThrow(/of agent "Solo" has no name/)
  },
)
