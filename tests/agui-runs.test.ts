/** `POST /{agency}/agui`: stored runs for AG-UI clients, with front-end tools, state, interrupts and broken streams. */
import { HttpAgent } from '@ag-ui/client'
import { createParser } from 'eventsource-parser'
import { beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, serve, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { type Event, inputOf, judge, only, types, user } from './support/agui.ts'
import { type ClientClass, createSceneAgency, play, SCENES, scriptScenes } from './support/agui-scenes.ts'
import { type Json, RunsApi, serveRuns } from './support/runs.ts'
import { startUpstream } from './support/upstream.ts'

const outputsOf = (input: Json[]) => {
  const from = input.findLastIndex(({ role }) => role === 'user')
  return input.slice(from + 1).flatMap(({ type, output }) => (type === 'function_call_output' ? [String(output)] : []))
}

/** The model does what the user names: calls of tools first, then their outputs as its text. */
function script(body: Json) {
  if (body.input.some(({ content }: Json) => /weather|expert|think/.test(JSON.stringify(content ?? ''))))
    return scriptScenes(body)
  const asked = String(JSON.stringify(body.input.findLast(({ role }: Json) => role === 'user')?.content))
  const outputs = outputsOf(body.input)
  const names = [...asked.matchAll(/call (\w+)/g)].map(([, name]) => name as string)
  if (names.length > 0 && outputs.length === 0)
    return { calls: names.map((name, index) => ({ name, arguments: name === 'refund' ? { order: index } : {} })) }
  return outputs.length > 0 ? { text: `Got: ${outputs.join(' | ')}` } : { text: 'Hello there.', deltas: 4 }
}

const refunds: unknown[] = []
const refund = tool({
  name: 'refund',
  parameters: z.object({ order: z.int() }),
  needsApproval: true,
  execute: ({ order }) => {
    refunds.push(order)
    return `refunded ${order}`
  },
})
const plan = tool({
  name: 'plan',
  async execute(_args, context) {
    const before = (context.state as { steps: string[] }).steps
    context.state = { ...(context.state as object), steps: [...before, 'one'], by: 'plan' }
    ;(context.state as { steps: string[] }).steps.push('two')
    await context.emit({ name: 'progress', value: 1 })
    delete (context.state as { by?: string }).by
    return 'planned'
  },
})
const look = tool({ name: 'look', execute: (_args, context) => JSON.stringify(context.state ?? 'nothing') })
const hang = tool({
  name: 'hang',
  execute: (_args, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve('stopped'))),
})

let upstream: Awaited<ReturnType<typeof startUpstream>>
let server: Awaited<ReturnType<typeof serve>>
let origin: string
let url: string
let api: RunsApi

