import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { ClientError, createClient, type StreamEvent } from '../src/client/index.ts'
import { Agency, Agent, BaseTool, Handoff, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { startServer, useUpstream } from './support/client.ts'
import { startEvents } from './support/upstream.ts'

const solo = (options = {}) => new Agency(new Agent({ name: 'Solo', model: 'gpt-4.1', ...options }))
const collect = async <T>(stream: AsyncIterable<T>): Promise<T[]> => {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}
const refusalOf = async (work: Promise<unknown>): Promise<ClientError> => {
  const caught = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(caught).toBeInstanceOf(ClientError)
  return caught as ClientError
}
/** A client whose every request gets this answer. */
const answering = (make: () => Response | Promise<Response>) =>
  createClient({ baseUrl: 'http://any.example', fetch: async () => make() })
const sse = (text: string | ReadableStream<Uint8Array>) =>
  new Response(text, { headers: { 'content-type': 'text/event-stream' } })

test('getResponse accepts a text, input items or a request', async () => {
  promise('B1', 'C1')
  const { seen } = await useUpstream((body) => ({ text: body.text === undefined ? 'Hi there' : '{"ok": true}' }))
  const typed = solo({ outputType: z.object({ ok: z.boolean() }) })
  const { url } = await startServer({ agencies: { 'my agency': solo(), typed } })
  const client = createClient({ baseUrl: `${url}/` })
  const agency = client.agency('my agency')
  const answer = await agency.getResponse('Hello')
  expect(answer).toMatchObject({ response: 'Hi there', new_messages: [{ role: 'user' }, { role: 'assistant' }] })
  expect(answer.usage?.request_count).toBe(1)
  await agency.getResponse([{ role: 'user', content: [{ type: 'input_text', text: 'Look' }] }])
  await agency.getResponse({ message: 'Hello', additional_instructions: 'Be brief', user_context: { plan: 'pro' } })
  expect(seen[1]?.body.input).toMatchObject([{ content: [{ text: 'Look' }] }])
  expect(seen[2]?.body.instructions).toContain('Be brief')
  expect((await client.agency('typed').getResponse<{ ok: boolean }>('Well?')).response.ok).toBe(true)
  expect((await client.agencies()).sort()).toEqual(['my_agency', 'typed'])
})

test("a stream shows every agent, but only the user's text", async () => {
  promise('B3', 'B12')
  const add = tool({ name: 'add', parameters: z.object({ a: z.number() }), execute: ({ a }) => `${a + 1}` })
  await useUpstream((body, index) => {
    if (index === 0) return { calls: [{ name: 'send_message', arguments: { recipient_agent: 'Dev', message: 'Add' } }] }
    if (index === 1) return { calls: [{ name: 'add', arguments: { a: 1 } }] }
    if (index === 2) return { text: 'It is 2' }
    if (index === 3) return { calls: [{ name: 'transfer_to_Help', arguments: { recipient_agent: 'Help' } }] }
    return { text: `Helped with ${(body.input as unknown[]).length} items`, deltas: 3 }
  })
  const [ceo, dev, help] = ['CEO', 'Dev', 'Help'].map(
    (name) => new Agent({ name, model: 'gpt-4.1', tools: name === 'Dev' ? [add] : [] }),
  ) as [Agent, Agent, Agent]
  const team = new Agency(ceo, {
    communicationFlows: [
      [ceo, dev],
      [ceo, help, Handoff],
    ],
  })
  const { url } = await startServer({ agencies: { team } })
  const conversation = createClient({ baseUrl: url }).agency('team').conversation()
  const stream = conversation.stream('Please')
  const [front, done] = [[] as string[], stream.result]
  for await (const text of stream.text()) front.push(text)
  expect(front).toEqual(['0 ', '1 ', '2 '])
  const result = await done
  expect(result).toMatchObject({ cancelled: false, run_id: stream.runId })
  expect(conversation.recipient).toBe('Help')

  const events = await collect(
    createClient({ baseUrl: url }).agency('team').stream({ message: 'Again', recipient_agent: 'Help' }),
  )
  const kinds = [...new Set(events.map((event) => event.kind))]
  expect(kinds).toEqual(['meta', 'agent', 'model', 'text', 'item', 'messages', 'end'])
})

test('nested agents are recognized by callerAgent and parent_run_id', async () => {
  promise('B12')
  await useUpstream((_body, index) => {
    if (index === 0)
      return {
        calls: [{ id: 'call_ask', name: 'send_message', arguments: { recipient_agent: 'Dev', message: 'Add' } }],
      }
    if (index === 1) return { status: 400, message: 'no' }
    return { text: 'Sorry' }
  })
  const [ceo, dev] = ['CEO', 'Dev'].map((name) => new Agent({ name, model: 'gpt-4.1' })) as [Agent, Agent]
  const { url } = await startServer({ agencies: { team: new Agency(ceo, { communicationFlows: [[ceo, dev]] }) } })
  const stream = createClient({ baseUrl: url }).agency('team').stream('Please')
  const events = await collect(stream)
  expect(events.find((event) => event.kind === 'agent' && event.agent === 'Dev')).toMatchObject({
    callerAgent: 'CEO',
    parent_run_id: 'call_ask',
  })
  expect(events.find((event) => event.kind === 'error')).toMatchObject({
    nested: true,
    agent: 'Dev',
    callerAgent: 'CEO',
  })
  expect((await stream.result).response).toBe('Sorry') // a sub-agent's failure is its sender's affair
})

test('JSON scalars and the strings of the original give the same events', async () => {
  const item = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed' }
  const delta = (text: string | null) => ({
    type: 'response.output_text.delta',
    item_id: 'msg_1',
    output_index: 0,
    delta: text,
  })
  const content = [{ type: 'output_text', text: 'None3True', annotations: [], logprobs: null }]
  const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5, output_tokens_details: { reasoning_tokens: 0 } }
  const upstream = await startEvents(
    [
      {
        type: 'response.created',
        sequence_number: 0,
        response: { id: 'r', parallel_tool_calls: true, temperature: 0.5, error: null },
      },
      { type: 'response.output_item.added', output_index: 0, item: { ...item, content: [] } },
      ...['None', '3', 'True'].map(delta),
      { type: 'response.output_item.done', output_index: 0, item: { ...item, content } },
      { type: 'response.completed', response: { id: 'r', output: [{ ...item, content }], usage } },
    ].map((event) => JSON.stringify(event)),
  )
  onTestFinished(() => upstream.close())
  process.env.OPENAI_API_KEY = 'sk-test'
  process.env.OPENAI_BASE_URL = upstream.baseURL
  const read = async (streamScalars: 'json' | 'python') => {
    const { url } = await startServer({ agencies: { solo: solo() }, streamScalars })
    const frames: string[] = []
    const onFrame = ({ data }: { data: string }) => frames.push(data)
    const events = await collect(createClient({ baseUrl: url }).agency('solo').stream('Hi', { onFrame }))
    expect(frames.join().includes('"None"')).toBe(true)
    expect(frames.join().includes('"parallel_tool_calls":"True"')).toBe(streamScalars === 'python')
    const ids = /[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27}|"timestamp":\d+/g
    return events.map((event) =>
      JSON.parse(JSON.stringify(event).replace(ids, (id) => (id[0] === '"' ? '"timestamp":1' : 'id'))),
    )
  }
  const [json, python] = [await read('json'), await read('python')]
  expect(python).toEqual(json)
  expect(json).toContainEqual(expect.objectContaining({ kind: 'text', text: '3', callerAgent: null }))
})

