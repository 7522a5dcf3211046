/** The OpenAI endpoints: models and Chat Completions, as OpenAI's own client sees them. */

import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify from 'fastify'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, Agent, Handoff, tool } from '../src/index.ts'
import { post, postAndRead, startServer, useUpstream } from './support/client.ts'
import { clientOf, clock, collect, desk, serveOpenAi, team } from './support/openai-server.ts'

/** The names of the tools of a model call. */
const toolsOf = (seen: { body: { tools?: unknown } } | undefined) =>
  ((seen?.body.tools ?? []) as { name: string }[]).map(({ name }) => name)

const ask = (content: string) => [{ role: 'user' as const, content }]

test('agencies and agents are models', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { client } = await serveOpenAi(team())
  expect((await collect(client.models.list())).map(({ id }) => id)).toEqual([
    'support',
    'support/Desk',
    'support/Rates',
  ])
  expect(await client.models.retrieve('support/Rates')).toMatchObject({ id: 'support/Rates', object: 'model' })
  const error = await client.models.retrieve('support/Nobody').catch((error) => error)
  expect(error).toBeInstanceOf(OpenAI.NotFoundError)
})

test('the models of an agency with one agent are named once', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { url, client } = await serveOpenAi()
  expect((await client.models.list()).data).toMatchObject([{ id: 'support', owned_by: 'agency-swarm-js' }])
  expect((await readModel(`${url}/v1/models/support%2FDesk`)).id).toBe('support/Desk')
})

const readModel = async (url: string) => (await (await fetch(url)).json()) as { id: string }

test('a plain answer has the text, the usage of all agents and the model', async () => {
  const upstream = await useUpstream((_body, index) =>
    index === 0
      ? { calls: [{ name: 'send_message', arguments: { recipient_agent: 'Rates', message: 'Rate?' } }] }
      : { text: index === 1 ? 'Three' : 'It is three.' },
  )
  const { client } = await serveOpenAi(team())
  const answer = await client.chat.completions.create({ model: 'support', messages: ask('What is the rate?') })
  expect(answer).toMatchObject({
    id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
    object: 'chat.completion',
    model: 'support',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'It is three.' } }],
    usage: { prompt_tokens: 30, completion_tokens: 15, total_tokens: 45 },
  })
  expect(upstream.seen).toHaveLength(3)
})

test('model agency/Agent addresses that agent', async () => {
  const upstream = await useUpstream(() => ({ text: 'Three' }))
  const { client } = await serveOpenAi(team())
  await client.chat.completions.create({ model: 'support/Rates', messages: ask('Rate?') })
  expect(upstream.seen[0]?.body.instructions).toBe('Rates.')
})

test('a stream has one id, the text in pieces, the usage and DONE', async () => {
  await useUpstream(() => ({ text: '', deltas: 3 }))
  const { client } = await serveOpenAi()
  const chunks = await collect(
    await client.chat.completions.create({
      model: 'support',
      messages: ask('Count'),
      stream: true,
      stream_options: { include_usage: true },
    }),
  )
  expect(new Set(chunks.map(({ id, created, model, object }) => [id, created, model, object].join())).size).toBe(1)
  expect(chunks.map(({ choices: [choice] }) => choice?.delta)).toEqual([
    { role: 'assistant', content: '' },
    { content: '0 ' },
    { content: '1 ' },
    { content: '2 ' },
    {},
    undefined,
  ])
  expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
  expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop')
  expect(chunks.at(-1)?.usage).toMatchObject({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 })
})

test('the bytes of a stream are chunks and end with DONE', async () => {
  await useUpstream(() => ({ text: 'Hi \u2028' }))
  const { url } = await serveOpenAi()
  const response = await post(`${url}/v1/chat/completions`, { model: 'support', messages: ask('Hi'), stream: true })
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const id = response.headers.get('x-request-id') as string
  const frames = (await response.text()).split('\n\n')
  expect(frames.at(-1)).toBe('')
  expect(frames.at(-2)).toBe('data: [DONE]')
  expect(frames[1]).toContain('"content":"Hi \\u2028"')
  expect(JSON.parse((frames[0] as string).slice(6))).toEqual({
    id: `chatcmpl-${id.replaceAll('-', '')}`,
    object: 'chat.completion.chunk',
    created: expect.any(Number),
    model: 'support',
    choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }],
  })
})

