import OpenAI from 'openai'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, chatCompletions, type Model, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, type Frame, final, post, startServer, useUpstream } from './support/client.ts'
import { startEvents } from './support/upstream.ts'

const solo = (options = {}) => new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1', ...options }))
const rawEvents = (frames: readonly Frame[]) =>
  frames.filter((frame) => frame.data?.data?.type === 'raw_response_event').map((frame) => frame.data.data.data)

/** A model whose stream is exactly these events, from a gateway that writes JSON with blanks. */
async function useGateway(spaced: boolean, events: readonly object[]) {
  const toJson = (event: object) =>
    spaced ? JSON.stringify(event, null, 1).replace(/\n\s*/g, ' ') : JSON.stringify(event)
  const gateway = await startEvents(events.map(toJson))
  const before = [process.env.OPENAI_BASE_URL, process.env.OPENAI_API_KEY]
  process.env.OPENAI_BASE_URL = gateway.baseURL
  process.env.OPENAI_API_KEY = 'sk-test'
  onTestFinished(async () => {
    process.env.OPENAI_BASE_URL = before[0] ?? ''
    process.env.OPENAI_API_KEY = before[1] ?? ''
    await gateway.close()
  })
}
const NASTY = 'line\u0085next\u2028sep\u2029par "quoted": yes, "too"\n\ndata: [DONE]\u0000é😀'
const message = (text: string) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
})
const textEvents = (text: string) => [
  { type: 'response.created', response: { id: 'resp_1', output: [] } },
  { type: 'response.output_item.added', output_index: 0, item: { ...message(''), content: [] } },
  {
    type: 'response.output_text.delta',
    item_id: 'msg_1',
    output_index: 0,
    content_index: 0,
    delta: text,
    logprobs: null,
  },
  { type: 'response.output_item.done', output_index: 0, item: message(text) },
  {
    type: 'response.completed',
    response: { id: 'resp_1', output: [message(text)], usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 } },
  },
]

test('frames are compact JSON on one line for any text', async () => {
  promise('B2')
  for (const spaced of [false, true])
    for (const streamScalars of ['json', 'python'] as const) {
      await useGateway(spaced, textEvents(NASTY))
      const { url } = await startServer({ agencies: { solo: solo() }, streamScalars })
      const text = await (await post(`${url}/solo/get_response_stream`, { message: NASTY })).text()
      expect(text).not.toMatch(/[\u0085\u2028\u2029]/)
      expect(text).toContain('\\u2028')
      const blocks = text.split('\n\n').filter((block) => block !== '')
      for (const block of blocks) {
        expect(block).toMatch(/^(event: \w+\n)?data: [^\n]*$/)
        const data = block.slice(block.indexOf('data: ') + 6)
        if (data !== '[DONE]') expect(data.replaceAll('\\u0085', '\u0085').length).toBeLessThanOrEqual(data.length)
        if (data !== '[DONE]') {
          const compact = JSON.stringify(JSON.parse(data)).replace(
            /[\u0085\u2028\u2029]/g,
            (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
          )
          expect(data).toBe(compact)
        }
      }
      const delta = blocks.map((block) => block.slice(6)).find((data) => data.includes('output_text.delta'))
      const { data } = JSON.parse(String(delta))
      expect(data.data).toMatchObject(
        streamScalars === 'json'
          ? { delta: NASTY, output_index: 0, logprobs: null }
          : { delta: NASTY, output_index: '0', logprobs: 'None' },
      )
      expect(data.callerAgent).toBe(streamScalars === 'json' ? null : 'None')
      expect(text).toContain('"callerAgent":null') // stored messages keep real JSON in both
    }
})

test('raw events of every provider are valid for the openai client', async () => {
  promise('B3')
  const lookup = tool({ name: 'lookup', execute: () => 'found' })
  await useUpstream((_body, index) =>
    index % 2 === 0 ? { calls: [{ name: 'lookup', arguments: {} }] } : { text: 'Done' },
  )
  const makers = { responses: solo({ tools: [lookup] }), demo: solo({ model: 'demo', tools: [lookup] }) }
  const { url } = await startServer({ agencies: makers })
  const runs = {
    responses: await allFrames(`${url}/responses/get_response_stream`, { message: 'Hi' }),
    demo: await allFrames(`${url}/demo/get_response_stream`, { message: 'Please lookup' }),
    chat: await overChat(),
  }
  for (const [maker, frames] of Object.entries(runs)) {
    const turns: object[][] = []
    for (const event of rawEvents(frames)) {
      if (event.type === 'response.created') turns.push([])
      turns.at(-1)?.push(event)
    }
    expect(turns.length, maker).toBe(2)
    for (const [index, turn] of turns.entries()) {
      const client = new OpenAI({ apiKey: 'x', fetch: async () => new Response(toSse(turn)) })
      const stream = client.responses.stream({ model: 'any', input: 'any' })
      let deltas = ''
      stream.on('response.output_text.delta', (event) => {
        deltas += event.delta
      })
      const response = await stream.finalResponse()
      expect(response.output[0]?.type, maker).toBe(index === 0 ? 'function_call' : 'message')
      expect(response.output_text, maker).toBe(deltas)
    }
  }
})
const toSse = (events: readonly object[]) =>
  new Response(
    events.map((event) => `event: ${(event as { type: string }).type}\ndata: ${JSON.stringify(event)}\n\n`).join(''),
    { headers: { 'content-type': 'text/event-stream' } },
  ).body

async function overChat(): Promise<Frame[]> {
  const chunk = (delta: object, finish_reason: string | null = null) => ({
    id: 'c1',
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason }],
  })
  const turns = [
    [
      chunk({
        role: 'assistant',
        tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'lookup', arguments: '' } }],
      }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{}' } }] }),
      chunk({}, 'tool_calls'),
    ],
    [chunk({ role: 'assistant', content: 'Do' }), chunk({ content: 'ne' }), chunk({}, 'stop')],
  ]
  const usage = { choices: [], usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } }
  const gateway = await startEvents(turns.map((turn) => [...turn, usage].map((event) => JSON.stringify(event))))
  onTestFinished(() => gateway.close())
  process.env.OPENAI_BASE_URL = gateway.baseURL
  const lookup = tool({ name: 'lookup', execute: () => 'found' })
  const { url } = await startServer({ agencies: { chat: solo({ model: chatCompletions('any'), tools: [lookup] }) } })
  const frames = await allFrames(`${url}/chat/get_response_stream`, { message: 'Hi' })
  expect(final(frames).usage).toMatchObject({ input_tokens: 10, output_tokens: 4 })
  return frames
}

