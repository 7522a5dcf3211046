import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { promise } from './promises.ts'
import { runDrill } from './support/crash-drill.ts'
import { bundleCrashServer, startCrashServer } from './support/crash-process.ts'
import { followRun, RunFold, type RunFrame } from './support/run-reader.ts'
import { startUpstream, type Turn } from './support/upstream.ts'

type Json = { [key: string]: unknown }

let folder: string
let script: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kill-'))
  script = await bundleCrashServer(folder)
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a model is asked: by which agent, and after how many outputs of calls. */
interface Asked {
  agent: string
  outputs: number
  text: string
  index: number
}

let scenes = 0

/** A store and a scripted model; `start` starts the next process on them. */
async function createScene(model: (asked: Asked) => Turn, env: Record<string, string> = {}) {
  const upstream = await startUpstream((body, index) => {
    const text = JSON.stringify(body)
    const agent = /You are (\w+)\./.exec(text)?.[1] ?? ''
    return model({ agent, outputs: text.match(/"type":"function_call_output"/g)?.length ?? 0, text, index })
  })
  onTestFinished(() => upstream.close())
  const path = join(folder, `scene-${++scenes}`)
  const fixed = { STORE: `${path}.db`, EFFECTS: `${path}.effects`, OPENAI_BASE_URL: upstream.baseURL, ...env }
  let server: Awaited<ReturnType<typeof startCrashServer>> | undefined
  onTestFinished(() => void server?.child.kill('SIGKILL'))
  return {
    upstream,
    async start(more: Record<string, string> = {}) {
      server = await startCrashServer(script, { ...fixed, ...more })
      return server
    },
    async kill(signal?: NodeJS.Signals) {
      const killed = server
      server = undefined
      return killed?.kill(signal)
    },
    /** Posts a run and gives what its tests ask of it. */
    async post(body: Json = {}) {
      const answer = await call(`${server?.url}/team/runs`, { message: 'Please.', ...body })
      expect(answer.status).toBe(202)
      const { run_id } = answer.body
      const url = () => (server === undefined ? undefined : `${server.url}/team/runs/${run_id}`)
      return {
        url,
        state: async () => (await call(`${url()}`)).body,
        ended: async () => (await call(`${url()}?wait=15`)).body,
        follow: (options: { until?: (frame: RunFrame) => boolean; fold?: RunFold } = {}) =>
          followRun({ url, fold: new RunFold(), ...options }),
        approve: async () => {
          const { required_action } = (await call(`${url()}`)).body
          return call(`${url()}/approvals/${required_action.approvals[0].approval_id}`, { decision: 'approve' })
        },
      }
    },
    effects: () => (existsSync(fixed.EFFECTS) ? readFileSync(fixed.EFFECTS, 'utf8').trim().split('\n') : []),
  }
}

// biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
async function call(url: string, body?: Json): Promise<{ status: number; body: any }> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const answer = await fetch(url, body === undefined ? {} : init)
  return { status: answer.status, body: await answer.json() }
}

const speak = (name: string, count: number, delayMs = 0): Turn => {
  const deltas = Array.from({ length: count }, (_, index) => `${name}${index} `)
  return { text: deltas.join(''), deltas, delayMs }
}
const use = (name: string, id: string) => ({ name, id, arguments: {} })
const ask = (recipient_agent: string) => ({
  name: 'send_message',
  id: `ask-${recipient_agent}`,
  arguments: { recipient_agent, message: 'Please.', additional_instructions: '' },
})
const says = (text: string) => (frame: RunFrame) => frame.data.includes(text)
const ATTEMPTS = (attempts: number) => ({ LIMITS: JSON.stringify({ attempts }) })
const told = (record: Json) => JSON.stringify(record).match(/was interrupted by a restart/g)?.length ?? 0

