import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClientError, createClient, type StreamEvent } from '../src/client/index.ts'
import { promise } from './promises.ts'
import { pythonJson, readCase, startRecorded, streamText } from './support/recorded.ts'

const collect = async <T>(stream: AsyncIterable<T>): Promise<T[]> => {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}
/** A client of a server that answers everything with these bytes, in these pieces. */
const clientOf = (pieces: readonly Uint8Array[]) =>
  createClient({
    baseUrl: 'http://recorded.example',
    fetch: async () =>
      new Response(ReadableStream.from(pieces), { headers: { 'content-type': 'text/event-stream; charset=utf-8' } }),
  })

test.for([
  ['stream_text', 'test_agency', 'Hello there', 'Hello! How can I help you today?'],
  ['tool_stream', 'tools_agency', 'weather in Paris', 'It is sunny in Paris.'],
  ['send_message_stream', 'my_team', 'Build the login page', undefined],
  ['handoff_stream', 'support_desk', 'question about my invoice', 'Your invoice is paid.'],
] as const)(
  '%s of the original streams, is recognized and leaves its messages',
  async ([name, agency, message, answer]) => {
    const { url, steps } = await startRecorded(name)
    const stream = createClient({ baseUrl: url }).agency(agency).stream(message)
    const events = await collect(stream)
    const recorded = steps[0]?.response.events ?? []
    expect(events).toHaveLength(recorded.length)
    expect(events.filter((event) => event.kind === 'other')).toEqual([])
    expect(events[0]).toEqual({ kind: 'meta', run_id: '<uuid:1>' })
    const messages = recorded.find((frame) => frame.event === 'messages')?.data
    expect(events.at(-2)).toEqual({ kind: 'messages', cancelled: false, ...messages })
    expect(events.at(-1)).toEqual({ kind: 'end' })
    const result = await stream.result
    expect(result).toMatchObject({ new_messages: messages.new_messages, usage: messages.usage, cancelled: false })
    expect(await stream.finalMessages).toEqual(messages.new_messages)
    const again = await startRecorded(name)
    const text = (await collect(createClient({ baseUrl: again.url }).agency(agency).stream(message).text())).join('')
    expect(text).toBe(result.response)
    if (answer !== undefined) expect(text).toBe(answer)
  },
)

test("the original's string scalars are read back, and texts stay texts", async () => {
  const { url } = await startRecorded('send_message_stream')
  const events = await collect(createClient({ baseUrl: url }).agency('my_team').stream('Build the login page'))
  const agents = events.filter((event) => event.kind === 'agent')
  expect(agents.map(({ agent, callerAgent }) => [agent, callerAgent])).toContainEqual(['CEO', null])
  const nested = agents.find((event) => event.callerAgent === 'CEO')
  const called = events.find((event) => event.kind === 'item' && event.name === 'tool_called')
  expect(nested?.parent_run_id).toBe(called?.kind === 'item' ? called.call_id : 'missing')
  const added = events.find((event) => event.kind === 'model' && event.event.type === 'response.output_item.added')
  expect(added).toMatchObject({ event: { output_index: 0, sequence_number: null } })
  const told = { data: { delta: 'None', type: 'response.output_text.delta', output_index: '3', logprobs: 'None' } }
  const raw = { ...told, type: 'raw_response_event', agent: 'A', callerAgent: 'None', agent_run_id: 'r' }
  const done = {
    ...raw,
    data: {
      type: 'response.completed',
      response: {
        output: [{ type: 'function_call_output', output: 'True', call_id: '7' }],
        temperature: '0.5',
        parallel_tool_calls: 'True',
        error: 'None',
        usage: { input_tokens: '12' },
      },
    },
  }
  const text = [{ data: raw }, { data: done }].map((frame) => `data: ${pythonJson(frame)}\n\n`).join('')
  const stream = clientOf([new TextEncoder().encode(`${text}event: end\ndata: [DONE]\n\n`)])
    .agency('a')
    .stream('Hi')
  expect(await collect(stream)).toMatchObject([
    { kind: 'text', text: 'None', callerAgent: null, event: { output_index: 3, logprobs: null } },
    {
      event: {
        response: {
          output: [{ output: 'True', call_id: '7' }],
          temperature: 0.5,
          parallel_tool_calls: true,
          error: null,
          usage: { input_tokens: 12 },
        },
      },
    },
    { kind: 'end' },
  ])
})

