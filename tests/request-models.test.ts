/** Models and settings that a request chooses. */
import { spawnSync } from 'node:child_process'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent } from '../src/index.ts'
import { promise } from './promises.ts'
import { post, startServer } from './support/client.ts'
import { hello, keyOf, listen, serveAt, solo } from './support/keyed-server.ts'
import { everyProviderAt, type SeenCall, setEnv, startMock } from './support/providers.ts'

test('names that a request chooses go where the original sends them', async () => {
  promise('C16', 'F9')
  listen()
  const mock = await startMock([hello])
  everyProviderAt(mock.url)
  const ask = await serveAt(mock.url, 'gpt-4.1')
  const base_url = `${mock.url}/v1`
  const cases: [config: object, path: string, model: string, key: string][] = [
    [{ model: 'gpt-4o' }, '/v1/responses', 'gpt-4o', 'sk-server-openai'],
    [{ model: 'openai/gpt-4o', api_key: 'k1' }, '/v1/responses', 'gpt-4o', 'k1'],
    [{ model: 'openai/gpt-4o', base_url }, '/v1/responses', 'openai/gpt-4o', 'sk-server-openai'],
    [{ model: 'anthropic/claude', base_url, api_key: 'k1' }, '/v1/responses', 'anthropic/claude', 'k1'],
    [{ model: 'litellm/openai/gpt-4o', api_key: 'k1' }, '/v1/chat/completions', 'gpt-4o', 'k1'],
    [
      { model: 'litellm/openai/gpt-4o', api_key: 'k1', litellm_keys: { openai: 'k2' }, base_url },
      '/v1/chat/completions',
      'gpt-4o',
      'k2',
    ],
    [{ model: 'litellm/groq/llama', api_key: 'k1' }, '/v1/chat/completions', 'llama', 'sk-server-groq'],
    [{ model: 'litellm/groq/llama', litellm_keys: { groq: 'k2' }, base_url }, '/v1/chat/completions', 'llama', 'k2'],
    [{ model: 'openrouter/meta/llama', api_key: 'k1', base_url }, '/v1/chat/completions', 'meta/llama', 'k1'],
    [
      { model: 'litellm/openrouter/meta/llama', api_key: 'k1' },
      '/v1/chat/completions',
      'meta/llama',
      'sk-server-openrouter',
    ],
    [
      { model: 'litellm/azure/my-deployment', api_key: 'k1', base_url: mock.url },
      '/openai/v1/chat/completions',
      'my-deployment',
      'k1',
    ],
  ]
  for (const [config, path, model, key] of cases) {
    const answer = await ask(config)
    expect(await answer.json(), JSON.stringify(config)).toMatchObject({ response: 'Hello' })
    const call = mock.seen.at(-1) as SeenCall
    expect([call.path, call.body.model, keyOf(call)], JSON.stringify(config)).toEqual([path, model, key])
  }
  const { new_messages } = (await (await ask({ model: 'litellm/openai/gpt-4o' })).json()) as {
    new_messages: { provider_data?: object }[]
  }
  expect(new_messages[1]?.provider_data).toMatchObject({
    model: 'openai/gpt-4o',
    response_id: expect.stringMatching(/^chatcmpl/),
  })
})

test('a request reaches no local or unknown provider', async () => {
  promise('C16')
  listen()
  const mock = await startMock([hello])
  everyProviderAt(mock.url)
  const ask = await serveAt(mock.url, 'gpt-4.1')
  const said = async (model: string) => {
    const answer = await ask({ model })
    expect(answer.status).toBe(422)
    return ((await answer.json()) as { detail: { msg: string }[] }).detail[0]?.msg
  }
  expect(await said('litellm/ollama/llama3')).toContain('Send one in client_config.base_url.')
  expect(await said('hosted_vllm/llama3')).toContain('Send one in client_config.base_url.')
  expect(await said('litellm/__proto__/x')).toContain('its provider is not known')
  setEnv({ OLLAMA_API_BASE: mock.url })
  const allowed = await serveAt(mock.url, 'gpt-4.1')
  expect((await allowed({ model: 'litellm/ollama/llama3' })).status).toBe(200)
  expect([mock.seen.at(-1)?.path, keyOf(mock.seen.at(-1) as SeenCall)]).toEqual(['/v1/chat/completions', undefined])
})

