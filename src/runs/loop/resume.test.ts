import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Death, Durable, framesByScope, startAttempt } from '../../../tests/support/crashing-journal.ts'
import { brief, outputsIn, prepareRun, type Script, scriptedModel } from '../../../tests/support/scripted-model.ts'
import { Agency, Agent, Handoff, tool } from '../../index.ts'
import { LoginDesk } from '../../tools/mcp/oauth/desk.ts'
import { createMemoryVault } from '../../tools/mcp/oauth/vault.ts'
import type { StoredMessage } from '../../wire/message.ts'
import { checkEditedArguments } from './approvals.ts'
import { findVoidFrames } from './journal.ts'
import { resumeLoop, runLoop } from './loop.ts'

const createAgent = (name: string, script: Script, options: object = {}) =>
  new Agent({ name, model: scriptedModel(script), ...options })
const ask = (id: string, recipient_agent: string) => ({
  name: 'send_message',
  id,
  arguments: { recipient_agent, message: `${id}, please`, additional_instructions: '' },
})
/** A script that goes through its answers, one for each turn that has outputs more than before. */
const inOrder =
  (...answers: Awaited<ReturnType<Script>>[]): Script =>
  ({ input }) => {
    const turns = input.filter(({ type }, index) => type === 'function_call' && input[index - 1]?.type !== type).length
    return answers[Math.min(turns, answers.length - 1)] as Awaited<ReturnType<Script>>
  }

/** A boss who asks two agents at once, one of whom asks a third, then books, hands over, and is turned back once. */
function createCompany() {
  const effects: string[] = []
  const keys = new Map<string, Set<string>>()
  const effect = (name: string, options: object = {}) =>
    tool({
      name,
      ...options,
      execute: async (_input, context) => {
        const known = keys.get(context.toolCallId) ?? new Set()
        keys.set(context.toolCallId, known.add(context.idempotencyKey))
        effects.push(context.toolCallId)
        context.set(`did ${context.toolCallId}`, true)
        await sleep(1)
        return `${name} is done`
      },
    })
  const pay = effect('pay')
  const look = effect('look', { safeToRetry: true })
  const clerk = createAgent('Clerk', inOrder({ calls: [{ name: 'pay', id: 'k1' }] }, { text: 'Clerk paid it' }), {
    tools: [pay],
  })
  const worker = createAgent(
    'Worker',
    inOrder({ calls: [{ name: 'look', id: 'w1' }, ask('w2', 'Clerk')] }, { text: 'Worker is ready' }),
    { tools: [look] },
  )
  const helper = createAgent(
    'Helper',
    inOrder(
      {
        calls: [
          { name: 'pay', id: 'h1' },
          { name: 'look', id: 'h2' },
        ],
      },
      { text: 'Helper is ready' },
    ),
    { tools: [pay, look] },
  )
  const closer = createAgent(
    'Closer',
    ({ input }) => ({
      text: input.some(({ content }) => content === 'Say goodbye.') ? 'All done, goodbye' : 'All done',
    }),
    { outputGuardrails: [(text: string) => ({ tripwire: !text.includes('goodbye'), guidance: 'Say goodbye.' })] },
  )
  const boss = createAgent(
    'Boss',
    inOrder(
      { text: 'I ask around', calls: [ask('b1', 'Worker'), ask('b2', 'Helper'), { name: 'pay', id: 'b3' }] },
      {
        calls: [
          { name: 'look', id: 'b4' },
          { name: 'transfer_to_Closer', id: 'b5' },
        ],
      },
    ),
    { tools: [pay, look] },
  )
  const agency = new Agency(boss, {
    communicationFlows: [
      [boss, worker],
      [boss, helper],
      [worker, clerk],
      [boss, closer, Handoff],
    ],
  })
  return { agency, effects, keys }
}

const INTERRUPTED =
  /Error: the tool .* was interrupted by a restart\. It may have taken effect; check before you call it again\./g
const byThread = (messages: readonly StoredMessage[]) =>
  Object.fromEntries(
    [...Map.groupBy(messages, ({ parent_run_id }) => parent_run_id ?? 'main')]
      .map(([thread, list]) => [thread, brief(list).map((line) => line.replace(INTERRUPTED, 'pay is done'))])
      .sort(),
  )

