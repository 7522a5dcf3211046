import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, type AgentOptions, chatCompletions } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, type Frame, post, refuseRejections, startServer, useUpstream } from './support/client.ts'
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
    limits: { upstreamFirstByteMs: 5_000, upstreamIdleMs: 700 }, // all attempts begin within the first
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

test('every model fault ends in one safe error and a proper end', async () => {
  promise('D5', 'D6')
  refuseRejections()
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
        // Nobody has read any part of a plain answer that breaks off, so it is requested again.
        const again = endpoint === 'get_response' && /^(reset|closed) in the middle$/.test(name)
        expect(attempts.get(message.slice(4)), label).toBe(again ? 3 : wanted)
      }),
    ),
  )
  for (const { agency, endpoint } of WAYS)
    expect((await post(`${url}/${agency}/${endpoint}`, { message: 'Hello' })).status).toBe(200)
}, 30_000)

test('a transient fault is hidden, and Retry-After is respected', async () => {
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

test('an event over several lines cannot break the framing', async () => {
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

/** A model that never ends: it writes `head`, then `drop` again and again. Counts what it was asked. */
async function startDrip(head: string, drop: string, model = 'gpt-4.1') {
  let asked = 0
  const server = http.createServer((request, response) => {
    request.resume()
    asked++
    const { socket } = response
    socket?.write(head)
    const timer = setInterval(() => socket?.write(drop), 50)
    socket?.once('close', () => clearInterval(timer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    process.env.OPENAI_BASE_URL = ''
    process.env.OPENAI_API_KEY = ''
    delete process.env.ANTHROPIC_API_BASE
    delete process.env.ANTHROPIC_API_KEY
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  process.env.OPENAI_BASE_URL = process.env.ANTHROPIC_API_BASE = address
  process.env.OPENAI_API_KEY = process.env.ANTHROPIC_API_KEY = 'sk-server-key'
  const agency = new Agency(new Agent({ name: 'Assistant', model }))
  const { url } = await startServer({
    agencies: { solo: agency },
    limits: { upstreamFirstByteMs: 700, upstreamIdleMs: 700 },
    exposeErrors: true,
  })
  return { url, asked: () => asked }
}

const inChunks = (...texts: string[]) => texts.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('')
const headOf = (status: string, type: string) =>
  `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`
const EVENT = 'data: {"type":"response.created","response":{"id":"r"}}\n\n'
const JUST_HEADS = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'

const DRIPS: [name: string, endpoint: string, head: string, drop: string, error: RegExp][] = [
  [
    'a refusal',
    'get_response_stream',
    headOf('400 Bad Request', 'application/json') + inChunks('{"error":{"message":"No"}}'),
    inChunks(' '),
    /400 No/,
  ],
  ['a plain answer', 'get_response', headOf('200 OK', 'application/json'), inChunks(' '), /within 700 ms/],
  [
    'comments',
    'get_response_stream',
    headOf('200 OK', 'text/event-stream'),
    inChunks(': a\n\n'),
    /no event within 700 ms/,
  ],
  [
    'comments after an event',
    'get_response_stream',
    headOf('200 OK', 'text/event-stream') + inChunks(EVENT),
    inChunks(': a\n\n'),
    /no event within 700 ms/,
  ],
  ['early heads, streamed', 'get_response_stream', JUST_HEADS, JUST_HEADS, /timed out/],
  ['early heads, plain', 'get_response', JUST_HEADS, JUST_HEADS, /timed out|within 700 ms/],
]

for (const [name, endpoint, head, drop, error] of DRIPS)
  test(`a model that drips forever hits its limits, no retry: ${name}`, async () => {
    promise('D5')
    const { url, asked } = await startDrip(head, drop)
    const answer = await post(`${url}/solo/${endpoint}`, { message: 'Hi' })
    expect(await answer.text()).toMatch(error)
    expect(asked()).toBe(1)
  }, 10_000)

for (const [endpoint, head, drop] of [
  ['get_response_stream', headOf('200 OK', 'text/event-stream'), inChunks(': a\n\n')],
  ['get_response', headOf('200 OK', 'application/json'), inChunks(' ')],
] as const)
  test(`a model of the AI SDK that drips for ever is ended too: ${endpoint}`, async () => {
    promise('D5')
    const { url, asked } = await startDrip(head, drop, 'anthropic/claude-sonnet-4-5')
    const answer = await post(`${url}/solo/${endpoint}`, { message: 'Hi' })
    expect(await answer.text()).toMatch(/within 700 ms/)
    expect(asked()).toBe(1)
  }, 10_000)

test('early heads before a good answer are passed over', async () => {
  const body = '{"output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello"}]}]}'
  const good = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const { url } = await startDrip(`HTTP/1.1 102 Processing\r\n\r\n${JUST_HEADS}${good}`, '')
  const answer = await post(`${url}/solo/get_response`, { message: 'Hi' })
  expect(await answer.json()).toMatchObject({ response: 'Hello' })
})

test('an event nested too deep ends the run with an error', async () => {
  const { startEvents } = await import('./support/upstream.ts')
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
  const events = await startEvents([`{"type":"response.output_text.delta","delta":${deep}}`])
  onTestFinished(() => events.close())
  process.env.OPENAI_BASE_URL = events.baseURL
  process.env.OPENAI_API_KEY = 'sk-server-key'
  for (const streamScalars of ['json', 'python'] as const) {
    const { url } = await startServer({
      agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' })) },
      streamScalars,
      exposeErrors: true,
    })
    const read = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
    expect(JSON.stringify(read)).toContain('nested too deep')
    expect(read.flatMap(({ event }) => event ?? [])).toEqual(['meta', 'messages', 'end'])
  }
})
