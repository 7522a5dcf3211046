import OpenAI from 'openai'
import { zodTextFormat } from 'openai/helpers/zod'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, tool } from '../src/index.ts'
import { type Frame, post, postAndRead, useUpstream } from './support/client.ts'
import { clock, collect, desk, eventsOf, lookup, serveOpenAi, team } from './support/openai-server.ts'

const time = { type: 'function' as const, strict: false, ...clock.function }
const model = 'support'

const types = (frames: readonly Frame[]) => frames.map(({ event }) => event)

test('a plain response has the text, the usage and the whole object', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { client } = await serveOpenAi()
  const response = await client.responses.create({
    model,
    input: 'Hello',
    instructions: 'Be brief.',
    metadata: { a: 'b' },
  })
  expect(response.output_text).toBe('Hi')
  expect(response).toMatchObject({
    id: expect.stringMatching(/^resp_[0-9a-f]{40}$/),
    object: 'response',
    status: 'completed',
    model,
    metadata: { a: 'b' },
    error: null,
    output: [{ type: 'message', role: 'assistant', status: 'completed' }],
    usage: { input_tokens: 10, output_tokens: 5, total_tokens: 15, output_tokens_details: { reasoning_tokens: 0 } },
  })
})

test('the bytes of a stream are the events of one text, numbered from 0', async () => {
  await useUpstream(() => ({ text: '', deltas: 2 }))
  const { url } = await serveOpenAi()
  for (const store of [true, false]) {
    const response = await post(`${url}/v1/responses`, { model, input: 'Count', stream: true, store })
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const events = eventsOf(await response.text())
    expect(types(events)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    expect(events.map(({ data }) => data.sequence_number)).toEqual([...events.keys()])
    expect(events.every(({ event, data }) => data.type === event)).toBe(true)
    expect(events[6]?.data).toMatchObject({ text: '0 1 ', output_index: 0, content_index: 0 })
    expect(events.at(-1)?.data.response).toMatchObject({ status: 'completed', usage: { total_tokens: 15 } })
  }
})

test("the client's stream helper accepts work of sub-agents and tools", async () => {
  await useUpstream((_body, index) =>
    index % 3 === 0
      ? {
          calls: [
            { name: 'send_message', arguments: { recipient_agent: 'Rates', message: 'Rate?' } },
            { name: 'lookup', arguments: { what: 'x' } },
          ],
        }
      : { text: index % 3 === 1 ? 'Three' : 'It is three.' },
  )
  const { client } = await serveOpenAi(team())
  for (const store of [true, false]) {
    const stream = client.responses.stream({ model, input: 'What is the rate?', store })
    const events = await collect(stream)
    const response = await stream.finalResponse()
    expect(response.output_text).toBe('It is three.')
    expect(response.output).toMatchObject([
      {
        type: 'mcp_call',
        server_label: 'Desk',
        name: 'send_message',
        output: 'Three',
        status: 'completed',
        error: null,
      },
      { type: 'mcp_call', server_label: 'Desk', name: 'lookup', arguments: '{"what":"x"}', output: 'found x' },
      { type: 'message', content: [{ text: 'It is three.' }] },
    ])
    expect(new Set(response.output.map(({ id }) => id)).size).toBe(3)
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['response.mcp_call.completed']))
    expect(events.filter(({ type }) => type === 'response.output_text.delta')).toMatchObject([
      { delta: 'It is three.' },
    ])
  }
})

