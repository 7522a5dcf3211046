import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { storeUnavailable } from '../src/base/errors.ts'
import { Agency, Agent, memory, type ServeOptions, sqlite, tool } from '../src/index.ts'
import { ownerScope, type RunStore, runScope, threadScope } from '../src/runs/run-store.ts'
import { EVERYBODY } from '../src/server/run-requests.ts'
import { startServer, useUpstream } from './support/client.ts'
import { startProcess } from './support/process.ts'
import type { Turn } from './support/upstream.ts'

/** A token of an answer costs a tenth of a cent and one of the input nothing: at most 0.10 dollars for each call. */
const prices = { ours: { inputUsdPerMillion: 0, outputUsdPerMillion: 1_000 } }
const WORST_USD = 0.1
const agent = (name: string, options: object = {}) =>
  new Agent({ name, model: 'ours', modelSettings: { maxTokens: 100 }, ...options })
const says = (output_tokens: number, text = 'Done'): Turn => ({ text, usage: { input_tokens: 10, output_tokens } })
const solo = () => new Agency(agent('Solo'))

// biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
type Body = any
type Runs = NonNullable<ServeOptions['runs']>

async function start(
  runs: Runs,
  agency: ServeOptions['agencies'] & {} extends { [name: string]: infer One } ? One : never = solo(),
  more: Partial<ServeOptions> = {},
) {
  const { url } = await startServer({ agencies: { shop: agency }, prices, runs, ...more })
  const ask = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${url}/shop${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ message: 'Hi', ...body }),
    })
    return { status: answer.status, body: (await answer.json()) as Body }
  }
  /** Starts a run and waits for its end. */
  const run = async (body: object = {}, headers: Record<string, string> = {}): Promise<Body> => {
    const started = await ask('/runs', body, headers)
    expect(started.status).toBe(202)
    for (;;) {
      const answer = await fetch(`${url}/shop/runs/${started.body.run_id}?wait=20`, { headers })
      const found: Body = await answer.json()
      if (found.ended_at !== null) return found
    }
  }
  return { url, ask, run }
}

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'costs-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'agency.db')
}

/** A store that counts the writes about costs. */
function countCosts(store: RunStore): { store: RunStore; writes: () => number } {
  let writes = 0
  const counting: RunStore = {
    ...store,
    admit: (request) => store.admit(request),
    claim: (request) => store.claim(request),
    read: (query) => store.read(query),
    watch: (query) => store.watch(query),
    close: () => store.close(),
    write: (change) => {
      if (change.kind === 'reserve' || change.kind === 'settle') writes++
      return store.write(change)
    },
  }
  return { store: counting, writes: () => writes }
}

const spentOf = async (store: RunStore, scope: string) => (await store.read({ kind: 'costs', scopes: [scope] }))[0]

test('a run ends at its bound as incomplete, with what it has', async () => {
  let calls = 0
  await useUpstream(() => (++calls === 1 ? { ...CALL_LOOK, usage: { input_tokens: 1, output_tokens: 60 } } : says(5)))
  const look = tool({ name: 'look', execute: () => 'seen' })
  const { run } = await start({ maxCost: 0.15 }, new Agency(agent('Solo', { tools: [look] })))
  const ended = await run()
  expect(ended).toMatchObject({
    status: 'incomplete',
    incomplete_details: { reason: 'max_cost' },
    error: null,
    response: null,
    usage: { request_count: 1, total_cost: 0.06 },
  })
  expect(ended.new_messages.map(({ type = 'message' }) => type)).toEqual([
    'message',
    'function_call',
    'function_call_output',
  ])
  expect(calls).toBe(1)
})
const CALL_LOOK = { calls: [{ name: 'look', arguments: {} }] }

