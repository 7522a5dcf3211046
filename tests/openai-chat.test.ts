/** The OpenAI endpoints: models and Chat Completions, as OpenAI's own client sees them. */
import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify from 'fastify'
import OpenAI from 'openai'
import { expect, onTestFinished, test } from 'vitest'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, Agent, Handoff } from '../src/index.ts'
import { post, startServer, useUpstream } from './support/client.ts'
import { clientOf, collect, desk, serveOpenAi, team } from './support/openai-server.ts'

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

test('a rejected draft is not part of a plain answer', async () => {
  await useUpstream((_body, index) => ({ text: index === 0 ? 'bad' : 'good' }))
  const guard = (output: unknown) => ({ tripwire: output === 'bad', guidance: 'Again.' })
  const { client } = await serveOpenAi(new Agency(desk({ outputGuardrails: [guard], validationAttempts: 1 })))
  const answer = await client.chat.completions.create({ model: 'support', messages: ask('Hi') })
  expect(answer.choices[0]?.message.content).toBe('good')
})

test('without the option there is no /v1, and an agency may have the name', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { url } = await startServer({ agencies: { v1: new Agency(desk()) } })
  expect((await fetch(`${url}/v1/models`)).status).toBe(404)
  expect((await fetch(`${url}/v1/get_metadata`)).status).toBe(200)
  await expect(startServer({ agencies: { v1: new Agency(desk()) }, openai: true })).rejects.toThrow(/"v1"/)
  await expect(startServer({ agencies: { desk: new Agency(desk()) }, openai: 1 as never })).rejects.toThrow(
    /openai has to be/,
  )
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
