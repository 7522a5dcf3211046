/** What the hooks keep: threads and runs of a real server, as pages show them. */
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { type AgencyClient, createClient } from '../src/client/index.ts'
import { Agency, Agent, tool } from '../src/index.ts'
import { useRun, useThread } from '../src/react/index.ts'
import { RunStore } from '../src/react/run-store.ts'
import { ThreadStore } from '../src/react/thread-store.ts'
import { refuseRejections, startServer, useUpstream } from './support/client.ts'
import { startCuttingProxy } from './support/cutting-proxy.ts'

vi.setConfig({ testTimeout: 60_000 }) // streams are cut and wait before they go on

const refund = tool({
  name: 'refund',
  parameters: z.object({ order: z.number() }),
  needsApproval: true,
  execute: ({ order }) => `refunded ${order}`,
})

/** A Clerk who refunds, fails or hangs when told so, and asks the Poet for poems. */
async function serveTeam(cuts: Parameters<typeof startCuttingProxy>[1] = () => 'pass') {
  refuseRejections()
  const upstream = await useUpstream(({ input, instructions }) => {
    const said = JSON.stringify(input)
    const done = said.includes('function_call_output')
    if (String(instructions).includes('You are the Poet')) return { text: 'Roses are red' }
    if (said.includes('fail')) return { status: 400, message: 'no' }
    if (said.includes('hang')) return { hang: true }
    if (said.includes('Refund') && !done) return { calls: [{ name: 'refund', arguments: { order: 17 } }] }
    if (said.includes('poem') && !done)
      return { calls: [{ name: 'send_message', arguments: { recipient_agent: 'Poet', message: 'A poem' } }] }
    return { text: 'One two three four five' }
  })
  const clerk = new Agent({ name: 'Clerk', instructions: 'You are the Clerk', model: 'gpt-4.1', tools: [refund] })
  const poet = new Agent({ name: 'Poet', description: 'Writes', instructions: 'You are the Poet', model: 'gpt-4.1' })
  const team = new Agency(clerk, { communicationFlows: [[clerk, poet]] })
  const server = await startServer({ agencies: { team }, limits: { drainMs: 100 } })
  const proxy = await startCuttingProxy(server.url, cuts)
  return { upstream, agency: createClient({ baseUrl: proxy.url }).agency('team'), proxy }
}

const openThread = (agency: AgencyClient, id = 't') => {
  const thread = new ThreadStore(agency, id)
  const close = thread.open()
  onTestFinished(close)
  return {
    thread,
    close,
    shown: () => thread.getState().messages.map(({ role, text, state }) => `${role} ${state}: ${text}`),
  }
}
const ANSWER = 'One two three four five'

test('a message is shown at once, its answer as it streams, then as stored', async () => {
  const { agency } = await serveTeam()
  const { thread, shown } = openThread(agency)
  await expect.poll(() => thread.getState().isLoading).toBe(false)
  const seen = new Set<string>()
  thread.subscribe(() => seen.add(shown().join(' | ')))
  const sent = thread.send('Hello')
  expect(shown()).toEqual(['user sending: Hello'])
  expect(await sent).toMatchObject({
    status: 'completed',
    response: ANSWER,
    isLive: false,
    usage: { request_count: 1 },
  })
  expect(shown()).toEqual(['user stored: Hello', `assistant stored: ${ANSWER}`])
  expect(thread.getState()).toMatchObject({ isLive: false, error: undefined, run: { status: 'completed' }, runs: [] })
  expect(thread.getState().messages.every(({ message }) => message !== undefined)).toBe(true)
  await thread.send('Again')
  expect(shown()).toHaveLength(4)
  const again = openThread(agency)
  await expect.poll(() => again.thread.getState().isLoading).toBe(false)
  expect(again.shown()).toEqual(shown())
  expect([...seen].some((text) => text.includes('user stored: Hello'))).toBe(true)
})

test('the tree shows agents in the calls that reached them', async () => {
  const { agency } = await serveTeam()
  const run = new RunStore(agency.runs)
  await run.start('Write a poem')
  const [clerk] = run.getState().tree
  const [call, text] = clerk?.parts ?? []
  expect(run.getState().tree).toHaveLength(1)
  expect(call).toMatchObject({ kind: 'tool', name: 'send_message', output: 'Roses are red' })
  expect(call?.kind === 'tool' && call.agents).toMatchObject([
    { agent: 'Poet', parts: [{ kind: 'text', text: 'Roses are red' }] },
  ])
  expect([clerk?.agent, text]).toMatchObject(['Clerk', { kind: 'text', text: ANSWER }])
})