test('a stream means the same wherever its bytes are cut, with LF, CRLF or CR', async () => {
  const odd = { data: { data: { data: { type: 'response.output_text.delta', delta: 'Grüße 😀 日本 \u2028' } } } }
  const said = {
    data: { ...odd.data.data, type: 'raw_response_event', agent: 'A', callerAgent: null, agent_run_id: 'r' },
  }
  const recorded = readCase('tool_stream')[0]
  const text = recorded === undefined ? '' : `: keepalive\n\ndata: ${JSON.stringify(said)}\n\n${streamText(recorded)}`
  const whole = await collect(
    clientOf([new TextEncoder().encode(text)])
      .agency('a')
      .stream('Hi'),
  )
  expect(whole.length).toBeGreaterThan(20)
  expect(whole[0]).toMatchObject({ kind: 'text', text: 'Grüße 😀 日本 \u2028' })
  const cuts = fc.array(fc.nat(text.length), { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(cuts, fc.constantFrom('\n', '\r\n', '\r'), fc.boolean(), async (places, lineEnd, single) => {
      const bytes = new TextEncoder().encode(text.replaceAll('\n', lineEnd))
      const at = single ? Array.from({ length: 200 }, (_, index) => index + 1) : places
      const sorted = [0, ...at.filter((place) => place < bytes.length).sort((a, b) => a - b), bytes.length]
      const pieces = sorted.slice(1).map((end, index) => bytes.slice(sorted[index], end))
      expect(await collect(clientOf(pieces).agency('a').stream('Hi'))).toEqual(whole)
    }),
    { numRuns: 60 },
  )
})

test.for(['immediate', 'after_turn'] as const)(
  'cancel %s names the run, waits for it, and the stream ends',
  async (mode) => {
    promise('C3')
    const { url } = await startRecorded(`cancel_${mode}`)
    const conversation = createClient({ baseUrl: url }).agency('test_agency').conversation()
    const stream = conversation.stream('Tell me a long story')
    const events: StreamEvent[] = []
    let answer: Promise<unknown> | undefined
    for await (const event of stream) {
      events.push(event)
      if (event.kind === 'text') answer ??= stream.cancel(mode)
    }
    expect(await answer).toMatchObject({ ok: true, cancelled: true, cancel_mode: mode, timed_out: false })
    expect(events.at(-2)).toMatchObject({ kind: 'messages', cancelled: true })
    expect(await stream.result).toMatchObject({ cancelled: true, response: '', run_id: '<uuid:1>' })
    expect(await stream.cancel()).toBeUndefined()
    expect(conversation.messages).toMatchObject([{ role: 'user', content: 'Tell me a long story' }])
  },
)

test('a conversation sends its history: streamed, plain, with a file', async () => {
  promise('C3')
  const streamed = await startRecorded('history_stream_then_stream')
  const first = createClient({ baseUrl: streamed.url }).agency('test_agency').conversation()
  await first.stream('Hello there').result
  expect(first.messages).toHaveLength(2)
  expect((await first.stream('What did I say').result).response).toMatch(/greeted me/)
  const plain = await startRecorded('history_two_turns')
  const second = createClient({ baseUrl: plain.url }).agency('test_agency').conversation()
  await second.getResponse('Hello there')
  const saved = JSON.stringify(second)
  const third = createClient({ baseUrl: plain.url })
    .agency('test_agency')
    .conversation({ history: JSON.parse(saved) })
  expect(third.recipient).toBe('Assistant')
  third.recipient = undefined // the recorded request names nobody
  expect((await third.getResponse('What did I say')).response).toBe('You greeted me before.')
  expect(third.messages).toHaveLength(4)
  const files = await startRecorded('file_urls_pdf_stream')
  const fourth = createClient({ baseUrl: files.url }).agency('test_agency').conversation()
  const file_urls = { 'report.pdf': '{{MOCK}}/static/report.pdf' }
  const { file_ids_map } = await fourth.stream({ message: 'Summarize this document', file_urls }).result
  expect(file_ids_map).toEqual({ 'report.pdf': expect.any(String) })
  expect(fourth.files).toEqual(file_ids_map)
})

test('a conversation stays with the agent after a handoff and reload', async () => {
  const { url } = await startRecorded('handoff_stream')
  const agency = createClient({ baseUrl: url }).agency('support_desk')
  const conversation = agency.conversation()
  expect(conversation.recipient).toBeUndefined()
  await conversation.stream('question about my invoice').result
  expect(conversation.recipient).toBe('Billing Team')
  expect(agency.conversation({ history: conversation.messages }).recipient).toBe('Billing Team')
})

test("the original's refusals and failures are one kind of error", async () => {
  const error = async (work: Promise<unknown>): Promise<ClientError> => {
    const caught = await work.catch((reason: unknown) => reason)
    expect(caught).toBeInstanceOf(ClientError)
    return caught as ClientError
  }
  const invalid = createClient({ baseUrl: (await startRecorded('validation')).url }).agency('test_agency')
  const empty = await error(invalid.getResponse({} as never))
  expect(empty).toMatchObject({ kind: 'invalid_request', status: 422, message: 'message: Field required' })
  expect(empty.details).toEqual([{ type: 'missing', loc: ['body', 'message'], msg: 'Field required', input: {} }])
  expect((await error(invalid.getResponse({ message: 5 as never }))).details).toHaveLength(2)
  const ghost = await error(invalid.getResponse({ message: 'Hello there', recipient_agent: 'Ghost' }))
  expect(ghost.message).toMatch(/recipient_agent: .*Available agents: \['Assistant'\]/)
  expect(await error(invalid.stream([]).result)).toMatchObject({
    kind: 'invalid_request',
    details: [{ loc: ['body', 'message'] }],
  })

  const auth = (await startRecorded('auth')).url
  const call = (token?: string) =>
    createClient({ baseUrl: auth, token }).agency('test_agency').getResponse('Hello there')
  expect(await error(call())).toMatchObject({ kind: 'unauthorized', status: 401, message: 'Not authenticated' })
  expect(await error(call('wrong'))).toMatchObject({ kind: 'unauthorized', message: 'Unauthorized' })
  expect((await call('secret-123')).response).toBe('Hello! How can I help you today?')

  const upstream = createClient({ baseUrl: (await startRecorded('upstream_error')).url }).agency('test_agency')
  expect(await error(upstream.getResponse('upstream is down'))).toMatchObject({ kind: 'failed', status: 500 })
  const conversation = upstream.conversation()
  const stream = conversation.stream('upstream is down')
  const failed = await error(stream.result)
  expect(failed).toMatchObject({ kind: 'failed', result: { new_messages: [{ role: 'user' }] } })
  expect(failed.message).toContain('The model is unavailable')
  expect(await stream.finalMessages).toEqual(conversation.messages)
  expect(conversation.messages).toHaveLength(1)

  const files = createClient({ baseUrl: (await startRecorded('file_urls_failure')).url }).agency('test_agency')
  const request = { message: 'Summarize this document', file_urls: { 'report.pdf': '{{MOCK}}/static/gone.pdf' } }
  expect(await error(files.getResponse(request))).toMatchObject({ kind: 'failed', status: 200 })
  const broken = files.stream(request)
  expect((await collect(broken)).map((event) => event.kind)).toEqual(['error', 'end'])
  expect(await error(broken.result)).toMatchObject({ kind: 'failed' })
  expect(await broken.finalMessages).toEqual([])
})

test("the original's tools, logs, metadata and agencies", async () => {
  const tools = createClient({ baseUrl: (await startRecorded('tools_ok')).url })
  const [first] = readCase('tools_ok')
  expect(await tools.tool('example_tool').run(first?.request.body)).toBe(first?.response.body.response)
  const broken = createClient({ baseUrl: (await startRecorded('tools_errors')).url })
  await expect(broken.tool('example_tool').run({})).rejects.toMatchObject({ kind: 'invalid_request' })

  const logs = createClient({ baseUrl: (await startRecorded('logs')).url })
  await logs.tool('example_tool').run({ example_field: 'x' }, { logId: 'golden-1' })
  await logs.agency('tools_agency').getResponse('weather in Paris', { logId: 'golden-2' })
  expect(await logs.logs('golden-2')).toHaveLength(1)
  await expect(logs.logs('golden-2')).rejects.toMatchObject({ kind: 'not_found', message: 'Log file not found' })

  const team = await createClient({ baseUrl: (await startRecorded('metadata_team')).url })
    .agency('my team')
    .metadata()
  expect(team.metadata.agents).toContain('CEO')
  expect(team.nodes.find((node) => node.type === 'agent')?.data.isEntryPoint).toBe(true)
  const names = await createClient({ baseUrl: (await startRecorded('openapi')).url }).agencies()
  expect(names).toEqual(['test_agency'])
})