/** Runs the company's run, dying where told, until an attempt lives. */
async function runUntilDone(company: { agency: Agency }, deaths: readonly (Death | undefined)[], streaming = true) {
  const durable = new Durable()
  for (const death of [...deaths, undefined]) {
    const attempt = startAttempt(durable, death)
    const { run } = prepareRun(company.agency, { ...attempt, streaming })
    durable.takeUp()
    const { snapshot } = durable
    const working = snapshot === undefined ? runLoop(run) : resumeLoop(run, snapshot)
    const result = await Promise.race([working, attempt.died])
    if (result === 'died') {
      await sleep(5) // what runs side by side stops at its next write
      continue
    }
    return { result, run, durable, writes: attempt.countWrites() }
  }
  throw new Error('unreachable')
}

async function runUncut(streaming = true) {
  const company = createCompany()
  const { run, durable, writes } = await runUntilDone(company, [], streaming)
  return { company, messages: byThread(run.transcript.newMessages()), frames: framesByScope(durable), writes, run }
}

const CALLS = ['b3', 'b4', 'h1', 'h2', 'k1', 'w1']
const SAFE = new Set(['b4', 'h2', 'w1'])

/** Checks a run that died: the same messages and frames, and each tool once or as its rule says. */
async function checkCut(uncut: Awaited<ReturnType<typeof runUncut>>, deaths: readonly Death[], streaming = true) {
  const company = createCompany()
  const { result, run, durable } = await runUntilDone(company, deaths, streaming)
  expect(result).toMatchObject({ kind: 'answered', output: 'All done, goodbye' })
  expect(byThread(run.transcript.newMessages())).toEqual(uncut.messages)
  const masked = JSON.parse(JSON.stringify(framesByScope(durable)).replace(INTERRUPTED_TEXT, 'pay is done'))
  expect(masked).toEqual(uncut.frames)
  const outputs = brief(run.transcript.newMessages())
  for (const call of CALLS) {
    const times = company.effects.filter((id) => id === call).length
    const told = outputs.some((line) => line.includes(`reads ${call}:`) && line.match(INTERRUPTED) !== null)
    if (SAFE.has(call)) expect([call, times >= 1, told]).toEqual([call, true, false])
    else expect([call, told ? times <= 1 : times === 1]).toEqual([call, true])
    if (times > 0) expect([...(company.keys.get(call) ?? [])]).toEqual([`run-1:${call}`])
    if (!told) expect(run.plan.userContext).toHaveProperty(`did ${call}`)
  }
}
const INTERRUPTED_TEXT = new RegExp(INTERRUPTED.source.replaceAll('.*', '[^.]*'), 'g')

test('an uncut run records each answer and each call once', async () => {
  const { company, messages, writes, run } = await runUncut()
  expect([...company.effects].sort()).toEqual(CALLS)
  expect(messages.main?.at(-1)).toBe('Closer assistant: All done, goodbye')
  // 4 threads opened, 9 answers of models, 1 rejected answer, 9 answers of calls, 1 handoff
  expect(writes).toBe(4 + 9 + 1 + 9 + 1)
  expect(run.usage.request_count).toBe(10)
})

test.each(['streamed', 'plain'])('a %s run cut after any write ends as the uncut one', async (manner) => {
  const uncut = await runUncut(manner === 'streamed')
  for (let write = 1; write <= uncut.writes; write++)
    await checkCut(uncut, [{ write, when: 'after' }], manner === 'streamed')
})

test.each(['streamed', 'plain'])('a %s run cut before any write ends as the uncut one', async (manner) => {
  const uncut = await runUncut(manner === 'streamed')
  for (let write = 2; write <= uncut.writes; write++)
    await checkCut(uncut, [{ write, when: 'before' }], manner === 'streamed')
})

test('a run that dies again and again ends as the uncut one', async () => {
  const uncut = await runUncut()
  for (let write = 1; write <= 6; write++)
    await checkCut(
      uncut,
      [1, 2, 3].map((round) => ({ write, when: round % 2 === 0 ? 'before' : 'after' }) as const),
    )
})