test('the stream of a run says why it stopped, and ends as any other', async () => {
  const { seen } = await useUpstream(() => says(5))
  const { url } = await start({ maxCost: 0.05 })
  const answer = await fetch(`${url}/shop/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message: 'Hi', stream: true }),
  })
  const text = await answer.text()
  expect(text).toContain('may cost up to $0.1 (')
  expect(text).toContain('of the $0.05 for this run, $0 are spent.')
  expect(text).toMatch(/event: messages\n[\s\S]*event: end\ndata: \[DONE\]\n\n$/)
  expect(seen).toEqual([])
})

test.each([
  { store: 'memory', make: () => memory() },
  { store: 'sqlite', make: () => sqlite(newFile()) },
])('fifty runs at once never pass the bound of their owner ($store)', async ({ make }) => {
  let spent = 0
  let open = 0
  let peak = 0
  await useUpstream((_body, index) => {
    const tokens = 1 + ((index * 37) % 100)
    open++
    peak = Math.max(peak, spent + open * WORST_USD)
    setTimeout(() => {
      open--
      spent += tokens / 1000
    }, 1)
    return says(tokens)
  })
  const store = make()
  const { run } = await start({ store, budgets: { owner: 1 } })
  const ended = await Promise.all(Array.from({ length: 50 }, () => run()))
  const costs = ended.map(({ usage }) => usage.total_cost as number)
  const total = costs.reduce((sum, cost) => sum + cost, 0)
  expect(total).toBeCloseTo(spent)
  expect(spent).toBeLessThanOrEqual(1)
  expect(spent).toBeGreaterThan(1 - WORST_USD)
  expect(peak).toBeLessThanOrEqual(1 + 1e-9)
  const refused = ended.filter(({ status }) => status !== 'completed')
  expect(refused.length).toBeGreaterThan(0)
  expect(new Set(refused.map((body) => `${body.status} ${body.incomplete_details.reason}`))).toEqual(
    new Set(['incomplete max_cost']),
  )
})

test('runs of one thread share its bound, and another thread has its own', async () => {
  await useUpstream(() => says(40))
  const store = memory()
  const { run } = await start({ store, budgets: { thread: 0.2 } })
  const ended = await Promise.all(Array.from({ length: 10 }, () => run({ thread_id: 't-1' })))
  expect(ended.map(({ status }) => status).sort()).toEqual([
    ...Array(3).fill('completed'),
    ...Array(7).fill('incomplete'),
  ])
  expect(await run({ thread_id: 't-2' })).toMatchObject({ status: 'completed' })
  expect(await run()).toMatchObject({ status: 'completed' })
  const scope = threadScope({ agency: 'shop', owner: EVERYBODY, threadId: 't-1' })
  expect(await spentOf(store, scope)).toMatchObject({ reservedUsd: 0 })
})

test('an owner has spent what its runs have cost; another has its own bound', async () => {
  await useUpstream(() => says(70))
  const store = memory()
  const identify = (request: { headers: { [name: string]: unknown } }) => String(request.headers['x-user'])
  const { run } = await start({ store, identify, budgets: { owner: 0.15 } })
  const as = (name: string) => run({}, { 'x-user': name })
  expect([await as('ada'), await as('ada'), await as('eve')].map(({ status }) => status)).toEqual([
    'completed',
    'incomplete',
    'completed',
  ])
  const cost = await spentOf(store, ownerScope({ agency: 'shop', owner: 'ada' }))
  expect(cost).toEqual({ scope: expect.any(String), spentUsd: 0.07, reservedUsd: 0 })
})

test('a budget per month begins anew with the month', async () => {
  await useUpstream(() => says(70))
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 30, 23, 59) })
  onTestFinished(() => void vi.useRealTimers())
  const { run } = await start({ budgets: { owner: { usd: 0.15, per: 'month' } } })
  expect([(await run()).status, (await run()).status]).toEqual(['completed', 'incomplete'])
  vi.setSystemTime(Date.UTC(2026, 11, 1))
  expect((await run()).status).toBe('completed')
})

test('sub-agents side by side share the bound of their run', async () => {
  const asked: string[] = []
  await useUpstream((body) => {
    asked.push(String(body.instructions))
    if (String(body.instructions).includes('boss') && asked.length === 1)
      return { calls: ['A', 'B', 'C'].map(toWorker), usage: { input_tokens: 1, output_tokens: 20 } }
    return says(60)
  })
  const { run } = await start({ maxCost: 0.25 }, createTeam())
  const ended = await run()
  // 0.02 for the boss and 0.06 for each worker: the third and the boss's own answer find less than 0.10.
  expect(ended).toMatchObject({ status: 'incomplete', usage: { request_count: 4, total_cost: 0.2 } })
  expect(asked).toHaveLength(4)
})
const toWorker = (recipient_agent: string) => ({
  name: 'send_message',
  arguments: { recipient_agent, message: 'go', additional_instructions: '' },
})
function createTeam(): Agency {
  const boss = agent('Boss', { instructions: 'boss' })
  const workers = ['A', 'B', 'C'].map((name) => agent(name, { instructions: name }))
  return new Agency(boss, { communicationFlows: workers.map((worker) => [boss, worker] as const) })
}

test('what a call did not use is given back', async () => {
  await useUpstream(() => says(1))
  const store = memory()
  const { run } = await start({ store, budgets: { owner: 0.15 } })
  for (let count = 0; count < 20; count++) expect((await run()).status).toBe('completed')
  expect(await spentOf(store, ownerScope({ agency: 'shop', owner: EVERYBODY }))).toMatchObject({ reservedUsd: 0 })
})

test('a call that was refused by its provider costs nothing', async () => {
  await useUpstream(() => ({ status: 400, message: 'no' }))
  const store = memory()
  const { run } = await start({ store, budgets: { owner: 1 } })
  expect((await run()).status).toBe('failed')
  expect(await spentOf(store, ownerScope({ agency: 'shop', owner: EVERYBODY }))).toMatchObject({
    spentUsd: 0,
    reservedUsd: 0,
  })
})

test('attempts that a provider refuses are covered by one reservation', async () => {
  const { seen } = await useUpstream((_body, index) =>
    index < 2 ? { status: 503, message: 'busy', retryAfter: '0' } : says(30),
  )
  const store = memory()
  const { run } = await start({ store, maxCost: WORST_USD, budgets: { owner: 1 } })
  expect((await run()).status).toBe('completed')
  expect(seen).toHaveLength(3)
  expect(await spentOf(store, ownerScope({ agency: 'shop', owner: EVERYBODY }))).toMatchObject({ spentUsd: 0.03 })
})

test('each attempt that broke before its answer counts in full', async () => {
  const { seen } = await useUpstream((_body, index) => (index === 0 ? { text: '', cut: true } : says(30)))
  const store = memory()
  const { run } = await start({ store, budgets: { owner: 1 } })
  expect((await run()).status).toBe('completed')
  expect(seen).toHaveLength(2)
  const cost = await spentOf(store, ownerScope({ agency: 'shop', owner: EVERYBODY }))
  expect(cost?.spentUsd).toBeCloseTo(WORST_USD + 0.03)
})

test('a call is not tried again where its reservation has no room', async () => {
  const { seen } = await useUpstream(() => ({ text: '', cut: true }))
  const { run } = await start({ maxCost: 1.5 * WORST_USD })
  expect(await run()).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_cost' } })
  expect(seen).toHaveLength(1)
})

test('a run waits for a store that is away when it reserves', async () => {
  await useUpstream(() => says(5))
  let failures = 2
  const store = memory()
  const write = store.write.bind(store)
  store.write = (change) =>
    change.kind === 'reserve' && failures-- > 0 ? Promise.reject(storeUnavailable(new Error('away'))) : write(change)
  const { run } = await start({ store, maxCost: 1 })
  expect((await run()).status).toBe('completed')
  expect(failures).toBe(-1)
})

test.each([
  ['a stream that broke', { text: 'half an answer', cut: true, deltas: 3, delayMs: 20 } as Turn],
  ['an answer without usage', { text: 'Done', usage: { input_tokens: 0, output_tokens: 0 } } as Turn],
])('%s counts in full', async (_name, turn) => {
  await useUpstream(() => turn)
  const store = memory()
  const { run } = await start({ store, budgets: { owner: 1 } })
  await run()
  expect(await spentOf(store, ownerScope({ agency: 'shop', owner: EVERYBODY }))).toMatchObject({
    spentUsd: WORST_USD,
    reservedUsd: 0,
  })
})

test('a run that is cancelled pays for the call that it stopped', async () => {
  const { seen } = await useUpstream(() => ({ hang: true }))
  const store = memory()
  const { ask } = await start({ store, budgets: { owner: 1 } })
  const { body } = await ask('/runs', {})
  await vi.waitFor(() => expect(seen).toHaveLength(1))
  await ask(`/runs/${body.run_id}/cancel`, {})
  expect(await spentOf(store, ownerScope({ agency: 'shop', owner: EVERYBODY }))).toMatchObject({
    spentUsd: WORST_USD,
    reservedUsd: 0,
  })
})

test('a run without bounds writes nothing about costs', async () => {
  await useUpstream(() => says(50))
  const { store, writes } = countCosts(memory())
  const { run } = await start({ store })
  await run()
  expect(writes()).toBe(0)
  await run({ max_cost: 1 })
  expect(writes()).toBe(2)
})

test('an answer from the cache of starters costs nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'starters-'))
  vi.stubEnv('AGENCY_SWARM_CHATS_DIR', folder)
  onTestFinished(() => {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  })
  const { seen } = await useUpstream(() => says(50))
  const store = memory()
  const starting = agent('Solo', { conversationStarters: ['Hi'], cacheConversationStarters: true })
  const { run } = await start({ store, budgets: { owner: 1 } }, new Agency(starting))
  for (let count = 0; count < 3; count++) expect((await run()).response).toBe('Done')
  expect(seen).toHaveLength(1)
  expect(await spentOf(store, ownerScope({ agency: 'shop', owner: EVERYBODY }))).toMatchObject({
    spentUsd: 0.05,
    reservedUsd: 0,
  })
})

test('a model that costs nothing needs no reservation', async () => {
  const { store, writes } = countCosts(memory())
  const { run } = await start({ store, maxCost: 0.000001 }, new Agency(agent('Solo', { model: 'demo' })))
  expect((await run()).status).toBe('completed')
  expect(writes()).toBe(0)
})

test('the name of a chat counts towards the bound', async () => {
  const { seen } = await useUpstream((_body, index) => says(50, index === 0 ? 'Done' : '{"chat_name": "A Short Talk"}'))
  const store = memory()
  const named = { message: 'Hi', generate_chat_name: true }
  const { run } = await start({ store, budgets: { owner: 10 } })
  expect(await run(named)).toMatchObject({ status: 'completed', chat_name: 'A Short Talk' })
  expect(seen).toHaveLength(2)
  const cost = await spentOf(store, ownerScope({ agency: 'shop', owner: EVERYBODY }))
  expect(cost?.spentUsd).toBeGreaterThan(0.05)
  expect(cost?.reservedUsd).toBe(0)
})

test('agents whose calls are left out of usage count towards the bound', async () => {
  await useUpstream(() => says(50))
  const store = memory()
  const hidden = agent('Solo', { modelSettings: { maxTokens: 100, includeUsage: false } })
  const { run } = await start({ store, maxCost: 1 }, new Agency(hidden))
  const { run_id } = await run()
  expect(await spentOf(store, runScope(run_id))).toMatchObject({ spentUsd: 0.05 })
})

test('a request may lower the bound of the server, and not raise it', async () => {
  await useUpstream(() => says(5))
  const { ask, run } = await start({ maxCost: 0.5 })
  expect((await run({ max_cost: 0.05 })).status).toBe('incomplete')
  expect((await run({ max_cost: 0.5 })).status).toBe('completed')
  expect(await ask('/runs', { max_cost: 0.51 })).toEqual({
    status: 422,
    body: {
      detail: [
        {
          type: 'less_than_equal',
          loc: ['body', 'max_cost'],
          msg: 'Input should be less than or equal to 0.5',
          input: 0.51,
          ctx: { le: 0.5 },
        },
      ],
    },
  })
  for (const max_cost of [0, -1, 'free']) expect((await ask('/runs', { max_cost })).status).toBe(422)
})

test('a request cannot get around the bound with fields of its own', async () => {
  const { seen } = await useUpstream(() => says(5))
  const { run } = await start({ maxCost: 0.15 })
  const config = (model_settings_extra_args: object) => ({ client_config: { model_settings_extra_args } })
  expect((await run(config({ max_tokens: 100_000 }))).status).toBe('incomplete')
  expect((await run(config({ extra_body: { web_search_options: {} } }))).status).toBe('incomplete')
  expect(seen).toHaveLength(0)
  expect((await run(config({ temperature: 0 }))).status).toBe('completed')
})

test('a model without a price is refused where there is a bound', async () => {
  const { seen } = await useUpstream(() => says(5))
  const odd = new Agency(agent('Solo', { model: 'nobody-knows' }))
  await expect(start({ maxCost: 1 }, odd)).rejects.toMatchObject({ code: 'MODEL_NOT_PRICED' })
  const { run } = await start({}, odd)
  const ended = await run({ max_cost: 1 })
  expect(ended).toMatchObject({ status: 'failed', error: { code: 'MODEL_NOT_PRICED' } })
  expect(ended.error.message).toContain('Give one with the prices option.')
  expect(seen).toHaveLength(0)
})

test('after a crash the call that was under way counts in full', async () => {
  const upstream = await useUpstream((_body, index) => (index === 0 ? { hang: true } : says(20)))
  const file = newFile()
  const env = { STORE: file, OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-test' }
  const first = await startProcess(join(import.meta.dirname, 'support/paid-server.ts'), env)
  const started: Body = await (
    await fetch(`${first.url}/solo/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"message": "Hi"}',
    })
  ).json()
  await vi.waitFor(() => expect(upstream.seen).toHaveLength(1))
  first.child.kill('SIGKILL')
  await first.exit
  const store = sqlite(file)
  const { url } = await startServer({ agencies: { solo: solo() }, prices, runs: { store, maxCost: 1 } })
  const ended: Body = await (await fetch(`${url}/solo/runs/${started.run_id}?wait=20`)).json()
  expect(ended.status).toBe('completed')
  const cost = await spentOf(store, runScope(started.run_id))
  expect(cost?.spentUsd).toBeCloseTo(WORST_USD + 0.02)
  expect(cost?.reservedUsd).toBe(0)
})

