import type { StreamEvent } from 'agency-swarm-js/client'
import { expect, test } from 'vitest'
import { followRecorded } from './recorded.ts'
import { agentInFront, beginRun, type Entry, endRun, FRONT, followEvent } from './run.ts'

const who = { agent: 'CEO', callerAgent: null, agent_run_id: 'r1' }
const model = (event: { type: string; [key: string]: unknown }, more = {}): StreamEvent => ({
  kind: 'model',
  event,
  ...who,
  ...more,
})
const text = (piece: string, item_id = 'm1'): StreamEvent => ({
  kind: 'text',
  text: piece,
  event: { type: 'response.output_text.delta', delta: piece, item_id },
  ...who,
})
const item = (name: string, item: { [key: string]: unknown }): StreamEvent => ({
  kind: 'item',
  name,
  type: '',
  item,
  ...who,
})
const follow = (events: readonly StreamEvent[]) =>
  events.reduce((run, event, index) => followEvent(run, event, index), beginRun(0))
const front = (events: readonly StreamEvent[]) => follow(events).threads.get(FRONT) ?? []

test('a sub-agent has its own thread below the call', () => {
  const run = followRecorded('send_message_stream')
  const call = run.threads.get(FRONT)?.find((entry) => entry.kind === 'call')
  expect(call).toMatchObject({ agent: 'CEO', name: 'send_message', state: 'complete' })
  expect(JSON.parse(call?.args ?? '')).toMatchObject({ recipient_agent: 'Developer' })
  const nested = run.threads.get(call?.id as string) as Entry[]
  expect(nested.every((entry) => 'agent' in entry && entry.agent === 'Developer')).toBe(true)
  expect(nested.at(-1)).toMatchObject({ kind: 'text', state: 'complete', text: call?.output })
  expect(run.speakers.get(call?.id as string)).toBe('Developer')
  expect(run.threads.get(FRONT)?.at(-1)).toMatchObject({ kind: 'text', agent: 'CEO', state: 'complete' })
  expect(run.phase).toBe('ended')
  expect(run.messages.length).toBeGreaterThan(3)
  expect(run.usage?.total_tokens).toBeGreaterThan(0)
  expect(run.modelCalls.every((one) => one.endedAt !== undefined && one.inputTokens !== undefined)).toBe(true)
})

test('a tool call has arguments, a result and a time', () => {
  const run = followRecorded('tool_stream')
  const call = run.threads.get(FRONT)?.find((entry) => entry.kind === 'call')
  expect(() => JSON.parse(call?.args ?? '')).not.toThrow()
  expect(String(call?.output)).not.toBe('')
  expect((call?.endedAt ?? 0) - (call?.startedAt ?? 0)).toBeGreaterThan(0)
})

test('a handoff names both agents, and the new one continues', () => {
  const run = followRecorded('handoff_stream')
  const entries = run.threads.get(FRONT) ?? []
  const handoff = entries.find((entry) => entry.kind === 'handoff')
  expect(handoff?.to).toBe(agentInFront(run))
  expect(handoff?.from).not.toBe(handoff?.to)
  expect(entries.filter((entry) => entry.kind === 'call')).toEqual([])
  expect(entries.at(-1)).toMatchObject({ kind: 'text', agent: handoff?.to })
})

test('a failed run shows the error and is over', () => {
  const run = follow([
    text('Once'),
    { kind: 'error', content: 'The run of agent CEO failed.', nested: false, agent: null, callerAgent: null },
    { kind: 'messages', new_messages: [], run_id: 'r', cancelled: false },
    { kind: 'end' },
  ])
  expect(run.threads.get(FRONT)?.map((entry) => entry.kind)).toEqual(['text', 'error'])
  expect(run.threads.get(FRONT)?.[0]).toMatchObject({ state: 'cut' })
  expect(run.phase).toBe('ended')
})

test('the recorded failure of a model is an error in the thread of the user', () => {
  const run = followRecorded('upstream_error')
  expect(run.threads.get(FRONT)).toMatchObject([
    { kind: 'error', text: expect.stringContaining('The model is unavailable') },
  ])
  expect(run.phase).toBe('ended')
})

