/** Messages to agents of a run that goes on, and pauses of its branches. */
import { expect, test, vi } from 'vitest'
import { createClient } from '../src/client/index.ts'
import { Agency, Agent, Handoff, memory, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { startServer, useUpstream } from './support/client.ts'
import { gate, type Json, openStore, RunsApi, readStream, STORES, serveRuns } from './support/runs.ts'
import type { Turn } from './support/upstream.ts'

vi.setConfig({ testTimeout: 30_000 })

const use = (name: string, id: string, args: object = {}) => ({ calls: [{ name, id, arguments: { ...args } }] })
const ask = (recipient_agent: string, id: string, message = 'Please.') =>
  use('send_message', id, { recipient_agent, message, additional_instructions: '' })

interface Asked {
  agent: string
  /** Calls that have an output. */
  outputs: string[]
  /** What the users and the agents above have said. */
  said: string[]
}

/** A CEO above Research above Clerk, and Billing; `wait` waits until a test opens its call's gate. */
async function serveTeam(script: (asked: Asked) => Turn, options: Parameters<typeof startServer>[0] = {}) {
  const upstream = await useUpstream((body) => script(read(body)))
  const gates = new Map<string, ReturnType<typeof gate>>()
  const gateOf = (id: string) => {
    const known = gates.get(id) ?? gate()
    gates.set(id, known)
    return known
  }
  const began: string[] = []
  const wait = tool({
    name: 'wait',
    execute: async (_, { toolCallId }) => {
      began.push(toolCallId)
      await gateOf(toolCallId).promise
      return `${toolCallId} is done`
    },
  })
  const pay = tool({ name: 'pay', needsApproval: true, execute: () => 'paid' })
  const agents = ['CEO', 'Research', 'Billing', 'Clerk'].map(
    (name) => new Agent({ name, instructions: `You are ${name}.`, model: 'gpt-4.1', tools: [wait, pay] }),
  ) as [Agent, Agent, Agent, Agent]
  const [ceo, research, billing, clerk] = agents
  const agency = new Agency(ceo, {
    communicationFlows: [
      [ceo, research],
      [ceo, billing],
      [research, clerk],
      [billing, clerk],
    ],
  })
  const server = await startServer({ agencies: { team: agency }, runs: { store: memory() }, ...options })
  const api = new RunsApi(`${server.url}/team`)
  const start = async (): Promise<string> => (await api.start({ message: 'Go.' })).run_id
  const begun = (...ids: string[]) => vi.waitFor(() => expect(began).toEqual(expect.arrayContaining(ids)), 10_000)
  /** What an agent was asked, in order. */
  const askedOf = (agent: string) => upstream.seen.map(({ body }) => read(body)).filter((one) => one.agent === agent)
  const steer = (runId: string, body: object, headers = {}) => api.post(`/runs/${runId}/steer`, body, headers)
  return { server, upstream, api, start, begun, began, askedOf, steer, open: (id: string) => gateOf(id).resolve() }
}

function read(body: Json): Asked {
  const { input, instructions } = body as { input: Json[]; instructions: string }
  return {
    agent: /You are (\w+)\./.exec(instructions)?.[1] ?? '',
    outputs: input.filter(({ type }) => type === 'function_call_output').map(({ call_id }) => call_id),
    said: input.filter(({ role }) => role === 'user').map(({ content }) => content),
  }
}

/** CEO asks Research, which asks Clerk, which waits. */
const threeLevels = ({ agent, outputs }: Asked): Turn => {
  if (outputs.length > 0) return { text: `${agent} is done` }
  if (agent === 'CEO') return ask('Research', 'c1')
  return agent === 'Research' ? ask('Clerk', 'r1') : use('wait', 'w1')
}

const steersOf = (frames: readonly { event: string; data: Json }[]) =>
  frames.filter(({ event }) => event === 'steer').map(({ data }) => [data.agent, data.status])

test.for(STORES)('%s: each of three levels takes its message at its turn', async (kind) => {
  promise('K1')
  const { api, start, begun, steer, open, askedOf } = await serveTeam(threeLevels, { runs: { store: openStore(kind) } })
  const runId = await start()
  await begun('w1')
  for (const agent of ['CEO', 'Research', 'Clerk']) {
    const { status, body } = await steer(runId, { agent, text: `Note for ${agent}` })
    expect([status, body]).toEqual([
      202,
      {
        steer_id: expect.any(String),
        run_id: runId,
        agent,
        call_id: { CEO: null, Research: 'c1', Clerk: 'r1' }[agent],
        status: 'accepted',
        reason: null,
        created_at: expect.any(String),
        settled_at: null,
      },
    ])
  }
  open('w1')
  const run = await api.settled(runId)
  expect([run.status, run.response]).toEqual(['completed', 'CEO is done'])
  expect(run.steers.map(({ status }: Json) => status)).toEqual(['taken', 'taken', 'taken'])
  for (const agent of ['CEO', 'Research', 'Clerk'])
    expect(askedOf(agent).map(({ said }) => said.slice(1))).toEqual([[], [`Note for ${agent}`]])
  const frames = await api.frames(runId)
  expect(steersOf(frames)).toEqual([
    ['CEO', 'accepted'],
    ['Research', 'accepted'],
    ['Clerk', 'accepted'],
    ['Clerk', 'taken'],
    ['Research', 'taken'],
    ['CEO', 'taken'],
  ])
  // Never between a call and its output.
  const types = run.new_messages.map(({ type, role, agent }: Json) => `${agent} ${role ?? type}`)
  for (const agent of ['CEO', 'Research', 'Clerk']) {
    const own = types.filter((line: string) => line.startsWith(agent))
    const user = own.lastIndexOf(`${agent} user`)
    expect([own[user - 1], own[user + 1]]).toEqual([`${agent} function_call_output`, `${agent} assistant`])
  }
})

test('a message that comes while an agent answers gives it one more turn', async () => {
  promise('K1')
  const upstream = await useUpstream((body) => {
    const { said } = read(body)
    if (said.length > 1) return { text: 'Second' }
    return { text: 'First answer', deltas: 2, delayMs: 400 }
  })
  const { api } = await serveRuns()
  const { run_id: runId } = await api.start({ message: 'Go.', thread_id: 't' })
  await vi.waitFor(() => expect(upstream.seen).toHaveLength(1), 10_000)
  const { status } = await api.post(`/runs/${runId}/steer`, { agent: 'CEO', text: 'One more thing' })
  expect(status).toBe(202)
  const run = await api.settled(runId)
  expect(run.response).toBe('Second')
  const texts = (await api.get('/threads/t/messages')).body.data.map(({ content }: Json) =>
    typeof content === 'string' ? content : content[0].text,
  )
  expect(texts).toEqual(['Go.', 'First answer', 'One more thing', 'Second'])
})

/** CEO asks Research and Billing at once; both ask Clerk, which waits. */
const twoClerks = ({ agent, outputs, said }: Asked): Turn => {
  if (outputs.length > 0) return { text: `${agent} ${said.at(-1)}` }
  if (agent === 'CEO') return { calls: [...ask('Research', 'c1').calls, ...ask('Billing', 'c2').calls] }
  if (agent === 'Research') return ask('Clerk', 'r1', 'for r1')
  return agent === 'Billing' ? ask('Clerk', 'b1', 'for b1') : use('wait', `w-${said[0]?.slice(-2)}`)
}

test('two branches of one agent are distinguished by their calls', async () => {
  promise('K1')
  const { api, start, begun, steer, open, askedOf } = await serveTeam(twoClerks)
  const runId = await start()
  await begun('w-r1', 'w-b1')
  const ambiguous = await steer(runId, { agent: 'Clerk', text: 'Which?' })
  expect([ambiguous.status, ambiguous.body.code]).toEqual([409, 'AGENT_AMBIGUOUS'])
  expect(ambiguous.body.detail).toMatch(/r1.*b1|b1.*r1/)
  const stranger = await steer(runId, { agent: 'Clerk', text: 'x', call_id: 'c1' })
  expect(stranger.body.code).toBe('AGENT_NOT_IN_RUN')
  expect(stranger.body.detail).toMatch(/for the call "c1" .*Clerk \(r1\)/)
  expect((await steer(runId, { agent: 'Clerk', text: 'Only you', call_id: 'b1' })).status).toBe(202)
  expect((await steer(runId, { agent: 'CEO', text: 'And you', call_id: 'main' })).body.call_id).toBeNull()
  open('w-r1')
  open('w-b1')
  const run = await api.settled(runId)
  expect(run.response).toBe('CEO And you')
  const asked = askedOf('Clerk').filter(({ outputs }) => outputs.length > 0)
  expect(asked.map(({ said }) => said).sort()).toEqual([['for b1', 'Only you'], ['for r1']])
})

test('a paused branch waits while the other goes on', async () => {
  promise('K2')
  const { api, start, begun, open, askedOf } = await serveTeam(twoClerks)
  const runId = await start()
  await begun('w-r1', 'w-b1')
  const paused = await api.post(`/runs/${runId}/pause`, { agent: 'Clerk', call_id: 'b1' })
  expect([paused.status, paused.body.status]).toEqual([200, 'in_progress'])
  expect(paused.body.paused).toEqual([{ agent: 'Clerk', call_id: 'b1', expires_at: expect.any(String) }])
  open('w-r1')
  open('w-b1')
  await vi.waitFor(() => expect(askedOf('Research')).toHaveLength(2), 10_000)
  expect(askedOf('Billing')).toHaveLength(1)
  const state = (await api.get(`/runs/${runId}`)).body
  expect([state.status, state.paused.length]).toEqual(['in_progress', 1])
  const gone = await api.post(`/runs/${runId}/continue`, { agent: 'Clerk', call_id: 'b1' })
  expect(gone.body).not.toHaveProperty('paused')
  expect((await api.settled(runId)).status).toBe('completed')
  const frames = (await api.frames(runId)).filter(({ event }) => event === 'branch').map(({ data }) => data)
  expect(frames).toMatchObject([
    { agent: 'Clerk', call_id: 'b1', state: 'paused', expires_at: expect.any(String) },
    { agent: 'Clerk', call_id: 'b1', state: 'continued', reason: 'asked' },
  ])
})

test('a message to a paused agent is taken when it goes on', async () => {
  promise('K2')
  const { api, start, begun, steer, open, askedOf } = await serveTeam(threeLevels)
  const runId = await start()
  await begun('w1')
  await api.post(`/runs/${runId}/pause`)
  await steer(runId, { agent: 'Clerk', text: 'Later' })
  open('w1')
  const paused = ({ event, data }: Json) => event === 'branch' && data.state === 'paused'
  for await (const frame of readStream(await api.fetch('GET', `/runs/${runId}/events`))) if (paused(frame)) break
  const other = await api.post(`/runs/${runId}/continue`, { agent: 'Clerk' })
  expect([other.status, other.body.code]).toEqual([409, 'RUN_PAUSED'])
  await api.post(`/runs/${runId}/continue`)
  await api.settled(runId)
  expect(askedOf('Clerk').at(-1)?.said).toEqual(['Please.', 'Later'])
  expect((await api.frames(runId)).filter(paused)).toHaveLength(1)
})

test('a pause ends by itself, and with a cancel', async () => {
  promise('K2')
  const { api, start, begun, open } = await serveTeam(threeLevels)
  const runId = await start()
  await begun('w1')
  await api.post(`/runs/${runId}/pause`, { agent: 'Clerk', expires_in: 1 })
  open('w1')
  const run = await api.settled(runId)
  expect([run.status, run.paused]).toEqual(['completed', undefined])
  const branches = (await api.frames(runId)).filter(({ event }) => event === 'branch')
  expect(branches.at(-1)?.data).toMatchObject({ state: 'continued', reason: 'expired' })
  for (const mode of ['immediate', 'after_turn']) {
    const other = await start()
    await api.post(`/runs/${other}/pause`)
    const { status, body } = await api.post(`/runs/${other}/cancel`, { mode })
    expect([mode, status, body.status]).toEqual([mode, 200, 'cancelled'])
  }
})

test('what no agent took says why', async () => {
  promise('K1')
  const { api, start, begun, steer, open } = await serveTeam(threeLevels)
  const runId = await start()
  await begun('w1')
  await steer(runId, { agent: 'CEO', text: 'Too late' })
  await api.post(`/runs/${runId}/cancel`)
  const run = await api.settled(runId)
  expect(run.steers).toMatchObject([{ agent: 'CEO', status: 'not_taken', reason: 'run_ended' }])
  expect(steersOf(await api.frames(runId))).toEqual([
    ['CEO', 'accepted'],
    ['CEO', 'not_taken'],
  ])
  open('w1')
  const ended = await steer(runId, { agent: 'CEO', text: 'Hello?' })
  expect([ended.status, ended.body.code]).toEqual([409, 'RUN_ENDED'])
})

test('a guardrail refuses a message, and the run goes on', async () => {
  promise('K1')
  const opened = gate()
  const began = gate()
  await useUpstream((body) =>
    read(body).outputs.length > 0 ? { text: `heard ${read(body).said.join()}` } : use('wait', 'w'),
  )
  const wait = tool({
    name: 'wait',
    execute: async () => {
      began.resolve()
      await opened.promise
    },
  })
  const guard = (texts: readonly string[] | string) => ({ tripwire: String(texts).includes('secret'), guidance: 'No.' })
  const { api } = await serveRuns({ agent: { tools: [wait], inputGuardrails: [guard] } })
  const { run_id } = await api.start({ message: 'Go.' })
  await began.promise
  await api.post(`/runs/${run_id}/steer`, { agent: 'CEO', text: 'Tell the secret' })
  await api.post(`/runs/${run_id}/steer`, { agent: 'CEO', text: 'Be brief' })
  opened.resolve()
  const run = await api.settled(run_id)
  expect(run.response).toBe('heard Go.,Be brief')
  expect(run.steers.map(({ status, reason }: Json) => [status, reason])).toEqual([
    ['not_taken', 'guardrail'],
    ['taken', null],
  ])
})

test('a message for an agent that has handed over goes to its successor', async () => {
  promise('K1')
  const closed = gate()
  const waiting = gate()
  const upstream = await useUpstream((body) => {
    const { agent, outputs, said } = read(body)
    if (agent === 'Front') return use('transfer_to_Desk', 'h1')
    return outputs.includes('d1') ? { text: `heard ${said.at(-1)}` } : use('hold', 'd1')
  })
  const hold = tool({
    name: 'hold',
    execute: async () => {
      waiting.resolve()
      await closed.promise
    },
  })
  const [front, desk] = ['Front', 'Desk'].map(
    (name) => new Agent({ name, instructions: `You are ${name}.`, model: 'gpt-4.1', tools: [hold] }),
  ) as [Agent, Agent]
  const team = new Agency(front, { communicationFlows: [[front, desk, Handoff]] })
  const { api } = await serveRuns({ agencies: { support: team } })
  const { run_id } = await api.start({ message: 'Go.' })
  await waiting.promise
  const gone = await api.post(`/runs/${run_id}/steer`, { agent: 'Front', text: 'Hi' })
  expect([gone.status, gone.body.code]).toEqual([404, 'AGENT_NOT_IN_RUN'])
  expect((await api.post(`/runs/${run_id}/steer`, { agent: 'Desk', text: 'Hi' })).status).toBe(202)
  closed.resolve()
  expect((await api.settled(run_id)).response).toBe('heard Hi')
  expect(upstream.seen).toHaveLength(3)
})

test('a run that waits for a person keeps its messages until it goes on', async () => {
  promise('K1')
  const { api, start, steer, askedOf } = await serveTeam(({ agent, outputs }) =>
    outputs.length > 0 ? { text: `${agent} is done` } : use('pay', 'p1'),
  )
  const runId = await start()
  const paused = await api.settled(runId)
  expect(paused.status).toBe('requires_action')
  expect((await steer(runId, { agent: 'CEO', text: 'Then report' })).status).toBe(202)
  const [{ approval_id }] = paused.required_action.approvals
  await api.post(`/runs/${runId}/approvals/${approval_id}`, { decision: 'approve' })
  expect((await api.settled(runId)).status).toBe('completed')
  expect(askedOf('CEO').at(-1)?.said).toEqual(['Go.', 'Then report'])
  expect(steersOf(await api.frames(runId))).toEqual([
    ['CEO', 'accepted'],
    ['CEO', 'taken'],
  ])
})

test('a request is refused where it is wrong, and a key makes one message', async () => {
  promise('K1', 'H3', 'H11', 'H13')
  const { api, start, begun, steer, open } = await serveTeam(threeLevels, {
    runs: { store: memory(), identify: ({ headers }) => String(headers['x-user'] ?? 'ada') },
    limits: { steers: 2, steerBytes: 200, pauseMs: 5_000 },
  })
  const runId = await start()
  await begun('w1')
  const codeOf = async (path: string, body: object, headers = {}) => {
    const answer = await api.post(`/runs/${runId}/${path}`, body, headers)
    return `${answer.status} ${answer.body.code ?? answer.body.detail?.[0]?.loc?.join('.')}`
  }
  expect(await codeOf('steer', { agent: 'CEO', text: ' ' })).toBe('422 body.text')
  expect(await codeOf('steer', { agent: 'CEO' })).toBe('422 body.text')
  expect(await codeOf('steer', { text: 'x' })).toBe('422 body.agent')
  expect(await codeOf('steer', { agent: 'Nobody', text: 'x' })).toBe('404 AGENT_NOT_IN_RUN')
  expect(await codeOf('steer', { agent: 'Billing', text: 'x' })).toBe('404 AGENT_NOT_IN_RUN')
  expect(await codeOf('steer', { agent: 'CEO', text: 'x'.repeat(201) })).toBe('422 body.text')
  expect(await codeOf('pause', { expires_in: 6 })).toBe('422 body.expires_in')
  expect(await codeOf('pause', { call_id: 'c1' })).toBe('422 body.agent')
  expect(await codeOf('continue', { agent: 'Nobody' })).toBe('404 AGENT_NOT_IN_RUN')
  for (const path of ['steer', 'pause', 'continue'])
    expect(await codeOf(path, { agent: 'CEO', text: 'x' }, { 'x-user': 'eve' })).toBe('404 NOT_FOUND')
  const key = { 'idempotency-key': 'one' }
  const first = await steer(runId, { agent: 'CEO', text: 'x' }, key)
  const again = await steer(runId, { agent: 'CEO', text: 'x' }, key)
  expect([again.body.steer_id, again.headers.get('idempotent-replayed')]).toEqual([first.body.steer_id, 'true'])
  expect(await codeOf('steer', { agent: 'CEO', text: 'y' }, key)).toBe('422 IDEMPOTENCY_MISMATCH')
  expect(await codeOf('steer', { agent: 'CEO', text: 'y'.repeat(200) })).toBe('429 STEER_LIMIT')
  await steer(runId, { agent: 'CEO', text: 'z' })
  expect(await codeOf('steer', { agent: 'CEO', text: 'y' })).toBe('429 STEER_LIMIT')
  open('w1')
  await api.settled(runId)
})

test('the typed client steers, pauses and continues', async () => {
  promise('K1', 'K2')
  const { server, start, begun, open } = await serveTeam(threeLevels)
  const { runs } = createClient({ baseUrl: server.url }).agency('team')
  const runId = await start()
  await begun('w1')
  expect((await runs.steer(runId, { agent: 'CEO', text: 'Be brief' })).status).toBe('accepted')
  expect((await runs.pause(runId, { agent: 'CEO' })).paused).toMatchObject([{ agent: 'CEO', call_id: null }])
  expect(await runs.continue(runId)).not.toHaveProperty('paused')
  await expect(runs.steer(runId, { agent: 'Nobody', text: 'x' })).rejects.toMatchObject({ code: 'AGENT_NOT_IN_RUN' })
  open('w1')
  const stream = runs.events(runId)
  await stream.result()
  expect(stream.view.steers).toMatchObject([{ agent: 'CEO', status: 'taken', text: 'Be brief' }])
  expect(stream.view.paused).toEqual([])
})
