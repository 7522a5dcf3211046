import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent, BaseTool, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, post, startServer, useUpstream } from './support/client.ts'

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

test('known secrets leave neither in answers, streams, tool errors nor logs, even with exposeErrors', async () => {
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

test('a provider that refuses says nothing to callers unless errors are exposed', async () => {
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