/** A boss who asks the same agent twice, which says how much it sees, and then one that fails. */
function createOffice() {
  const look = tool({ name: 'look', safeToRetry: true, execute: () => 'looked' })
  const worker = createAgent(
    'Worker',
    ({ input }) => {
      const { call_id, type } = input.at(-1) ?? {}
      const sees = `sees ${brief(input).join()}`
      return type === 'function_call_output'
        ? { text: sees }
        : { calls: [{ name: 'look', id: `${call_id ?? 'w'}${input.length}` }] }
    },
    { tools: [look] },
  )
  const broken = createAgent('Broken', () => {
    throw new Error('down')
  })
  const boss = createAgent(
    'Boss',
    inOrder({ calls: [ask('b1', 'Worker')] }, { calls: [ask('b2', 'Worker'), ask('b3', 'Broken')] }, { text: 'Done' }),
  )
  return {
    agency: new Agency(boss, {
      communicationFlows: [
        [boss, worker],
        [boss, broken],
      ],
    }),
  }
}

test('a resumed thread sees what it saw, and failures of sub-agents stay final', async () => {
  const uncut = await runUntilDone(createOffice(), [])
  const expected = brief(uncut.run.transcript.newMessages())
  expect(expected.join('\n')).toMatch(/Boss reads b2: sees .*b1, please.*b2, please/)
  for (const when of ['before', 'after'] as const)
    for (let write = 2; write <= uncut.writes; write++) {
      const { run, durable } = await runUntilDone(createOffice(), [{ write, when }])
      expect(new Set(brief(run.transcript.newMessages()))).toEqual(new Set(expected))
      expect(framesByScope(durable)).toEqual(framesByScope(uncut.durable))
    }
})

/** A boss whose worker wants to pay, beside a tool that needs nobody. */
function createShop(options: object = {}) {
  const paid: unknown[] = []
  let looks = 0
  const pay = tool({
    name: 'pay',
    parameters: { amount: z.int() },
    needsApproval: ({ amount }) => amount > 10,
    execute: ({ amount }, context) => {
      paid.push([amount, context.idempotencyKey])
      return `paid ${amount}`
    },
    ...options,
  })
  const look = tool({ name: 'look', execute: () => `looked ${++looks}` })
  const amounts = { p1: 50, p2: 5 }
  const worker = createAgent(
    'Worker',
    (request) =>
      outputsIn(request).length === 0
        ? {
            calls: [
              ...Object.entries(amounts).map(([id, amount]) => ({ name: 'pay', id, arguments: { amount } })),
              { name: 'look', id: 'p3' },
            ],
          }
        : { text: outputsIn(request).join(' / ') },
    { tools: [pay, look] },
  )
  const boss = createAgent('Boss', (request) =>
    outputsIn(request).length === 0 ? { calls: [ask('b1', 'Worker')] } : { text: outputsIn(request).join() },
  )
  return { agency: new Agency(boss, { communicationFlows: [[boss, worker]] }), paid, countLooks: () => looks }
}

/** Runs until the shop's run pauses, and gives what was recorded. */
async function runUntilPause(shop: ReturnType<typeof createShop>) {
  const durable = new Durable()
  const { journal } = startAttempt(durable)
  const { run } = prepareRun(shop.agency, { journal })
  return { result: await runLoop(run), durable, run }
}

async function goOn(shop: ReturnType<typeof createShop>, durable: Durable) {
  const { journal } = startAttempt(durable)
  const { run } = prepareRun(shop.agency, { journal })
  if (durable.snapshot === undefined) throw new Error('Nothing was recorded.')
  return { result: await resumeLoop(run, durable.snapshot), run }
}

test('a call that needs approval pauses the run, and the others run at once', async () => {
  const shop = createShop()
  const { result, durable, run } = await runUntilPause(shop)
  expect(result).toEqual({ kind: 'paused' })
  expect(shop.paid).toEqual([[5, 'run-1:p2']])
  expect(shop.countLooks()).toBe(1)
  expect(durable.snapshot?.approvals).toEqual([{ thread: 'main/b1', callId: 'p1', decision: { kind: 'pending' } }])
  expect([...run.open].map(({ ask: { id } }) => id)).toEqual(['main', 'main/b1'])
})

