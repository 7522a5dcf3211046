import {
  AggregationTemporality,
  type HistogramMetricData,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, type ServeOptions, tool } from '../src/index.ts'
import { createMetrics } from '../src/otel.ts'
import { allFrames, post, startServer, useUpstream } from './support/client.ts'
import { collectSpans } from './support/traces.ts'

async function serveSolo(options: Partial<ServeOptions> = {}) {
  const look = tool({ name: 'look', execute: () => 'seen' })
  const fails = tool({
    name: 'fails',
    execute: () => {
      throw new TypeError('no')
    },
  })
  const solo = new Agent({ name: 'Solo', model: 'gpt-4.1', tools: [look, fails] })
  const server = await startServer({ agencies: { 'my team': new Agency(solo) }, ...options })
  return {
    ...server,
    ask: (path: string, more = {}) => post(`${server.url}/my_team/${path}`, { message: 'Hi', ...more }),
  }
}

/** `name{labels}` -> value, of every line that is a sample. */
function samples(text: string): { [series: string]: number } {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

const scrape = async (url: string) => samples(await (await fetch(`${url}/metrics`)).text())

const usage = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 40 },
  output_tokens: 20,
  output_tokens_details: { reasoning_tokens: 7 },
}

test('/metrics counts and times runs, calls, tokens and errors', async () => {
  await useUpstream((_body, index) => {
    if (index === 0)
      return {
        calls: [
          { name: 'look', arguments: {} },
          { name: 'fails', arguments: {} },
        ],
        usage,
      }
    return index === 1 ? { text: 'Done', usage } : { status: 400, message: 'no' }
  })
  const { url, ask } = await serveSolo({ metrics: true })
  await allFrames(`${url}/my_team/get_response_stream`, { message: 'Hi' })
  expect((await ask('get_response')).status).toBe(500)
  expect((await ask('get_response', { recipient_agent: 'Nobody' })).status).toBe(422)
  const found = await scrape(url)
  const call = 'gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt-4.1"'
  expect(found).toMatchObject({
    'agency_swarm_runs_started_total{agency="my_team",stream="true"}': 1,
    'agency_swarm_runs_started_total{agency="my_team",stream="false"}': 1,
    'agency_swarm_runs_finished_total{agency="my_team",stream="true",outcome="completed"}': 1,
    'agency_swarm_runs_finished_total{agency="my_team",stream="false",outcome="failed"}': 1,
    'agency_swarm_runs_active{agency="my_team",stream="true"}': 0,
    'agency_swarm_run_duration_seconds_count{agency="my_team",stream="true",outcome="completed"}': 1,
    'agency_swarm_run_time_to_first_delta_seconds_count{agency="my_team"}': 1,
    'agency_swarm_tool_duration_seconds_count{tool="look"}': 1,
    'agency_swarm_tool_duration_seconds_count{tool="fails",error_type="TypeError"}': 1,
    [`gen_ai_client_operation_duration_seconds_count{${call}}`]: 2,
    [`gen_ai_client_operation_duration_seconds_count{${call},error_type="MODEL_FAILED"}`]: 1,
    [`gen_ai_client_operation_time_to_first_chunk_seconds_count{${call}}`]: 1,
    [`gen_ai_client_token_usage_sum{${call},gen_ai_token_type="input"}`]: 200,
    [`gen_ai_client_token_usage_sum{${call},gen_ai_token_type="output"}`]: 40,
    [`gen_ai_client_token_usage_bucket{${call},gen_ai_token_type="input",le="64"}`]: 0,
    [`gen_ai_client_token_usage_bucket{${call},gen_ai_token_type="input",le="256"}`]: 2,
    [`gen_ai_client_token_usage_bucket{${call},gen_ai_token_type="input",le="+Inf"}`]: 2,
    'agency_swarm_tokens_total{type="input",model="gpt-4.1"}': 200,
    'agency_swarm_tokens_total{type="cached",model="gpt-4.1"}': 80,
    'agency_swarm_tokens_total{type="output",model="gpt-4.1"}': 40,
    'agency_swarm_tokens_total{type="reasoning",model="gpt-4.1"}': 14,
    'agency_swarm_cost_usd_total{model="gpt-4.1"}': expect.closeTo(2 * (60 * 2e-6 + 40 * 0.5e-6 + 20 * 8e-6), 8),
    'agency_swarm_errors_total{of="tool",error_type="TypeError"}': 1,
    'agency_swarm_errors_total{of="model",error_type="MODEL_FAILED"}': 1,
    'agency_swarm_errors_total{of="run",error_type="MODEL_FAILED"}': 1,
    'agency_swarm_requests_refused_total{code="INVALID_REQUEST"}': 1,
    'agency_swarm_build_info{version="0.1.0"}': 1,
  })
  for (const name of [
    'process_memory_usage_bytes',
    'v8js_memory_heap_used_bytes',
    'v8js_memory_heap_limit_bytes',
    'process_uptime_seconds',
    'process_cpu_time_seconds_total{cpu_mode="user"}',
    'nodejs_eventloop_delay_p99_seconds',
    'nodejs_eventloop_utilization_ratio',
  ])
    expect([name, found[name]]).toEqual([name, expect.any(Number)])
})

