import { once } from 'node:events'
import http from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, chatCompletions, Handoff, type Model, type ServeOptions, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import {
  ask,
  CLIENTS,
  connect,
  type Event,
  inputOf,
  judge,
  only,
  saidBy,
  toEvents,
  types,
  user,
} from './support/agui.ts'
import { post, startServer, useUpstream } from './support/client.ts'
import { PDF, page, startFileHost } from './support/file-host.ts'
import { startEvents } from './support/upstream.ts'

const weather = tool({
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  execute: ({ city }) => `Sunny in ${city}`,
})
const assistant = (options = {}) =>
  new Agent({ name: 'Assistant', instructions: 'Top secret instructions.', model: 'gpt-4.1', ...options })

async function serveAgui(agency: Agency, options: ServeOptions = {}) {
  const server = await startServer({ agencies: { agency }, enableAgui: true, ...options })
  return { ...server, stream: `${server.url}/agency/get_response_stream` }
}
/** The text of the last item that a model call had. */
const lastOf = ({ input }: { input?: unknown }) => (input as { content?: unknown; output?: unknown }[]).at(-1)
const usage = { inputTokens: 10, outputTokens: 5, totalTokens: 15, cachedInputTokens: 0 }

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
  expect(Object.keys(document.paths)).toEqual([
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

/** A boss who asks a lead, who asks a worker. */
function threeLevels() {
  const [boss, lead, worker] = ['Boss', 'Lead', 'Worker'].map(
    (name) => new Agent({ name, description: `${name} works`, instructions: `You are ${name}.`, model: 'gpt-4.1' }),
  ) as [Agent, Agent, Agent]
  return new Agency(boss, {
    communicationFlows: [
      [boss, lead],
      [lead, worker],
    ],
  })
}
const send = (recipient: string, message: string) => ({
  calls: [
    {
      name: 'send_message',
      arguments: { recipient_agent: recipient, message, additional_instructions: '' },
      id: `call_${recipient}`,
    },
  ],
})
/** Boss and Lead pass a question on once and then answer; Worker answers. */
const delegate = ({ instructions, input }: { [key: string]: unknown }) => {
  const [, name] = /You are (\w+)/.exec(String(instructions)) ?? []
  const answered = (input as { type?: string }[]).at(-1)?.type === 'function_call_output'
  if (name === 'Boss' && !answered) return send('Lead', 'Plan it')
  if (name === 'Lead' && !answered) return send('Worker', 'Do it')
  return { text: `${name} is done` }
}

test.for(CLIENTS)('client %s keeps the threads of nested agents apart', async ([, Client]) => {
  promise('G3', 'G1')
  const upstream = await useUpstream(delegate)
  const { stream } = await serveAgui(threeLevels())
  const { agent, run } = connect(Client, stream)
  const events = await run('Build')
  const [lead, worker] = only(events, 'SUBAGENT_STARTED')
  expect(lead).toMatchObject({ name: 'Lead', description: 'Lead works', parentToolCallId: 'call_Lead' })
  expect(lead).not.toHaveProperty('parentSubagentRunId')
  expect(worker).toMatchObject({
    name: 'Worker',
    parentSubagentRunId: lead.subagentRunId,
    parentToolCallId: 'call_Worker',
    parentMessageId: only(events, 'TOOL_CALL_START')[1].parentMessageId,
  })
  expect(only(events, 'SUBAGENT_FINISHED').map(({ subagentRunId }) => subagentRunId)).toEqual([
    worker.subagentRunId,
    lead.subagentRunId,
  ])
  expect([undefined, lead.subagentRunId, worker.subagentRunId].map((id) => saidBy(events, id))).toEqual([
    'Boss is done',
    'Lead is done',
    'Worker is done',
  ])
  expect(only(events, 'TEXT_MESSAGE_START').map(({ name }) => name)).toEqual(['Worker', 'Lead', 'Boss'])
  const texts = agent.messages.filter(({ role, content }) => role === 'assistant' && content)
  expect(texts).toMatchObject([
    { subagentRunId: worker.subagentRunId, metadata: { agent: 'Worker', callerAgent: 'Lead' } },
    { subagentRunId: lead.subagentRunId, metadata: { agent: 'Lead', callerAgent: 'Boss' } },
    { name: 'Boss', metadata: { agent: 'Boss', callerAgent: null } },
  ])
  const before = upstream.seen.length
  await run('Again')
  const [boss, asked, worked] = upstream.seen.slice(before).map(({ body }) => body.input as Event[])
  expect(JSON.stringify(boss)).not.toMatch(/Plan it"|Lead is done"}|Worker is done"}/)
  expect(boss?.map(({ type, role }) => type ?? role)).toEqual([
    'user',
    'function_call',
    'function_call_output',
    'assistant',
    'message',
  ])
  expect(asked).toMatchObject([
    { role: 'user', content: 'Plan it' },
    { type: 'function_call', name: 'send_message' },
    { type: 'function_call_output', output: 'Worker is done' },
    { role: 'assistant', content: 'Lead is done' },
    { role: 'user', content: 'Plan it' },
  ])
  expect(worked).toMatchObject([
    { role: 'user', content: 'Do it' },
    { role: 'assistant', content: 'Worker is done' },
    { role: 'user', content: 'Do it' },
  ])
})

test.for(CLIENTS)('client %s reads parallel agents as separate messages', async ([, Client]) => {
  promise('G3')
  const boss = new Agent({ name: 'Boss', instructions: 'You are Boss.', model: 'gpt-4.1' })
  const names = ['A', 'B', 'C']
  const team = names.map((name) => new Agent({ name, instructions: `You are ${name}.`, model: 'gpt-4.1' }))
  await useUpstream(({ instructions, input }) => {
    if (!String(instructions).includes('Boss')) return { text: 'any', deltas: 40, delayMs: 1 }
    if (lastOf({ input })?.output !== undefined) return { text: 'All done' }
    return { calls: names.flatMap((name) => send(name, 'Go').calls) }
  })
  const { stream } = await serveAgui(new Agency(boss, { communicationFlows: team.map((agent) => [boss, agent]) }))
  const { agent, run } = connect(Client, stream)
  const events = await run('Go')
  const started = only(events, 'SUBAGENT_STARTED')
  expect(started.map(({ name }) => name)).toEqual(names)
  const spoken = Array.from({ length: 40 }, (_, index) => `${index} `).join('')
  for (const { subagentRunId } of started) expect(saidBy(events, subagentRunId)).toBe(spoken)
  const turns = only(events, 'TEXT_MESSAGE_CONTENT').map(({ subagentRunId }) => subagentRunId)
  expect(new Set(turns.slice(0, 40)).size).toBeGreaterThan(1) // they really spoke at the same time
  expect(agent.messages.filter(({ role, content }) => role === 'assistant' && content)).toHaveLength(4)
})

test.for(CLIENTS)('client %s sees a handoff and the complete transfer', async ([, Client]) => {
  promise('G3', 'G1')
  const desk = new Agent({ name: 'Desk', instructions: 'You are Desk.', model: 'gpt-4.1' })
  const bills = new Agent({ name: 'Bills', instructions: 'You are Bills.', model: 'gpt-4.1' })
  const legal = new Agent({ name: 'Legal', instructions: 'You are Legal.', model: 'gpt-4.1' })
  const transfer = (name: string) => ({
    calls: [{ name: `transfer_to_${name}`, arguments: { recipient_agent: name }, id: `call_${name}` }],
  })
  const upstream = await useUpstream(({ instructions }, index) => {
    if (index < 2) return transfer(String(instructions).includes('Desk') ? 'Bills' : 'Legal')
    return { text: 'All legal' }
  })
  const flows = [
    [desk, bills, Handoff],
    [bills, legal, Handoff],
  ] as const
  const { stream } = await serveAgui(new Agency(desk, { communicationFlows: flows.map(([...flow]) => flow) }))
  const { agent, run } = connect(Client, stream)
  const events = await run('Help')
  const [first, second] = only(events, 'SUBAGENT_STARTED')
  expect(first).toMatchObject({ name: 'Bills', parentToolCallId: 'call_Bills' })
  expect(second).toMatchObject({ name: 'Legal', parentSubagentRunId: first.subagentRunId })
  expect(types(events).filter((type) => type.startsWith('SUBAGENT'))).toEqual([
    'SUBAGENT_STARTED',
    'SUBAGENT_FINISHED',
    'SUBAGENT_STARTED',
    'SUBAGENT_FINISHED',
  ])
  expect(saidBy(events, second.subagentRunId)).toBe('All legal')
  expect(only(events, 'TOOL_CALL_RESULT')).toHaveLength(2)
  expect(agent.messages.map(({ role }) => role).sort()).toEqual([...Array(3).fill('assistant'), 'tool', 'tool', 'user'])
  await run('More')
  const input: Event = upstream.seen[3]?.body.input
  expect(input.map(({ type, role }: Event) => type ?? role)).toEqual([
    'user',
    'function_call',
    'function_call',
    'function_call_output',
    'function_call_output',
    'assistant',
    'message',
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

test.for(CLIENTS)('client %s sees a sub-agent fail while the run continues', async ([, Client]) => {
  promise('G1', 'G3')
  await useUpstream(({ instructions, input }) => {
    const name = /You are (\w+)/.exec(String(instructions))?.[1]
    if (name === 'Boss' && lastOf({ input })?.output === undefined) return send('Lead', 'Plan it')
    if (name === 'Lead' && lastOf({ input })?.output === undefined) return send('Worker', 'Do it')
    if (name === 'Worker') return { text: 'Half a sent', cut: true }
    return { text: `${name} is done` }
  })
  const { stream } = await serveAgui(threeLevels())
  const { agent, run } = connect(Client, stream)
  const events = await run('Build')
  const [, worker] = only(events, 'SUBAGENT_STARTED')
  const [failed] = only(events, 'SUBAGENT_ERROR')
  expect(failed).toMatchObject({ subagentRunId: worker.subagentRunId, message: expect.stringMatching(/Worker failed/) })
  expect(only(events, 'SUBAGENT_FINISHED')).toHaveLength(1)
  expect(events.at(-1).type).toBe('RUN_FINISHED')
  expect(JSON.stringify(agent.messages)).not.toContain('Half a sent')
})

test('a sub-agent that fails takes those it had asked with it', async () => {
  promise('G3')
  await useUpstream(({ instructions, input }) => {
    const name = /You are (\w+)/.exec(String(instructions))?.[1]
    if (name === 'Worker' || lastOf({ input })?.output !== undefined) return { text: `${name} is done` }
    if (name === 'Boss') return send('Lead', 'Plan it')
    return { calls: [...send('Worker', 'Do it').calls, { name: 'get_weather', arguments: { city: 'Rome' } }] }
  })
  const hooks = {
    onToolEnd() {
      throw new Error('The listener failed.')
    },
  }
  const [boss, lead, worker] = ['Boss', 'Lead', 'Worker'].map(
    (name) =>
      new Agent({
        ...{ name, instructions: `You are ${name}.`, model: 'gpt-4.1' },
        ...(name === 'Lead' && { hooks, tools: [weather] }),
      }),
  ) as [Agent, Agent, Agent]
  const communicationFlows = [[boss, lead] as const, [lead, worker] as const].map(([...pair]) => pair)
  const { stream } = await serveAgui(new Agency(boss, { communicationFlows }))
  const events = await ask(stream, inputOf([user('Build')]))
  expect(types(events).filter((type) => type.startsWith('SUBAGENT'))).toEqual([
    'SUBAGENT_STARTED',
    'SUBAGENT_STARTED',
    'SUBAGENT_FINISHED',
    'SUBAGENT_ERROR',
  ])
  const [first, second] = only(events, 'SUBAGENT_STARTED')
  expect(only(events, 'SUBAGENT_FINISHED')[0].subagentRunId).toBe(second.subagentRunId)
  expect(only(events, 'SUBAGENT_ERROR')[0].subagentRunId).toBe(first.subagentRunId)
  expect(events.at(-1).type).toBe('RUN_FINISHED')
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
    const limits = { slowReaderBytes: 1_000_000, idleTimeoutMs: 100 }
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

test('native fields may be in the body or in forwardedProps', async () => {
  promise('G2', 'C12', 'C13')
  const whoami = tool({ name: 'whoami', execute: (_input, context) => `user=${context.get('user')}` })
  const upstream = await useUpstream(({ input }) =>
    lastOf({ input })?.content === 'Who?' ? { calls: [{ name: 'whoami', arguments: {} }] } : { text: 'Fine' },
  )
  const { stream } = await serveAgui(new Agency(assistant({ tools: [whoami] })), {
    trustedModelOrigins: [upstream.origin],
  })
  const extras = {
    additional_instructions: 'Be brief.',
    user_context: { user: 'Ann' },
    client_config: { base_url: upstream.baseURL, api_key: 'sk-mine', model: 'gpt-mine' },
  }
  const requests = [
    inputOf([user('Who?')], extras),
    inputOf([user('Who?')], { forwardedProps: extras }),
    inputOf([user('Who?')], { ...extras, forwardedProps: { ...extras, user_context: { user: 'Bob' } } }),
  ]
  for (const body of requests) {
    const events = await ask(stream, body)
    expect(only(events, 'TOOL_CALL_RESULT')[0].content).toBe('user=Ann')
  }
  expect(upstream.seen).toHaveLength(6)
  for (const { body, headers } of upstream.seen) {
    expect(body).toMatchObject({ model: 'gpt-mine', instructions: 'Top secret instructions.\n\nBe brief.' })
    expect(headers.authorization).toBe('Bearer sk-mine')
  }
  // The client of protocol 1.0 sends no fields of its own but these.
  const { run } = connect(CLIENTS[0][1], stream)
  expect(only(await run('Who?', { forwardedProps: extras }), 'TOOL_CALL_RESULT')[0].content).toBe('user=Ann')
})

test.for(CLIENTS)('client %s attaches files, and keeps the note of where they came from', async ([, Client]) => {
  promise('G2', 'C5', 'C6', 'C7')
  const host = await startFileHost({ '/a.pdf': page(PDF) })
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const { stream } = await serveAgui(new Agency(assistant()), { trustedFileOrigins: [host.origin] })
  const { agent, run } = connect(Client, stream)
  const file_ids = [upstream.files.put('file-old', 'old.pdf')]
  const file_urls = { 'new.pdf': `${host.origin}/a.pdf` }
  const events = await run('Read', { forwardedProps: { file_ids, file_urls } })
  const first: Event = upstream.seen[0]
  const [note, asked] = first.body.input
  expect(asked.content).toMatchObject([
    { type: 'input_text', text: 'Read' },
    { type: 'input_file', file_id: 'file-old' },
    { type: 'input_file', file_id: expect.any(String) },
  ])
  const sources = { 'new.pdf': { url: file_urls['new.pdf'], oai_file_id: asked.content[2].file_id } }
  expect(JSON.parse(note.content.split('\n').at(-1))).toEqual(sources)
  const [{ messages }] = only(events, 'MESSAGES_SNAPSHOT')
  expect(messages.map(({ role }: Event) => role)).toEqual(['system', 'user', 'assistant'])
  expect(agent.messages).toContainEqual({
    id: expect.stringMatching(/^system_file_urls_[0-9a-f]{32}$/),
    role: 'system',
    content: note.content,
  })
  await run('And?')
  expect(upstream.seen[1]?.body.input).toContainEqual({ role: 'system', content: note.content })
})

test('files that cannot be had are told in the stream, and no model is asked', async () => {
  promise('G2', 'C9')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const given = { 'a.pdf': '/srv/secret/a.pdf' }
  for (const body of [
    inputOf([user('Read')], { file_urls: given }),
    inputOf([user('Read')], { forwardedProps: { file_urls: given } }),
    inputOf([], { file_urls: given }),
    inputOf([user('Read')], { file_ids: ['file-unknown'] }),
  ]) {
    const events = await ask(stream, body)
    expect(types(events)).toEqual(['RUN_STARTED', 'RUN_ERROR'])
    expect(events[1]).toMatchObject({ code: 'FILE_FAILED', message: expect.stringMatching(/^Error (down|att)/) })
  }
  expect(upstream.seen).toEqual([])
})

test('chat_history may hold the message, or precede the messages', async () => {
  promise('G2', 'C3')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const stored = (role: string, content: string) => ({
    ...{ role, content, type: 'message' },
    ...{ agent: 'Assistant', callerAgent: null, timestamp: 1 },
  })
  const history = [stored('user', 'One'), stored('assistant', 'Two')]
  const [{ messages }] = only(
    await ask(stream, inputOf([], { chat_history: [...history, stored('user', 'Three')] })),
    'MESSAGES_SNAPSHOT',
  )
  expect(messages).toMatchObject([{ role: 'assistant', content: 'Fine' }])
  await ask(stream, inputOf([user('ignored'), user('Three', 'u2')], { forwardedProps: { chat_history: history } }))
  const parts = [{ type: 'input_text', text: 'Three' }]
  await ask(stream, inputOf([], { chat_history: [...history, { role: 'user', content: parts }] }))
  const input = (last: unknown) => [
    { role: 'user', content: 'One', type: 'message' },
    { role: 'assistant', content: 'Two', type: 'message' },
    { role: 'user', content: last, type: 'message' },
  ]
  expect(upstream.seen.map(({ body }) => body.input)).toEqual([input('Three'), input('Three'), input(parts)])
})

test('snake_case keys, nulls and all kinds of messages are accepted', async () => {
  promise('G1')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const call = { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Rome"}' } }
  const search = { id: 'fs_1', type: 'function', function: { name: 'FileSearchTool', arguments: '{"queries":["q"]}' } }
  const code = { id: 'ci_1', function: { name: 'CodeInterpreterTool', arguments: '{"code":"1","container_id":"c"}' } }
  const data = (mimeType: string) => ({ type: 'data', value: 'QUJD', mime_type: mimeType })
  const events = await ask(stream, {
    ...{ thread_id: 't', run_id: 'r', parent_run_id: 'p', state: null, tools: null, context: null },
    forwarded_props: null,
    messages: [
      { id: '1', role: 'developer', content: 'Be kind', name: null },
      { id: '2', role: 'user', content: 'Hi', name: null, encrypted_value: null },
      { id: '3', role: 'reasoning', content: 'Hm' },
      { id: '4', role: 'activity', activity_type: 'PLAN', content: { steps: [] } },
      { id: '5', role: 'assistant', content: 'Let me see', tool_calls: [call, search, code] },
      { id: '6', role: 'tool', tool_call_id: 'call_1', content: '', error: 'No network' },
      { id: '7', role: 'tool', toolCallId: 'fs_1', content: '[{"file_id":"f"}]' },
      { id: '8', role: 'assistant', content: null },
      {
        id: '9',
        role: 'user',
        content: [
          { type: 'text', text: 'Look' },
          { type: 'image', source: data('image/png') },
          { type: 'image', source: { type: 'url', value: 'https://x.example/y.png' } },
          { type: 'image', source: { type: 'file', value: 'file-1', provider: 'openai' } },
          { type: 'document', source: data('application/pdf'), metadata: { filename: 'a.pdf' } },
          { type: 'document', source: { type: 'file', value: 'file-2' } },
          { type: 'audio', source: data('audio/mpeg') },
          { type: 'video', source: { type: 'url', value: 'https://x.example/y.mp4' } },
        ],
      },
    ],
  })
  expect(events[0]).toMatchObject({ threadId: 't', runId: 'r', parentRunId: 'p' })
  const image = { type: 'input_image', detail: 'auto' }
  const file = { type: 'input_file' }
  expect(upstream.seen[0]?.body.input).toEqual([
    { role: 'system', content: 'Be kind' },
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Let me see' },
    {
      type: 'function_call',
      call_id: 'call_1',
      name: 'get_weather',
      arguments: '{"city":"Rome"}',
      status: 'completed',
    },
    { type: 'file_search_call', id: 'fs_1', queries: ['q'], results: [{ file_id: 'f' }], status: 'completed' },
    { type: 'code_interpreter_call', id: 'ci_1', code: '1', container_id: 'c', outputs: [], status: 'completed' },
    { type: 'function_call_output', call_id: 'call_1', output: 'No network' },
    {
      role: 'user',
      type: 'message',
      content: [
        { type: 'input_text', text: 'Look' },
        { ...image, image_url: 'data:image/png;base64,QUJD' },
        { ...image, image_url: 'https://x.example/y.png' },
        { ...image, file_id: 'file-1' },
        { ...file, filename: 'a.pdf', file_data: 'data:application/pdf;base64,QUJD' },
        { ...file, file_id: 'file-2' },
        { ...file, filename: 'attachment.mpeg', file_data: 'data:audio/mpeg;base64,QUJD' },
        { ...file, file_url: 'https://x.example/y.mp4' },
      ],
    },
  ])
  // What the client keeps to itself stays out of snapshots, and so does null.
  const [{ messages }] = only(events, 'MESSAGES_SNAPSHOT')
  expect(messages.map(({ id }: Event) => id)).toEqual(['1', '2', '5', '6', '7', '8', '9', 'msg_1'])
  expect(messages[0]).toEqual({ id: '1', role: 'developer', content: 'Be kind' })
})

test('binary parts, which protocol 1.0 removed, still work', async () => {
  promise('G1')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const parts = [
    { type: 'binary', mimeType: 'image/png', id: 'file-3' },
    { type: 'binary', mimeType: 'text/csv', data: 'QUJD', filename: 'a.csv' },
    { type: 'binary', mimeType: 'application/pdf', url: 'https://x.example/y.pdf' },
  ]
  const events = toEvents(await (await post(stream, inputOf([user(parts)]))).text())
  expect(lastOf(upstream.seen[0]?.body ?? {})?.content).toEqual([
    { type: 'input_image', detail: 'auto', file_id: 'file-3' },
    { type: 'input_file', filename: 'a.csv', file_data: 'data:text/csv;base64,QUJD' },
    { type: 'input_file', file_url: 'https://x.example/y.pdf' },
  ])
  expect(only(events, 'MESSAGES_SNAPSHOT')[0].messages[0].content).toEqual(parts)
})

test('a conversation that ends in the result of a tool goes on from there', async () => {
  promise('G1')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const call = (id: string) => ({ id, type: 'function', function: { name: 'pick', arguments: '{}' } })
  await ask(
    stream,
    inputOf([
      user('Choose'),
      { id: 'a1', role: 'assistant', toolCalls: [call('call_1'), call('call_2'), call('call_lost')] },
      { id: 't1', role: 'tool', toolCallId: 'call_1', content: 'red' },
      { id: 't2', role: 'tool', toolCallId: 'call_2', content: [{ type: 'text', text: 'blue' }] },
    ]),
  )
  expect(upstream.seen[0]?.body.input).toMatchObject([
    { role: 'user', content: 'Choose' },
    { type: 'function_call', call_id: 'call_1' },
    { type: 'function_call', call_id: 'call_2' },
    { type: 'function_call_output', call_id: 'call_1', output: 'red' },
    { type: 'function_call_output', call_id: 'call_2', output: [{ type: 'input_text', text: 'blue' }] },
  ])
  expect(upstream.seen[0]?.body.input).toHaveLength(5)
})

test('an invalid request gets 422 with the place and no secret', async () => {
  promise('C18', 'D6')
  await useUpstream(() => ({ text: 'Fine' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const refused = async (body: unknown) => {
    const response = await post(stream, body)
    expect(response.status).toBe(422)
    const { detail } = (await response.json()) as { detail: { type: string; loc: unknown[]; input: unknown }[] }
    return detail
  }
  const messages = [user('Hi')]
  const missing = await refused({ messages, forwardedProps: { client_config: { api_key: 'sk-mine' } } })
  expect(missing).toEqual(
    ['threadId', 'runId'].map((field) => ({
      type: 'missing',
      loc: ['body', field],
      msg: 'Field required',
      input: { messages, forwardedProps: { client_config: { api_key: '[redacted]' } } },
    })),
  )
  for (const [body, type, loc] of [
    [inputOf('x'), 'list_type', ['messages']],
    [inputOf([{ id: '1', role: 'robot', content: '' }]), 'union_tag_invalid', ['messages', 0]],
    [inputOf([{ id: '1', content: '' }]), 'union_tag_not_found', ['messages', 0]],
    [inputOf([{ role: 'user', content: 'Hi' }]), 'missing', ['messages', 0, 'user', 'id']],
    [inputOf([user(5)]), 'value_error', ['messages', 0, 'user', 'content']],
    [inputOf([user([{ type: 'hologram' }])]), 'union_tag_invalid', ['messages', 0, 'user', 'content', 0]],
    [inputOf([user([{ type: 'image' }])]), 'missing', ['messages', 0, 'user', 'content', 0, 'source']],
    [inputOf([user([{ type: 'binary', mimeType: 'a/b' }])]), 'value_error', ['messages', 0, 'user', 'content', 0]],
    [inputOf(messages, { user_context: [] }), 'dict_type', ['user_context']],
    [inputOf(messages, { forwardedProps: { user_context: [] } }), 'dict_type', ['forwardedProps', 'user_context']],
    [inputOf(messages, { chat_history: [{ role: 'tool' }] }), 'value_error', ['chat_history', 0]],
    [inputOf(messages, { raw_events: 'maybe' }), 'bool_parsing', ['raw_events']],
  ] as const)
    expect(await refused(body)).toMatchObject([{ type, loc: ['body', ...loc] }])
  const [secret] = await refused(inputOf(messages, { forwardedProps: { client_config: { api_key: 'sk ü' } } }))
  expect(secret).toMatchObject({
    loc: ['body', 'forwardedProps', 'client_config', 'api_key'],
    input: '[redacted]',
  })
})

/** An agency whose model answers with these Responses events, turn by turn. */
async function serveScript(turns: readonly (readonly object[])[], options: object = {}) {
  const gateway = await startEvents(turns.map((events) => events.map((event) => JSON.stringify(event))))
  await useUpstream(() => ({ text: '' }))
  process.env.OPENAI_BASE_URL = gateway.baseURL
  onTestFinished(() => gateway.close())
  return serveAgui(new Agency(assistant({ tools: [weather], ...options })))
}
const completed = (output: readonly object[]) => ({
  type: 'response.completed',
  response: { id: 'resp_1', instructions: 'Top secret instructions.', output, usage: {} },
})
const text = (id: string, words: string, annotations: object[] = []) => ({
  ...{ id, type: 'message', role: 'assistant', status: 'completed' },
  content: [{ type: 'output_text', text: words, annotations }],
})
const added = (item: object, output_index: number) => ({ type: 'response.output_item.added', output_index, item })
const done = (item: object, output_index: number) => ({ type: 'response.output_item.done', output_index, item })
const delta = (type: string, item_id: string, output_index: number, piece: string) => ({
  ...{ type: `response.${type}.delta`, item_id, output_index },
  delta: piece,
})

test.for(CLIENTS)('client %s gets reasoning, hosted calls and annotations', async ([, Client]) => {
  promise('G1')
  const reasoning = {
    ...{ id: 'rs_1', type: 'reasoning', encrypted_content: 'xyz' },
    summary: ['First', 'Then'].map((words) => ({ type: 'summary_text', text: words })),
  }
  const search = {
    id: 'fs_1',
    type: 'file_search_call',
    status: 'completed',
    queries: ['q'],
    results: [{ file_id: 'f' }],
  }
  const code = {
    ...{ id: 'ci_1', type: 'code_interpreter_call', status: 'completed', container_id: 'cntr_1' },
    ...{ code: 'print("é")', outputs: [{ type: 'logs', logs: 'é' }] },
  }
  const cited = { type: 'url_citation', url: 'https://x.example', title: 'X', start_index: 0, end_index: 1 }
  const answer = text('msg_1', 'Found', [cited])
  const { stream } = await serveScript([
    [
      added({ ...reasoning, summary: [] }, 0),
      { type: 'response.reasoning_summary_part.added', item_id: 'rs_1', output_index: 0, summary_index: 0 },
      delta('reasoning_summary_text', 'rs_1', 0, 'First'),
      { type: 'response.reasoning_summary_part.added', item_id: 'rs_1', output_index: 0, summary_index: 1 },
      delta('reasoning_summary_text', 'rs_1', 0, 'Then'),
      done(reasoning, 0),
      added({ id: 'ws_1', type: 'web_search_call', status: 'in_progress' }, 1),
      done({ id: 'ws_1', type: 'web_search_call', status: 'completed' }, 1),
      added({ ...search, results: null }, 2),
      done(search, 2),
      added({ ...code, code: '' }, 3),
      delta('code_interpreter_call_code', 'ci_1', 3, 'print('),
      delta('code_interpreter_call_code', 'ci_1', 3, '"é")'),
      done(code, 3),
      added({ ...answer, content: [] }, 4),
      delta('output_text', 'msg_1', 4, 'Found'),
      done(answer, 4),
      completed([reasoning, search, code, answer]),
    ],
  ])
  const { agent, run } = connect(Client, stream)
  const events = await run('Search')
  const thoughts = only(events, 'REASONING_MESSAGE_CONTENT')
  expect(thoughts.map(({ delta: piece }) => piece).join('')).toBe('First\n\nThen')
  expect(types(events).filter((type) => /^REASONING(?!.*CONTENT)/.test(type))).toEqual([
    'REASONING_START',
    'REASONING_MESSAGE_START',
    'REASONING_MESSAGE_END',
    'REASONING_END',
  ])
  const args = (id: string) => only(events, 'TOOL_CALL_ARGS').filter(({ toolCallId }) => toolCallId === id)
  expect(
    JSON.parse(
      args('fs_1')
        .map((event) => event.delta)
        .join(''),
    ),
  ).toEqual({ queries: ['q'] })
  expect(args('ci_1').length).toBe(3)
  const written = { code: 'print("é")', container_id: 'cntr_1' }
  expect(
    JSON.parse(
      args('ci_1')
        .map((event) => event.delta)
        .join(''),
    ),
  ).toEqual(written)
  expect(only(events, 'TOOL_CALL_RESULT').map(({ content }) => JSON.parse(content))).toEqual([
    search.results,
    code.outputs,
  ])
  expect(only(events, 'CUSTOM')).toMatchObject([
    { name: 'annotated_output', value: { id: 'msg_1', role: 'assistant', content: 'Found', annotations: [cited] } },
  ])
  expect(only(events, 'RAW')).toEqual([])
  expect(agent.messages.map(({ role }) => role)).toEqual([
    ...['user', 'reasoning', 'assistant', 'tool', 'assistant', 'tool', 'assistant'],
  ])
  const calls = agent.messages.flatMap((message) => ('toolCalls' in message && message.toolCalls) || [])
  expect(calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)])).toEqual([
    ['FileSearchTool', { queries: ['q'] }],
    ['CodeInterpreterTool', written],
  ])
})

test('RAW carries other events on request, and never instructions', async () => {
  promise('G1', 'D6')
  const answer = text('msg_1', 'Hi')
  const created = { ...completed([]), type: 'response.created' }
  const turn = [created, added(answer, 0), delta('output_text', 'msg_1', 0, 'Hi'), done(answer, 0), completed([answer])]
  const { stream } = await serveScript([turn, turn, turn])
  expect(only(await ask(stream, inputOf([user('Hi')])), 'RAW')).toEqual([])
  for (const body of [
    inputOf([user('Hi')], { raw_events: true }),
    inputOf([user('Hi')], { forwardedProps: { raw_events: true } }),
  ]) {
    const events = await ask(stream, body)
    const raw = only(events, 'RAW').map(({ event }) => event)
    expect(raw.map((event) => event.data?.type ?? event.type)).toEqual([
      'agent_updated_stream_event',
      'response.created',
      'response.completed',
    ])
    expect(raw[0]).toMatchObject({ new_agent: { name: 'Assistant' }, agent: 'Assistant' })
    expect(JSON.stringify(events)).not.toContain('Top secret')
  }
})

test.for(CLIENTS)('client %s reads streams with missing or repeated events', async ([, Client]) => {
  promise('G1')
  const call = (id: string) => ({
    ...{ id, type: 'function_call', status: 'completed', call_id: 'call_0', name: 'get_weather' },
    arguments: '{"city":"Rome"}',
  })
  const { stream } = await serveScript([
    // Nothing is announced, nothing ends: the response says what it was.
    [
      delta('output_text', 'msg_0', 0, ''),
      delta('output_text', 'msg_0', 0, 'Let me '),
      delta('output_text', 'msg_0', 0, 'see'),
      added(call('fc_0'), 1),
      completed([text('msg_0', 'Let me see'), call('fc_0')]),
    ],
    // The same ids once more, and another in every event.
    [
      added({ ...call('fc_0'), arguments: '' }, 0),
      delta('function_call_arguments', 'fc_7', 0, '{"city":"Rome"}'),
      done(call('fc_0'), 0),
      completed([call('fc_0')]),
    ],
    [
      added(text('msg_0', ''), 0),
      delta('output_text', 'msg_8', 0, 'Sunny'),
      done(text('msg_9', 'Sunny'), 0),
      completed([text('msg_9', 'Sunny')]),
    ],
    [completed([text('msg_0', 'Still')])],
  ])
  const { agent, run } = connect(Client, stream)
  const first = await run('Weather?')
  expect(only(first, 'TEXT_MESSAGE_START')).toHaveLength(2) // one for each text, whatever ids its pieces had
  expect(only(first, 'TOOL_CALL_START')).toHaveLength(2)
  expect(only(first, 'TEXT_MESSAGE_CONTENT').map((event) => event.delta)).not.toContain('')
  await run('Again')
  const list = agent.messages.map((message) => ({
    role: message.role,
    said: 'toolCalls' in message && message.toolCalls ? message.toolCalls[0]?.function.arguments : message.content,
  }))
  expect(list.filter(({ role }) => role !== 'user')).toEqual(
    expect.arrayContaining([
      { role: 'assistant', said: 'Let me see' },
      { role: 'assistant', said: '{"city":"Rome"}' },
      { role: 'tool', said: 'Sunny in Rome' },
      { role: 'assistant', said: 'Sunny' },
      { role: 'assistant', said: 'Still' },
    ]),
  )
  expect(list).toHaveLength(9)
  expect(new Set(agent.messages.map(({ id }) => id)).size).toBe(9)
})

test.for(CLIENTS)('client %s reads an agent on Chat Completions', async ([, Client]) => {
  promise('G1')
  const chunk = (piece: object, finish_reason: string | null = null) => ({
    choices: [{ index: 0, delta: piece, finish_reason }],
  })
  const part = (index: number, args: string, id?: string) => ({
    tool_calls: [{ index, ...(id && { id }), function: { ...(id && { name: 'get_weather' }), arguments: args } }],
  })
  const { stream } = await serveScript(
    [
      [
        chunk({ content: 'Let me see' }),
        chunk(part(0, '{"city":', 'call_1')),
        chunk(part(0, '"Rome"}')),
        chunk(part(1, '{"city":"Bonn"}', 'call_2')),
        chunk({}, 'tool_calls'),
      ],
      [chunk({ reasoning_content: 'Hm' }), chunk({ content: 'Sunny' }), chunk({}, 'stop')],
    ],
    { model: chatCompletions('any') },
  )
  const { agent, run } = connect(Client, stream)
  const events = await run('Weather?')
  expect(only(events, 'REASONING_MESSAGE_CONTENT')).toMatchObject([{ delta: 'Hm' }])
  expect(only(events, 'TOOL_CALL_ARGS').map(({ delta: piece }) => piece)).toHaveLength(3)
  const said = agent.messages.map(({ role, content }) => [role, content])
  expect(said).toHaveLength(8)
  expect(said).toEqual(
    expect.arrayContaining([
      ['assistant', 'Let me see'],
      ['tool', 'Sunny in Rome'],
      ['tool', 'Sunny in Bonn'],
      ['reasoning', 'Hm'],
      ['assistant', 'Sunny'],
    ]),
  )
})

test('rich outputs are parts in protocol 1.0 and texts before it', async () => {
  promise('G1')
  const png = 'data:image/png;base64,QUJD'
  const look = tool({
    name: 'look',
    execute: () => [
      { type: 'input_text', text: 'A picture' },
      { type: 'input_image', image_url: png },
      { type: 'input_file', file_id: 'file-1', filename: 'a.pdf' },
    ],
  })
  for (const [version, Client] of CLIENTS) {
    const upstream = await useUpstream((_body, index) =>
      index === 0 ? { calls: [{ name: 'look', arguments: {} }] } : { text: 'Seen' },
    )
    const { stream } = await serveAgui(new Agency(assistant({ tools: [look] })))
    const { run } = connect(Client, stream)
    const [{ content }] = only(await run('Look'), 'TOOL_CALL_RESULT')
    await run('Again')
    const output = (upstream.seen[2]?.body.input as Event[] | undefined)?.find(({ output: found }) => found)?.output
    if (version === '0.0.59') {
      expect(content).toBe('A picture\n[image]\n[a.pdf]')
      expect(output).toBe(content)
      continue
    }
    expect(content).toEqual([
      { type: 'text', text: 'A picture' },
      { type: 'image', source: { type: 'data', mimeType: 'image/png', value: 'QUJD' } },
      { type: 'document', source: { type: 'file', value: 'file-1' }, metadata: { filename: 'a.pdf' } },
    ])
    expect(output).toEqual([
      { type: 'input_text', text: 'A picture' },
      { type: 'input_image', detail: 'auto', image_url: png },
      { type: 'input_file', file_id: 'file-1', filename: 'a.pdf' },
    ])
  }
})

test('older clients can turn sub-agent events off', async () => {
  promise('G3')
  await useUpstream(delegate)
  const { stream } = await serveAgui(threeLevels())
  const events = await ask(stream, inputOf([user('Build')], { forwardedProps: { subagent_events: false } }))
  expect(types(events).filter((type) => type.startsWith('SUBAGENT'))).toEqual([])
  expect(only(events, 'TEXT_MESSAGE_START')).toMatchObject([
    { name: 'Worker', subagentRunId: expect.any(String) },
    { name: 'Lead', subagentRunId: expect.any(String) },
    { name: 'Boss' },
  ])
})

test('snapshots of a long run stay small, and the last is complete', async () => {
  promise('G1')
  const calls = 40
  await useUpstream((_body, index) =>
    index < calls ? { calls: [{ name: 'get_weather', arguments: { city: 'Rome' } }] } : { text: 'Done' },
  )
  const { stream } = await serveAgui(new Agency(assistant({ tools: [weather] })))
  const large = 'x'.repeat(1_000_000)
  const response = await post(
    stream,
    inputOf([user(large), { id: 'a', role: 'assistant', content: 'y' }, user('Go', 'u2')]),
  )
  const body = await response.text()
  const events = toEvents(body)
  judge(events)
  expect(body.length).toBeLessThan(7_000_000)
  expect(only(events, 'MESSAGES_SNAPSHOT').at(-1).messages).toHaveLength(3 + 2 * calls + 1)
  expect(types(events).at(-2)).toBe('MESSAGES_SNAPSHOT')
})

test('texts with unusual line breaks stay in one frame', async () => {
  promise('B2')
  const nasty = 'a\u0085b\u2028c\u2029d\n\ndata: {}\n\n"é😀'
  await useUpstream(() => ({ text: nasty }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const response = await post(stream, inputOf([user(nasty)]))
  expect(response.headers.get('cache-control')).toBe('no-cache')
  expect(response.headers.get('x-accel-buffering')).toBe('no')
  const body = await response.text()
  expect(body).toMatch(/^(data: [^\n\u0085\u2028\u2029]+\n\n)+$/)
  expect(only(toEvents(body), 'TEXT_MESSAGE_CONTENT')).toMatchObject([{ delta: nasty }])
})