test('cancel waits for the run id, and finished messages are kept', async () => {
  promise('B4', 'C3')
  const { seen } = await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'look', arguments: {} }] } : index === 1 ? { hang: true } : { text: 'Back again' },
  )
  const look = tool({ name: 'look', execute: () => 'seen' })
  const { url } = await startServer({ agencies: { solo: solo({ tools: [look] }) } })
  const conversation = createClient({ baseUrl: url }).agency('solo').conversation()
  const stream = conversation.stream('Look')
  for await (const event of stream) {
    if (event.kind === 'item' && event.name === 'tool_output') {
      await expect.poll(() => seen.length).toBe(2)
      expect(await stream.cancel()).toMatchObject({ ok: true, run_id: stream.runId, cancel_mode: 'immediate' })
    }
  }
  expect(await stream.result).toMatchObject({ cancelled: true, response: '' })
  expect(conversation.messages.map((message) => message.type)).toEqual([
    'message',
    'function_call',
    'function_call_output',
  ])
  expect((await conversation.stream('And now?').result).response).toBe('Back again')
  expect(seen[2]?.body.input).toHaveLength(4)
  expect(conversation.messages).toHaveLength(5)
})

test('cancel works before the first read; after the end it is ignored', async () => {
  promise('B4')
  const { seen } = await useUpstream(() => ({ hang: true }))
  const { url } = await startServer({ agencies: { solo: solo() } })
  const agency = createClient({ baseUrl: url }).agency('solo')
  const stream = agency.stream('Hello')
  expect(await stream.cancel()).toMatchObject({ ok: true, cancelled: true })
  const events = await collect(stream)
  expect(events[0]?.kind).toBe('meta')
  expect(events.at(-1)?.kind).toBe('end')
  expect(await stream.cancel()).toBeUndefined()
  if (seen[0] !== undefined) await seen[0].aborted
  const lost = createClient({
    baseUrl: 'http://any.example',
    fetch: async (url) =>
      String(url).endsWith('cancel_response_stream')
        ? new Response('{"detail":"Run not found"}', { status: 404 })
        : sse(
            new ReadableStream({ start: (open) => open.enqueue(Buffer.from('event: meta\ndata: {"run_id":"r"}\n\n')) }),
          ),
  })
  const unknown = lost.agency('solo').stream('Hello')
  const reader = unknown[Symbol.asyncIterator]()
  expect((await reader.next()).value).toEqual({ kind: 'meta', run_id: 'r' })
  expect(await unknown.cancel()).toBeUndefined()
  await reader.return?.()
  expect((await refusalOf(unknown.result)).kind).toBe('aborted')
  const refused = answering(() => new Response('{"detail":"Not Found"}', { status: 404 }))
    .agency('solo')
    .stream('Hello')
  expect(await refused.cancel()).toBeUndefined() // it never began
  expect((await refusalOf(refused.result)).kind).toBe('not_found')
})