test('/metrics is valid Prometheus text', async () => {
  const metrics = createMetrics()
  onTestFinished(() => metrics.close())
  const run = metrics.start({
    runId: '1',
    agency: 'odd "name"\\\nline',
    recipient: 'Solo',
    streaming: false,
    conversationId: 'trace_1',
    input: [],
    parent: undefined,
    redact: String,
  })
  expect(metrics.text()).toContain('agency_swarm_runs_active{agency="odd \\"name\\"\\\\\\nline",stream="false"} 1\n')
  run.end({ usage: { total_cost: 0 } as never, finalOutput: '' })
  const lines = metrics.text().trimEnd().split('\n')
  const families = lines.filter((line) => line.startsWith('# TYPE ')).map((line) => line.split(' ')[2])
  expect(new Set(families).size).toBe(families.length)
  for (const line of lines)
    expect(line).toMatch(
      /^(# (HELP|TYPE) [a-z_0-9]+ .*|[a-z_0-9]+(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)+\})? -?[\d.e+-]+)$/,
    )
})

test('/metrics needs the token unless metricsOpen is set', async () => {
  process.env.METRICS_TOKEN = 'let-me-in'
  onTestFinished(() => {
    delete process.env.METRICS_TOKEN
  })
  const agencies = { solo: new Agency(new Agent({ name: 'Solo', model: 'demo' })) }
  const common = { agencies, appTokenEnv: 'METRICS_TOKEN' }
  const closed = await startServer({ ...common, metrics: true })
  expect((await fetch(`${closed.url}/metrics`)).status).toBe(401)
  const answer = await fetch(`${closed.url}/metrics`, { headers: { authorization: 'Bearer let-me-in' } })
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  const open = await startServer({ ...common, metrics: true, metricsOpen: true })
  expect((await fetch(`${open.url}/metrics`)).status).toBe(200)
  const without = await startServer(common)
  expect((await fetch(`${without.url}/metrics`, { headers: { authorization: 'Bearer let-me-in' } })).status).toBe(404)
})

test('names chosen by callers become "other", to bound metrics', async () => {
  await useUpstream(() => ({ text: 'ok' }))
  const logger = { info: () => {}, warn: () => {}, error: () => {} }
  const { url, ask } = await serveSolo({ metrics: true, logger })
  for (let index = 0; index < 104; index++) await ask('get_response', { client_config: { model: `made-up-${index}` } })
  await ask('get_response', { client_config: { model: 'x'.repeat(500) } })
  const found = await scrape(url)
  const models = Object.keys(found).filter((series) => /^agency_swarm_tokens_total\{type="input"/.test(series))
  expect(models).toHaveLength(101)
  expect(found['agency_swarm_tokens_total{type="input",model="other"}']).toBe(5 * 10)
})

test('metrics made by hand are shared by servers and runs in process', async () => {
  await useUpstream(() => ({ text: 'ok' }))
  const metrics = createMetrics()
  onTestFinished(() => metrics.close())
  const [first, second] = [await serveSolo({ metrics }), await serveSolo({ metrics })]
  await Promise.all([first.ask('get_response'), second.ask('get_response')])
  const alone = new Agency(new Agent({ name: 'Alone', model: 'gpt-4.1' }), { name: 'in process' })
  await alone.getResponse('Hi', { telemetry: metrics })
  await first.close()
  expect(await scrape(second.url)).toMatchObject({
    'agency_swarm_runs_started_total{agency="my_team",stream="false"}': 2,
    'agency_swarm_runs_finished_total{agency="in process",stream="false",outcome="completed"}': 1,
  })
})

test('a meter provider gets the same measures', async () => {
  await useUpstream(() => ({ text: 'ok', usage }))
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  onTestFinished(() => meterProvider.shutdown())
  const { telemetry } = collectSpans({ meterProvider })
  const { url } = await serveSolo({ telemetry })
  await allFrames(`${url}/my_team/get_response_stream`, { message: 'Hi' })
  await reader.forceFlush()
  const exported =
    exporter
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? []
  const metric = (name: string) => exported.find(({ descriptor }) => descriptor.name === name) as MetricData
  expect(metric('agency_swarm.runs.finished').dataPoints).toMatchObject([
    { value: 1, attributes: { agency: 'my_team', stream: true, outcome: 'completed' } },
  ])
  const tokens = metric('gen_ai.client.token.usage') as HistogramMetricData
  expect(tokens.descriptor.unit).toBe('{token}')
  expect(tokens.dataPoints.map(({ attributes, value }) => [attributes['gen_ai.token.type'], value.sum])).toEqual([
    ['input', 100],
    ['output', 20],
  ])
  expect(metric('gen_ai.client.operation.duration').dataPoints[0]?.attributes).toEqual({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-4.1',
  })
  expect(metric('agency_swarm.run.time_to_first_delta').dataPoints).toHaveLength(1)
})