test('reasoning is an item of its own', async () => {
  const reasoning = { id: 'rs', type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm' }] }
  const message = {
    id: 'm',
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text: 'Yes', annotations: [] }],
  }
  const final = {
    id: 'r',
    status: 'completed',
    output: [reasoning, message],
    usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
  }
  const chunks = [
    { type: 'response.output_item.added', output_index: 0, item: { ...reasoning, summary: [] } },
    {
      type: 'response.reasoning_summary_part.added',
      item_id: 'rs',
      output_index: 0,
      summary_index: 0,
      part: { type: 'summary_text', text: '' },
    },
    { type: 'response.reasoning_summary_text.delta', item_id: 'rs', output_index: 0, summary_index: 0, delta: 'Hm' },
    { type: 'response.output_item.done', output_index: 0, item: reasoning },
    { type: 'response.output_item.added', output_index: 1, item: { ...message, content: [] } },
    { type: 'response.output_text.delta', item_id: 'm', output_index: 1, content_index: 0, delta: 'Yes' },
    { type: 'response.output_item.done', output_index: 1, item: message },
    { type: 'response.completed', response: final },
  ]
  const model = {
    name: 'scripted',
    async *streamTurn() {
      yield { events: chunks, bytes: 100 }
    },
    completeTurn: async () => final,
  }
  const { client } = await serveOpenAi(new Agency(desk({ model })))
  const response = await client.responses.stream({ model: 'support', input: 'Why?', store: false }).finalResponse()
  expect(response.output).toMatchObject([
    { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm' }] },
    { type: 'message', content: [{ text: 'Yes' }] },
  ])
})

test('a call of the client ends a response, and its output continues it', async () => {
  const upstream = await useUpstream((body) =>
    JSON.stringify(body.input).includes('12:00')
      ? { text: 'Noon' }
      : {
          calls: [
            { name: 'clock', arguments: { zone: 'UTC' } },
            { name: 'lookup', arguments: { what: 'x' } },
          ],
        },
  )
  const { client } = await serveOpenAi()
  const first = await client.responses.create({ model, input: 'Time?', tools: [time] })
  expect(first).toMatchObject({
    status: 'completed',
    output: [
      { type: 'mcp_call', name: 'lookup', output: 'found x' },
      { type: 'function_call', name: 'clock', arguments: '{"zone":"UTC"}', status: 'completed' },
    ],
  })
  const call = first.output[1] as { call_id: string }
  const output = { type: 'function_call_output' as const, call_id: call.call_id, output: '12:00' }
  const stateful = await client.responses.create({
    model,
    previous_response_id: first.id,
    input: [output],
    tools: [time],
  })
  expect(stateful.output_text).toBe('Noon')
  const items = [
    { role: 'user' as const, content: 'Time?' },
    ...(first.output as OpenAI.Responses.ResponseInputItem[]),
    output,
  ]
  const stateless = await client.responses.create({ model, input: items, tools: [time], store: false })
  expect(stateless.output_text).toBe('Noon')
  for (const { body } of upstream.seen.slice(1)) {
    const sent = body.input as { type?: string; name?: string; call_id?: string }[]
    expect(sent[0]).toMatchObject({ role: 'user', content: 'Time?' })
    expect(sent.slice(-2)).toMatchObject([
      { type: 'function_call', name: 'clock', call_id: call.call_id },
      { type: 'function_call_output', call_id: call.call_id, output: '12:00' },
    ])
    expect(sent.filter(({ name }) => name === 'clock')).toHaveLength(1)
  }
})

test('a client that leaves stops a response that is not in the background', async () => {
  const upstream = await useUpstream(() => ({ text: 'any', deltas: 10_000, delayMs: 2 }))
  const { client } = await serveOpenAi()
  for (const [index, store] of [true, false].entries()) {
    const stream = await client.responses.create({ model, input: 'Story', stream: true, store })
    for await (const event of stream) if (event.type === 'response.output_text.delta') break
    await upstream.seen[index]?.aborted
  }
  const gone = new AbortController()
  const plain = client.responses.create({ model, input: 'Story' }, { signal: gone.signal }).catch((error) => error)
  await expect.poll(() => upstream.seen.length).toBe(3)
  gone.abort()
  await upstream.seen[2]?.aborted
  expect(await plain).toBeInstanceOf(OpenAI.APIUserAbortError)
})

