import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent, BaseTool, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, post, startServer, useUpstream } from './support/client.ts'
import { startProcess } from './support/process.ts'

const SECRETS = ['sk-server-key', 'token-of-the-server', 'sk-of-the-request', 'header-secret-value']
const LEAK = `The keys are ${SECRETS.join(' and ')}.`

const leaky = tool({
  name: 'leaky',
  execute() {
    throw new Error(LEAK)
  },
})
class LeakyClass extends BaseTool.define({}) {
  run(): string {
    throw new Error(LEAK)
  }
}

test('known secrets appear in no answer, stream, tool error or log', async () => {
  promise('D6')
  const logged: unknown[] = []
  onTestFinished(() => void vi.restoreAllMocks())
  for (const method of ['error', 'warn', 'log'] as const)
    vi.spyOn(console, method).mockImplementation((...words) => void logged.push(words))
  process.env.SECRETS_TOKEN = 'token-of-the-server'
  onTestFinished(() => {
    delete process.env.SECRETS_TOKEN
  })
  const upstream = await useUpstream((body) =>
    (body.input as unknown[]).length === 1
      ? { calls: [{ name: 'leaky', arguments: {} }] }
      : { status: 400, message: LEAK },
  )
  const agency = new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [leaky] }))
  const { url } = await startServer({
    agencies: { solo: agency },
    tools: [leaky, LeakyClass],
    appTokenEnv: 'SECRETS_TOKEN',
    exposeErrors: true,
    trustedModelOrigins: [upstream.origin],
  })
  const headers = { authorization: 'Bearer token-of-the-server' }
  const body = {
    message: 'Hi',
    client_config: {
      base_url: upstream.baseURL,
      api_key: 'sk-of-the-request',
      default_headers: { 'x-auth': 'Bearer header-secret-value' },
    },
  }
  const answers = [
    await (await post(`${url}/solo/get_response`, body, headers)).text(),
    await (await post(`${url}/solo/get_response_stream`, body, headers)).text(),
    await (await post(`${url}/tool/leaky`, {}, headers)).text(),
    await (await post(`${url}/tool/LeakyClass`, {}, headers)).text(),
  ]
  expect(upstream.seen).toHaveLength(4)
  expect(answers[0]).toContain('[redacted]')
  expect(answers[1]).toMatch(/tool_output.*\[redacted\]/)
  expect(answers[3]).toContain('"Error":"The keys are [redacted] and [redacted]')
  // What the request brought is unknown to the standalone tools, which get neither.
  const known = SECRETS.slice(0, 2)
  for (const secret of SECRETS) for (const answer of answers.slice(0, 2)) expect(answer).not.toContain(secret)
  for (const secret of known) for (const answer of answers.slice(2)) expect(answer).not.toContain(secret)
  expect(logged.length).toBeGreaterThan(0)
  for (const secret of SECRETS) expect(JSON.stringify(logged)).not.toContain(secret)
  expect(JSON.stringify([answers, logged])).not.toMatch(/\.[jt]s:\d+/)
  expect(JSON.stringify(upstream.seen[1]?.body)).not.toContain('sk-')
})

test("a provider's refusal is hidden unless errors are exposed", async () => {
  promise('D6')
  await useUpstream(() => ({ status: 400, message: 'internal words' }))
  const solo = () => new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' }))
  const closed = await startServer({ agencies: { solo: solo() } })
  const open = await startServer({ agencies: { solo: solo() }, exposeErrors: true })
  expect(JSON.stringify(await allFrames(`${closed.url}/solo/get_response_stream`, { message: 'Hi' }))).not.toContain(
    'internal words',
  )
  expect(JSON.stringify(await allFrames(`${open.url}/solo/get_response_stream`, { message: 'Hi' }))).toContain(
    'internal words',
  )
})

/** Ways in which a text may carry a secret. */
const formsOf = (secret: string) => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  Buffer.from(secret).toString('base64'),
  Buffer.from(secret).toString('base64url'),
]

