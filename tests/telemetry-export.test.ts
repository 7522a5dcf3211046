/** OpenTelemetry: recorded contents, exporters and options. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, type Telemetry, tool } from '../src/index.ts'
import { openTelemetry } from '../src/otel.ts'
import { allFrames, final, post, startServer, useUpstream } from './support/client.ts'
import { agent, type Body, team, teamScript } from './support/traced-team.ts'
import { collectSpans, named } from './support/traces.ts'

test('contents are recorded on request only, without keys', async () => {
  await useUpstream((_body, index) =>
    index === 0
      ? { calls: [{ name: 'echo', arguments: { word: 'a-word' } }] }
      : { text: 'the key is sk-request-key and sk-server-key' },
  )
  const echo = tool({
    name: 'echo',
    parameters: { type: 'object', properties: { word: { type: 'string' } } },
    execute: () => 'the-output',
  })
  const { telemetry, spans } = collectSpans({ captureContent: true })
  const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo', { tools: [echo] })) }, telemetry })
  const message = [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'a question' },
        { type: 'input_image', image_url: `data:image/png;base64,${'A'.repeat(50_000)}` },
      ],
    },
  ]
  await post(`${url}/solo/get_response`, {
    message,
    user_context: { pin: 'pin-1234' },
    client_config: { api_key: 'sk-request-key' },
  })
  const all = await spans()
  const call = all.findLast((span) => span.name === 'chat gpt-4.1')
  const read = (name: string) => JSON.parse(String(call?.attributes[name]))
  expect(read('gen_ai.system_instructions')).toEqual([{ type: 'text', content: 'You are Solo' }])
  expect(read('gen_ai.input.messages')).toEqual([
    {
      role: 'user',
      parts: [
        { type: 'text', content: 'a question' },
        { type: 'input_image', content: '{"type":"input_image","image_url":"data:image/png;base64,..."}' },
      ],
    },
    {
      role: 'assistant',
      parts: [{ type: 'tool_call', id: expect.any(String), name: 'echo', arguments: '{"word":"a-word"}' }],
    },
    { role: 'tool', parts: [{ type: 'tool_call_response', id: expect.any(String), response: 'the-output' }] },
  ])
  const answer = [{ role: 'assistant', parts: [{ type: 'text', content: 'the key is [redacted] and [redacted]' }] }]
  expect(read('gen_ai.output.messages')).toEqual(answer)
  const run = named(all, 'invoke_workflow solo')
  expect(JSON.parse(String(run.attributes['gen_ai.output.messages']))).toEqual(answer)
  expect(named(all, 'execute_tool echo').attributes).toMatchObject({
    'gen_ai.tool.call.arguments': '{"word":"a-word"}',
    'gen_ai.tool.call.result': 'the-output',
  })
  expect(JSON.stringify(all.map((span) => span.attributes))).not.toMatch(/sk-request-key|sk-server-key|pin-1234|AAAA/)
})

test('recorded conversations keep their newest messages within contentChars', async () => {
  await useUpstream(() => ({ text: 'x'.repeat(500) }))
  const { telemetry, spans } = collectSpans({ captureContent: true, contentChars: 100 })
  const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo')) }, telemetry })
  const message = Array.from({ length: 50 }, (_, index) => ({ role: 'user', content: `number ${index}` }))
  await post(`${url}/solo/get_response`, { message })
  const { attributes } = named(await spans(), 'chat gpt-4.1')
  expect(JSON.parse(String(attributes['gen_ai.input.messages'])).at(-1)).toEqual({
    role: 'user',
    parts: [{ type: 'text', content: 'number 49' }],
  })
  expect(String(attributes['gen_ai.input.messages']).length).toBeLessThan(120)
  expect(JSON.parse(String(attributes['gen_ai.output.messages']))[0].parts[0].content).toBe(`${'x'.repeat(100)}…`)
})

test('telemetry that throws is reported once and changes nothing', async () => {
  await useUpstream(teamScript)
  const errors: string[] = []
  const logger = { info: () => {}, warn: () => {}, error: (_: object, text: string) => void errors.push(text) }
  const broken = (): never => {
    throw new Error('exporter broke sk-server-key')
  }
  const half: Telemetry = {
    start: () => ({ child: broken, inside: (work) => work(), end: broken }),
    refused: broken,
  }
  const { telemetry, spans } = collectSpans()
  const { url } = await startServer({
    agencies: { team: team() },
    telemetry: [half, { start: broken, refused: broken }, telemetry],
    logger,
  })
  const frames = await allFrames(`${url}/team/get_response_stream`, { message: 'Go' })
  expect(final(frames)?.usage.request_count).toBe(6)
  expect((await post(`${url}/team/get_response`, {})).status).toBe(422)
  expect(await spans()).toHaveLength(14)
  expect(errors).toEqual(['Telemetry failed; runs go on. (exporter broke [redacted])'])
})

test('a real exporter sends the spans over OTLP', async () => {
  const received: { url: string | undefined; body: string }[] = []
  const collector = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    received.push({ url: request.url, body: Buffer.concat(chunks).toString('utf8') })
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((done) => collector.listen(0, '127.0.0.1', done))
  onTestFinished(() => void collector.close())
  await useUpstream(() => ({ text: 'ok' }))
  const { port } = collector.address() as AddressInfo
  const exporter = new OTLPTraceExporter({ url: `http://127.0.0.1:${port}/v1/traces` })
  const { telemetry, provider } = collectSpans({}, exporter)
  onTestFinished(() => provider.shutdown())
  const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo')) }, telemetry })
  await post(`${url}/solo/get_response`, { message: 'Hi' })
  const sent = () =>
    received.flatMap(({ body }) =>
      JSON.parse(body).resourceSpans.flatMap((resource: Body) =>
        (resource.scopeSpans as { scope: { name: string }; spans: { name: string }[] }[]).flatMap(({ scope, spans }) =>
          spans.map((span) => `${scope.name}: ${span.name}`),
        ),
      ),
    )
  await expect
    .poll(() => sent().toSorted())
    .toEqual([
      'agency-swarm-js: chat gpt-4.1',
      'agency-swarm-js: invoke_agent Solo',
      'agency-swarm-js: invoke_workflow solo',
    ])
  expect(received[0]?.url).toBe('/v1/traces')
})

test('options that do not exist or do not fit are refused', async () => {
  expect(() => openTelemetry({ capture_content: true } as never)).toThrow('Write "captureContent"')
  expect(() => openTelemetry({ propagateTo: 'all' as never })).toThrow(
    'propagateTo must be one of trusted, everywhere, nobody',
  )
  expect(() => openTelemetry({ contentChars: 0 })).toThrow('contentChars')
  const agencies = { solo: new Agency(new Agent({ name: 'Solo', model: 'demo' })) }
  for (const wrong of [{ telemetry: {} }, { telemetry: [null] }, { metrics: {} }, { logger: { info() {} } }])
    await expect(startServer({ agencies, ...wrong } as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})
