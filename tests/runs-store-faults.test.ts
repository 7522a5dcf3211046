import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { memory } from '../src/index.ts'
import { promise } from './promises.ts'
import { final, post as postFrames, readFrames } from './support/client.ts'
import { type Fault, type FaultPlan, faulty, switchable } from './support/faulty-store.ts'
import { startTeam, type TeamScript, use } from './support/stored-team.ts'

const WORDS = ['It ', 'is ', 'done. ']
const noteThenText: TeamScript = ({ outputs }) =>
  outputs === 0 ? { calls: [use('note', 'n1')] } : { text: WORDS.join(''), deltas: WORDS, delayMs: 5 }

/** The n-th call of a kind has a fault. */
const nth = (n: number, fault: Fault): Fault[] => [...Array<Fault>(n - 1).fill('ok'), fault]
const PLANS: [name: string, plan: FaultPlan][] = (['fail', 'lost', 'hang'] as const).flatMap((fault) => [
  [`admit: ${fault}`, { admit: [fault] }] as [string, FaultPlan],
  [`claim: ${fault}`, { claim: [fault] }] as [string, FaultPlan],
  ...[1, 2, 3, 4, 5, 6].map((n): [string, FaultPlan] => [`write ${n}: ${fault}`, { 'write run': nth(n, fault) }]),
])

test.each(PLANS)('a run lives through %s', async (_name, plan) => {
  const team = await startTeam(noteThenText, {
    runs: { store: faulty(memory(), plan) },
    limits: { storeMs: 300, attempts: 1 },
  })
  const start = () =>
    postFrames(team.base, { message: 'Please.' }, { 'idempotency-key': 'k1' }).then(async (answer) => ({
      status: answer.status,
      body: (await answer.json()) as { run_id: string; code?: string },
    }))
  let answer = await start()
  if ('admit' in plan) {
    expect([answer.status, answer.body.code]).toEqual([503, 'STORE_UNAVAILABLE'])
    answer = await start()
  }
  expect(answer.status).toBe(202)
  const run = team.handle(answer.body.run_id)
  const fold = await run.follow()
  const record = await run.ended()
  expect(record).toMatchObject({ status: 'completed', response: WORDS.join('') })
  expect(fold.texts()).toMatchObject([{ text: WORDS.join(''), whole: WORDS.join('') }])
  const told = JSON.stringify(record.new_messages).includes('interrupted by a restart')
  expect(team.began.length).toBeLessThanOrEqual(1)
  expect(team.began.length === 1 || told).toBe(true)
})

/** A run whose tool works while the store goes away. */
async function startWorking(storeMs: number) {
  const away = switchable(memory())
  const team = await startTeam(({ outputs }) => (outputs === 0 ? { calls: [use('gate', 'g1')] } : { text: 'Done.' }), {
    runs: { store: away.store },
    limits: { storeMs, attempts: 1 },
  })
  const run = await team.post()
  await vi.waitFor(() => expect(team.began).toEqual(['gate']), 10_000)
  return { away, team, run }
}

test.each(['fail', 'hang'] as const)('a run waits at its boundary for a store: %s', async (fault) => {
  const { away, team, run } = await startWorking(1_500)
  away.set(fault)
  team.open()
  await sleep(100)
  away.set('ok')
  if (fault === 'fail') expect(await run.ended()).toMatchObject({ status: 'completed', attempt: 1, response: 'Done.' })
  else await vi.waitFor(async () => expect((await run.state()).status).toBe('completed'), { timeout: 15_000 })
})