test('what was open when a run was stopped is marked as cut, and stays so', () => {
  const added = model({
    type: 'response.output_item.added',
    item: { type: 'function_call', id: 'f1', call_id: 'c1', name: 'slow' },
  })
  const run = follow([
    text('Once '),
    added,
    item('tool_called', { type: 'function_call', call_id: 'c1', id: 'f1', arguments: '{}' }),
  ])
  const stopped = endRun(run, 50)
  expect(stopped.threads.get(FRONT)?.map((entry) => 'state' in entry && entry.state)).toEqual(['cut', 'cut'])
  expect(followEvent(run, { kind: 'end' }, 50).threads).toEqual(stopped.threads)
})

test('deltas of one item join, items of equal id in later answers do not', () => {
  const done = model({ type: 'response.output_item.done', item: { type: 'message', id: 'fake' } })
  const entries = front([text('a', 'fake'), text('b', 'fake'), done, text('c', 'fake')])
  expect(entries.map((entry) => entry.kind === 'text' && entry.text)).toEqual(['ab', 'c'])
})

test('whole messages are shown, streamed ones are not shown twice', () => {
  const message = { type: 'message', id: 'm1', role: 'assistant', content: [{ type: 'output_text', text: 'Whole.' }] }
  expect(front([item('message_output_created', message)])).toMatchObject([{ text: 'Whole.', state: 'complete' }])
  expect(front([text('Who'), text('le.'), item('message_output_created', message)])).toMatchObject([{ text: 'Whole.' }])
})

test('reasoning is an entry of its own, its parts are paragraphs', () => {
  const at = { item_id: 'rs1' }
  const entries = front([
    model({ type: 'response.reasoning_summary_part.added', ...at }),
    model({ type: 'response.reasoning_summary_text.delta', delta: 'First', ...at }),
    model({ type: 'response.reasoning_summary_part.added', ...at }),
    model({ type: 'response.reasoning_summary_text.delta', delta: 'second', ...at }),
    model({ type: 'response.output_item.done', item: { type: 'reasoning', id: 'rs1' } }),
    item('reasoning_item_created', { type: 'reasoning', id: 'rs1', summary: [] }),
    text('Answer'),
  ])
  expect(entries).toMatchObject([
    { kind: 'reasoning', text: 'First\n\nsecond', state: 'complete' },
    { kind: 'text', text: 'Answer' },
  ])
})

test('arguments grow as they stream, and hosted tools end with their item', () => {
  const call = { type: 'web_search_call', id: 'ws1', status: 'completed' }
  const entries = front([
    model({
      type: 'response.output_item.added',
      item: { type: 'function_call', id: 'f1', call_id: 'c1', name: 'add', arguments: '' },
    }),
    model({ type: 'response.function_call_arguments.delta', item_id: 'f1', delta: '{"a":' }),
    model({ type: 'response.function_call_arguments.delta', item_id: 'f1', delta: '1}' }),
    model({ type: 'response.output_item.added', item: { ...call, status: 'in_progress' } }),
    model({ type: 'response.output_item.done', item: call }),
    item('tool_called', call),
  ])
  expect(entries).toMatchObject([
    { id: 'c1', args: '{"a":1}', state: 'open' },
    { id: 'ws1', name: 'web_search', state: 'complete', output: call },
  ])
  expect(entries).toHaveLength(2)
})

test('an event never changes the view it was told to', () => {
  const deepFreeze = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
    Object.freeze(value)
    for (const one of value instanceof Map ? value.values() : Object.values(value)) deepFreeze(one)
  }
  let run = beginRun(0)
  for (const event of [text('a'), text('b'), model({ type: 'response.created' }), { kind: 'end' } as const]) {
    deepFreeze(run)
    run = followEvent(run, event, 1)
  }
  expect(run.threads.get(FRONT)).toMatchObject([{ text: 'ab', state: 'cut' }])
})
