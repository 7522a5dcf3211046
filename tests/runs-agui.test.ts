/** Stored runs as AG-UI: the same log in another protocol, with numbers of its own. */

import { verifyEvents } from '@ag-ui/client'
import { EventSchemas } from '@ag-ui/core/schemas'
import { firstValueFrom, from, toArray } from 'rxjs'
import { expect, test } from 'vitest'
import { Agency, Agent, sqlite, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { gate, type Json, type RunFrame, readAll, serveRuns } from './support/runs.ts'
import { call } from './support/tool-agent.ts'

const types = (frames: readonly RunFrame[]) => frames.map(({ data }) => data.type)

/** Fails for events that no client of AG-UI 1.0 would take. */
async function judge(frames: readonly RunFrame[]): Promise<void> {
  expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1))
  const events = frames.map(({ data }) => data)
  for (const event of events) expect(EventSchemas.safeParse(event).error, JSON.stringify(event)).toBeUndefined()
  await firstValueFrom(from(events as never[]).pipe(verifyEvents(false as never), toArray()))
}
const lastSnapshot = (frames: readonly RunFrame[]) =>
  frames.findLast(({ data }) => data.type === 'MESSAGES_SNAPSHOT')?.data
const said = (snapshot: Json) => snapshot.messages.map(({ role, content }: Json) => [role, content])

test('view=agui gives the run as AG-UI, with the conversation of its thread', async () => {
  promise('H8')
  const lookup = tool({ name: 'lookup', execute: () => 'found' })
  await useUpstream((_, index) => (index === 0 ? { text: 'One' } : index === 1 ? call('lookup') : { text: 'Two' }))
  const { api } = await serveRuns({ agent: { tools: [lookup] } })
  await api.run({ message: 'First', thread_id: 't' })
  const { run_id } = await api.run({ message: 'Second', thread_id: 't' })
  const frames = await api.frames(run_id, '?view=agui')
  await judge(frames)
  expect(frames[0]?.data).toMatchObject({ type: 'RUN_STARTED', threadId: 't', runId: run_id })
  expect(frames.at(-1)?.data).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
  expect(types(frames)).toEqual(expect.arrayContaining(['TOOL_CALL_START', 'TOOL_CALL_RESULT', 'TEXT_MESSAGE_CONTENT']))
  expect(said(lastSnapshot(frames))).toEqual([
    ['user', 'First'],
    ['assistant', 'One'],
    ['user', 'Second'],
    ['assistant', undefined],
    ['tool', 'found'],
    ['assistant', 'Two'],
  ])
})

test('an AG-UI stream cut after any frame goes on with the next', async () => {
  promise('H8')
  await useUpstream(() => ({ text: 'Hello', deltas: 3 }))
  const { api } = await serveRuns()
  const { run_id } = await api.run({ message: 'Hi' })
  const whole = await api.frames(run_id, '?view=agui')
  expect(whole.length).toBeGreaterThan(5)
  for (let after = 1; after < whole.length; after++)
    expect(await api.frames(run_id, '?view=agui', { 'last-event-id': String(after) })).toEqual(whole.slice(after))
  const path = `/runs/${run_id}/events?view=agui&starting_after=`
  expect((await api.get(path + whole.length)).status).toBe(204)
  const beyond = await api.get(path + (whole.length + 1))
  expect([beyond.status, beyond.body.detail[0].loc]).toEqual([422, ['query', 'starting_after']])
})

test('agencies served with AG-UI stream it by default', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns({ enableAgui: true })
  const streamed = await readAll(await api.fetch('POST', '/runs', { message: 'Hi', stream: true }))
  await judge(streamed)
  const { runId } = streamed[0]?.data ?? {}
  expect(await api.frames(runId)).toEqual(streamed)
  expect((await api.frames(runId, '?view=native'))[0]?.event).toBe('meta')
})