for (const exposed of ['yes', 'no'])
  test(`no secret is written in any form (errors exposed: ${exposed})`, async () => {
    promise('D6', 'C12', 'E1')
    const secrets = {
      token: 'token/of+the="server"%\\x',
      serverKey: 'sk-server-key/+"quoted"%&',
      requestKey: 'sk-request-key/+"quoted"%&',
      header: 'header value/+"quoted"%&',
      credentials: 'Bearer-less credentials of a header',
      context: 'context-value/+"quoted"%&\u00e9',
    }
    const leak = `${Object.values(secrets).flatMap(formsOf).join(' ')} \n[forged] all is well\u001b[31m\u202e`
    const upstream = await useUpstream((body) => {
      const text = JSON.stringify(body.input)
      expect(text).not.toContain('context-value')
      if (text.includes('fail late')) return { text: 'Well,', fails: leak }
      return text.includes('use a tool') && !text.includes('function_call_output')
        ? { calls: [{ name: 'leaky', arguments: {} }] }
        : { status: 400, message: leak }
    })
    const logs = mkdtempSync(join(tmpdir(), 'secrets-'))
    onTestFinished(() => rmSync(logs, { recursive: true, force: true }))
    const { child, exit, text, url } = await startProcess(join(import.meta.dirname, 'support/process-server.ts'), {
      OPENAI_BASE_URL: upstream.baseURL,
      OPENAI_API_KEY: secrets.serverKey,
      APP_TOKEN: secrets.token,
      LEAK: leak,
      LEAK_OWN: [secrets.token, secrets.serverKey].flatMap(formsOf).join(' '),
      LOGS_DIR: logs,
      EXPOSE_ERRORS: exposed,
    })
    const written: string[] = []
    const send = async (path: string, body: unknown, headers = {}) => {
      const all = { authorization: `Bearer ${secrets.token}`, 'x-agency-log-id': 'the-log', ...headers }
      const answer = await post(`${url}${path}`, body, all)
      written.push(JSON.stringify([...answer.headers]), await answer.text())
      return answer.status
    }
    const config = {
      base_url: upstream.baseURL,
      api_key: secrets.requestKey,
      default_headers: { 'X-Auth': `Bearer ${secrets.header}`, 'X-Other': secrets.credentials },
    }
    const request = (message: unknown) => ({
      message,
      user_context: { deep: [{ value: secrets.context }] },
      client_config: config,
    })
    for (const endpoint of ['/solo/get_response', '/solo/get_response_stream']) {
      await send(endpoint, request('Hi'))
      await send(endpoint, request('use a tool'))
      await send(endpoint, request('fail late'))
      await send(endpoint, request(5))
      await send(endpoint, {
        ...request('Hi'),
        client_config: { ...config, api_key: 5, base_url: `http://${secrets.requestKey}@a.example` },
      })
      await send(endpoint, { ...request('Hi'), client_config: secrets.requestKey, user_context: secrets.context })
      await send(endpoint, { client_config: config, user_context: secrets.context })
      await send(endpoint, {
        ...request('Hi'),
        client_config: { ...config, default_headers: { Host: secrets.header } },
      })
      await send(endpoint, { ...request('Hi'), recipient_agent: 'nobody' })
      await send(endpoint, `{"message": "Hi", "client_config": {"api_key": "${secrets.requestKey}" oops`)
      await send(endpoint, request('Hi'), { authorization: 'Bearer wrong' })
    }
    await send('/tool/leaky', {})
    await send('/tool/LeakyClass', {})
    const paths = [
      '/docs',
      '/openapi.json',
      '/solo/get_metadata',
      `/nothing?token=${encodeURIComponent(secrets.token)}`,
    ]
    for (const path of paths)
      written.push(
        await (await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${secrets.token}` } })).text(),
      )
    written.push(...readdirSync(logs).map((file) => readFileSync(join(logs, file), 'utf8')))
    expect(written.at(-1)).toContain('The run failed')
    expect(await send('/get_logs', { log_id: 'the-log' })).toBe(200)
    child.kill('SIGTERM')
    await exit
    const printed = text()
    expect(printed).toContain('A run failed.')
    const everything = [...written, printed].join('\n')
    for (const [name, secret] of Object.entries(secrets))
      for (const form of formsOf(secret)) {
        const most = form.slice(0, Math.ceil(form.length * 0.7)) // nor a large part of one
        expect(everything.includes(most), `${name} as ${form}`).toBe(false)
        expect(everything.includes(JSON.stringify(most).slice(1, -1)), `${name} as ${form} in JSON`).toBe(false)
      }
    expect(everything).toContain('[redacted]')
    expect(everything).not.toMatch(/\bat .*[\w-]+\.(ts|js|mjs):\d+/)
    expect(everything).not.toContain(process.cwd())
    expect(printed.split('\n').filter((line) => line.startsWith('[forged]'))).toEqual([])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(printed).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
    expect(printed).not.toContain('UNHANDLED')
    expect(upstream.seen.length).toBeGreaterThan(4)
  }, 30_000)

test("a key in a provider's stream events is masked", async () => {
  promise('D6')
  const { startEvents } = await import('./support/upstream.ts')
  const key = 'sk-server-secret'
  const started = { id: 'r', status: 'in_progress', output: [], error: null, model: 'customer-of-note' }
  const clean = '{"type":"response.created","response":{"error":null,"odd":1.0,"model":"customer-of-note"}}'
  const upstream = await startEvents([
    clean,
    JSON.stringify({
      type: 'response.in_progress',
      response: { ...started, error: { message: `key ${key} is slow` } },
    }),
    JSON.stringify({
      type: 'response.incomplete',
      response: { ...started, status: 'incomplete', incomplete_details: { reason: `key ${key} is over` } },
    }),
  ])
  process.env.OPENAI_BASE_URL = upstream.baseURL
  process.env.OPENAI_API_KEY = key
  onTestFinished(async () => {
    process.env.OPENAI_BASE_URL = ''
    process.env.OPENAI_API_KEY = ''
    await upstream.close()
  })
  for (const streamScalars of ['json', 'python'] as const) {
    const { url } = await startServer({
      agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' })) },
      streamScalars,
    })
    const body = { message: 'Hi', user_context: { kind: 'customer-of-note' } }
    const text = await (await post(`${url}/solo/get_response_stream`, body)).text()
    expect(text).not.toContain(key)
    expect(text).toContain('key [redacted] is slow')
    expect(text).toContain('key [redacted] is over')
    expect(text.split('customer-of-note')).toHaveLength(4) // texts that do not report a failure stay as they are
    if (streamScalars === 'json') expect(text).toContain(clean)
  }
})