test('work of sub-agents and tools is reasoning, never the answer', async () => {
  await useUpstream((_body, index) =>
    index === 0
      ? {
          calls: [
            { name: 'send_message', arguments: { recipient_agent: 'Rates', message: 'Rate?' } },
            { name: 'lookup', arguments: { what: 'x' } },
          ],
        }
      : { text: index === 1 ? 'Three' : 'It is three.' },
  )
  const { client } = await serveOpenAi(team())
  const stream = client.chat.completions.stream({ model: 'support', messages: ask('What is the rate?') })
  let thoughts = ''
  stream.on('chunk', ({ choices: [choice] }) => {
    thoughts += (choice?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? ''
  })
  expect((await stream.finalChatCompletion()).choices[0]?.message).toMatchObject({ content: 'It is three.' })
  expect(thoughts).toBe('[Desk] -> Rates: Rate?\n[Desk] -> lookup\n[Rates] Three\n')
})

test('messages of one answer are apart, streamed and plain', async () => {
  const said = (id: string, text: string) => ({
    id,
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text, annotations: [] }],
  })
  const call = {
    id: 'fc',
    type: 'function_call',
    call_id: 'c1',
    name: 'lookup',
    arguments: '{"what":"x"}',
    status: 'completed',
  }
  await useUpstream((body) => {
    const answered = (body.input as { type?: string }[]).some(({ type }) => type === 'function_call_output')
    return { output: answered ? [said('m', 'Found.')] : [said('m', 'I look.'), call] }
  })
  const { client } = await serveOpenAi()
  const request = { model: 'support', messages: ask('x?') }
  const plain = await client.chat.completions.create(request)
  expect(plain.choices[0]?.message.content).toBe('I look.\n\nFound.')
  const streamed = await client.chat.completions.stream(request).finalContent()
  expect(streamed).toBe('I look.\n\nFound.')
})

test('the output of a tool that is the answer is sent', async () => {
  await useUpstream(() => ({ calls: [{ name: 'lookup', arguments: { what: 'x' } }] }))
  const { client } = await serveOpenAi(new Agency(desk({ toolUseBehavior: 'stop_on_first_tool' })))
  const request = { model: 'support', messages: ask('x?') }
  expect((await client.chat.completions.create(request)).choices[0]?.message.content).toBe('found x')
  expect(await client.chat.completions.stream(request).finalContent()).toBe('found x')
})

test('system messages add to instructions, and earlier messages are history', async () => {
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { client } = await serveOpenAi()
  await client.chat.completions.create({
    model: 'support',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Hi' },
      { role: 'developer', content: [{ type: 'text', text: 'Be kind.' }] },
      { role: 'user', content: 'How are you?' },
    ],
    temperature: 0.1,
    user: 'u1',
  })
  expect(upstream.seen[0]?.body).toMatchObject({
    instructions: 'Help.\n\nBe brief.\n\nBe kind.',
    input: [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Hi' },
      { role: 'user', content: 'How are you?' },
    ],
  })
  expect(upstream.seen[0]?.body).not.toHaveProperty('temperature')
})

test('images and files reach the model', async () => {
  const upstream = await useUpstream(() => ({ text: 'A cat' }))
  const { client } = await serveOpenAi()
  await client.chat.completions.create({
    model: 'support',
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is it?' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } },
          { type: 'file', file: { file_id: 'file-1' } },
          { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AAAA' } },
        ],
      },
    ],
  })
  expect(upstream.seen[0]?.body).toHaveProperty('input.0.content', [
    { type: 'input_text', text: 'What is it?' },
    { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'low' },
    { type: 'input_file', file_id: 'file-1' },
    { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,AAAA' },
  ])
})

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

