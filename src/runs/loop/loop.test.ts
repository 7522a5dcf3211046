import { expect, test } from 'vitest'
import { z } from 'zod'
import { brief, outputsIn, prepareRun, type Script, scriptedModel } from '../../../tests/support/scripted-model.ts'
import { Agency, Agent, Handoff, tool } from '../../index.ts'
import type { RunState } from './agent-thread.ts'
import { resumeLoop, runLoop } from './loop.ts'

const createAgent = (name: string, script: Script, options: object = {}) =>
  new Agent({ name, model: scriptedModel(script), ...options })
const added = (run: RunState) => brief(run.transcript.newMessages())
const echo = tool({ name: 'echo', parameters: { text: z.string() }, execute: ({ text }) => `echo ${text}` })

test('a text ends the run after one turn', async () => {
  const { run, events } = prepareRun(new Agency(createAgent('Solo', () => ({ text: 'Hello there' }))))
  expect(await runLoop(run)).toEqual({ kind: 'answered', output: 'Hello there', cut: undefined })
  expect(added(run)).toEqual(['Solo user: Go', 'Solo assistant: Hello there'])
  expect(events.map((event) => (event.kind === 'model' ? event.event.type : event.kind))).toEqual([
    'agent',
    'response.output_text.delta',
    'response.output_text.delta',
    'response.output_item.done',
    'response.completed',
    'item',
  ])
  expect(run.turns).toBe(1)
  expect(run.usage).toMatchObject({ request_count: 1, total_tokens: 15 })
})

test('tools of one turn run side by side and answer in the order of the calls', async () => {
  const order: string[] = []
  const slow = tool({
    name: 'slow',
    execute: async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      order.push('slow')
      return 'slow is done'
    },
  })
  const quick = tool({ name: 'quick', execute: () => `${order.push('quick')} is done` })
  const script: Script = (request) =>
    outputsIn(request).length === 0
      ? {
          calls: [
            { name: 'slow', id: 'c1' },
            { name: 'quick', id: 'c2' },
          ],
        }
      : { text: outputsIn(request).join(', ') }
  const { run } = prepareRun(new Agency(createAgent('Solo', script, { tools: [slow, quick] })))
  expect(await runLoop(run)).toMatchObject({ output: 'slow is done, 1 is done' })
  expect(order).toEqual(['quick', 'slow'])
})

test('a handoff gives the thread to the other agent, with a reminder', async () => {
  const sales = createAgent('Sales', () => ({ text: 'I sell' }))
  const desk = createAgent('Desk', () => ({ calls: [{ name: 'transfer_to_Sales', id: 'c1' }] }))
  const { run, events } = prepareRun(new Agency(desk, { communicationFlows: [[desk, sales, Handoff]] }))
  expect(await runLoop(run)).toMatchObject({ output: 'I sell' })
  expect(added(run)).toEqual([
    'Desk user: Go',
    "Desk handoff_reminder: The conversation was handed to you. You are now Sales: go on with the user's request.",
    'Desk calls transfer_to_Sales({}) c1',
    'Desk reads c1: {"assistant": "Sales"}',
    'Sales assistant: I sell',
  ])
  expect(events.flatMap((event) => (event.kind === 'agent' ? [event.who.agent] : []))).toEqual(['Desk', 'Sales'])
})

test('send_message holds a thread of its own inside the call', async () => {
  const scopes = new Set<string>()
  const { agency } = createNested()
  const { run } = prepareRun(agency, { onEmit: (_event, scope) => scopes.add(scope) })
  expect(await runLoop(run)).toMatchObject({ output: 'Boss read: Worker read: echo deep' })
  expect(added(run)).toEqual([
    'Boss user: Go',
    'Worker user: do it',
    'Worker calls echo({"text":"deep"}) w1',
    'Worker reads w1: echo deep',
    'Worker assistant: Worker read: echo deep',
    'Boss calls send_message({"recipient_agent":"Worker","message":"do it","additional_instructions":""}) b1',
    'Boss reads b1: Worker read: echo deep',
    'Boss assistant: Boss read: Worker read: echo deep',
  ])
  expect([...scopes]).toEqual(['main', 'main/b1'])
})

/** A boss who asks a worker, who uses a tool. */
function createNested() {
  const worker = createAgent(
    'Worker',
    (request) =>
      outputsIn(request).length === 0
        ? { calls: [{ name: 'echo', id: 'w1', arguments: { text: 'deep' } }] }
        : { text: `Worker read: ${outputsIn(request)}` },
    { tools: [echo] },
  )
  const boss = createAgent('Boss', (request) =>
    outputsIn(request).length === 0
      ? {
          calls: [
            {
              name: 'send_message',
              id: 'b1',
              arguments: { recipient_agent: 'Worker', message: 'do it', additional_instructions: '' },
            },
          ],
        }
      : { text: `Boss read: ${outputsIn(request)}` },
  )
  return { agency: new Agency(boss, { communicationFlows: [[boss, worker]] }) }
}

