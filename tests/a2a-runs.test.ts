/** Runs as tasks of A2A: the scenes of a conversation over both versions of the protocol, beside the native wire. */
import { TaskState } from '@a2a-js/sdk'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, flow, Handoff, tool } from '../src/index.ts'
import { answerIn, openClient, openLegacyClient, read, say, serveA2a, textOf } from './support/a2a.ts'
import { callThenTell, outputsIn, refundCall } from './support/approval-shop.ts'
import { postAndRead, useUpstream } from './support/client.ts'

type Script = Parameters<typeof useUpstream>[0]

const lookup = tool({
  name: 'lookup',
  parameters: z.object({ what: z.string() }),
  execute: ({ what }) => `found ${what}`,
})
const agent = (name: string, options = {}) =>
  new Agent({ name, instructions: `You are ${name}.`, model: 'gpt-4.1', ...options })

/** Desk, which has a tool, asks Rates and Stock, and may hand over to Sales. */
function team() {
  const desk = agent('Desk', { tools: [lookup] })
  const [rates, stock, sales] = ['Rates', 'Stock', 'Sales'].map((name) => agent(name, {})) as [Agent, Agent, Agent]
  return new Agency(desk, { communicationFlows: [flow(desk, rates), flow(desk, stock), [desk, sales, Handoff]] })
}

const isFrom = (body: { instructions?: unknown }, name: string) =>
  String(body.instructions).includes(`You are ${name}.`)