test('a request that no run can answer is 400 in the shape of OpenAI', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { url } = await serveOpenAi()
  const messages = ask('Hi')
  const form = new Agency(desk({ outputType: z.object({ a: z.string() }) }))
  const typed = await serveOpenAi(form)
  const schema = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } }
  for (const [base, body, param, reason] of [
    [url, {}, 'model', /model/],
    [url, { model: 'support' }, 'messages', /messages/],
    [url, { model: 'support', messages: [] }, 'messages', /at least 1/],
    [url, { model: 'support', messages: [{ role: 'assistant', content: 'Hi' }] }, 'messages', /last message/],
    [
      url,
      { model: 'support', messages: [{ role: 'tool', tool_call_id: 'x', content: '' }] },
      'messages.0.tool_call_id',
      /"x"/,
    ],
    [
      url,
      { model: 'support', messages: [{ role: 'robot', content: 'Hi' }] },
      expect.stringMatching(/^messages\.0/),
      /role/,
    ],
    [url, { model: 'support', messages, n: 2 }, 'n', /one answer/],
    [
      url,
      { model: 'support', messages, tools: [{ type: 'custom', custom: { name: 'x' } }] },
      'tools.0.type',
      /function/,
    ],
    [
      url,
      { model: 'support', messages, tools: [{ type: 'function', function: { name: 'lookup' } }] },
      'tools.0.function.name',
      /another tool/,
    ],
    [url, { model: 'support', messages, tools: [clock, clock] }, 'tools.1.function.name', /another tool/],
    [
      url,
      { model: 'support', messages, tool_choice: { type: 'function', function: { name: 'x' } } },
      'tool_choice',
      /no tool "x"/,
    ],
    [
      typed.url,
      { model: 'support', messages, response_format: schema },
      'response_format.json_schema',
      /form of its own/,
    ],
  ] as const) {
    const { status, body: answer } = await postAndRead(`${base}/v1/chat/completions`, body)
    expect([status, answer.error.param]).toEqual([400, param])
    expect(answer.error).toMatchObject({ type: 'invalid_request_error', message: expect.stringMatching(reason) })
    expect(Object.keys(answer)).toEqual(['error'])
  }
})

test('every refusal below /v1 has the shape of OpenAI', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { url, client } = await serveOpenAi(undefined, { limits: { bodyBytes: 2_000 } })
  const unknown = await client.chat.completions.create({ model: 'x', messages: ask('Hi') }).catch((error) => error)
  expect(unknown).toMatchObject({ status: 404, code: 'model_not_found', type: 'invalid_request_error' })
  for (const [status, request] of [
    [404, fetch(`${url}/v1/embeddings`)],
    [405, fetch(`${url}/v1/chat/completions`)],
    [413, post(`${url}/v1/chat/completions`, 'x'.repeat(3_000))],
    [415, post(`${url}/v1/chat/completions`, '{}', { 'content-encoding': 'gzip' })],
    [400, post(`${url}/v1/chat/completions`, '{"model":')],
  ] as const) {
    const response = await request
    expect(response.status).toBe(status)
    expect(await response.json()).toEqual({
      error: {
        message: expect.any(String),
        type: 'invalid_request_error',
        param: null,
        code: expect.toSatisfy((code) => code === null || typeof code === 'string'),
      },
    })
  }
  expect(await (await fetch(`${url}/nowhere`)).json()).toEqual({ detail: 'Not Found' })
})

test('a missing or wrong token is 401 with invalid_api_key', async () => {
  process.env.DOOR_TOKEN = 'right'
  onTestFinished(() => void delete process.env.DOOR_TOKEN)
  await useUpstream(() => ({ text: 'Hi' }))
  const { url } = await serveOpenAi(undefined, { appTokenEnv: 'DOOR_TOKEN' })
  const error = await clientOf(url, { apiKey: 'wrong' })
    .models.list()
    .catch((error) => error)
  expect(error).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'invalid_request_error' })
  const bare = await fetch(`${url}/v1/models`)
  expect(bare.headers.get('www-authenticate')).toBe('Bearer')
  expect(await bare.json()).toMatchObject({ error: { code: 'invalid_api_key' } })
  expect((await clientOf(url, { apiKey: 'right' }).models.list()).data).toHaveLength(1)
})

