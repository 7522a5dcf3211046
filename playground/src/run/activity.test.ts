import type { StreamEvent } from 'agency-swarm-js/client'
import { expect, test } from 'vitest'
import { type CostOf, edgeKey, readActivity } from './activity.ts'
import { followRecorded } from './recorded.ts'
import { beginRun, FRONT, followEvent, type RunView } from './run.ts'
import { readTimeline } from './timeline.ts'

const speaker = (agent: string, callerAgent: string | null = null, parent_run_id?: string) => ({
  agent,
  callerAgent,
  agent_run_id: `run_${agent}`,
  ...(parent_run_id === undefined ? {} : { parent_run_id }),
})
const call = { type: 'function_call', id: 'f1', call_id: 'c1', name: 'send_message', arguments: '{}' }

const unknown: CostOf = () => undefined

/** CEO asks Developer, who is at work. */
function asking(): RunView {
  let run = beginRun(0)
  run = followEvent(run, { kind: 'agent', ...speaker('CEO') }, 1)
  run = followEvent(run, { kind: 'model', event: { type: 'response.created' }, ...speaker('CEO') }, 1)
  run = followEvent(run, { kind: 'item', name: 'tool_called', type: '', item: call, ...speaker('CEO') }, 2)
  return followEvent(run, { kind: 'agent', ...speaker('Developer', 'CEO', 'c1') }, 3)
}

test('the caller waits, the callee works, and their edge is active', () => {
  const { agents, edges, tools } = readActivity([asking()], unknown)
  expect(agents.get('CEO')?.state).toBe('waiting')
  expect(agents.get('Developer')?.state).toBe('working')
  expect(edges.get(edgeKey('CEO', 'Developer'))).toMatchObject({ messages: 1, active: true })
  expect(tools.get(edgeKey('CEO', 'send_message'))).toMatchObject({ calls: 1, active: true })
})

test('after the answer the callee is idle and the caller works', () => {
  const output = { type: 'function_call_output', call_id: 'c1', output: 'done' }
  const run = followEvent(
    asking(),
    { kind: 'item', name: 'tool_output', type: '', item: output, output: 'done', ...speaker('CEO') },
    9,
  )
  const { agents, edges, tools } = readActivity([run], unknown)
  expect(agents.get('CEO')?.state).toBe('working')
  expect(agents.get('Developer')?.state ?? 'idle').toBe('idle')
  expect(edges.get(edgeKey('CEO', 'Developer'))?.active).toBe(false)
  expect(tools.get(edgeKey('CEO', 'send_message'))?.ms).toBe(7)
})

test('tokens add up over agents and runs to what the server counted', () => {
  const run = followRecorded('send_message_stream')
  const { agents, edges } = readActivity([run, run], unknown)
  const all = [...agents.values()].reduce((sum, one) => sum + one.inputTokens + one.outputTokens, 0)
  expect(all).toBe(2 * (run.usage?.total_tokens ?? Number.NaN))
  const edge = edges.get(edgeKey('CEO', 'Developer'))
  const developer = agents.get('Developer')
  expect(edge).toEqual({
    messages: 2,
    failed: 0,
    active: false,
    tokens: (developer?.inputTokens ?? 0) + (developer?.outputTokens ?? 0),
    costUsd: undefined,
  })
})

test('a handoff is a message on its edge', () => {
  const run = followRecorded('handoff_stream')
  expect([...readActivity([run], unknown).edges.values()]).toEqual([
    { messages: 1, failed: 0, active: false, tokens: 0, costUsd: 0 },
  ])
})

/** CEO asks Developer; both have answered, Developer's answer is the dearer one. */
function answered(): RunView {
  const done = (output_tokens: number) => ({
    type: 'response.completed',
    response: { model: 'm', usage: { input_tokens: 1, output_tokens } },
  })
  let run = followEvent(asking(), { kind: 'model', event: done(1), ...speaker('CEO') }, 4)
  run = followEvent(
    run,
    { kind: 'model', event: { type: 'response.created' }, ...speaker('Developer', 'CEO', 'c1') },
    5,
  )
  return followEvent(run, { kind: 'model', event: done(3), ...speaker('Developer', 'CEO', 'c1') }, 6)
}

/** A tenth of a dollar for each token that was put out. */
const tenth: CostOf = ({ outputTokens }) => (outputTokens === undefined ? undefined : outputTokens / 10)