test('kill -9 at random loses and doubles nothing, also for readers', { timeout: 300_000 }, async () => {
  promise('H4', 'H7')
  const seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000)
  console.log(`KILL_SEED=${seed}`)
  const report = await runDrill({ kills: Number(process.env.KILLS ?? 12), seed, lanes: 2, workers: 0, maxMs: 30_000 }) // many: npm run drill
  console.log(JSON.stringify(report))
  expect(report).toMatchObject({ lost: [], doubled: [], wrong: [], statuses: { completed: report.runs } })
  expect(report.kills).toBeGreaterThan(5)
  expect(report.attempts).toBeGreaterThan(report.runs)
})

test('half a text of one branch is void, the boundary of another is kept', async () => {
  promise('H7')
  let billings = 0
  const scene = await createScene(({ agent, outputs }) => {
    if (agent === 'CEO') return outputs === 0 ? { calls: [ask('Research'), ask('Billing')] } : speak('done', 3)
    if (agent === 'Research')
      return outputs === 0 ? { calls: [use('look', 'r1')] } : speak('research', billings > 1 ? 3 : 400, 20)
    billings++
    return speak(`bill${billings}-`, billings > 1 ? 3 : 400, 20)
  })
  await scene.start()
  const run = await scene.post()
  const fold = new RunFold()
  let billed = false
  await run.follow({
    fold,
    until: (frame) => {
      billed ||= says('bill1-0')(frame)
      return billed && says('research1 ')(frame)
    },
  })
  const boundary = fold.frames.findLast(says('look is done')) as RunFrame
  const half = fold.frames.find(says('bill1-0')) as RunFrame
  await scene.kill()
  await scene.start()
  await run.follow({ fold })
  const attempt = fold.seen.find(({ event }) => event === 'attempt') as RunFrame
  const { void_after } = JSON.parse(attempt.data)
  expect(void_after).toBeLessThan(half.id)
  expect(void_after).toBeLessThan(boundary.id)
  const again = fold.frames.filter(says('look is done'))
  expect(again.map(({ data }) => data)).toContain(boundary.data)
  expect(again.every(({ id }) => id > attempt.id)).toBe(true)
  const texts = fold.texts()
  expect(texts.filter(({ text, whole }) => text !== whole)).toEqual([])
  expect(texts.map(({ text }) => text).join()).not.toContain('bill1-')
  expect(await run.ended()).toMatchObject({ status: 'completed', attempt: 2, response: 'done0 done1 done2 ' })
})

test('nobody has seen a frame that was not stored', async () => {
  let asked = 0
  const scene = await createScene(() => speak(`try${++asked}-`, 40, 5), {
    LIMITS: JSON.stringify({ eventBatchMs: 60_000 }),
  })
  await scene.start()
  const run = await scene.post()
  const fold = new RunFold()
  const reading = run.follow({ fold })
  await vi.waitFor(() => expect(asked).toBe(1))
  await sleep(100)
  expect(fold.seen.some(says('try1-'))).toBe(false)
  await scene.kill()
  await scene.start()
  await reading
  expect(fold.seen.some(says('try1-'))).toBe(false)
  expect((await run.ended()).response).toContain('try2-39')
})

test('an approval outlives the process, and its call runs once', async () => {
  const scene = await createScene(({ outputs }) => (outputs === 0 ? { calls: [use('pay', 'p1')] } : { text: 'Paid.' }))
  await scene.start()
  const run = await scene.post()
  expect(await run.ended()).toMatchObject({ status: 'requires_action', attempt: 1 })
  await scene.kill()
  await scene.start()
  expect(await run.state()).toMatchObject({
    status: 'requires_action',
    required_action: { approvals: [{ tool: 'pay' }] },
  })
  const reading = run.follow()
  expect((await run.approve()).status).toBe(200)
  expect(await run.ended()).toMatchObject({ status: 'completed', attempt: 1, response: 'Paid.' })
  expect(scene.effects()).toEqual(['p1'])
  expect((await reading).seen.some(({ event }) => event === 'attempt')).toBe(false)
})