test('settings that a request adds reach each API in its own words', async () => {
  promise('C16')
  listen()
  const mock = await startMock([hello])
  everyProviderAt(mock.url)
  const model_settings_extra_args = {
    reasoning_effort: 'high',
    reasoning_summary: 'auto',
    max_tokens: 30_000,
    include: ['web_search_call.action.sources'],
    extra_body: { custom_field: 1 },
    other_field: 2,
  }
  const bodyOf = async (model: string, args: object = model_settings_extra_args, settings = {}) => {
    const { url } = await startServer({
      agencies: { solo: new Agency(new Agent({ name: 'Solo', model, modelSettings: settings })) },
    })
    const client_config = { model_settings_extra_args: args, default_headers: { 'x-team': 'blue' } }
    const answer = await post(`${url}/solo/get_response`, { message: 'Hi', client_config })
    expect(answer.status, model).toBe(200)
    expect(mock.seen.at(-1)?.headers['x-team'], model).toBe('blue')
    return mock.seen.at(-1)?.body
  }
  const raw = { custom_field: 1, other_field: 2 }
  expect(await bodyOf('gpt-5.4', model_settings_extra_args, { include: ['a'], verbosity: 'low' })).toMatchObject({
    ...raw,
    reasoning: { effort: 'high', summary: 'auto' },
    max_output_tokens: 30_000,
    include: ['a', 'web_search_call.action.sources'],
    text: { verbosity: 'low' },
  })
  expect(await bodyOf('gpt-5.4', { reasoning_summary: 'detailed' }, { reasoning: { effort: 'low' } })).toMatchObject({
    reasoning: { effort: 'low', summary: 'detailed' },
  })
  const chat = await bodyOf('groq/llama')
  expect(chat).toMatchObject({ ...raw, reasoning_effort: 'high', max_tokens: 30_000 })
  expect(Object.keys(chat)).not.toEqual(expect.arrayContaining(['include', 'reasoning_summary']))
  expect(await bodyOf('litellm/openai/gpt-5')).toMatchObject({ max_completion_tokens: 30_000 })
  expect(await bodyOf('anthropic/claude-sonnet-4-5')).toMatchObject({
    ...raw,
    thinking: { type: 'enabled', budget_tokens: expect.any(Number) },
  })
  expect(
    await bodyOf('anthropic/claude-sonnet-4-5', {
      thinking: { type: 'enabled', budget_tokens: 2048 },
      max_tokens: 5000,
    }),
  ).toMatchObject({ thinking: { type: 'enabled', budget_tokens: 2048 } })
  expect(await bodyOf('gemini/gemini-2.5-flash')).toMatchObject({
    ...raw,
    generationConfig: {
      maxOutputTokens: 30_000,
      thinkingConfig: { includeThoughts: true, thinkingBudget: expect.any(Number) },
    },
  })
  expect(await bodyOf('gemini/gemini-2.5-flash', { thinkingConfig: { thinkingBudget: 512 } })).toMatchObject({
    generationConfig: { thinkingConfig: { includeThoughts: true, thinkingBudget: 512 } },
  })
})

test('settings of one model family are not sent to another', async () => {
  promise('C16')
  listen()
  const mock = await startMock([hello])
  everyProviderAt(mock.url)
  const settings = { reasoning: { effort: 'high' }, verbosity: 'low' as const, temperature: 0.5 }
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Solo', model: 'gpt-5.4', modelSettings: settings })) },
  })
  for (const model of ['gpt-4o', 'litellm/groq/llama'])
    await post(`${url}/solo/get_response`, { message: 'Hi', client_config: { model } })
  for (const { body } of mock.seen) {
    expect(body).toMatchObject({ temperature: 0.5 })
    for (const key of ['reasoning', 'reasoning_effort', 'text', 'verbosity']) expect(body).not.toHaveProperty(key)
  }
})

test('an unavailable model of a request is a 422 for its caller', async () => {
  promise('C16')
  const logged: unknown[] = []
  for (const method of ['error', 'warn', 'log'] as const)
    vi.spyOn(console, method).mockImplementation((...words) => void logged.push(words))
  onTestFinished(() => void vi.restoreAllMocks())
  setEnv({
    ANTHROPIC_API_KEY: undefined,
    GROQ_API_KEY: undefined,
    OPENAI_API_KEY: undefined,
    OPENAI_BASE_URL: undefined,
    AZURE_API_BASE: undefined,
  })
  const { url } = await startServer({ agencies: solo('gpt-4.1'), keyPerRequest: true })
  logged.length = 0
  for (const [model, words] of [
    ['anthropic/claude', 'Send one in client_config.litellm_keys.anthropic.'],
    ['groq/llama', 'Send one in client_config.litellm_keys.groq.'],
    ['gpt-4.1', 'Send one in client_config.api_key.'],
    ['litellm/azure/deployment', 'Send one in client_config.base_url.'],
    ['litellm/nobody/x', 'its provider is not known'],
    ['nobody/x', 'its provider is not known'],
  ] as const)
    for (const endpoint of ['get_response', 'get_response_stream']) {
      const answer = await post(`${url}/solo/${endpoint}`, { message: 'Hi', client_config: { model } })
      const text = await answer.text()
      expect(answer.status, text).toBe(422)
      expect(text).toContain(words)
      expect(text).not.toMatch(/[A-Z]_API_(KEY|BASE)|npm install/)
    }
  expect(logged).toEqual([])
})

test('a missing provider package is named, at start and in a run', () => {
  promise('F9')
  const script = `
    import { registerHooks } from 'node:module'
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier.startsWith('@ai-sdk/'))
          throw Object.assign(new Error('Cannot find package ' + specifier), { code: 'ERR_MODULE_NOT_FOUND' })
        return next(specifier, context)
      },
    })
    const { Agency, Agent, buildApp } = await import('./src/index.ts')
    process.env.ANTHROPIC_API_KEY = process.env.GEMINI_API_KEY = 'k'
    for (const model of ['anthropic/claude', 'litellm/gemini/gemini-2.5-pro', 'groq/llama']) {
      process.env.GROQ_API_KEY = 'k'
      const agency = new Agency(new Agent({ name: 'A', model }))
      const start = await buildApp({ agencies: { a: agency } }).then(() => 'started', (error) => error.code + ' ' + error.message)
      console.log(start)
      if (start !== 'started') console.log(await agency.getResponse('Hi').catch((error) => error.code + ' ' + error.message))
    }
    const app = await buildApp({ agencies: { a: new Agency(new Agent({ name: 'A', model: 'groq/llama' })) } })
    const payload = { message: 'Hi', client_config: { model: 'anthropic/claude' } }
    const answer = await app.inject({ method: 'POST', url: '/a/get_response', payload })
    console.log(answer.statusCode, answer.body)`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  })
  const hint = (name: string) =>
    expect.stringMatching(new RegExp(`^PROVIDER_NOT_INSTALLED .*npm install @ai-sdk/${name}$`))
  expect(stdout.trim().split('\n'), stderr).toEqual([
    hint('anthropic'),
    hint('anthropic'),
    hint('google'),
    hint('google'),
    'started',
    expect.stringMatching(/^422 .*its provider is not installed here/),
  ])
})
