/** AG-UI: the endpoints, text and calls, failures and the end of a run. */
import { once } from 'node:events'
import http from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { Agency, type Model } from '../src/index.ts'
import { promise } from './promises.ts'
import { ask, CLIENTS, connect, type Event, inputOf, judge, only, toEvents, types, user } from './support/agui.ts'
import { assistant, serveAgui, usage, weather } from './support/agui-server.ts'
import { post, startServer, useUpstream } from './support/client.ts'

test('enableAgui serves the stream and metadata, as documented', async () => {
  promise('A6', 'B11')
  await useUpstream(() => ({ text: 'Hi' }))
  const { url } = await serveAgui(new Agency(assistant()), { tools: [weather] })
  for (const endpoint of ['get_response', 'cancel_response_stream'])
    expect((await post(`${url}/agency/${endpoint}`, { message: 'Hi', run_id: 'x' })).status).toBe(404)
  expect((await fetch(`${url}/agency/get_metadata`)).status).toBe(200)
  expect(await (await post(`${url}/tool/get_weather`, { city: 'Bonn' })).json()).toEqual({ response: 'Sunny in Bonn' })
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Event
  expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true })
  const paths = Object.keys(document.paths)
  expect(paths.filter((path) => !/^\/agency\/(runs|threads|approvals|webhooks|tickets)/.test(path))).toEqual([
    '/agency/get_metadata',
    '/agency/get_response_stream',
    '/healthz',
    '/readyz',
    '/tool/get_weather',
  ])
  const { properties, required } = document.components.schemas.RunAgentInput
  expect(required).toEqual(['threadId', 'runId', 'messages'])
  expect(Object.keys(properties)).toEqual(
    expect.arrayContaining(['messages', 'forwardedProps', 'chat_history', 'user_context', 'client_config']),
  )
  const native = await startServer({ agencies: { agency: new Agency(assistant()) } })
  expect((await post(`${native.url}/agency/get_response`, { message: 'Hi' })).status).toBe(200)
})