test('an approved call that had begun is not run again', async () => {
  promise('H4', 'J6')
  const scene = await createScene(
    ({ outputs }) => (outputs === 0 ? { calls: [use('pay', 'p1')] } : { text: 'Over.' }),
    {
      PAUSE_MS: '3000',
    },
  )
  await scene.start()
  const run = await scene.post()
  await run.ended()
  await run.approve()
  await vi.waitFor(() => expect(scene.effects()).toEqual(['p1']), { timeout: 10_000 })
  await scene.kill()
  await scene.start()
  const record = await run.ended()
  expect([record.status, record.attempt, told(record), scene.effects()]).toEqual(['completed', 2, 1, ['p1']])
})

test('a run that takes its process down again and again is given up', async () => {
  const scene = await createScene(() => ({ hang: true }), ATTEMPTS(3))
  await scene.start()
  const run = await scene.post()
  for (let kills = 1; kills <= 3; kills++) {
    await vi.waitFor(() => expect(scene.upstream.seen.length).toBe(kills))
    await scene.kill()
    await scene.start()
  }
  const record = await run.ended()
  expect(record).toMatchObject({ status: 'failed', attempt: 4, error: { code: 'CRASH_LOOP' } })
  expect(scene.upstream.seen).toHaveLength(3)
  const fold = await run.follow()
  expect(fold.frames.at(-1)?.event).toBe('end')
})

test('crashes before a turn boundary no longer count after it', async () => {
  let asked = 0
  const scene = await createScene(({ outputs }) => {
    asked++
    if (outputs === 1) return asked <= 5 ? { hang: true } : { text: 'Done.' }
    return asked <= 2 ? { hang: true } : { calls: [use('look', 'c1')] }
  }, ATTEMPTS(3))
  await scene.start()
  const run = await scene.post()
  for (const seen of [1, 2, 4, 5]) {
    await vi.waitFor(() => expect(asked).toBe(seen))
    await scene.kill()
    await scene.start()
  }
  expect(await run.ended()).toMatchObject({ status: 'completed', attempt: 5, response: 'Done.' })
})

const KEY = Buffer.alloc(32, 7).toString('base64')
const keyed = (scene: { upstream: { baseURL: string } }) => ({
  client_config: { api_key: 'sk-caller-key', base_url: scene.upstream.baseURL },
})

test.each([
  ['fails without a key that seals them', {}, {}, { status: 'failed', error: { code: 'NOT_RECOVERABLE' } }],
  [
    'fails with another key',
    { AGENCY_STORE_KEY: KEY },
    { AGENCY_STORE_KEY: Buffer.alloc(32, 8).toString('base64') },
    { status: 'failed', error: { code: 'NOT_RECOVERABLE' } },
  ],
  [
    'goes on with the same key',
    { AGENCY_STORE_KEY: KEY },
    { AGENCY_STORE_KEY: KEY },
    { status: 'completed', response: 'Done.' },
  ],
])('a run with secrets %s', async (_what, first, second, expected) => {
  promise('H5')
  let asked = 0
  const scene = await createScene(() => (++asked === 1 ? { hang: true } : { text: 'Done.' }))
  await scene.start(first)
  const run = await scene.post(keyed(scene))
  await vi.waitFor(() => expect(asked).toBe(1))
  expect(await run.state()).toMatchObject({ status: 'in_progress', recoverable: 'AGENCY_STORE_KEY' in first })
  await scene.kill()
  await scene.start(second)
  expect(await run.ended()).toMatchObject(expected)
  const keys = scene.upstream.seen.map(({ headers }) => headers.authorization)
  expect(new Set(keys)).toEqual(new Set(['Bearer sk-caller-key']))
})