const told = (run: RunView, total_cost: number) => {
  const usage = {
    request_count: 1,
    cached_tokens: 0,
    cache_write_tokens: 0,
    input_tokens: 1,
    output_tokens: 1,
    total_tokens: 2,
    total_cost,
  }
  return followEvent(run, { kind: 'messages', new_messages: [], run_id: 'r', cancelled: false, usage }, 9)
}
const costs = (run: RunView, costOf: CostOf = tenth) => {
  const { agents, edges } = readActivity([run], costOf)
  return [...agents.values(), ...edges.values()].map((one) => one.costUsd)
}

test('costs belong to the answering agent and its edge', () => {
  expect(costs(answered())).toEqual([0.1, 0.3, 0.3])
  expect(costs(answered(), unknown)).toEqual([undefined, undefined, undefined])
  const asks = { kind: 'model', event: { type: 'response.created' }, ...speaker('CEO') } as const
  expect(costs(followEvent(answered(), asks, 7)), 'an answer that is under way costs nothing yet').toEqual([
    0.1, 0.3, 0.3,
  ])
})

test("the server's total overrides costs that do not add up", () => {
  expect(costs(told(answered(), 0.4))).toEqual([0.1, 0.3, 0.3])
  expect(costs(told(answered(), 0.5))).toEqual([undefined, undefined, undefined])
  expect(costs(told(answered(), 0), unknown)).toEqual([0, 0, 0])
  const alone = followEvent(beginRun(0), { kind: 'model', event: { type: 'response.created' }, ...speaker('CEO') }, 1)
  expect(costs(told(alone, 0.5), unknown)).toEqual([0.5])
})

test("the rest of a stopped run's cost is the last answer's estimate", () => {
  const asks = { kind: 'model', event: { type: 'response.created' }, ...speaker('CEO') } as const
  const usage = { ...told(answered(), 0.6).usage, estimated: true }
  const stopped = followEvent(
    followEvent(answered(), asks, 7),
    { kind: 'messages', new_messages: [], run_id: 'r', cancelled: true, usage } as StreamEvent,
    9,
  )
  const { agents } = readActivity([stopped], tenth)
  expect(agents.get('CEO')).toMatchObject({ costUsd: expect.closeTo(0.3), estimated: true })
  expect(agents.get('Developer')).toMatchObject({ costUsd: expect.closeTo(0.3), estimated: false })
  expect(readActivity([stopped], unknown).agents.get('CEO')?.costUsd, 'prices that are not known yet').toBeUndefined()
})

test.for([
  ['Error: the tool "hold" is not available now.', 1],
  ['An error occurred in the tool "hold": no. Check the arguments, or find another way.', 1],
  ['An error occurred while running the tool. Please try again. Error: no', 1],
  ['Error rate: 3 %', 0],
  ['Errors: none', 0],
  ['fine. Error: none', 0],
  [{ error: 'x' }, 0],
] as const)('the output %j counts as %d failed calls', ([output, failed]) => {
  const call = { id: 'f1', call_id: 'c1', type: 'function_call', name: 'hold', arguments: '{}' }
  const item = (name: string, more: object) =>
    ({ kind: 'item', name, type: '', ...speaker('CEO'), item: { ...call, ...more }, ...more }) as StreamEvent
  const run = [item('tool_called', {}), item('tool_output', { output })].reduce(
    (view, event, index) => followEvent(view, event, index),
    beginRun(0),
  )
  expect(readActivity([run], unknown).tools.get(edgeKey('CEO', 'hold'))).toMatchObject({ calls: 1, failed })
  const [entry] = run.threads.get(FRONT) ?? []
  expect(entry).toMatchObject({ kind: 'call', state: 'complete', ...(failed === 1 ? { failure: output } : {}) })
  expect(readTimeline(run, 9).lanes[0]?.spans.map((span) => span.failed ?? false)).toEqual([failed === 1])
})

test.for([
  [{ status: 'failed' }, 1],
  [{ status: 'completed', error: { message: 'no' } }, 1],
  [{ status: 'completed', error: null }, 0],
] as const)('a hosted tool that ends as %j counts as %d failed calls', ([end, failed]) => {
  const item = { id: 'ws1', type: 'web_search_call' }
  const model = (type: string, more: object): StreamEvent =>
    ({ kind: 'model', ...speaker('CEO'), event: { type, item: { ...item, ...more } } }) as StreamEvent
  const run = [model('response.output_item.added', {}), model('response.output_item.done', end)].reduce(
    (view, event, index) => followEvent(view, event, index),
    beginRun(0),
  )
  expect(readActivity([run], unknown).tools.get(edgeKey('CEO', 'web_search'))).toMatchObject({ calls: 1, failed })
})
