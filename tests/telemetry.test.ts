/** OpenTelemetry: the spans of runs. */
import { SpanStatusCode } from '@opentelemetry/api'
import * as conventions from '@opentelemetry/semantic-conventions/incubating'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Handoff, tool } from '../src/index.ts'
import * as ours from '../src/telemetry/semantics.ts'
import { allFrames, post, readFrames, startServer, useUpstream } from './support/client.ts'
import { agent, ask, seen, team, teamScript } from './support/traced-team.ts'
import { collectSpans, named } from './support/traces.ts'
import { startStreams } from './support/upstream.ts'

const subAgent = (name: string) => `    execute_tool send_message
      invoke_agent ${name}
        chat gpt-4.1
        chat gpt-4.1
        execute_tool ${name}_tool
`

test.for([
  ['get_response_stream', true],
  ['get_response', false],
] as const)('%s: parallel sub-agents are children of their calls', async ([path, streaming]) => {
  await useUpstream(teamScript)
  const { telemetry, tree, spans } = collectSpans()
  const { url } = await startServer({ agencies: { team: team() }, telemetry })
  await (await post(`${url}/team/${path}`, { message: 'Go' })).text()
  expect(await tree()).toBe(`invoke_workflow team
  invoke_agent CEO
    chat gpt-4.1
    chat gpt-4.1
${subAgent('Left')}${subAgent('Right')}`)
  const run = named(await spans(), 'invoke_workflow team')
  expect(run.attributes).toMatchObject({
    'gen_ai.operation.name': 'invoke_workflow',
    'gen_ai.workflow.name': 'team',
    'agency_swarm.run.id': expect.stringMatching(/^[\da-f-]{36}$/),
    'agency_swarm.run.streaming': streaming,
    'agency_swarm.run.recipient': 'CEO',
    'agency_swarm.run.outcome': 'completed',
    'agency_swarm.run.model_calls': 6,
    'agency_swarm.run.cost': expect.closeTo(6 * (10 * 2e-6 + 5 * 8e-6), 8),
    'gen_ai.conversation.id': expect.stringMatching(/^trace_/),
  })
  expect(run.status.code).toBe(SpanStatusCode.UNSET)
  for (const { attributes } of await spans()) {
    expect(attributes['agency_swarm.run.id']).toBe(run.attributes['agency_swarm.run.id'])
    expect(Object.values(attributes)).not.toContain(undefined)
  }
})

test('agents three levels deep and two runs at once keep their own trees', async () => {
  await useUpstream((body) => {
    const { who, outputs } = seen(body)
    const next = { A: 'B', B: 'C' }[who ?? '']
    return next !== undefined && outputs === 0 ? { calls: [ask(next)] } : { text: 'done' }
  })
  const [a, b, c] = [agent('A'), agent('B'), agent('C')]
  const { telemetry, spans, tree } = collectSpans()
  const agency = new Agency(a, {
    communicationFlows: [
      [a, b],
      [b, c],
    ],
  })
  const { url } = await startServer({ agencies: { deep: agency }, telemetry })
  await Promise.all([1, 2].map(() => allFrames(`${url}/deep/get_response_stream`, { message: 'Go' })))
  const one = `invoke_workflow deep
  invoke_agent A
    chat gpt-4.1
    chat gpt-4.1
    execute_tool send_message
      invoke_agent B
        chat gpt-4.1
        chat gpt-4.1
        execute_tool send_message
          invoke_agent C
            chat gpt-4.1
`
  expect(await tree()).toBe(one + one)
  const traces = Map.groupBy(await spans(), (span) => span.spanContext().traceId)
  expect([...traces.values()].map((list) => list.length)).toEqual([11, 11])
})

test("after a handoff the new agent's span is a sibling", async () => {
  await useUpstream((body) => {
    const { who, outputs } = seen(body)
    if (who === 'Front') return { calls: [{ name: 'transfer_to_Expert', arguments: {} }] }
    return outputs === 1 ? { calls: [{ name: 'look', arguments: {} }] } : { text: 'Solved' }
  })
  const front = agent('Front')
  const expert = agent('Expert', { tools: [tool({ name: 'look', execute: () => 'seen' })] })
  const { telemetry, tree, spans } = collectSpans()
  const agency = new Agency(front, { communicationFlows: [[front, expert, Handoff]] })
  const { url } = await startServer({ agencies: { desk: agency }, telemetry })
  for (const path of ['get_response_stream', 'get_response'])
    await (await post(`${url}/desk/${path}`, { message: 'Help' })).text()
  const one = `invoke_workflow desk
  invoke_agent Expert
    chat gpt-4.1
    chat gpt-4.1
    execute_tool look
  invoke_agent Front
    chat gpt-4.1
`
  expect(await tree()).toBe(one + one)
  const { attributes } = named(await spans(), 'invoke_agent Front')
  expect(attributes['agency_swarm.agent.handed_over_to']).toBe('Expert')
})