test('an approved call runs once, with the arguments of the model', async () => {
  const shop = createShop()
  const { durable } = await runUntilPause(shop)
  durable.decide('p1', { kind: 'approve' })
  const { result } = await goOn(shop, durable)
  expect(result).toMatchObject({ output: 'paid 50 / paid 5 / looked 1' })
  expect(shop.paid).toEqual([
    [5, 'run-1:p2'],
    [50, 'run-1:p1'],
  ])
})

test('edited arguments are those that run and that the model reads', async () => {
  const shop = createShop()
  const { durable } = await runUntilPause(shop)
  durable.decide('p1', { kind: 'approve', arguments: { amount: 20 } })
  const { result, run } = await goOn(shop, durable)
  expect(result).toMatchObject({ output: 'paid 20 / paid 5 / looked 1' })
  expect(brief(run.transcript.newMessages())).toContain('Worker calls pay({"amount":20}) p1')
})

test.each([
  [
    { kind: 'reject', reason: 'Too much.' },
    'Error: a person rejected the call of "pay". It was not run. Reason: Too much.',
  ],
  [{ kind: 'reject' }, 'Error: a person rejected the call of "pay". It was not run.'],
  [{ kind: 'expired' }, 'Error: nobody approved the call of "pay" in time. It was not run.'],
] as const)('the model reads the decision %j', async (decision, text) => {
  const shop = createShop()
  const { durable } = await runUntilPause(shop)
  durable.decide('p1', decision)
  const { result } = await goOn(shop, durable)
  expect(result).toMatchObject({ output: `${text} / paid 5 / looked 1` })
  expect(shop.paid).toHaveLength(1)
})

test('a run pauses again while a decision is missing', async () => {
  const shop = createShop()
  const { durable } = await runUntilPause(shop)
  expect((await goOn(shop, durable)).result).toEqual({ kind: 'paused' })
  expect(shop.paid).toHaveLength(1)
})

test('a crash after an approved call began does not run it again', async () => {
  const shop = createShop()
  const { durable } = await runUntilPause(shop)
  durable.decide('p1', { kind: 'approve' })
  const attempt = startAttempt(durable, { write: 2, when: 'before' }) // the first write says that it began
  const { run } = prepareRun(shop.agency, { journal: attempt.journal })
  void resumeLoop(run, durable.snapshot as never)
  await attempt.died
  const { result } = await goOn(shop, durable)
  expect(result).toMatchObject({ output: expect.stringContaining('the tool "pay" was interrupted by a restart') })
  expect(shop.paid).toHaveLength(2)
})

test('a needsApproval that throws is what the model reads', async () => {
  const shop = createShop({
    needsApproval: () => {
      throw new Error('no rule')
    },
  })
  const { result } = await runUntilPause(shop)
  expect(result).toMatchObject({ output: expect.stringContaining('An error occurred in the tool "pay": no rule') })
  expect(shop.paid).toEqual([])
})

test('edited arguments are checked against the schema of the tool', async () => {
  const { agency } = createShop()
  const { signal } = new AbortController()
  const check = (args: object, place = { agent: 'Worker', tool: 'pay' }) =>
    checkEditedArguments(agency, place, args as { [name: string]: unknown }, {
      signal,
      logins: new LoginDesk({ vault: createMemoryVault(), now: Date.now, consentMs: 1_000 }).of('somebody'),
    })
  expect(await check({ amount: 3 })).toEqual([])
  expect(await check({ amount: 'much' })).toMatchObject([{ loc: ['body', 'arguments', 'amount'] }])
  expect(await check({ amount: 3, order: 1 })).toMatchObject([
    { type: 'extra_forbidden', loc: ['body', 'arguments', 'order'] },
  ])
  for (const place of [
    { agent: 'Gone', tool: 'pay' },
    { agent: 'Worker', tool: 'gone' },
  ])
    expect(await check({}, place)).toMatchObject([
      { loc: ['body', 'arguments'], msg: expect.stringContaining('is gone') },
    ])
})

