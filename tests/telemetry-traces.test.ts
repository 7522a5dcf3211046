/** OpenTelemetry: traces that cross processes, and spans of user code. */
import { setTimeout as sleep } from 'node:timers/promises'
import { context, propagation, trace } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import { Agency, tool } from '../src/index.ts'
import { openTelemetry } from '../src/otel.ts'
import { allFrames, post, startServer, useUpstream } from './support/client.ts'
import { agent, seen, team, teamScript } from './support/traced-team.ts'
import { collectSpans, named } from './support/traces.ts'

const CALLER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test("a request's traceparent is the parent of its run", async () => {
  await useUpstream(() => ({ text: 'ok' }))
  const rootOf = async (traceparent: string, options = {}) => {
    const { telemetry, spans } = collectSpans(options)
    const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo')) }, telemetry })
    await post(`${url}/solo/get_response`, { message: 'Hi' }, { traceparent, tracestate: 'vendor=1' })
    return named(await spans(), 'invoke_workflow solo')
  }
  const continued = await rootOf(CALLER)
  expect(continued.spanContext().traceId).toBe('0af7651916cd43dd8448eb211c80319c')
  expect(continued.parentSpanContext).toMatchObject({ spanId: 'b7ad6b7169203331', isRemote: true })
  expect(continued.spanContext().traceState?.serialize()).toBe('vendor=1')
  expect((await rootOf(CALLER, { continueTraces: false })).parentSpanContext).toBeUndefined()
  for (const wrong of [
    'nonsense',
    `${CALLER}-more`,
    CALLER.replace('00-', 'ff-'),
    CALLER.replace('b7ad6b7169203331', '0'.repeat(16)),
    CALLER.toUpperCase(),
  ])
    expect((await rootOf(wrong)).parentSpanContext).toBeUndefined()
})

test('a trace that its caller does not sample is not recorded', async () => {
  const upstream = await useUpstream(() => ({ text: 'ok' }))
  const { telemetry, open } = collectSpans()
  const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo')) }, telemetry })
  await post(`${url}/solo/get_response`, { message: 'Hi' }, { traceparent: CALLER.replace(/01$/, '00') })
  expect(open()).toBe(0)
  expect(upstream.seen[0]?.headers.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[\da-f]{16}-00$/)
})

test('model calls send the traceparent of their span, no baggage', async () => {
  const upstream = await useUpstream(teamScript)
  const { telemetry, spans } = collectSpans()
  const { url } = await startServer({ agencies: { team: team() }, telemetry })
  const headers = { traceparent: CALLER, tracestate: 'vendor=1', baggage: 'user=secret' }
  await (await post(`${url}/team/get_response_stream`, { message: 'Go' }, headers)).text()
  const calls = (await spans()).filter((span) => span.name === 'chat gpt-4.1')
  expect(upstream.seen.map((request) => request.headers.traceparent).toSorted()).toEqual(
    calls.map((span) => `00-0af7651916cd43dd8448eb211c80319c-${span.spanContext().spanId}-01`).toSorted(),
  )
  expect(upstream.seen.map(({ headers }) => [headers.tracestate, headers.baggage])).toEqual(
    calls.map(() => ['vendor=1', undefined]),
  )
})

test('no traceparent is sent without telemetry or outside propagateTo', async () => {
  const upstream = await useUpstream(() => ({ text: 'ok' }))
  for (const telemetry of [[], collectSpans({ propagateTo: 'nobody' }).telemetry]) {
    const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo')) }, telemetry })
    await post(`${url}/solo/get_response`, { message: 'Hi' }, { traceparent: CALLER })
  }
  expect(upstream.seen.map(({ headers }) => headers.traceparent)).toEqual([undefined, undefined])
})

test('the API without an SDK hands a trace on and begins none', async () => {
  const upstream = await useUpstream(() => ({ text: 'ok' }))
  const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo')) }, telemetry: openTelemetry() })
  await post(`${url}/solo/get_response`, { message: 'Hi' }, { traceparent: CALLER })
  await post(`${url}/solo/get_response`, { message: 'Hi' })
  expect(upstream.seen.map(({ headers }) => headers.traceparent)).toEqual([CALLER, undefined])
})

test('spans of tools and callbacks are children of the current span', async () => {
  await useUpstream((body) =>
    seen(body).outputs === 0 ? { calls: [{ name: 'fetches', arguments: {} }] } : { text: 'ok' },
  )
  const { telemetry, tracer, tree } = collectSpans()
  const note = async (name: string) => {
    await sleep(1)
    tracer.startSpan(name).end()
  }
  const fetches = tool({ name: 'fetches', execute: () => note('GET /weather') })
  const solo = agent('Solo', {
    tools: [fetches],
    instructions: async () => {
      await note('read instructions')
      return 'You are Solo'
    },
  })
  const agency = new Agency(solo, { saveThreads: () => note('INSERT'), loadThreads: () => [] })
  const { url } = await startServer({ agencies: { solo: agency }, telemetry })
  await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
  const lines = (await tree()).split('\n')
  const at = (line: string) => lines.indexOf(line)
  expect(lines.slice(at('    execute_tool fetches'), at('    execute_tool fetches') + 2)).toEqual([
    '    execute_tool fetches',
    '      GET /weather',
  ])
  expect(lines.filter((line) => line === '    read instructions')).toHaveLength(2)
  expect(lines.filter((line) => line === '    INSERT')).toHaveLength(3) // the user's message, the turn with the call, the answer
})

test('an active span takes precedence over the header', async () => {
  await useUpstream(() => ({ text: 'ok' }))
  const { telemetry, tracer, spans } = collectSpans()
  const agency = new Agency(agent('Solo'), { name: 'here' })
  const outer = tracer.startSpan('my request')
  const bagged = propagation.setBaggage(
    trace.setSpan(context.active(), outer),
    propagation.createBaggage({ user: { value: 'secret' } }),
  )
  const { finalOutput } = await context.with(bagged, () => agency.getResponse('Hi', { telemetry }))
  outer.end()
  expect(finalOutput).toBe('ok')
  const run = named(await spans(), 'invoke_workflow here')
  expect(run.parentSpanContext?.spanId).toBe(outer.spanContext().spanId)
})
