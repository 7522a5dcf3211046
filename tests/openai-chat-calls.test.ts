/** Tools of a client of Chat Completions: their calls end a run, and their outputs continue it. */
import type OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, Handoff } from '../src/index.ts'
import { useUpstream } from './support/client.ts'
import { clock, desk, serveOpenAi, team } from './support/openai-server.ts'

/** The names of the tools of a model call. */
const toolsOf = (seen: { body: { tools?: unknown } } | undefined) =>
  ((seen?.body.tools ?? []) as { name: string }[]).map(({ name }) => name)

const ask = (content: string) => [{ role: 'user' as const, content }]

test('a call of the client ends the run, and its output continues', async () => {
  const upstream = await useUpstream((_body, index) =>
    index === 0
      ? {
          calls: [
            { name: 'clock', arguments: { zone: 'UTC' } },
            { name: 'lookup', arguments: { what: 'x' } },
          ],
        }
      : { text: 'Noon' },
  )
  const { client } = await serveOpenAi()
  const request = { model: 'support', tools: [clock], messages: ask('Time?') }
  const first = await client.chat.completions.create(request)
  const [choice] = first.choices
  expect(choice).toMatchObject({
    finish_reason: 'tool_calls',
    message: {
      content: null,
      tool_calls: [{ type: 'function', function: { name: 'clock', arguments: '{"zone":"UTC"}' } }],
    },
  })
  expect(choice?.message.tool_calls).toHaveLength(1)
  expect(toolsOf(upstream.seen[0])).toEqual(['lookup', 'clock'])
  const message = choice?.message as OpenAI.ChatCompletionMessage
  const id = message.tool_calls?.[0]?.id as string
  const second = await client.chat.completions.create({
    ...request,
    messages: [...request.messages, message, { role: 'tool', tool_call_id: id, content: '12:00' }],
  })
  expect(second.choices[0]?.message.content).toBe('Noon')
  expect(upstream.seen[1]?.body.input).toMatchObject([
    { role: 'user', content: 'Time?' },
    { type: 'function_call', name: 'clock', call_id: id, arguments: '{"zone":"UTC"}' },
    { type: 'function_call_output', call_id: id, output: '12:00' },
  ])
})

test('runTools of the client runs its functions against an agency', async () => {
  await useUpstream((body) =>
    JSON.stringify(body.input).includes('12:00')
      ? { text: 'Noon' }
      : { calls: [{ name: 'clock', arguments: { zone: 'UTC' } }] },
  )
  const { client } = await serveOpenAi()
  const zones: string[] = []
  const runner = client.chat.completions.runTools({
    model: 'support',
    stream: true,
    messages: ask('Time?'),
    tools: [
      {
        type: 'function',
        function: {
          ...clock.function,
          parse: JSON.parse,
          function: ({ zone }: { zone: string }) => {
            zones.push(zone)
            return '12:00'
          },
        },
      },
    ],
  })
  expect(await runner.finalContent()).toBe('Noon')
  expect(zones).toEqual(['UTC'])
})

test('tools of a client are offered to no sub-agent', async () => {
  const upstream = await useUpstream((_body, index) =>
    index === 0
      ? { calls: [{ name: 'send_message', arguments: { recipient_agent: 'Rates', message: 'Rate?' } }] }
      : { text: 'Three' },
  )
  const { client } = await serveOpenAi(team())
  await client.chat.completions.create({ model: 'support', tools: [clock], messages: ask('Rate?') })
  const names = upstream.seen.map(toolsOf)
  expect(names.map((list) => list.includes('clock'))).toEqual([true, false, true])
})

test('a choice of tools holds for the first call of the model', async () => {
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'lookup', arguments: { what: 'x' } }] } : { text: 'Done' },
  )
  const { client } = await serveOpenAi()
  const request = { model: 'support', tools: [clock], messages: ask('Time?') }
  await client.chat.completions.create({ ...request, tool_choice: 'required' })
  expect(upstream.seen.map(({ body }) => body.tool_choice)).toEqual(['required', undefined])
  await client.chat.completions.create({ ...request, tool_choice: 'none' })
  expect(toolsOf(upstream.seen[2])).toEqual(['lookup'])
})

test('a half or wrong call of the client is mended by the model', async () => {
  const broken = {
    id: 'fc',
    type: 'function_call',
    call_id: 'c1',
    name: 'clock',
    arguments: '{"zone',
    status: 'completed',
  }
  const upstream = await useUpstream((_body, index) => (index === 0 ? { output: [broken] } : { text: 'Noon' }))
  const { client } = await serveOpenAi()
  const answer = await client.chat.completions.create({ model: 'support', tools: [clock], messages: ask('Time?') })
  expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'Noon' } })
  expect(JSON.stringify(upstream.seen[1]?.body.input)).toMatch(/not valid JSON.*function_call_output/)
})

test('structured output is parsed by the client', async () => {
  const upstream = await useUpstream(() => ({ text: '{"rate":3}' }))
  const { client } = await serveOpenAi()
  const answer = await client.chat.completions.parse({
    model: 'support',
    messages: ask('Rate?'),
    response_format: zodResponseFormat(z.object({ rate: z.number() }), 'rate'),
  })
  expect(answer.choices[0]?.message.parsed).toEqual({ rate: 3 })
  expect(upstream.seen[0]?.body.text).toMatchObject({
    format: { type: 'json_schema', name: 'rate', strict: true, schema: { required: ['rate'] } },
  })
})

test('two runs at once have their own tools', async () => {
  const upstream = await useUpstream((body) =>
    toolsOf({ body }).includes('clock')
      ? { calls: [{ name: 'clock', arguments: { zone: 'UTC' } }] }
      : { text: 'No clock' },
  )
  const { client } = await serveOpenAi()
  const request = { model: 'support', messages: ask('Time?') }
  const [withClock, without] = await Promise.all([
    client.chat.completions.create({ ...request, tools: [clock] }),
    client.chat.completions.create(request),
  ])
  expect(withClock.choices[0]?.finish_reason).toBe('tool_calls')
  expect(without.choices[0]?.message.content).toBe('No clock')
  expect(upstream.seen).toHaveLength(2)
})

test('a call of the client beside a handoff goes first', async () => {
  const billing = new Agent({ name: 'Billing', instructions: 'Bills.', model: 'gpt-4.1' })
  const front = desk()
  const agency = new Agency(front, { communicationFlows: [[front, billing, Handoff]] })
  const upstream = await useUpstream(() => ({
    calls: [
      { name: 'transfer_to_Billing', arguments: {} },
      { name: 'clock', arguments: { zone: 'UTC' } },
    ],
  }))
  const { client } = await serveOpenAi(agency)
  const answer = await client.chat.completions.create({ model: 'support', tools: [clock], messages: ask('Time?') })
  expect(answer.choices[0]?.message.tool_calls).toMatchObject([{ function: { name: 'clock' } }])
  expect(upstream.seen).toHaveLength(1)
})