test('a failure is a failed response, plain and streamed', async () => {
  await useUpstream(() => ({ status: 400, message: 'secret sk-server-key' }))
  const { client } = await serveOpenAi()
  for (const store of [true, false]) {
    const plain = await client.responses.create({ model, input: 'Hi', store })
    const error = { code: 'server_error', message: expect.stringMatching(/^The run of agent Desk failed/) }
    expect(plain).toMatchObject({ status: 'failed', error, output: [] })
    const events = await collect(await client.responses.create({ model, input: 'Hi', store, stream: true }))
    expect(events.map(({ type }) => type)).toEqual(['response.created', 'response.in_progress', 'response.failed'])
    expect(JSON.stringify(events)).not.toMatch(/secret|sk-/)
  }
})

test('the turn limit leaves a response incomplete', async () => {
  await useUpstream(() => ({ calls: [{ name: 'lookup', arguments: { what: 'x' } }] }))
  const { client } = await serveOpenAi(undefined, { maxTurns: 2 })
  for (const store of [true, false])
    expect(await client.responses.create({ model, input: 'Hi', store })).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_turns' },
      output: [{ type: 'mcp_call' }, { type: 'mcp_call' }],
    })
})

test('a rejected draft is not part of the response', async () => {
  await useUpstream((_body, index) => ({ text: index % 2 === 0 ? 'bad' : 'good' }))
  const guard = (output: unknown) => ({ tripwire: output === 'bad', guidance: 'Again.' })
  const { client } = await serveOpenAi(new Agency(desk({ outputGuardrails: [guard], validationAttempts: 1 })))
  for (const store of [true, false]) {
    const response = await client.responses.stream({ model, input: 'Hi', store }).finalResponse()
    expect(response.output_text).toBe('good')
    expect(response.output).toHaveLength(1)
  }
})

test('structured output is parsed by the client', async () => {
  const upstream = await useUpstream(() => ({ text: '{"rate":3}' }))
  const { client } = await serveOpenAi()
  const response = await client.responses.parse({
    model,
    input: 'Rate?',
    text: { format: zodTextFormat(z.object({ rate: z.number() }), 'rate') },
  })
  expect(response.output_parsed).toEqual({ rate: 3 })
  expect(upstream.seen[0]?.body.text).toMatchObject({ format: { type: 'json_schema', name: 'rate', strict: true } })
})

test('images and files reach the model', async () => {
  const upstream = await useUpstream(() => ({ text: 'A cat' }))
  const { client } = await serveOpenAi()
  const content = [
    { type: 'input_text' as const, text: 'What is it?' },
    { type: 'input_image' as const, image_url: 'data:image/png;base64,AAAA', detail: 'auto' as const },
    { type: 'input_file' as const, file_id: 'file-1' },
  ]
  await client.responses.create({
    model,
    input: [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content },
    ],
  })
  expect(upstream.seen[0]?.body).toMatchObject({ instructions: 'Help.\n\nBe brief.' })
  expect(upstream.seen[0]?.body).toHaveProperty('input.0.content', content)
})

test('an approval is asked for and answered over the protocol', async () => {
  const refund = tool({
    name: 'refund',
    parameters: z.object({ order: z.number() }),
    needsApproval: true,
    execute: ({ order }) => `refunded ${order}`,
  })
  await useUpstream((body) =>
    JSON.stringify(body.input).includes('function_call_output')
      ? { text: 'Done' }
      : { calls: [{ name: 'refund', arguments: { order: 17 } }] },
  )
  const { client } = await serveOpenAi(new Agency(desk({ tools: [refund, lookup] })))
  for (const approve of [true, false]) {
    const asked = await client.responses.stream({ model, input: 'Refund 17' }).finalResponse()
    const request = asked.output.find(({ type }) => type === 'mcp_approval_request')
    expect(request).toMatchObject({ server_label: 'Desk', name: 'refund', arguments: '{"order":17}' })
    expect(await client.responses.retrieve(asked.id)).toMatchObject({ status: 'completed', output: asked.output })
    const approval_request_id = request?.id as string
    const decision = { type: 'mcp_approval_response' as const, approval_request_id, approve, reason: 'No.' }
    const answer = client.responses.stream({ model, previous_response_id: asked.id, input: [decision] })
    const response = await answer.finalResponse()
    expect(response.output_text).toBe('Done')
    expect(response.output).toMatchObject([
      { type: 'mcp_call', name: 'refund', output: approve ? 'refunded 17' : expect.stringMatching(/rejected.*No\./) },
      { type: 'message' },
    ])
  }
})

