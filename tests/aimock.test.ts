import { LLMock } from '@copilotkit/aimock'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, readFrames, startServer } from './support/client.ts'

type Fixture = Parameters<LLMock['addFixture']>[0]

/** An agency whose model is aimock with these fixtures. */
async function serveWith(...fixtures: Fixture[]) {
  const mock = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent', strict: true, chunkSize: 4 })
  for (const fixture of fixtures) mock.addFixture(fixture)
  await mock.start()
  const before = [process.env.OPENAI_BASE_URL, process.env.OPENAI_API_KEY]
  process.env.OPENAI_BASE_URL = `${mock.url}/v1`
  process.env.OPENAI_API_KEY = 'sk-test'
  onTestFinished(async () => {
    process.env.OPENAI_BASE_URL = before[0] ?? ''
    process.env.OPENAI_API_KEY = before[1] ?? ''
    await mock.stop()
  })
  const lookup = tool({ name: 'lookup', description: 'Looks up', execute: () => 'found it' })
  const agent = new Agent({ name: 'Assistant', instructions: 'Help.', model: 'gpt-4.1', tools: [lookup] })
  const { url } = await startServer({ agencies: { solo: new Agency(agent) } })
  return {
    mock,
    stream: `${url}/solo/get_response_stream`,
    plain: `${url}/solo/get_response`,
    cancel: `${url}/solo/cancel_response_stream`,
  }
}
const hello: Fixture = { match: { userMessage: 'Hi' }, response: { content: 'Hello from the mock' } }

test('an independent mock of the API works, streamed and plain', async () => {
  promise('B1', 'B2')
  const { stream, plain } = await serveWith(
    { match: { userMessage: 'Look', hasToolResult: true }, response: { content: 'It said: found it' } },
    { match: { userMessage: 'Look' }, response: { toolCalls: [{ name: 'lookup', arguments: '{}' }] } },
    hello,
  )
  const frames = await allFrames(stream, { message: 'Hi' })
  const deltas = frames
    .map((frame) => frame.data?.data?.data)
    .filter((event) => event?.type === 'response.output_text.delta')
  expect(deltas.length).toBeGreaterThan(2)
  expect(deltas.map((event) => event.delta).join('')).toBe('Hello from the mock')
  const answer = (await (await post(plain, { message: 'Look' })).json()) as {
    response: string
    new_messages: { type: string }[]
  }
  expect(answer.response).toBe('It said: found it')
  expect(answer.new_messages.map((message) => message.type)).toEqual([
    'message',
    'function_call',
    'function_call_output',
    'message',
  ])
})

test('chaos at the model ends in a safe error and a complete stream', async () => {
  promise('B2', 'D5')
  for (const chaos of [{ dropRate: 1 }, { malformedRate: 1 }, { disconnectRate: 1 }]) {
    const { stream, plain, mock } = await serveWith({ ...hello, chaos })
    const frames = await allFrames(stream, { message: 'Hi' })
    const error = frames.find((frame) => frame.data?.data?.type === 'error')?.data.data.content
    expect(error, JSON.stringify(chaos)).toMatch(/^The run of agent Assistant failed \(cause: \w+\)\.$/)
    expect(frames.slice(-2).map((frame) => frame.event)).toEqual(['messages', 'end'])
    expect(final(frames).new_messages).toHaveLength(1)
    expect((await post(plain, { message: 'Hi' })).status).toBe(500)
    mock.clearFixtures()
    mock.addFixture(hello)
    expect((await post(plain, { message: 'Hi' })).status).toBe(200)
  }
}, 60_000)

test('a slow stream arrives word by word and is cut off by a cancel', async () => {
  promise('B5')
  const { stream, cancel } = await serveWith({ ...hello, latency: 100 })
  let runId = ''
  let text = ''
  const frames = []
  for await (const frame of readFrames(stream, { message: 'Hi' })) {
    frames.push(frame)
    if (frame.event === 'meta') runId = frame.data.run_id
    const event = frame.data?.data?.data
    if (event?.type !== 'response.output_text.delta') continue
    text += event.delta
    if (text.length >= 8 && text.length < 12) await post(cancel, { run_id: runId })
  }
  expect('Hello from the mock'.startsWith(text)).toBe(true)
  expect(text.length).toBeLessThan('Hello from the mock'.length)
  expect(final(frames)).toMatchObject({ cancelled: true, new_messages: [{ role: 'user' }] })
})