test('an agent or a tool that is gone ends the run with AGENCY_CHANGED', async () => {
  const { durable } = await runUntilPause(createShop())
  const boss = createAgent('Boss', () => ({ text: 'x' }))
  const worker = createAgent('Worker', () => ({ text: 'x' }))
  for (const [agency, gone] of [
    [new Agency(boss), /its agent "Worker" is gone/],
    [new Agency(boss, { communicationFlows: [[boss, worker]] }), /its tool "pay" of agent "Worker" is gone/],
  ] as const) {
    const { run } = prepareRun(agency, { journal: startAttempt(durable).journal })
    const failing = resumeLoop(run, durable.snapshot as never)
    await expect(failing).rejects.toMatchObject({ code: 'AGENCY_CHANGED', message: expect.stringMatching(gone) })
  }
})

test('context changes are recorded; one that is not JSON pins the run', async () => {
  const change = (value: unknown) => async () => {
    const durable = new Durable()
    const note = tool({
      name: 'note',
      execute: (_input, context) => {
        context.set('noted', value)
        Reflect.deleteProperty(context.userContext, 'old')
      },
    })
    const agency = new Agency(
      createAgent('Solo', inOrder({ calls: [{ name: 'note', id: 'c1' }] }, { text: 'x' }), { tools: [note] }),
    )
    const userContext = { old: 1, same: { deep: [1] }, client: new URL('http://x') }
    const { run } = prepareRun(agency, { journal: startAttempt(durable).journal, userContext })
    await runLoop(run)
    return durable.snapshot?.progress
  }
  expect(await change({ list: [1, null, 'a'] })()).toMatchObject({
    context: { set: { noted: { list: [1, null, 'a'] } }, removed: ['old'] },
    recoverable: true,
  })
  expect(await change(new Map())()).toMatchObject({ context: { set: {}, removed: ['old'] }, recoverable: false })
})

test('a run that shall leave stops at the next turn boundary of each thread', async () => {
  const company = createCompany()
  const durable = new Durable()
  let leaving = false
  const { journal, onEmit } = startAttempt(durable)
  const { run } = prepareRun(company.agency, {
    journal,
    onEmit,
    leaving: () => leaving,
    hooks: {
      onToolStart: () => {
        leaving = true
      },
    },
  })
  expect(await runLoop(run)).toEqual({ kind: 'paused' })
  expect(run.turns).toBeLessThan(5)
  const { result } = await goOnWith(company, durable)
  expect(result).toMatchObject({ output: 'All done, goodbye' })
  expect([...company.effects].sort()).toEqual(CALLS) // nothing was interrupted
})

async function goOnWith({ agency }: { agency: Agency }, durable: Durable, lost = false) {
  const { run } = prepareRun(agency, { journal: startAttempt(durable).journal })
  return { result: await resumeLoop(run, durable.snapshot as never, lost), run }
}

test('a model call that a lost process had made counts as an estimate', async () => {
  const company = createCompany()
  const durable = new Durable()
  const attempt = startAttempt(durable, { write: 1, when: 'after' })
  void runLoop(prepareRun(company.agency, attempt).run)
  await attempt.died
  const { run } = await goOnWith(company, durable, true)
  expect(run.usage).toMatchObject({ request_count: 11, estimated: true })
})

test('a failing journal ends the run, also from inside a sub-agent', async () => {
  const company = createCompany()
  let writes = 0
  const journal = {
    write: async () => {
      if (++writes === 4) throw new Error('fenced')
    },
  }
  await expect(runLoop(prepareRun(company.agency, { journal }).run)).rejects.toThrow('fenced')
})

test('frames that no boundary covers are void; final ones are sent again', () => {
  const frames = [
    [1, 'main'],
    [2, 'main/billing'],
    [3, 'main/research'],
    [4, 'main/billing'],
    [5, 'main/research'],
    [6, 'main/research'],
  ].map(([number, scope]) => ({ number: Number(number), scope: String(scope) }))
  const covered = new Map([
    ['main', 1],
    ['main/research', 5],
  ])
  expect(findVoidFrames(frames, covered)).toEqual({ voidAfter: 1, again: [3, 5] })
  expect(
    findVoidFrames(
      frames,
      new Map([
        ['main', 6],
        ['main/billing', 6],
        ['main/research', 6],
      ]),
    ),
  ).toEqual({ voidAfter: 6, again: [] })
  expect(findVoidFrames([], covered)).toEqual({ voidAfter: 0, again: [] })
})