test('the count of rejected answers starts anew after a handoff', async () => {
  const strict = { outputGuardrails: [(output: string) => ({ tripwire: output !== 'good', guidance: 'Be good.' })] }
  let sold = 0
  const sales = createAgent('Sales', () => ({ text: ++sold === 1 ? 'bad again' : 'good' }), strict)
  let turns = 0
  const desk = createAgent(
    'Desk',
    () => (++turns === 1 ? { text: 'bad' } : { calls: [{ name: 'transfer_to_Sales', id: 'c1' }] }),
    strict,
  )
  const { run } = prepareRun(new Agency(desk, { communicationFlows: [[desk, sales, Handoff]] }))
  expect(await runLoop(run)).toMatchObject({ output: 'good' })
  expect([turns, sold]).toEqual([2, 2])
  expect(added(run).filter((line) => line.includes('output_guardrail_error'))).toEqual([
    'Desk output_guardrail_error: Be good.',
    'Sales output_guardrail_error: Be good.',
  ])
})

test('more rejections than validationAttempts fail the run', async () => {
  const never = { outputGuardrails: [() => ({ tripwire: true, guidance: 'No.' })], validationAttempts: 1 }
  const { run } = prepareRun(new Agency(createAgent('Solo', () => ({ text: 'bad' }), never)))
  await expect(runLoop(run)).rejects.toMatchObject({ code: 'GUARDRAIL_TRIPPED' })
  expect(run.turns).toBe(2)
})

test('a stop after the turn comes when the calls of the turn are answered', async () => {
  const prepared = prepareRun(
    new Agency(
      createAgent('Solo', () => ({ calls: [{ name: 'echo', id: 'c1', arguments: { text: 'x' } }] }), { tools: [echo] }),
    ),
    { hooks: { onToolStart: () => prepared.stopAfterTurn() } },
  )
  expect(await runLoop(prepared.run)).toEqual({ kind: 'stopped' })
  expect(added(prepared.run).at(-1)).toBe('Solo reads c1: echo x')
  expect(prepared.run.turns).toBe(1)
})

test('a failing model ends the run, and what was finished stays', async () => {
  let turns = 0
  const script: Script = () => {
    if (++turns === 2) throw new Error('down')
    return { calls: [{ name: 'echo', id: 'c1', arguments: { text: 'x' } }] }
  }
  const { run } = prepareRun(new Agency(createAgent('Solo', script, { tools: [echo] })))
  await expect(runLoop(run)).rejects.toThrow('down')
  expect(added(run)).toHaveLength(3)
  expect(run.open.size).toBe(0)
})

test('a failure of a sub-agent is what its sender reads', async () => {
  const worker = createAgent('Worker', () => {
    throw new Error('worker is down')
  })
  const boss = createAgent('Boss', (request) =>
    outputsIn(request).length === 0
      ? { calls: [{ name: 'send_message', id: 'b1', arguments: { recipient_agent: 'Worker', message: 'x' } }] }
      : { text: outputsIn(request).join() },
  )
  const { run, events } = prepareRun(new Agency(boss, { communicationFlows: [[boss, worker]] }))
  expect(await runLoop(run)).toMatchObject({ output: 'Error: the agent "Worker" could not answer. worker is down' })
  expect(events.filter(({ kind }) => kind === 'error')).toHaveLength(1)
})

test('a turn limit ends the run', async () => {
  const again: Script = () => ({ calls: [{ name: 'echo', id: 'c', arguments: { text: 'x' } }] })
  const { run } = prepareRun(new Agency(createAgent('Solo', again, { tools: [echo] })), { maxTurns: 2 })
  await expect(runLoop(run)).rejects.toMatchObject({ code: 'TURN_LIMIT' })
  expect(run.turns).toBe(2)
})

test('a call id that two threads use gives two idempotency keys', async () => {
  const keys: string[] = []
  const keyed = tool({ name: 'keyed', execute: (_input, context) => keys.push(context.idempotencyKey) })
  const calling: Script = (request) =>
    outputsIn(request).length === 0 ? { calls: [{ name: 'keyed', id: 'call_0' }] } : { text: 'done' }
  const worker = createAgent('Worker', calling, { tools: [keyed] })
  const boss = createAgent(
    'Boss',
    (request) =>
      outputsIn(request).length === 1
        ? { calls: [{ name: 'send_message', id: 'b1', arguments: { recipient_agent: 'Worker', message: 'x' } }] }
        : calling(request, undefined as never),
    { tools: [keyed] },
  )
  const { run } = prepareRun(new Agency(boss, { communicationFlows: [[boss, worker]] }))
  await runLoop(run)
  expect(keys).toEqual(['run-1:call_0', 'run-1:main/b1/call_0'])
})

test('a run without a journal refuses a call that needs approval', async () => {
  let ran = 0
  const pay = tool({ name: 'pay', needsApproval: true, execute: () => ++ran })
  const script: Script = (request) =>
    outputsIn(request).length === 0 ? { calls: [{ name: 'pay', id: 'c1' }] } : { text: outputsIn(request).join() }
  const { run, warnings } = prepareRun(new Agency(createAgent('Solo', script, { tools: [pay] })))
  expect(await runLoop(run)).toMatchObject({
    output: `Error: the call of "pay" needs a person's approval, which is not available here. It was not run.`,
  })
  expect(ran).toBe(0)
  expect(warnings).toEqual([expect.stringContaining('only stored runs')])
})

test('a run that recorded nothing starts from its beginning', async () => {
  const { run } = prepareRun(new Agency(createAgent('Solo', () => ({ text: 'Hello' }))))
  const progress = {
    turns: 0,
    usage: run.usage,
    uncounted: false,
    context: { set: {}, removed: [] },
    recoverable: true,
  }
  const empty = { progress, threads: [], items: {}, transcript: [], calls: [], approvals: [] }
  expect(await resumeLoop(run, empty)).toMatchObject({ output: 'Hello' })
})