test('callers over the rate limit get 429 with rate_limit_exceeded', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { client } = await serveOpenAi(undefined, { rateLimit: { requests: 1 } })
  await client.models.list()
  const error = await client.models.list().catch((error) => error)
  expect(error).toBeInstanceOf(OpenAI.RateLimitError)
  expect(error).toMatchObject({ code: 'rate_limit_exceeded', type: 'rate_limit_error' })
})

test('a run that failed is not repeated by the client', async () => {
  const upstream = await useUpstream(() => ({ status: 400, message: 'secret sk-server-key' }))
  const { url } = await serveOpenAi()
  const client = clientOf(url, { maxRetries: 2 })
  const error = await client.chat.completions.create({ model: 'support', messages: ask('Hi') }).catch((error) => error)
  expect(error).toMatchObject({ status: 500, type: 'server_error', code: 'model_failed' })
  expect(error.headers.get('x-should-retry')).toBe('false')
  expect(error.message).not.toMatch(/secret|sk-/)
  expect(upstream.seen).toHaveLength(1)
})

test('a run that fails in its stream ends it with the error', async () => {
  await useUpstream(() => ({ text: 'Well', fails: 'no luck' }))
  const { url, client } = await serveOpenAi()
  const request = { model: 'support', messages: ask('Hi'), stream: true as const }
  const stream = await client.chat.completions.create(request)
  await expect(collect(stream)).rejects.toMatchObject({ type: 'server_error', code: 'model_failed' })
  const text = await (await post(`${url}/v1/chat/completions`, request)).text()
  expect(text).toMatch(/"content":"Well"[\s\S]*data: \{"error":\{[^\n]*\}\n\ndata: \[DONE\]\n\n$/)
})

test('the turn limit and a cut answer finish with length', async () => {
  await useUpstream((body) =>
    body.stream === true
      ? { calls: [{ name: 'lookup', arguments: { what: 'x' } }] }
      : {
          json: {
            status: 'incomplete',
            incomplete_details: { reason: 'max_output_tokens' },
            output: [
              { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Half', annotations: [] }] },
            ],
          },
        },
  )
  const { client } = await serveOpenAi(undefined, { maxTurns: 2 })
  const request = { model: 'support', messages: ask('Hi') }
  const chunks = await collect(await client.chat.completions.create({ ...request, stream: true }))
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('length')
  const plain = await client.chat.completions.create(request)
  expect(plain.choices[0]).toMatchObject({ finish_reason: 'length', message: { content: 'Half' } })
})

test('a guardrail answers in place of the model', async () => {
  await useUpstream(() => ({ text: 'never' }))
  const guard = () => ({ tripwire: true, guidance: 'Be polite.' })
  const { client } = await serveOpenAi(new Agency(desk({ inputGuardrails: [guard] })))
  const request = { model: 'support', messages: ask('bad') }
  expect((await client.chat.completions.create(request)).choices[0]?.message.content).toBe('Be polite.')
  expect(await client.chat.completions.stream(request).finalContent()).toBe('Be polite.')
})

test('a rejected draft is not part of a plain answer', async () => {
  await useUpstream((_body, index) => ({ text: index === 0 ? 'bad' : 'good' }))
  const guard = (output: unknown) => ({ tripwire: output === 'bad', guidance: 'Again.' })
  const { client } = await serveOpenAi(new Agency(desk({ outputGuardrails: [guard], validationAttempts: 1 })))
  const answer = await client.chat.completions.create({ model: 'support', messages: ask('Hi') })
  expect(answer.choices[0]?.message.content).toBe('good')
})

test('a client that leaves stops the run', async () => {
  const upstream = await useUpstream(() => ({ text: 'any', deltas: 10_000, delayMs: 2 }))
  const { client } = await serveOpenAi()
  const stream = await client.chat.completions.create({ model: 'support', messages: ask('Story'), stream: true })
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
  await upstream.seen[0]?.aborted
  expect(upstream.seen).toHaveLength(1)
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

test('without the option there is no /v1, and an agency may have the name', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { url } = await startServer({ agencies: { v1: new Agency(desk()) } })
  expect((await fetch(`${url}/v1/models`)).status).toBe(404)
  expect((await fetch(`${url}/v1/get_metadata`)).status).toBe(200)
  await expect(startServer({ agencies: { v1: new Agency(desk()) }, openai: true })).rejects.toThrow(/"v1"/)
  await expect(startServer({ agencies: {}, openai: 1 as never })).rejects.toThrow(/openai has to be/)
})

test('the plugin serves /v1 below its prefix', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const app = Fastify()
  await app.register(agencySwarm, { prefix: '/ai', agencies: { support: new Agency(desk()) }, openai: true })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => app.close())
  const client = clientOf(`${url}/ai`)
  const answer = await client.chat.completions.create({ model: 'support', messages: ask('Hi') })
  expect(answer.choices[0]?.message.content).toBe('Hi')
  const error = await client.chat.completions.create({ model: 'x', messages: ask('Hi') }).catch((error) => error)
  expect(error).toMatchObject({ status: 404, code: 'model_not_found' })
})

test('the OpenAPI document has the endpoints and is valid', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { url } = await serveOpenAi()
  // biome-ignore lint/suspicious/noExplicitAny: a foreign document
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as any
  expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true })
  expect(document.paths['/v1/chat/completions'].post.requestBody.content['application/json'].schema).toEqual({
    $ref: '#/components/schemas/ChatCompletionRequest',
  })
  expect(document.components.schemas.ChatCompletionRequest.required).toEqual(['model', 'messages'])
  expect(document.paths['/v1/models'].get.responses[200]).toBeDefined()
})