test('runs that fail or are cancelled end as AG-UI says it', async () => {
  await useUpstream((_, index) => (index === 0 ? { status: 400, message: 'no' } : { hang: true }))
  const { api } = await serveRuns()
  const failed = await api.frames((await api.run({ message: 'Hi' })).run_id, '?view=agui')
  await judge(failed)
  expect(failed.at(-1)?.data.type).toBe('RUN_ERROR')
  const first = await api.start({ message: 'Hi', thread_id: 't' })
  const queued = await api.start({ message: 'Hi', thread_id: 't' })
  for (const { run_id } of [queued, first]) {
    await api.post(`/runs/${run_id}/cancel`)
    const frames = await api.frames(run_id, '?view=agui')
    await judge(frames)
    expect(frames.at(-1)?.data.outcome).toEqual({ type: 'cancelled' })
  }
})

test('a pause is an interrupt; the decision starts the run again', async () => {
  const refund = tool({ name: 'refund', needsApproval: true, execute: () => 'paid' })
  const billing = new Agent({ name: 'Billing', model: 'gpt-4.1', tools: [refund], instructions: 'Bill.' })
  const ceo = new Agent({ name: 'CEO', model: 'gpt-4.1', instructions: 'Lead.' })
  await useUpstream(({ instructions, input }) => {
    const answered = JSON.stringify(input).includes('function_call_output')
    if (answered) return { text: 'Done' }
    return String(instructions).includes('Bill')
      ? call('refund')
      : call('send_message', { recipient_agent: 'Billing', message: 'Refund' })
  })
  const { api } = await serveRuns({ agencies: { support: new Agency(ceo, { communicationFlows: [[ceo, billing]] }) } })
  const { run_id, required_action } = await api.run({ message: 'Refund' })
  const [approval] = required_action.approvals
  const frames = api.frames(run_id, '?view=agui')
  await api.post(`/runs/${run_id}/approvals/${approval.approval_id}`, { decision: 'approve' })
  const whole = await frames
  await judge(whole)
  const finished = whole.filter(({ data }) => data.type === 'RUN_FINISHED').map(({ data }) => data.outcome)
  expect(finished).toEqual([
    {
      type: 'interrupt',
      interrupts: [
        {
          id: approval.approval_id,
          reason: 'tool_call',
          message: 'Billing wants to call refund.',
          toolCallId: approval.call_id,
          subagentRunId: expect.stringMatching(/^agent_run_/),
          responseSchema: expect.objectContaining({ required: ['approved'] }),
          expiresAt: approval.expires_at,
          metadata: { agent: 'Billing', tool: 'refund', arguments: {} },
        },
      ],
    },
    { type: 'success' },
  ])
  expect(types(whole).filter((type) => type === 'RUN_STARTED')).toHaveLength(2)
})

test('after a restart a snapshot says what has not happened', async () => {
  const open = gate()
  const hold = tool({ name: 'hold', execute: () => open.promise.then(() => 'held') })
  const note = tool({ name: 'note', execute: () => 'noted' })
  await useUpstream((_, index) => {
    if (index === 0) return call('note')
    return index === 1 ? { text: 'Half a text that is lost', deltas: 200, delayMs: 20 } : { text: 'The end' }
  })
  const path = `${useFolder()}/runs.db`
  const start = () =>
    serveRuns({ agent: { tools: [hold, note] }, runs: { store: sqlite(path) }, limits: { drainMs: 0 } })
  const first = await start()
  const { run_id } = await first.api.start({ message: 'Hi' })
  await expect.poll(async () => (await first.api.get(`/runs/${run_id}`)).body.last_event_id).toBeGreaterThan(30)
  await first.close()
  open.resolve()
  const second = await start()
  expect(await second.api.settled(run_id)).toMatchObject({ status: 'completed', attempt: 2 })
  const whole = await second.api.frames(run_id, '?view=agui')
  await judge(whole)
  const restart = whole.findIndex(
    ({ data }, index) => data.type === 'MESSAGES_SNAPSHOT' && whole[index - 1]?.data.type === 'TEXT_MESSAGE_END',
  )
  expect(said(whole[restart]?.data)).toEqual([
    ['user', 'Hi'],
    ['assistant', undefined],
  ])
  expect(said(lastSnapshot(whole))).toEqual([
    ['user', 'Hi'],
    ['assistant', undefined],
    ['tool', 'noted'],
    ['assistant', 'The end'],
  ])
  for (let after = 1; after < whole.length; after += 7)
    expect(await second.api.frames(run_id, `?view=agui&starting_after=${after}`)).toEqual(whole.slice(after))
})