test('a model call tells what the conventions ask for', async () => {
  await useUpstream((_body, index) =>
    index === 0
      ? { calls: [{ name: 'noop', arguments: {} }] }
      : {
          text: 'Hello there',
          usage: {
            input_tokens: 100,
            input_tokens_details: { cached_tokens: 40 },
            output_tokens: 20,
            output_tokens_details: { reasoning_tokens: 7 },
            total_tokens: 120,
          },
        },
  )
  const noop = tool({ name: 'noop', description: 'Does nothing', execute: () => 'ok' })
  const { telemetry, spans } = collectSpans()
  const modelSettings = { temperature: 0.5, topP: 0.9, maxTokens: 300 }
  const { url } = await startServer({
    agencies: { solo: new Agency(agent('Solo', { tools: [noop], modelSettings })) },
    telemetry,
  })
  await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
  const calls = (await spans()).filter((span) => span.name === 'chat gpt-4.1')
  expect(calls.map((span) => span.attributes['gen_ai.response.finish_reasons'])).toEqual([['tool_call'], ['stop']])
  expect(calls[1]?.kind).toBe(2)
  expect(calls[1]?.attributes).toMatchObject({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-4.1',
    'gen_ai.request.stream': true,
    'gen_ai.request.temperature': 0.5,
    'gen_ai.request.top_p': 0.9,
    'gen_ai.request.max_tokens': 300,
    'gen_ai.output.type': 'text',
    'gen_ai.response.id': expect.stringMatching(/^resp_/),
    'gen_ai.response.model': 'gpt-4.1',
    'gen_ai.response.time_to_first_chunk': expect.any(Number),
    'gen_ai.usage.input_tokens': 100,
    'gen_ai.usage.output_tokens': 20,
    'gen_ai.usage.cache_read.input_tokens': 40,
    'gen_ai.usage.reasoning.output_tokens': 7,
    'gen_ai.usage.cost': expect.closeTo(60 * 2e-6 + 40 * 0.5e-6 + 20 * 8e-6, 8),
    'gen_ai.agent.name': 'Solo',
  })
  expect(calls[1]?.events.map((event) => event.name)).toEqual(['first_delta'])
  const { attributes } = named(await spans(), 'execute_tool noop')
  expect(attributes).toMatchObject({
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': 'noop',
    'gen_ai.tool.type': 'function',
    'gen_ai.tool.call.id': expect.stringMatching(/^call_/),
    'gen_ai.tool.description': 'Does nothing',
  })
  expect(JSON.stringify((await spans()).map((span) => span.attributes))).not.toMatch(/Hello there|"Hi"|You are Solo/)
})

test('every name of the conventions is the one that their package has', () => {
  const theirs: { [name: string]: unknown } = conventions
  const names = Object.entries(ours)
  expect(names.length).toBeGreaterThan(40)
  for (const [name, value] of names) expect([name, theirs[name]]).toEqual([name, value])
})

test('failures set error.type and a masked text on their spans', async () => {
  await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'fails', arguments: {} }] } : { status: 400, message: 'no such sk-server-key' },
  )
  class TokenExpired extends Error {
    override name = 'TokenExpired'
  }
  const fails = tool({
    name: 'fails',
    execute: () => {
      throw new TokenExpired('sk-server-key is too old')
    },
  })
  const { telemetry, spans } = collectSpans()
  const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo', { tools: [fails] })) }, telemetry })
  expect((await post(`${url}/solo/get_response`, { message: 'Hi' })).status).toBe(500)
  const all = await spans()
  const failed = named(all, 'execute_tool fails')
  expect([failed.attributes['error.type'], failed.status]).toEqual([
    'TokenExpired',
    { code: SpanStatusCode.ERROR, message: '[redacted] is too old' },
  ])
  for (const name of ['invoke_workflow solo', 'invoke_agent Solo']) {
    const span = named(all, name)
    expect([span.attributes['error.type'], span.status.code]).toEqual(['MODEL_FAILED', SpanStatusCode.ERROR])
    expect(span.status.message).toContain('no such [redacted]')
    expect(span.events).toEqual([])
  }
  expect(all.filter((span) => span.attributes['error.type'] === 'MODEL_FAILED')).toHaveLength(3)
  expect(named(all, 'invoke_workflow solo').attributes['agency_swarm.run.outcome']).toBe('failed')
})