test.for(CLIENTS)('client %s streams text, and its list is the next history', async ([, Client]) => {
  promise('G1')
  const upstream = await useUpstream(() => ({ text: '0 1 2 ', deltas: 3 }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const { agent, run } = connect(Client, stream)
  const events = await run('Hello')
  expect(types(events)).toEqual([
    'RUN_STARTED',
    'TEXT_MESSAGE_START',
    ...Array(3).fill('TEXT_MESSAGE_CONTENT'),
    'TEXT_MESSAGE_END',
    'MESSAGES_SNAPSHOT',
    'RUN_FINISHED',
  ])
  expect(only(events, 'TEXT_MESSAGE_CONTENT').map(({ delta }) => delta)).toEqual(['0 ', '1 ', '2 '])
  expect(events[0]).toMatchObject({ threadId: 'thread-1', protocolVersion: '1.0' })
  expect(events.at(-1)).toMatchObject({ outcome: { type: 'success' }, usage: [usage] })
  expect(events.at(-1).metadata.usage).toMatchObject({ request_count: 1, total_cost: expect.any(Number) })
  expect(agent.messages).toMatchObject([
    { id: 'u1', role: 'user', content: 'Hello' },
    { id: 'msg_1', role: 'assistant', name: 'Assistant', content: '0 1 2 ' },
  ])
  await run('And?')
  expect(upstream.seen.map(({ body }) => body.input)).toEqual([
    [{ role: 'user', content: 'Hello', type: 'message' }],
    [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: '0 1 2 ' },
      { role: 'user', content: 'And?', type: 'message' },
    ],
  ])
})

test.for(CLIENTS)('client %s gets calls with results and sends them back', async ([, Client]) => {
  promise('G1')
  const upstream = await useUpstream((_body, index) =>
    index === 0
      ? { calls: ['Rome', 'Bonn'].map((city) => ({ name: 'get_weather', arguments: { city } })) }
      : { text: 'Sunny' },
  )
  const { stream } = await serveAgui(new Agency(assistant({ tools: [weather] })))
  const { agent, run } = connect(Client, stream)
  const events = await run('Weather?')
  const [first] = only(events, 'TOOL_CALL_START')
  expect(first).toMatchObject({ toolCallId: 'call_1', toolCallName: 'get_weather', parentMessageId: 'fc_1' })
  expect(only(events, 'TOOL_CALL_ARGS').map(({ delta }) => delta)).toEqual(['{"city":"Rome"}', '{"city":"Bonn"}'])
  expect(only(events, 'TOOL_CALL_RESULT')).toMatchObject([
    { toolCallId: 'call_1', messageId: 'call_1', content: 'Sunny in Rome', role: 'tool' },
    { toolCallId: 'call_2', content: 'Sunny in Bonn' },
  ])
  // After each complete call, each output and the answer: what there is so far.
  expect(only(events, 'MESSAGES_SNAPSHOT').map(({ messages }) => messages.length)).toEqual([2, 3, 4, 5, 6])
  expect(agent.messages.map(({ id, role }) => [id, role])).toEqual([
    ['u1', 'user'],
    ['fc_1', 'assistant'],
    ['call_1', 'tool'],
    ['fc_2', 'assistant'],
    ['call_2', 'tool'],
    ['msg_4', 'assistant'],
  ])
  await run('Thanks')
  const call = { type: 'function_call', name: 'get_weather', status: 'completed' }
  const output = { type: 'function_call_output' }
  expect(upstream.seen[2]?.body.input).toEqual([
    { role: 'user', content: 'Weather?' },
    { ...call, call_id: 'call_1', arguments: '{"city":"Rome"}' },
    { ...output, call_id: 'call_1', output: 'Sunny in Rome' },
    { ...call, call_id: 'call_2', arguments: '{"city":"Bonn"}' },
    { ...output, call_id: 'call_2', output: 'Sunny in Bonn' },
    { role: 'assistant', content: 'Sunny' },
    { role: 'user', content: 'Thanks', type: 'message' },
  ])
})

test.for(CLIENTS)('client %s gets a failure as one RUN_ERROR without details', async ([, Client]) => {
  promise('G1', 'D6')
  await useUpstream(() => ({ status: 400, message: 'secret detail sk-server-key' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const { run } = connect(Client, stream)
  const events = await run('Hi')
  expect(types(events)).toEqual(['RUN_STARTED', 'RUN_ERROR'])
  expect(events[1]).toMatchObject({
    message: 'The run of agent Assistant failed (cause: BadRequestError).',
    code: 'MODEL_FAILED',
  })
  expect(JSON.stringify(events)).not.toMatch(/secret detail|sk-server|\.[jt]s:\d/)
})

test('without a message to answer the stream reports an error', async () => {
  promise('G1')
  const upstream = await useUpstream(() => ({ text: 'Hm' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const said = { id: 'a1', role: 'assistant', content: 'Hello' }
  const result = { id: 't1', role: 'tool', toolCallId: 'call_x', content: 'x' }
  for (const [body, reason] of [
    [inputOf([]), /at least one message/],
    [inputOf([user('Hi'), said]), /not addressed to the agent/],
    [inputOf([user('Hi'), result]), /"call_x"/],
    [inputOf([], { chat_history: [{ role: 'assistant', content: 'x' }] }), /not addressed to the agent/],
    [inputOf([user(' ')]), /cannot be empty/],
  ] as const) {
    const events = await ask(stream, body)
    expect(types(events)).toEqual(['RUN_STARTED', 'RUN_ERROR'])
    expect(events[1].message).toMatch(reason)
    expect(events[1].message).not.toMatch(/Traceback|\n|\.[jt]s:/)
  }
  expect(upstream.seen).toHaveLength(0)
})

test.for(CLIENTS)('client %s that aborts stops the run and the call to the model', async ([, Client]) => {
  promise('G4')
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { text: 'any', deltas: 10_000, delayMs: 2 } : { hang: true },
  )
  const { stream } = await serveAgui(new Agency(assistant()))
  const { agent } = connect(Client, stream)
  agent.addMessage({ id: 'u1', role: 'user', content: 'Story' })
  const running = agent.runAgent({}, { onTextMessageContentEvent: () => agent.abortRun() })
  await upstream.seen[0]?.aborted
  await running
  agent.addMessage({ id: 'u2', role: 'user', content: 'Another' })
  const silent = agent.runAgent({})
  await expect.poll(() => upstream.seen.length).toBe(2)
  agent.abortRun()
  await upstream.seen[1]?.aborted
  await silent
})

test('a guardrail sends its own message, or ends the run', async () => {
  promise('G1', 'F8')
  const guard = (input: unknown) => ({ tripwire: String(input).includes('bad'), guidance: 'Be polite.' })
  await useUpstream((_body, index) => ({ text: index === 0 ? 'bad draft' : 'fine' }))
  const soft = await serveAgui(new Agency(assistant({ inputGuardrails: [guard] })))
  const { agent, run } = connect(CLIENTS[0][1], soft.stream)
  await run('bad')
  await run('bad again')
  const guided = agent.messages.filter(({ role }) => role === 'assistant')
  const polite = { name: 'Assistant', content: 'Be polite.', metadata: { agent: 'Assistant' } }
  expect(guided).toMatchObject([polite, polite])
  expect(new Set(guided.map(({ id }) => id)).size).toBe(2)

  const strict = await serveAgui(new Agency(assistant({ inputGuardrails: [guard], raiseInputGuardrailError: true })))
  const refused = await ask(strict.stream, inputOf([user('bad')]))
  expect(refused.slice(1)).toMatchObject([
    {
      type: 'RUN_ERROR',
      code: 'GUARDRAIL_TRIPPED',
      message: 'Guardrail InputGuardrail triggered tripwire: Be polite.',
    },
  ])

  const checked = await serveAgui(new Agency(assistant({ outputGuardrails: [guard] })))
  const retried = connect(CLIENTS[0][1], checked.stream)
  expect(only(await retried.run('Go'), 'TEXT_MESSAGE_START')).toHaveLength(2)
  expect(retried.agent.messages.map(({ content }) => content)).toEqual(['Go', 'fine']) // the draft is gone
})

test('a server that stops ends its streams with RUN_ERROR and takes no more', async () => {
  promise('G1')
  const upstream = await useUpstream(() => ({ hang: true }))
  const { stream, app } = await serveAgui(new Agency(assistant()), { limits: { drainMs: 50 } })
  const pending = post(stream, inputOf([user('Hi')]))
  await expect.poll(() => upstream.seen.length).toBe(1)
  const closing = app.close()
  const events = toEvents(await (await pending).text())
  judge(events)
  expect(events.at(-1)).toMatchObject({ type: 'RUN_ERROR', code: 'SHUTTING_DOWN' })
  await closing
})

test('a run stopped for lack of a reader is reported as cancelled', async () => {
  promise('G1')
  for (const protocolVersion of ['1.0', undefined]) {
    const stopped = Promise.withResolvers<void>()
    const endless: Model = {
      name: 'endless',
      async *streamTurn(_request, signal) {
        const delta = {
          type: 'response.output_text.delta',
          item_id: 'msg_1',
          output_index: 0,
          delta: 'x'.repeat(65_536),
        }
        try {
          while (!signal.aborted) {
            yield { events: [delta], bytes: 65_536 }
            await turn()
          }
        } finally {
          stopped.resolve()
        }
      },
      completeTurn: async () => ({ output: [] }),
    }
    const limits = { slowReaderBytes: 1_000_000, idleTimeoutMs: 1_000 } // time enough to read what was sent
    const { stream } = await serveAgui(new Agency(assistant({ model: endless })), { limits, keyPerRequest: true })
    const request = http.request(stream, { method: 'POST', headers: { 'content-type': 'application/json' } })
    request.end(JSON.stringify(inputOf([user('Go')], { protocolVersion })))
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    await stopped.promise // nothing was read meanwhile
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    const events = toEvents(text)
    judge(events)
    expect(types(events).at(-2)).toBe('TEXT_MESSAGE_END')
    expect(events.at(-1)).toMatchObject(
      protocolVersion === undefined
        ? { type: 'RUN_ERROR', code: 'CANCELLED' }
        : { type: 'RUN_FINISHED', outcome: { type: 'cancelled' } },
    )
  }
})