test('silence is filled with comments, and text is never held back by them', async () => {
  promise('B2')
  const pause = Promise.withResolvers<void>()
  const slow: Model = {
    name: 'slow',
    async *streamTurn() {
      await pause.promise
      const events = textEvents('Late') as { type: string }[]
      yield { events, bytes: 100 }
    },
    completeTurn: async () => ({ output: [] }),
  }
  const { url } = await startServer({ agencies: { solo: solo({ model: slow }) }, heartbeatMs: 20, keyPerRequest: true })
  const response = await post(`${url}/solo/get_response_stream`, { message: 'Hi' })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const readUntil = async (pattern: RegExp) => {
    while (!pattern.test(text)) {
      const piece = await reader?.read()
      if (piece?.done !== false) break
      text += piece.value
    }
  }
  await readUntil(/: keepalive\n\n: keepalive\n\n/)
  expect(text.startsWith('event: meta\n')).toBe(true)
  pause.resolve()
  await readUntil(/\[DONE\]\n\n$/)
  expect(text).toContain('"delta":"Late"')
  expect(text.endsWith('event: end\ndata: [DONE]\n\n')).toBe(true)
  expect(response.headers.get('x-accel-buffering')).toBe('no')
  expect(response.headers.get('content-encoding')).toBeNull()
})

test('a blank message is an error only in a stream', async () => {
  promise('B2')
  const upstream = await useUpstream(() => ({ text: 'Hm?' }))
  const { url } = await startServer({ agencies: { solo: solo() } })
  for (const message of ['', ' \n']) {
    const frames = await allFrames(`${url}/solo/get_response_stream`, { message })
    expect(frames.map((frame) => frame.event ?? frame.data)).toEqual([
      'meta',
      { data: { type: 'error', content: 'message cannot be empty' } },
      'messages',
      'end',
    ])
    expect(final(frames)).toEqual({ new_messages: [], run_id: frames[0]?.data.run_id, cancelled: false })
    expect((await post(`${url}/solo/get_response`, { message })).status).toBe(200)
  }
  expect(upstream.seen).toHaveLength(2)
})