test.each(['fail', 'hang'] as const)('a run lets go, and is taken up when the store is back: %s', async (fault) => {
  promise('H14')
  const { away, team, run } = await startWorking(300)
  const reading = run.follow()
  away.set(fault)
  team.open()
  await sleep(800)
  away.set('ok')
  const fold = await reading
  const record = await run.ended()
  // The output of the tool was never stored, so the model reads that the call was interrupted. Letting go does not count as a crash: `attempts: 1` allows none.
  expect(record).toMatchObject({ status: 'completed', response: 'Done.' })
  // On a busy machine a write may take longer than `storeMs`: then the run is let go once more.
  expect(record.attempt).toBeGreaterThanOrEqual(2)
  expect(JSON.stringify(record.new_messages)).toContain('interrupted by a restart')
  expect(team.began).toEqual(['gate'])
  expect(fold.frames.filter(({ event }) => event === 'attempt')).toHaveLength(record.attempt - 1)
})

test('while the store is away stored runs are refused, and all else works', async () => {
  promise('H14')
  const { away, team, run } = await startWorking(300)
  away.set('fail')
  const requests: [path: string, body?: object][] = [
    ['/team/runs', { message: 'Hello' }],
    ['/team/runs'],
    [`/team/runs/${run.runId}`],
    [`/team/runs/${run.runId}/events`],
    [`/team/runs/${run.runId}/cancel`, {}],
    ['/team/threads'],
    ['/team/approvals'],
  ]
  for (const [path, body] of requests) {
    const answer =
      body === undefined ? await fetch(team.server.url + path) : await postFrames(team.server.url + path, body)
    const { code } = (await answer.json()) as { code?: string }
    expect([path, answer.status, code]).toEqual([path, 503, 'STORE_UNAVAILABLE'])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  team.open()
  const frames = []
  for await (const frame of readFrames(`${team.server.url}/team/get_response_stream`, { message: 'Hello' }))
    frames.push(frame)
  expect(final(frames)).toMatchObject({ cancelled: false })
  expect((await fetch(`${team.server.url}/healthz`)).status).toBe(200)
  away.set('ok')
  expect((await run.ended()).status).toBe('completed')
})

test('a run waits for room that other requests take', async () => {
  const team = await startTeam(
    ({ text, outputs }) => {
      if (!text.includes('legacy')) return { text: 'Done.' }
      return outputs === 0 ? { calls: [use('gate', 'g1')] } : { text: 'Legacy done.' }
    },
    { limits: { concurrentRuns: 1 } },
  )
  const legacy = postFrames(`${team.server.url}/team/get_response`, { message: 'legacy' })
  await vi.waitFor(() => expect(team.began).toEqual(['gate']), 10_000)
  const run = await team.post()
  await sleep(50)
  expect((await run.state()).status).toBe('queued')
  team.open()
  expect((await legacy).status).toBe(200)
  expect(await run.ended()).toMatchObject({ status: 'completed', attempt: 1 })
})

/** A run that asks for an approval, which a person gives before or after the pause is stored. */
async function decideAtPause(when: 'before' | 'after') {
  const inner = memory()
  let decide = async (): Promise<unknown> => undefined
  const write = (async (change) => {
    const pauses = (change as { leave?: { kind: string } }).leave?.kind === 'pause'
    if (pauses && when === 'before') await decide()
    const written = await inner.write(change)
    if (pauses && when === 'after') await decide()
    return written
  }) as typeof inner.write
  const team = await startTeam(({ outputs }) => (outputs === 0 ? { calls: [use('pay', 'p1')] } : { text: 'Paid.' }), {
    runs: { store: { ...inner, write } },
  })
  decide = async () => {
    const inbox = (await (await fetch(`${team.server.url}/team/approvals`)).json()) as {
      data: { run_id: string; approval_id: string }[]
    }
    for (const { run_id, approval_id } of inbox.data)
      await postFrames(`${team.base}/${run_id}/approvals/${approval_id}`, { decision: 'approve' })
  }
  const run = await team.post()
  expect((await run.follow()).ended).toBe(true)
  return { team, record: await run.ended() }
}

test.each(['before', 'after'] as const)('a decision right %s the pause is not lost', async (when) => {
  const { team, record } = await decideAtPause(when)
  expect(record).toMatchObject({ status: 'completed', attempt: 1, response: 'Paid.' })
  expect(team.began).toEqual(['pay'])
})