test('a cut stream goes on, and unchanged parts stay the same objects', async () => {
  const { agency, proxy } = await serveTeam((stream) => (stream < 2 ? { blocks: 5 + stream, inside: true } : 'pass'))
  const run = new RunStore(agency.runs)
  const states = new Set([run.getState()])
  let wasReconnecting = false
  run.subscribe(() => {
    states.add(run.getState())
    wasReconnecting ||= run.getState().isReconnecting
  })
  expect(await run.start('Hello')).toMatchObject({ status: 'completed', text: ANSWER, isReconnecting: false })
  expect([proxy.streams(), wasReconnecting]).toEqual([3, true])
  expect(run.getState()).toBe(run.getState())
  const kept = run.getState()
  expect(await run.stop()).toBeUndefined()
  expect(run.getState()).toBe(kept)
  expect(states.size).toBeLessThan(20)
})

test('stop gives a receipt, and a page that left finds the run again', async () => {
  const { agency, upstream } = await serveTeam()
  const { thread, close } = openThread(agency)
  void thread.send('hang')
  await expect.poll(() => upstream.seen.length).toBe(1)
  close()
  const back = openThread(agency)
  await expect.poll(() => back.thread.getState().run?.status).toBe('in_progress')
  expect(back.shown()).toEqual(['user stored: hang'])
  const reopened = thread.open()
  onTestFinished(reopened)
  await back.thread.stop()
  for (const { thread: one } of [back, { thread }])
    await expect.poll(() => one.getState()).toMatchObject({ isLive: false, run: { status: 'cancelled' } })
  expect(back.thread.getState().run?.receipt).toMatchObject({ agent: 'Clerk', state: 'stopped' })
})

test('an approval waits, takes other arguments, and is decided once', async () => {
  const { agency } = await serveTeam()
  const { thread, shown } = openThread(agency)
  const sent = thread.send('Refund order 17')
  await expect.poll(() => thread.getState().run?.status).toBe('requires_action')
  const [approval] = thread.getState().run?.approvals ?? []
  const id = approval?.approval_id ?? ''
  expect(approval).toMatchObject({ tool: 'refund', arguments: { order: 17 } })
  const decided = thread.approve(id, { arguments: { order: 18 } })
  await decided
  expect(thread.getState().run?.approvals).toEqual([])
  const run = await sent
  expect(run.tree[0]?.parts[0]).toMatchObject({ kind: 'tool', name: 'refund', output: 'refunded 18' })
  expect(shown().at(-1)).toBe(`assistant stored: ${ANSWER}`)
  const other = new RunStore(agency.runs)
  const ending = other.start('Refund order 17')
  await expect.poll(() => other.getState().approvals.length).toBe(1)
  const { approval_id: second = '' } = other.getState().approvals[0] ?? {}
  await agency.runs.reject(other.getState().runId ?? '', second)
  await other.approve(second) // somebody else was first: not an error
  expect((await ending).status).toBe('completed')
})

test('a failure is state: of a run, an unknown run, a server that is away', async () => {
  const { agency } = await serveTeam()
  const run = new RunStore(agency.runs)
  expect(await run.start('fail')).toMatchObject({ status: 'failed', error: { kind: 'failed', code: 'MODEL_FAILED' } })
  expect(await run.follow('unknown')).toMatchObject({ status: 'failed', error: { kind: 'not_found' } })
  const away = createClient({ baseUrl: 'http://127.0.0.1:9' }).agency('team')
  const thread = new ThreadStore(away, 't', { retries: 0 })
  const state = await thread.send('Hello')
  expect(state).toMatchObject({ status: 'failed', runId: undefined, error: { kind: 'network' } })
  expect(thread.getState().messages).toMatchObject([{ role: 'user', state: 'failed', text: 'Hello' }])
  await thread.send('Hello again')
  expect(thread.getState().messages).toMatchObject([{ text: 'Hello again' }])
  await expect(thread.approve('unknown')).rejects.toBeInstanceOf(TypeError)
})

test('a server renders the empty state, and sends nothing', async () => {
  const fetch = vi.fn()
  const agency = createClient({ baseUrl: 'http://localhost', fetch }).agency('team')
  const Page = () => {
    const { messages, isLoading } = useThread(agency, 't')
    const { status, runId } = useRun(agency, { runId: 'r' })
    return createElement('p', null, `${messages.length} ${isLoading} ${status} ${runId}`)
  }
  expect(renderToString(createElement(Page))).toBe('<p>0 true idle undefined</p>')
  expect(fetch).not.toHaveBeenCalled()
})