const message = (recipient_agent: string) => ({
  name: 'send_message',
  id: `ask-${recipient_agent}`,
  arguments: { recipient_agent, message: 'Please.', additional_instructions: '' },
})
const reasoning = { id: 'rs', type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hmm.' }] }
const said = (text: string) => ({
  id: 'msg',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
})

const SCENES: { [scene: string]: { script: Script; answer: string } } = {
  text: { script: () => ({ text: 'It is so.', deltas: ['It ', 'is ', 'so.'] }), answer: 'It is so.' },
  tool: { script: callThenTell({ name: 'lookup', arguments: { what: 'it' } }), answer: 'found it' },
  'sub-agents side by side': {
    script: (body) => {
      if (isFrom(body, 'Rates')) return { text: 'Three' }
      if (isFrom(body, 'Stock')) return { text: 'Ten', deltas: ['T', 'en'], delayMs: 5 }
      return outputsIn(body).length === 0 ? { calls: [message('Rates'), message('Stock')] } : { text: 'Three of ten.' }
    },
    answer: 'Three of ten.',
  },
  handoff: {
    script: (body) =>
      isFrom(body, 'Sales') ? { text: 'Sales here.' } : { calls: [{ name: 'transfer_to_Sales', arguments: {} }] },
    answer: 'Sales here.',
  },
  reasoning: { script: () => ({ output: [reasoning, said('Yes.')] }), answer: 'Yes.' },
}

describe.for(Object.keys(SCENES))('the scene: %s', (scene) => {
  test('answers alike over 1.0, 0.3 and the native wire', async () => {
    const { script, answer } = SCENES[scene] as (typeof SCENES)[string]
    await useUpstream(script)
    const { base } = await serveA2a(team())
    const native = await postAndRead(`${base}/get_response`, { message: 'Go' })
    expect(native.body.response).toBe(answer)
    for (const client of [await openClient(base), await openLegacyClient(base)]) {
      const known = await read(client.sendMessageStream(say('Go')))
      expect(answerIn(known)).toBe(answer)
      expect(known.states).toEqual(['TASK_STATE_SUBMITTED', 'TASK_STATE_WORKING', 'TASK_STATE_COMPLETED'])
      expect(known.task?.metadata?.usage).toEqual(native.body.usage)
      const task = await client.getTask({ tenant: '', id: known.task?.id as string })
      expect(textOf(task)).toBe(answer)
      expect(JSON.stringify(task)).not.toMatch(/Rates|Stock|Hmm|lookup/)
    }
  })
})

test('messages of one answer are artifacts of their own', async () => {
  const call = { id: 'fc', type: 'function_call', call_id: 'c1', name: 'lookup', arguments: '{"what":"x"}' }
  await useUpstream((body) =>
    outputsIn(body).length === 0 ? { output: [said('I look.'), { ...call, status: 'completed' }] } : { text: 'Found.' },
  )
  const { base } = await serveA2a(team())
  const client = await openClient(base)
  const known = await read(client.sendMessageStream(say('Go')))
  expect([...known.texts]).toEqual([
    ['artifact-1', 'I look.'],
    ['artifact-2', 'Found.'],
  ])
  const task = await client.getTask({ tenant: '', id: known.task?.id as string })
  expect(task.artifacts.map(({ artifactId }) => artifactId)).toEqual(['artifact-1', 'artifact-2'])
  expect(textOf(task)).toBe('I look.\n\nFound.')
})

test('a value is a data part, and a rejected draft is replaced', async () => {
  await useUpstream((_body, index) => ({ text: index === 0 ? '{"total":-1}' : '{"total":3}' }))
  const total = z.object({ total: z.number() })
  const desk = agent('Desk', {
    outputType: total,
    validationAttempts: 1,
    outputGuardrails: [
      (answer: unknown) => ({
        tripwire: String(answer).includes('-') || JSON.stringify(answer).includes('-'),
        guidance: 'Be positive.',
      }),
    ],
  })
  const { base } = await serveA2a(new Agency(desk))
  for (const client of [await openClient(base), await openLegacyClient(base)]) {
    const known = await read(client.sendMessageStream(say('Go')))
    expect(known.data).toEqual([{ total: 3 }])
    expect([...known.texts]).toEqual([['artifact-1', '']])
    const { artifacts } = await client.getTask({ tenant: '', id: known.task?.id as string })
    expect(artifacts).toMatchObject([{ artifactId: 'artifact-1', parts: [{ content: { value: { total: 3 } } }] }])
  }
})

test('a failure is the state of the task, with one sentence', async () => {
  await useUpstream(() => ({ status: 400, message: 'No such model.' }))
  const { base } = await serveA2a(team(), { exposeErrors: false })
  const client = await openClient(base)
  const known = await read(client.sendMessageStream(say('Go')))
  expect(known.states.at(-1)).toBe('TASK_STATE_FAILED')
  const reason = known.task?.status?.message?.parts[0]?.content?.value
  expect(reason).toMatch(/\w/)
  expect(reason).not.toContain('No such model')
  const task = await client.getTask({ tenant: '', id: known.task?.id as string })
  expect(task.status?.message?.parts[0]?.content?.value).toBe(reason)
})

test('a run at its turn limit is a failed task that says why', async () => {
  await useUpstream(() => ({ calls: [{ name: 'lookup', arguments: { what: 'x' } }] }))
  const { base } = await serveA2a(team(), { limits: { maxTurns: 2 } })
  const known = await read((await openClient(base)).sendMessageStream(say('Go')))
  expect(known.states.at(-1)).toBe('TASK_STATE_FAILED')
  expect(known.task?.status?.message?.parts[0]?.content?.value).toBe('The run ended early: max_turns.')
})

describe('approvals', () => {
  const open = async (options = {}) => {
    const refunded: number[] = []
    const refund = tool({
      name: 'refund',
      parameters: z.object({ order: z.int() }),
      needsApproval: true,
      execute: ({ order }) => {
        refunded.push(order)
        return `refunded ${order}`
      },
    })
    await useUpstream(callThenTell(refundCall(17), refundCall(18)))
    return { refunded, ...(await serveA2a(new Agency(agent('Desk', { tools: [refund] })), options)) }
  }

  test.for([['1.0', openClient] as const, ['0.3', openLegacyClient] as const])(
    'a message on the same task decides all calls, over %s',
    async ([, connect]) => {
      const { base, refunded } = await open()
      const client = await connect(base)
      const asked = await read(client.sendMessageStream(say('Refund both')))
      expect(asked.states.at(-1)).toBe('TASK_STATE_INPUT_REQUIRED')
      expect(refunded).toEqual([])
      const question = asked.task?.status?.message?.parts[1]?.content?.value as { approvals: object[] }
      expect(question.approvals).toMatchObject([
        { tool: 'refund', arguments: { order: 17 } },
        { tool: 'refund', arguments: { order: 18 } },
      ])
      const taskId = asked.task?.id as string
      const waiting = await client.getTask({ tenant: '', id: taskId })
      expect(waiting.status).toMatchObject({ state: TaskState.TASK_STATE_INPUT_REQUIRED })
      await expect(client.sendMessage(say('Sure, go ahead', { taskId }))).rejects.toThrow(/Answer with the text/)
      const done = await read(client.sendMessageStream(say('Approve', { taskId })))
      expect(done.states).toEqual(['TASK_STATE_WORKING', 'TASK_STATE_COMPLETED'])
      expect(done.task?.id).toBe(taskId)
      expect(answerIn(done)).toBe('refunded 17 | refunded 18')
      expect(refunded.sort()).toEqual([17, 18])
    },
  )

  test('the operator may leave decisions to others', async () => {
    const { base, refunded } = await open({ a2a: { approvals: false } })
    const client = await openClient(base)
    const { task } = await read(client.sendMessageStream(say('Refund both')))
    await expect(client.sendMessage(say('approve', { taskId: String(task?.id) }))).rejects.toThrow(/made elsewhere/)
    expect(refunded).toEqual([])
  })

  test('data decides each call, and its answer comes at the end', async () => {
    const { base, refunded } = await open()
    const client = await openClient(base)
    const asked = (await client.sendMessage(say('Refund both'))) as Awaited<ReturnType<typeof client.getTask>>
    expect(asked.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED)
    const question = asked.status?.message?.parts[1]?.content?.value as { approvals: { approval_id: string }[] }
    const toPart = (value: object) => ({
      content: { $case: 'data' as const, value },
      metadata: undefined,
      filename: '',
      mediaType: '',
    })
    const parts = [
      toPart({ decision: 'approve', approval_id: question.approvals[0]?.approval_id }),
      toPart({ decision: 'reject', approval_id: question.approvals[1]?.approval_id, reason: 'Not that one' }),
    ]
    const done = (await client.sendMessage(say('', { taskId: asked.id, parts }))) as typeof asked
    expect(done.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
    expect(textOf(done)).toMatch(/^refunded 17 \| .*Not that one/)
    expect(refunded).toEqual([17])
  })
})

const COUNTED = Array.from({ length: 60 }, (_, index) => `${index} `).join('')

test('a client that is cut comes back to the task and reads on', async () => {
  await useUpstream(() => ({ text: '', deltas: 60, delayMs: 20 }))
  const { base } = await serveA2a(team())
  for (const client of [await openClient(base), await openLegacyClient(base)]) {
    const cut = await read(client.sendMessageStream(say('Count')), (known) => answerIn(known).length > 20)
    const id = cut.task?.id as string
    const known = await read(client.resubscribeTask({ tenant: '', id }))
    expect(answerIn(known)).toBe(COUNTED)
    expect(known.states).toEqual(['TASK_STATE_WORKING', 'TASK_STATE_COMPLETED'])
    await expect(read(client.resubscribeTask({ tenant: '', id }))).rejects.toThrow(/has ended/)
  }
})

test('a task in a context sees what was said before, and waits for its turn', async () => {
  const { seen } = await useUpstream(() => ({ text: 'Yes.' }))
  const { base } = await serveA2a(team())
  const client = await openClient(base)
  await client.sendMessage(say('First', { contextId: 'talk-1' }))
  const second = await client.sendMessage(say('Second', { contextId: 'talk-1' }))
  expect(second.contextId).toBe('talk-1')
  expect(JSON.stringify(seen[1]?.body.input)).toMatch(/First.*Yes\..*Second/)
})

test('a caller that does not wait gets the task at once, and can cancel it', async () => {
  await useUpstream(() => ({ text: 'x', deltas: 10_000, delayMs: 5 }))
  const { base } = await serveA2a(team())
  const client = await openClient(base)
  const configuration = { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately: true }
  const task = (await client.sendMessage({ ...say('Go'), configuration })) as { id: string; status: { state: number } }
  expect([TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING]).toContain(task.status.state)
  await expect(client.sendMessage(say('More', { taskId: task.id }))).rejects.toThrow(/is working/)
  const following = read(client.resubscribeTask({ tenant: '', id: task.id }))
  const cancelled = await client.cancelTask({ tenant: '', id: task.id, metadata: undefined })
  expect(cancelled.status?.state).toBe(TaskState.TASK_STATE_CANCELED)
  expect((await following).states.at(-1)).toBe('TASK_STATE_CANCELED')
  const again = client.cancelTask({ tenant: '', id: task.id, metadata: undefined })
  await expect(again).rejects.toThrow(expect.objectContaining({ name: 'TaskNotCancelableError' }))
  await expect(client.sendMessage(say('More', { taskId: task.id }))).rejects.toThrow(/has ended/)
})