test('runs of the other endpoints have the bound of the server', async () => {
  const { seen } = await useUpstream(() => says(5))
  const { ask } = await start({ maxCost: 0.05 })
  const refused = await ask('/get_response', {})
  expect(refused.status).toBe(500)
  expect(JSON.stringify(refused.body)).toContain('of the $0.05 for this run')
  expect(seen).toEqual([])
  const roomy = await start({ maxCost: 0.5 })
  expect((await roomy.ask('/get_response', {})).body.response).toBe('Done')
})

test('a run in process has a bound', async () => {
  await useUpstream(() => says(60))
  const agency = new Agency(agent('Solo'))
  const again = () => agency.getResponse('Hi', { prices, maxCost: 0.1 })
  expect((await again()).usage?.total_cost).toBe(0.06)
  expect((await again()).usage?.total_cost).toBe(0.06)
  await expect(agency.getResponse('Hi', { prices, maxCost: 0.09 })).rejects.toMatchObject({ code: 'COST_LIMIT' })
  await expect(agency.getResponse('Hi', { maxCost: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})

test.each([
  [{ maxCost: 0 }],
  [{ maxCost: '1' }],
  [{ budgets: { user: 1 } }],
  [{ budgets: { thread: -1 } }],
  [{ budgets: { owner: { usd: 1 } } }],
  [{ budgets: { owner: { usd: 1, per: 'year' } } }],
])('a bound that cannot work is refused at start: %j', async (runs) => {
  await useUpstream(() => says(1))
  await expect(start(runs as Runs)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})
