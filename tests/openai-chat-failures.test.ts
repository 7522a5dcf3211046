/** Refused requests and failed runs, as clients of Chat Completions see them. */
import OpenAI from 'openai'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { Agency, tool } from '../src/index.ts'
import { post, postAndRead, startServer, useUpstream } from './support/client.ts'
import { clientOf, clock, collect, desk, serveOpenAi } from './support/openai-server.ts'

const ask = (content: string) => [{ role: 'user' as const, content }]

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

test('a client that leaves stops the run', async () => {
  const upstream = await useUpstream(() => ({ text: 'any', deltas: 10_000, delayMs: 2 }))
  const { client } = await serveOpenAi()
  const stream = await client.chat.completions.create({ model: 'support', messages: ask('Story'), stream: true })
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
  await upstream.seen[0]?.aborted
  expect(upstream.seen).toHaveLength(1)
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
