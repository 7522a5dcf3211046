import { expect, test, vi } from 'vitest'
import { ask, call, startTeam, type TeamScript, use } from './support/stored-team.ts'

/** The CEO asks Research, which asks the Clerk; `deepest` is what the Clerk does. */
const threeDeep =
  (deepest: TeamScript): TeamScript =>
  (asked) => {
    const { agent, outputs } = asked
    if (agent === 'CEO' && outputs === 0) return { calls: [ask('Research')] }
    if (agent === 'Research' && outputs === 0) return { calls: [ask('Clerk')] }
    return agent === 'Clerk' ? deepest(asked) : { text: 'Done.' }
  }
const endless = (): ReturnType<TeamScript> => ({ text: 'x', deltas: 100_000, delayMs: 5 })
const model = (state: string) => ({ kind: 'model', name: 'gpt-4.1', state })
const agents = (calls: unknown[]) => [
  {
    kind: 'agent',
    name: 'Research',
    state: 'stopped',
    calls: [{ kind: 'agent', name: 'Clerk', state: 'stopped', calls }],
  },
]

type Team = Awaited<ReturnType<typeof startTeam>>
const speaking = async ({ upstream }: Team, count: number) =>
  vi.waitFor(() => expect([upstream.seen.length, upstream.open()]).toEqual([count, 1]))
const began = async (team: Team, ...tools: string[]) =>
  vi.waitFor(() => expect(team.began.sort()).toEqual(tools.sort()))

const STAGES: [name: string, script: TeamScript, reached: (team: Team) => Promise<unknown>, calls: unknown[]][] = [
  ['the first model speaks', endless, (team) => speaking(team, 1), [model('stopped')]],
  ['the third model speaks', threeDeep(endless), (team) => speaking(team, 3), agents([model('stopped')])],
  [
    'the third model is silent',
    threeDeep(() => ({ hang: true })),
    (team) => speaking(team, 3),
    agents([model('stopped')]),
  ],
  [
    'tools work at the third level',
    threeDeep(() => ({ calls: [use('obedient', 'c1'), use('stubborn', 'c2'), use('note', 'c3')] })),
    (team) => began(team, 'obedient', 'stubborn', 'note'),
    agents([
      { kind: 'tool', name: 'obedient', call_id: 'c1', state: 'stopped' },
      { kind: 'tool', name: 'stubborn', call_id: 'c2', state: 'abandoned' },
      { kind: 'tool', name: 'note', call_id: 'c3', state: 'finished_first' },
    ]),
  ],
]

test.each(STAGES)('a cancel while %s stops all, and says so', async (_name, script, reached, calls) => {
  const team = await startTeam(script)
  const run = await team.post()
  const reading = run.follow()
  await reached(team)
  const { status, body } = await run.cancel()
  expect([status, body.settled, body.status]).toEqual([200, true, 'cancelled'])
  expect(body.receipt).toMatchObject({ agent: 'CEO', state: 'stopped', calls })
  await vi.waitFor(() => expect(team.upstream.open()).toBe(0))
  expect(team.aborted.sort()).toEqual(team.began.filter((name) => name !== 'note').sort())
  const fold = await reading
  expect(fold.frames.filter(({ event }) => event === 'end')).toHaveLength(1)
  expect((await run.cancel()).body.receipt).toEqual(body.receipt)
  expect(await run.state()).toMatchObject({ status: 'cancelled', attempt: 1 })
})

test('a run that waits for its turn is cancelled without having begun', async () => {
  const team = await startTeam(endless)
  const first = await team.post({ thread_id: 't' })
  const second = await team.post({ thread_id: 't' })
  const { body } = await second.cancel()
  expect(body).toMatchObject({
    settled: true,
    status: 'cancelled',
    receipt: { agent: 'CEO', state: 'never_started', calls: [] },
  })
  expect((await second.follow()).ended).toBe(true)
  await first.cancel()
  expect(team.upstream.seen).toHaveLength(1)
})

test('a paused run is cancelled, and its call never runs', async () => {
  const team = await startTeam(threeDeep(() => ({ calls: [use('pay', 'p1'), use('note', 'n1')] })))
  const run = await team.post()
  expect((await run.ended()).status).toBe('requires_action')
  const { body } = await run.cancel()
  expect(body).toMatchObject({
    settled: true,
    receipt: {
      calls: agents([
        { kind: 'tool', name: 'pay', state: 'never_started' },
        { kind: 'tool', name: 'note', state: 'finished_first' },
      ]),
    },
  })
  expect(team.began).toEqual(['note'])
})

test('immediate overtakes after_turn', async () => {
  const team = await startTeam(endless)
  const run = await team.post()
  await speaking(team, 1)
  expect(await run.cancel({ mode: 'after_turn', wait_ms: 50 })).toMatchObject({ status: 202, body: { settled: false } })
  expect(await run.cancel()).toMatchObject({ status: 200, body: { settled: true, mode: 'immediate' } })
})

test('an interrupting run stops the one before it at once', async () => {
  let asked = 0
  const team = await startTeam((given) => (++asked === 1 ? endless() : { text: `Answer to ${given.outputs}` }))
  const first = await team.post({ thread_id: 't' })
  await speaking(team, 1)
  const second = await team.post({ thread_id: 't', multitask_strategy: 'interrupt' })
  expect((await first.ended()).status).toBe('cancelled')
  expect((await second.ended()).status).toBe('completed')
})

test('a cancel and the end at one moment give one final state', { timeout: 60_000 }, async () => {
  const team = await startTeam(() => ({ text: 'Short.' }))
  const seen = new Set<string>()
  for (let round = 0; round < 40; round++) {
    const run = await team.post()
    await new Promise((resolve) => setTimeout(resolve, round % 20))
    const { status, body } = await run.cancel()
    const record = await run.ended()
    const fold = await run.follow()
    seen.add(record.status)
    if (record.status === 'cancelled') expect([status, body.settled]).toEqual([200, true])
    else expect([status, body.code, record.status]).toEqual([409, 'RUN_ENDED', 'completed'])
    expect(fold.frames.filter(({ event }) => event === 'messages')).toHaveLength(1)
    expect(fold.frames.filter(({ event }) => event === 'end')).toHaveLength(1)
  }
  expect([...seen].sort()).toEqual(['cancelled', 'completed'])
  expect((await call(`${team.base}?limit=100`)).body.data).toHaveLength(40)
})