beforeAll(async () => {
  upstream = await startUpstream(script as never)
  Object.assign(process.env, { OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-test' })
  const agent = new Agent({ name: 'Guide', instructions: 'Help.', model: 'gpt-4.1', tools: [refund, plan, look, hang] })
  server = await serve({
    ...{ agencies: { desk: new Agency(agent), team: createSceneAgency() }, agui: true },
    ...{ host: '127.0.0.1', port: 0, banner: false, handleSignals: false, trustedModelOrigins: [upstream.baseURL] },
  })
  origin = (server as { url: string }).url
  url = `${origin}/desk/agui`
  api = new RunsApi(`${origin}/desk`)
  return async () => void (await Promise.all([server.close(), upstream.close()]))
}, 60_000)

interface Answer {
  events: Event[]
  ids: number[]
  headers: Headers
}
let threads = 0
const newThread = () => `thread-${++threads}`

/** The frames of a request, judged as a client of protocol 1.0 does. */
async function ask(body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(200)
  const answer: Answer = { events: [], ids: [], headers: response.headers }
  const onEvent = ({ id, data }: { id?: string | undefined; data: string }) => {
    answer.events.push(JSON.parse(data))
    answer.ids.push(Number(id))
  }
  createParser({ onEvent }).feed(await response.text())
  return answer
}
const say = async (threadId: string, text: string, more: object = {}): Promise<Event[]> => {
  const { events } = await ask(inputOf([user(text, `u-${text}`)], { threadId, ...more }))
  judge(events)
  return events
}
const final = (events: Event[]) => events.at(-1)
const lastMessages = (events: Event[]): Json[] => only(events, 'MESSAGES_SNAPSHOT').at(-1).messages
const lastBody = () => upstream.seen.at(-1)?.body as Json

test('a client may send its last message alone: the server has the others', async () => {
  promise('G5')
  const threadId = newThread()
  const first = await ask(inputOf([user('Hi', 'mine-1')], { threadId, runId: 'r1' }))
  judge(first.events)
  expect(first.ids).toEqual(first.ids.map((_, index) => index + 1))
  expect(first.events[0]).toMatchObject({ type: 'RUN_STARTED', threadId, runId: 'r1' })
  expect(final(first.events)).toMatchObject({ runId: 'r1', outcome: { type: 'success' } })
  const [, runId] = /^\/desk\/runs\/(.*)$/.exec(first.headers.get('content-location') ?? '') ?? []
  expect((await api.get(`/runs/${runId}`)).body).toMatchObject({ status: 'completed', thread_id: threadId })
  const second = await say(threadId, 'Again')
  expect(lastMessages(second).map(({ id, role }) => [role, id])).toEqual([
    ['user', 'mine-1'],
    ['assistant', expect.stringMatching(/^msg_/)],
    ['user', 'u-Again'],
    ['assistant', expect.stringMatching(/^msg_/)],
  ])
  expect(JSON.stringify(lastBody())).not.toContain('client_message_id')
  expect(lastBody().input).toHaveLength(3)
})

test('a thread that is new to the server begins with what the client has', async () => {
  const threadId = newThread()
  const before = [user('Earlier', 'e1'), { id: 'e2', role: 'assistant', content: 'Yes?' }]
  const { events } = await ask(inputOf([...before, user('Hi')], { threadId }))
  expect(
    lastMessages(events)
      .map(({ id }) => id)
      .slice(0, 3),
  ).toEqual(['e1', 'e2', 'u1'])
  expect(lastBody().input.map(({ role }: Json) => role)).toEqual(['user', 'assistant', 'user'])
})

test('the same message again is answered anew, not twice', async () => {
  const threadId = newThread()
  await say(threadId, 'Hi')
  const again = await say(threadId, 'Hi', { runId: 'other' })
  expect(lastMessages(again).map(({ role }) => role)).toEqual(['user', 'assistant'])
})

test('a front-end tool ends the run, and its result begins the next', async () => {
  promise('G5')
  const threadId = newThread()
  const tools = [{ name: 'ask_user', description: 'Asks.', parameters: { type: 'object', properties: {} } }]
  const first = await say(threadId, 'call ask_user and call look', { tools })
  const [asked] = only(first, 'TOOL_CALL_START').filter(({ toolCallName }) => toolCallName === 'ask_user')
  expect(final(first).outcome).toEqual({ type: 'success', pendingToolCallIds: [asked.toolCallId] })
  expect(only(first, 'TOOL_CALL_RESULT')).toMatchObject([{ content: '{}' }])
  const result = { id: 't1', role: 'tool', toolCallId: asked.toolCallId, content: 'blue' }
  const second = await ask(inputOf([...lastMessages(first), result], { threadId, tools }))
  judge(second.events)
  expect(lastMessages(second.events).at(-1)?.content).toContain('blue')
  const stray = await ask(inputOf([{ ...result, toolCallId: 'never' }], { threadId }))
  expect(final(stray.events)).toMatchObject({ type: 'RUN_ERROR', code: 'NOTHING_TO_ANSWER' })
  const taken = await api.post('/agui', inputOf([user('Hi')], { threadId, tools: [{ ...tools[0], name: 'look' }] }))
  expect([taken.status, taken.body.detail[0].loc]).toEqual([422, ['body', 'tools', 0, 'name']])
})

test('context reaches the agent; state is shared with its tools', async () => {
  promise('G5')
  const threadId = newThread()
  const long = 'A text that makes a patch shorter than the state. '.repeat(3)
  const context = [{ description: 'The open page', value: 'Invoice 17' }]
  const agent = new HttpAgent({ url, threadId, initialState: { steps: ['zero'], 'a/b': long } })
  const events: Event[] = []
  agent.addMessage(user('call plan and call look') as never)
  await agent.runAgent({ context }, { onEvent: ({ event }) => void events.push(event) })
  judge(events)
  expect(agent.state).toEqual({ steps: ['zero', 'one', 'two'], 'a/b': long })
  expect(events[1]).toEqual({ type: 'STATE_SNAPSHOT', snapshot: { steps: ['zero'], 'a/b': long } })
  expect(only(events, 'STATE_DELTA').map(({ delta }) => delta)).toEqual([
    [
      { op: 'add', path: '/steps/-', value: 'one' },
      { op: 'add', path: '/by', value: 'plan' },
    ],
    [{ op: 'add', path: '/steps/-', value: 'two' }],
    [{ op: 'remove', path: '/by' }],
  ])
  expect(only(events, 'CUSTOM')).toMatchObject([{ name: 'progress', value: 1 }])
  expect(lastBody().instructions).toContain('- The open page: Invoice 17')
})

test('approvals are interrupts: resume decides them, and the run goes on', async () => {
  promise('G5')
  const threadId = newThread()
  refunds.length = 0
  const first = await say(threadId, 'call refund and call refund and call look', { state: { a: 1 } })
  const { interrupts } = final(first).outcome
  const starts = only(first, 'TOOL_CALL_START')
  expect(interrupts.map(({ toolCallId }: Json) => toolCallId)).toEqual(
    starts.slice(0, 2).map((start) => start.toolCallId),
  )
  expect(types(first).slice(-2)).toEqual(['STATE_SNAPSHOT', 'RUN_FINISHED'])
  const resume = (...entries: object[]) => ask(inputOf([], { threadId, runId: 'r2', resume: entries }))
  const [one, two] = interrupts.map(({ id }: Json) => id)
  const approve = { interruptId: one, status: 'resolved', payload: { approved: true, editedArgs: { order: 41 } } }
  const refuse = { interrupt_id: two, status: 'resolved', payload: { approved: false, reason: 'No' } }
  for (const [body, code] of [
    [{ resume: [approve] }, 'INTERRUPT_OPEN'],
    [{}, 'INTERRUPT_OPEN'],
    [{ resume: [{ ...approve, interruptId: 'none' }] }, 'NOT_FOUND'],
  ] as const)
    expect(final((await ask(inputOf([user('Hi')], { threadId, ...body }))).events)).toMatchObject({ code })
  const wrong = { ...approve, payload: { approved: true, editedArgs: { order: 'x' } } }
  const refused = await api.post('/agui', inputOf([], { threadId, resume: [wrong, refuse] }))
  expect([refused.status, refused.body.detail[0].loc]).toEqual([
    422,
    ['body', 'resume', 0, 'payload', 'editedArgs', 'order'],
  ])
  const second = await resume(approve, refuse)
  judge(second.events)
  expect(second.events[0]).toMatchObject({ type: 'RUN_STARTED', runId: 'r2' })
  expect(refunds).toEqual([41])
  expect(lastMessages(second.events).at(-1)?.content).toMatch(/refunded 41 \| .*rejected.* Reason: No \| \{"a":1\}/)
  expect(only(second.events, 'TOOL_CALL_START')).toEqual([])
  // The frames go on with the numbers of the first stream, as for a reader of the run.
  const [, runId] = /runs\/(.*)$/.exec(second.headers.get('content-location') ?? '') ?? []
  const whole = await api.frames(String(runId), '?view=agui')
  const between = ['RUN_STARTED', 'STATE_SNAPSHOT', 'RUN_FINISHED'] // one decided, one left
  expect(whole.map(({ data }) => data.type)).toEqual([...types(first), ...between, ...types(second.events)])
  expect(second.ids).toEqual(whole.slice(first.length + between.length).map(({ id }) => id))
  expect(types((await resume(approve, refuse)).events)).toEqual(types(second.events)) // the same answer again
})

test('a stream that broke goes on after its last frame', async () => {
  promise('G5')
  const threadId = newThread()
  const body = inputOf([user('Hi')], { threadId, runId: 'broken' })
  const whole = await ask(body)
  for (let after = 1; after < whole.events.length; after += 3) {
    const rest = await ask(body, { 'last-event-id': String(after) })
    expect(rest.events).toEqual(whole.events.slice(after))
    expect(rest.ids[0]).toBe(after + 1)
  }
})

test('a client that leaves cancels the run, unless it asks to go on', async () => {
  promise('G4')
  for (const [onDisconnect, status] of [
    [undefined, 'cancelled'],
    ['continue', 'in_progress'],
  ] as const) {
    const threadId = newThread()
    const agent = new HttpAgent({ url, threadId })
    agent.addMessage(user('call hang') as never)
    const run = agent.runAgent(
      { forwardedProps: { on_disconnect: onDisconnect } },
      { onToolCallEndEvent: () => void agent.abortRun() },
    )
    await run.catch(() => {})
    const find = async () => (await api.get(`/runs?thread_id=${threadId}`)).body.data[0]
    await expect.poll(async () => (await find()).status, { timeout: 10_000 }).toBe(status)
    const { run_id } = await find()
    await api.post(`/runs/${run_id}/cancel`)
    const frames = await api.frames(run_id, '?view=agui')
    expect(frames.at(-1)?.data.outcome).toEqual({ type: 'cancelled' })
  }
})

test.each(Object.keys(SCENES))('scene "%s" is the same over stored runs', async (scene) => {
  promise('G1')
  const messages = await play(HttpAgent as unknown as ClientClass, `${origin}/team/agui`, scene)
  expect(messages.length).toBeGreaterThan(1)
})

test('thread ids are those of threads, and the legacy endpoint stays native', async () => {
  const { status, body } = await api.post('/agui', inputOf([user('Hi')], { threadId: 'a b' }))
  expect([status, body.detail[0].loc]).toEqual([422, ['body', 'threadId']])
  const native = await api.fetch('POST', '/get_response_stream', { message: 'Hi' })
  expect(await native.text()).toMatch(/^event: meta/)
})

test('resume answers interrupts at the stream endpoint of enableAgui, too', async () => {
  const old = await serveRuns({
    agencies: { support: new Agency(new Agent({ name: 'CEO', model: 'gpt-4.1', tools: [refund] })) },
    enableAgui: true,
  })
  refunds.length = 0
  const { run_id, required_action } = await old.api.run({ message: 'call refund' })
  const [{ approval_id: interruptId }] = required_action.approvals
  const resume = [{ interruptId, status: 'resolved', payload: { approved: true } }]
  const response = await old.api.fetch('POST', '/get_response_stream', inputOf([], { threadId: run_id, resume }))
  const text = await response.text()
  expect(text).toContain('TOOL_CALL_RESULT')
  expect(text.trimEnd()).toMatch(/"type":"RUN_FINISHED".*"outcome":\{"type":"success"\}.*$/)
  expect(refunds).toEqual([0])
})

test.for([
  [{ agui: 'yes' }, 'agui has to be true, false, or an object'],
  [{ agui: { subagent: true } }, 'subagent'],
  [{ agui: { reasoning: 1 } }, 'agui.reasoning has to be true or false.'],
  [{ agui: { disconnectGraceMs: -1 } }, 'agui.disconnectGraceMs has to be a whole number'],
] as const)('the option %j is refused', async ([options, message]) => {
  const agencies = { a: new Agency(new Agent({ name: 'A', model: 'demo' })) }
  await expect(serve({ agencies, ...options, banner: false, port: 0 } as never)).rejects.toThrow(message)
})