test('an aborted signal and a reader that leaves stop the run at the model', async () => {
  promise('B7')
  const { seen } = await useUpstream((_body, index) =>
    index < 2 ? { text: 'long', deltas: 1000, delayMs: 5 } : { hang: true },
  )
  const { url } = await startServer({ agencies: { solo: solo() } })
  const agency = createClient({ baseUrl: url }).agency('solo')
  const abort = new AbortController()
  const aborted = agency.stream('Hello', { signal: abort.signal })
  const reading = (async () => {
    for await (const event of aborted) if (event.kind === 'text') abort.abort(new Error('enough'))
  })()
  const error = await refusalOf(reading)
  expect(error).toMatchObject({ kind: 'aborted', cause: { message: 'enough' } })
  expect(await refusalOf(aborted.result)).toBe(error)
  await seen[0]?.aborted
  const left = agency.stream('Hello')
  for await (const event of left) if (event.kind === 'text') break
  expect(await refusalOf(left.finalMessages)).toMatchObject({ kind: 'aborted' })
  await seen[1]?.aborted
  const plain = new AbortController()
  const waiting = agency.getResponse('Hello', { signal: plain.signal })
  await expect.poll(() => seen.length).toBe(3)
  plain.abort()
  expect(await refusalOf(waiting)).toMatchObject({ kind: 'aborted' })
  await expect(agency.getResponse('Hello', { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' })
})

test('a failed run rejects with its messages, which are kept', async () => {
  promise('D6')
  await useUpstream((_body, index) => (index === 2 ? { text: 'Fine' } : { status: 400, message: 'no' }))
  const { url } = await startServer({ agencies: { solo: solo() }, exposeErrors: true })
  const conversation = createClient({ baseUrl: url }).agency('solo').conversation()
  const stream = conversation.stream('Hello')
  const error = await refusalOf(stream.result)
  expect(error).toMatchObject({ kind: 'failed', result: { cancelled: false, new_messages: [{ content: 'Hello' }] } })
  expect(error.message).toContain('no')
  expect(conversation.busy).toBe(false)
  expect(await refusalOf(collect(createClient({ baseUrl: url }).agency('solo').stream('Hello').text()))).toMatchObject({
    kind: 'failed',
    message: error.message,
  })
  await conversation.getResponse('Again')
  expect(conversation.messages.map((message) => message.role)).toEqual(['user', 'user', 'assistant'])
  expect(await refusalOf(conversation.getResponse('Third'))).toMatchObject({ kind: 'failed', status: 500 })
  expect(conversation.messages).toHaveLength(3) // a plain failure tells nothing to keep
})

test('a conversation runs one turn at a time and checks its history', async () => {
  const { seen } = await useUpstream(() => ({ text: 'Yes' }))
  const [a, b] = ['A', 'B'].map((name) => new Agent({ name, model: 'gpt-4.1', instructions: `I am ${name}` })) as [
    Agent,
    Agent,
  ]
  const { url } = await startServer({ agencies: { pair: new Agency([a, b]) } })
  const agency = createClient({ baseUrl: url }).agency('pair')
  const conversation = agency.conversation({ defaults: { additional_instructions: 'Be brief' } })
  const first = conversation.stream('One')
  expect(() => conversation.stream('Two')).toThrow(/has a running turn/)
  expect(await refusalOf(conversation.getResponse('Two'))).toMatchObject({ kind: 'busy' })
  await first.result
  await conversation.getResponse({ message: 'To B', recipient_agent: 'B' })
  await conversation.getResponse('Still B')
  expect(await refusalOf(conversation.getResponse({ message: 'x', recipient_agent: 'C' }))).toMatchObject({
    status: 422,
  })
  expect(agency.conversation({ history: conversation.messages }).recipient).toBe('B')
  conversation.recipient = 'A'
  await conversation.getResponse('Back')
  const asked = seen.map(({ body }) => String(body.instructions))
  expect(asked.map((text) => text.slice(0, 6))).toEqual(['I am A', 'I am B', 'I am B', 'I am A'])
  expect(asked.every((text) => text.includes('Be brief'))).toBe(true)
  expect(() => agency.conversation({ history: 'no' as never })).toThrow(TypeError)
})

test('tools, metadata, logs and the token', async () => {
  promise('B8', 'B9', 'B10', 'E1')
  class Address extends BaseTool.define({ street: z.string() }) {
    run() {
      return { line: this.street }
    }
  }
  process.env.CLIENT_TOKEN = 'client-secret'
  onTestFinished(() => {
    delete process.env.CLIENT_TOKEN
  })
  const { url } = await startServer({
    agencies: { demo: solo({ model: 'demo' }) },
    tools: [Address],
    appTokenEnv: 'CLIENT_TOKEN',
    enableLogging: true,
  })
  const client = createClient({ baseUrl: url, token: async () => 'client-secret' })
  expect(await client.tool('Address').run<{ line: string }>({ street: 'Main 1' })).toEqual({ line: 'Main 1' })
  const wrong = await refusalOf(client.tool('Address').run())
  expect(wrong).toMatchObject({ kind: 'invalid_request', details: [{ type: 'missing', loc: ['body', 'street'] }] })
  expect((await client.agency('demo').metadata()).metadata.agents).toEqual(['Solo'])
  await client.agency('demo').getResponse('Hello', { logId: 'log-1' })
  expect((await client.logs('log-1')).length).toBeGreaterThan(0)
  const stranger = createClient({ baseUrl: url, token: 'wrong-secret', headers: { 'x-any': '1' } })
  for (const refused of [stranger.agency('demo').getResponse('Hi'), stranger.agency('demo').stream('Hi').result]) {
    const error = await refusalOf(refused)
    expect(error).toMatchObject({ kind: 'unauthorized', status: 401 })
    expect(JSON.stringify(error) + error.message).not.toContain('secret')
  }
})

test('answers that are none are named', async () => {
  const limited = () => new Response('{"detail":"Slow down"}', { status: 429, headers: { 'retry-after': '7' } })
  expect(await refusalOf(answering(limited).agency('a').getResponse('Hi'))).toMatchObject({
    kind: 'rate_limited',
    message: 'Slow down',
    retryAfterMs: 7000,
  })
  const date = new Date(Date.now() + 60_000).toUTCString()
  const later = () => new Response('<html>busy</html>', { status: 503, headers: { 'retry-after': date } })
  const busy = await refusalOf(answering(later).agency('a').stream('Hi').result)
  expect(busy).toMatchObject({ kind: 'unavailable', message: 'The server answered 503 without a reason.' })
  expect(busy.retryAfterMs).toBeGreaterThan(50_000)
  const page = answering(() => new Response('<html>')).agency('a')
  expect(await refusalOf(page.getResponse('Hi'))).toMatchObject({ kind: 'bad_answer', status: 200 })
  expect(await refusalOf(page.stream('Hi').result)).toMatchObject({ kind: 'bad_answer' })
  const nobody = createClient({ baseUrl: 'http://127.0.0.1:1' }).agency('a')
  const network = await refusalOf(nobody.getResponse('Hi'))
  expect(network).toMatchObject({ kind: 'network', status: undefined })
  expect(network.message).toMatch(/ECONNREFUSED|bad port/)
  const cut = answering(() =>
    sse('event: meta\ndata: {"run_id":"r"}\n\nevent: messages\ndata: {"new_messages":['),
  ).agency('a')
  expect(await refusalOf(collect(cut.stream('Hi')))).toMatchObject({ kind: 'incomplete' })
  const kept = answering(() => sse('event: messages\ndata: {"new_messages":[],"run_id":"r"}\n\n'))
    .agency('a')
    .stream('Hi')
  expect(await kept.finalMessages).toEqual([])
  expect(await refusalOf(kept.result)).toMatchObject({ kind: 'incomplete' })
  const broken = answering(() => sse('data: {"data": oops}\n\n')).agency('a')
  expect(await refusalOf(broken.stream('Hi').result)).toMatchObject({ kind: 'bad_answer' })
})

test('a stream is iterated once, and unread events are not kept', async () => {
  const text =
    'event: meta\ndata: {"run_id":"r"}\n\ndata: {"hello":1}\n\nevent: custom\ndata: {"x":1}\n\nevent: end\ndata: [DONE]\n\n'
  const agency = answering(() => sse(text)).agency('a')
  const stream = agency.stream('Hi')
  const done = stream.result
  const events: StreamEvent[] = []
  for await (const event of stream) events.push(event)
  expect(events.map((event) => event.kind)).toEqual(['meta', 'other', 'other', 'end'])
  expect(await done).toEqual({ run_id: 'r', new_messages: [], cancelled: false, response: '' })
  expect(() => stream[Symbol.asyncIterator]()).toThrow(TypeError)
  const second = agency.stream('Hi')
  await second.result
  expect(() => second[Symbol.asyncIterator]()).toThrow(/iterated once/)
  const wrong = new Error('mine')
  const third = agency.stream('Hi', {
    onFrame: () => {
      throw wrong
    },
  })
  await expect(collect(third)).rejects.toBe(wrong)
})

test('a reader that stops pulling stops the reading', async () => {
  const frame = `data: ${JSON.stringify({ data: { type: 'filler', text: 'x'.repeat(64 * 1024) } })}\n\n`
  const frames = 1000
  let written = 0
  const server = http.createServer(async (request, response) => {
    request.resume()
    if (request.method === 'GET') return response.end('{"paths":{}}')
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (; written < frames; written++) if (!response.write(frame)) await once(response, 'drain')
    return response.end('event: end\ndata: [DONE]\n\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const client = createClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  const reader = client.agency('a').stream('Hi')[Symbol.asyncIterator]()
  await reader.next()
  let before = -1
  await expect
    .poll(async () => {
      for (let round = 0; round < 10; round++) await client.agencies() // time for a client that reads on to show it
      const still = written === before
      before = written
      return still
    })
    .toBe(true)
  expect(written).toBeLessThan(frames / 2)
  let count = 1
  while (!(await reader.next()).done) count++
  expect(count).toBe(frames + 1)
})