test('a plain request answers an approval too', async () => {
  const pay = tool({ name: 'pay', parameters: z.object({}), needsApproval: true, execute: () => 'paid' })
  await useUpstream((body) =>
    JSON.stringify(body.input).includes('function_call_output')
      ? { text: 'Done' }
      : { calls: [{ name: 'pay', arguments: {} }] },
  )
  const { client } = await serveOpenAi(new Agency(desk({ tools: [pay] })))
  const asked = await client.responses.create({ model, input: 'Pay' })
  const [request] = asked.output.filter(({ type }) => type === 'mcp_approval_request')
  const decision = { type: 'mcp_approval_response' as const, approval_request_id: request?.id as string, approve: true }
  const response = await client.responses.create({ model, previous_response_id: asked.id, input: [decision] })
  expect(response.output_text).toBe('Done')
  expect(response.output[0]).toMatchObject({ type: 'mcp_call', output: 'paid' })
})

test('requests that cannot be answered are 400 and name the field', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { url } = await serveOpenAi()
  for (const [body, param] of [
    [{ model }, 'input'],
    [{ model, input: [] }, 'input'],
    [{ model, input: 'Hi', background: true, store: false }, 'background'],
    [{ model, input: 'Hi', conversation: 'c', store: false }, 'conversation'],
    [{ model, input: 'Hi', conversation: 'c', previous_response_id: 'resp_1' }, 'previous_response_id'],
    [{ model, input: 'Hi', tools: [{ type: 'web_search' }] }, 'tools.0.type'],
    [{ model, input: 'Hi', tools: [{ type: 'function', name: 'lookup' }] }, 'tools.0.name'],
    [{ model, input: [{ type: 'robot' }] }, 'input.0.type'],
    [{ model, input: [{ role: 'user', content: [{ type: 'hologram', text: 'Hi' }] }] }, 'input.0.content.0.type'],
    [{ model, input: [{ role: 'assistant', content: 'Hi' }] }, 'input'],
    [{ model, input: [{ type: 'function_call_output', call_id: 'x', output: '' }] }, 'input'],
    [
      { model, input: [{ type: 'mcp_approval_response', approval_request_id: 'x', approve: true }] },
      'previous_response_id',
    ],
  ] as const) {
    const { status, body: answer } = await postAndRead(`${url}/v1/responses`, body)
    expect([status, answer.error.param]).toEqual([400, param])
    expect(answer.error.type).toBe('invalid_request_error')
  }
})

test('tools that only OpenAI runs are ignored where the operator says so', async () => {
  const upstream = await useUpstream(() => ({ text: 'Hi' }))
  const { client } = await serveOpenAi(undefined, { openai: { hostedTools: 'ignore' } })
  const own = { type: 'function' as const, name: 'pick', parameters: {}, strict: false }
  const { output_text } = await client.responses.create({
    model,
    input: 'Hi',
    tools: [{ type: 'web_search' }, own],
    tool_choice: { type: 'web_search_preview' },
  })
  expect(output_text).toBe('Hi')
  expect(upstream.seen[0]?.body).toMatchObject({ tools: [{ name: 'lookup' }, { name: 'pick' }] })
  const custom = client.responses.create({ model, input: 'Hi', tools: [{ type: 'custom', name: 'patch' }] })
  await expect(custom).rejects.toMatchObject({ status: 400, param: 'tools.0.type' })
  await expect(serveOpenAi(undefined, { openai: { hostedTools: 'run' } as never })).rejects.toThrow(
    'openai.hostedTools',
  )
})
