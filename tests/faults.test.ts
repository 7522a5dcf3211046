import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, type AgentOptions, chatCompletions } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, type Frame, post, startServer, useUpstream } from './support/client.ts'
import { type Fault, LASTING, MIDWAY, PASSING, startFaulty } from './support/faults.ts'

const WAYS = [
  { agency: 'responses', endpoint: 'get_response_stream' },
  { agency: 'responses', endpoint: 'get_response' },
  { agency: 'chat', endpoint: 'get_response_stream' },
  { agency: 'chat', endpoint: 'get_response' },
] as const

async function serveFaulty() {
  const upstream = await startFaulty()
  process.env.OPENAI_BASE_URL = upstream.baseURL
  process.env.OPENAI_API_KEY = 'sk-server-key'
  onTestFinished(async () => {
    process.env.OPENAI_BASE_URL = ''
    process.env.OPENAI_API_KEY = ''
    await upstream.close()
  })
  const agent = (model: AgentOptions['model'] & {}) => new Agency(new Agent({ name: 'Assistant', model }))
  const { url, app } = await startServer({
    agencies: { responses: agent('gpt-4.1'), chat: agent(chatCompletions('gpt-4.1')) },
    limits: { upstreamFirstByteMs: 700, upstreamIdleMs: 700 },
  })
  return { ...upstream, url, app }
}

/** The text a reader saw, and how the stream ended. */
function read(frames: readonly Frame[]) {
  const deltas = frames
    .map((frame) => frame.data?.data?.data)
    .filter((data) => data?.type === 'response.output_text.delta')
  return {
    text: deltas.map((data) => data.delta).join(''),
    errors: frames.filter((frame) => frame.data?.data?.type === 'error').map((frame) => frame.data.data.content),
    events: frames.flatMap((frame) => frame.event ?? []),
  }
}

const FAULTS: [name: string, fault: Fault, attempts: number, midway: boolean][] = [
  ...Object.entries(PASSING).map(([name, fault]): (typeof FAULTS)[number] => [name, fault, 3, false]),
  ...Object.entries(LASTING).map(([name, fault]): (typeof FAULTS)[number] => [name, fault, 1, false]),
  ...Object.entries(MIDWAY).map(([name, fault]): (typeof FAULTS)[number] => [name, fault, 1, true]),
]

test('every fault of a model, at every stage, over both APIs, streamed and plain, ends in one safe error and a proper end', async () => {
  promise('D5', 'D6')
  const rejections: unknown[] = []
  const onRejection = (reason: unknown) => rejections.push(reason)
  process.on('unhandledRejection', onRejection)
  onTestFinished(() => void process.off('unhandledRejection', onRejection))
  const { url, attempts } = await serveFaulty()
  await Promise.all(
    WAYS.flatMap(({ agency, endpoint }) =>
      FAULTS.map(async ([name, , wanted, midway]) => {
        const label = `${agency} ${endpoint} ${name}`
        const message = `say ${name}#${agency} ${endpoint}`
        const sentence = /^The run of agent Assistant failed \(cause: \w+\)\.$/
        if (endpoint === 'get_response') {
          const answer = await post(`${url}/${agency}/${endpoint}`, { message })
          // A garbled plain answer is no answer at all; everything else of a plain call is like the stream's.
          expect(answer.status, label).toBe(500)
          expect(await answer.json(), label).toEqual({ error: expect.stringMatching(sentence) })
        } else {
          const { text, errors, events } = read(await allFrames(`${url}/${agency}/${endpoint}`, { message }))
          expect(errors, label).toEqual([expect.stringMatching(sentence)])
          expect(events, label).toEqual(['meta', 'messages', 'end'])
          if (midway) expect(text, label).toMatch(/^One two /)
        }
        // A plain answer that breaks off has told nobody anything, so it is asked for again.
        const again = endpoint === 'get_response' && /^(reset|closed) in the middle$/.test(name)
        expect(attempts.get(message.slice(4)), label).toBe(again ? 3 : wanted)
      }),
    ),
  )
  for (const { agency, endpoint } of WAYS)
    expect((await post(`${url}/${agency}/${endpoint}`, { message: 'Hello' })).status).toBe(200)
  expect(rejections).toEqual([])
}, 30_000)

test('a transient fault that passes is not seen by the caller, and Retry-After is honoured', async () => {
  const at: number[] = []
  await useUpstream((_body, index) => {
    at.push(performance.now())
    return index % 2 === 0 ? { status: 429, message: 'slow down', retryAfter: '1' } : { text: 'Hello' }
  })
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' })) },
  })
  const plain = (await (await post(`${url}/solo/get_response`, { message: 'Hi' })).json()) as { response: string }
  expect(plain.response).toBe('Hello')
  const { text, errors } = read(await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' }))
  expect([text, errors]).toEqual(['Hello', []])
  expect((at[1] as number) - (at[0] as number)).toBeGreaterThanOrEqual(990)
})

test('leaving or cancelling while a retry is waited for ends the run at once', async () => {
  const upstream = await useUpstream(() => ({ status: 503, message: 'down', retryAfter: '3600' }))
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' })) },
  })
  const frames: Frame[] = []
  const response = await post(`${url}/solo/get_response_stream`, { message: 'Hi' })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes('agent_updated')) text += (await reader?.read())?.value
  await expect.poll(() => upstream.seen.length).toBe(1)
  const run_id = /"run_id":"([^"]+)"/.exec(text)?.[1]
  const cancelled = await post(`${url}/solo/cancel_response_stream`, { run_id })
  expect(await cancelled.json()).toMatchObject({ ok: true, cancelled: true, timed_out: false })
  for (let piece = await reader?.read(); piece?.done === false; piece = await reader?.read()) text += piece.value
  expect(text).toMatch(/"cancelled":true.*\n\nevent: end\ndata: \[DONE\]\n\n$/)
  expect(frames).toEqual([])
  expect(upstream.seen).toHaveLength(1)
})

test('an event that the provider writes over several lines cannot break the framing', async () => {
  const { startEvents } = await import('./support/upstream.ts')
  const response = '{"id":"r",\\n"output":[],"status":"completed"}'.replace('\\n', '\n')
  const events = await startEvents([
    `{"type":"response.completed",\ndata: "response":${response.replace('\n', '\ndata: ')}}`,
  ])
  onTestFinished(() => events.close())
  process.env.OPENAI_BASE_URL = events.baseURL
  process.env.OPENAI_API_KEY = 'sk-server-key'
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' })) },
  })
  const text = await (await post(`${url}/solo/get_response_stream`, { message: 'Hi' })).text()
  for (const line of text.split('\n').filter((line) => line !== '')) expect(line).toMatch(/^(event|data): /)
  expect(text).toContain('"type":"response.completed"')
})