test('a failing sub-agent marks its spans and the call', async () => {
  await useUpstream((body) => {
    const { who, outputs } = seen(body)
    if (who === 'B') return { status: 400, message: 'broken' }
    return outputs === 0 ? { calls: [ask('B')] } : { text: 'B could not' }
  })
  const [a, b] = [agent('A'), agent('B')]
  const { telemetry, spans } = collectSpans()
  const agency = new Agency(a, { communicationFlows: [[a, b]] })
  const { url } = await startServer({ agencies: { pair: agency }, telemetry })
  expect((await post(`${url}/pair/get_response`, { message: 'Hi' })).status).toBe(200)
  const codes = Object.fromEntries((await spans()).map((span) => [span.name, span.status.code]))
  expect(codes).toMatchObject({
    'invoke_workflow pair': SpanStatusCode.UNSET,
    'invoke_agent A': SpanStatusCode.UNSET,
    'execute_tool send_message': SpanStatusCode.ERROR,
    'invoke_agent B': SpanStatusCode.ERROR,
  })
})

test('a cancelled or abandoned run ends its spans without error', async () => {
  await useUpstream((body) =>
    seen(body).who === 'B' ? { hang: true } : { calls: [ask('B'), { name: 'deaf', arguments: {} }] },
  )
  const deaf = tool({ name: 'deaf', execute: () => new Promise(() => {}) })
  const [a, b] = [agent('A', { tools: [deaf] }), agent('B')]
  const { telemetry, spans, open } = collectSpans()
  const agency = new Agency(a, { communicationFlows: [[a, b]] })
  const { url } = await startServer({ agencies: { pair: agency }, telemetry })

  const frames = readFrames(`${url}/pair/get_response_stream`, { message: 'Go' })
  const meta = (await frames.next()).value
  await expect.poll(open).toBe(6)
  await post(`${url}/pair/cancel_response_stream`, { run_id: meta?.data.run_id })
  for await (const _ of frames);
  await expect.poll(open).toBe(0)

  const leave = new AbortController()
  const plain = post(`${url}/pair/get_response`, { message: 'Go' }, {}, leave.signal).catch(() => {})
  await expect.poll(open).toBe(6)
  leave.abort()
  await plain
  const all = await spans()
  expect(all).toHaveLength(14)
  expect(all.filter((span) => span.status.code !== SpanStatusCode.UNSET || 'error.type' in span.attributes)).toEqual([])
  const stopped = all.filter((span) => span.attributes['agency_swarm.cancelled'] === true)
  expect(stopped.map((span) => span.name).toSorted()).toEqual(
    [1, 2]
      .flatMap(() => [
        'chat gpt-4.1',
        'execute_tool deaf',
        'execute_tool send_message',
        'invoke_agent A',
        'invoke_agent B',
        'invoke_workflow pair',
      ])
      .toSorted(),
  )
})

test('150 streams that finish, are cancelled or dropped leave no span open', async () => {
  const upstream = await startStreams(6, 1)
  onTestFinished(() => upstream.close())
  const before = process.env.OPENAI_API_KEY
  process.env.OPENAI_BASE_URL = upstream.baseURL
  process.env.OPENAI_API_KEY = 'sk-test'
  const { telemetry, open, spans } = collectSpans()
  const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo')) }, telemetry, metrics: true })
  process.env.OPENAI_BASE_URL = ''
  process.env.OPENAI_API_KEY = before ?? ''
  let left = 150
  const one = async (fate: number) => {
    const leave = new AbortController()
    let count = 0
    for await (const frame of readFrames(`${url}/solo/get_response_stream`, { message: 'Go' }, leave.signal)) {
      if (count++ > 0) continue
      if (fate % 3 === 0) leave.abort()
      if (fate % 3 === 1) await post(`${url}/solo/cancel_response_stream`, { run_id: frame.data.run_id })
    }
  }
  const worker = async () => {
    while (left-- > 0) await one(left).catch(() => {})
  }
  await Promise.all(Array.from({ length: 10 }, worker))
  await expect.poll(open).toBe(0)
  expect((await spans()).filter((span) => span.name === 'invoke_workflow solo')).toHaveLength(150)
  const text = await (await fetch(`${url}/metrics`)).text()
  expect(text).toContain('agency_swarm_runs_active{agency="solo",stream="true"} 0\n')
  expect(text).toContain('agency_swarm_runs_started_total{agency="solo",stream="true"} 150\n')
})