test('a context that is not JSON stays in its process, also for a decision', async () => {
  const scene = await createScene(({ outputs }) => {
    const turns: Turn[] = [
      { calls: [use('taint', 't1')] },
      { calls: [use('pay', 'p1')] },
      { calls: [use('probe', 'q1')] },
    ]
    return turns[outputs] ?? { text: 'Done.' }
  })
  await scene.start()
  const run = await scene.post()
  expect(await run.ended()).toMatchObject({ status: 'requires_action', recoverable: false })
  await run.approve()
  expect(JSON.stringify(await run.ended())).toContain('the connection is a function')
})

test('a context that is not JSON does not survive its process', async () => {
  const scene = await createScene(({ outputs }) => (outputs === 0 ? { calls: [use('taint', 't1')] } : { hang: true }))
  await scene.start()
  const run = await scene.post()
  await vi.waitFor(() => expect(scene.upstream.seen).toHaveLength(2))
  await scene.kill()
  await scene.start()
  const record = await run.ended()
  expect(record).toMatchObject({ status: 'failed', error: { code: 'NOT_RECOVERABLE' } })
})

test('a run whose tool is gone ends with AGENCY_CHANGED', async () => {
  const scene = await createScene(() => ({ calls: [use('note', 'n1')] }), { PAUSE_MS: '60000' })
  await scene.start()
  const run = await scene.post()
  await run.follow({ until: says('tool_called') })
  await sleep(100)
  await scene.kill()
  await scene.start({ TOOLS: 'fewer' })
  const record = await run.ended()
  expect(record).toMatchObject({ status: 'failed', error: { code: 'AGENCY_CHANGED' } })
  expect(record.error.message).toContain('"note"')
})

test('a stop hands runs over at their turn boundary, and nothing is repeated', async () => {
  promise('H4')
  const scene = await createScene(
    ({ outputs }) => (outputs < 3 ? { calls: [use('slow', `s${outputs}`)] } : speak('end', 5)),
    { PAUSE_MS: '400' },
  )
  await scene.start()
  const run = await scene.post()
  const fold = new RunFold()
  const reading = run.follow({ fold })
  await vi.waitFor(() => expect(scene.effects()).toEqual(['s0']))
  expect(await scene.kill('SIGTERM')).toEqual([null, 'SIGTERM'])
  await scene.start()
  await reading
  const record = await run.ended()
  expect(record).toMatchObject({ status: 'completed', attempt: 2, response: 'end0 end1 end2 end3 end4 ' })
  expect([told(record), scene.effects()]).toEqual([0, ['s0', 's1', 's2']])
  expect(scene.upstream.seen).toHaveLength(4)
  expect(fold.frames.filter(says('"tool_output"'))).toHaveLength(3)
})

test('a turn that outlasts drainMs is cut, and asked again elsewhere', async () => {
  let asked = 0
  const scene = await createScene(() => (++asked === 1 ? speak('first', 10_000, 20) : speak('second', 3)), {
    LIMITS: JSON.stringify({ drainMs: 300, attempts: 1 }),
  })
  await scene.start()
  const run = await scene.post()
  const fold = new RunFold()
  const reading = run.follow({ fold })
  await vi.waitFor(() => expect(fold.seen.some(says('first5'))).toBe(true))
  expect(await scene.kill('SIGTERM')).toEqual([null, 'SIGTERM'])
  await scene.start()
  await reading
  expect(await run.ended()).toMatchObject({ status: 'completed', attempt: 2, response: 'second0 second1 second2 ' })
  expect(fold.seen.some(({ event }) => event === 'error')).toBe(false)
  expect(fold.texts()).toMatchObject([{ text: 'second0 second1 second2 ' }])
})

test('a second process on one file is refused at its start', async () => {
  const scene = await createScene(() => ({ text: 'Hello.' }))
  await scene.start()
  const run = await scene.post()
  await expect(scene.start()).rejects.toThrow('STORE_IN_USE')
  expect(await run.ended()).toMatchObject({ status: 'completed' })
})