test('a server that stops ends a stream, and refuses new requests with 503', async () => {
  const { promise: called, resolve: call } = Promise.withResolvers<void>()
  const { promise: answer, resolve: finish } = Promise.withResolvers<string>()
  const slow = tool({
    name: 'slow',
    parameters: z.object({}),
    execute: () => {
      call()
      return answer
    },
  })
  await useUpstream((_body, index) => (index === 0 ? { calls: [{ name: 'slow', arguments: {} }] } : { text: 'Done' }))
  const server = await startServer({ agencies: { support: new Agency(desk({ tools: [slow] })) }, openai: true })
  const client = clientOf(server.url)
  const running = client.chat.completions.stream({ model: 'support', messages: ask('Go') }).finalContent()
  await called
  const closing = server.close()
  const refused = await client.chat.completions
    .create({ model: 'support', messages: ask('Hi') })
    .catch((error) => error)
  expect(refused).toMatchObject({ status: 503, type: 'server_error', code: 'shutting_down' })
  finish('done')
  expect(await running).toBe('Done')
  await closing
})

test('after a handoff the answer is that of the agent that took over', async () => {
  const billing = new Agent({ name: 'Billing', instructions: 'Bills.', model: 'gpt-4.1' })
  const front = desk()
  const agency = new Agency(front, { communicationFlows: [[front, billing, Handoff]] })
  await useUpstream((body) =>
    body.instructions === 'Bills.' ? { text: 'Paid.' } : { calls: [{ name: 'transfer_to_Billing', arguments: {} }] },
  )
  const { client } = await serveOpenAi(agency)
  const request = { model: 'support', messages: ask('Bill?') }
  expect((await client.chat.completions.create(request)).choices[0]?.message.content).toBe('Paid.')
  expect(await client.chat.completions.stream(request).finalContent()).toBe('Paid.')
  const response = await client.responses.create({ model: 'support', input: 'Bill?' })
  expect(response.output).toMatchObject([{ type: 'message', content: [{ text: 'Paid.' }] }])
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
