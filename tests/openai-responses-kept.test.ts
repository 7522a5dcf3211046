/** Responses that the server keeps: continued, in conversations, in the background. */
import { join } from 'node:path'
import OpenAI from 'openai'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, serve, sqlite } from '../src/index.ts'
import { post, startServer, useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { clientOf, clock, collect, desk, eventsOf, serveOpenAi } from './support/openai-server.ts'

const time = { type: 'function' as const, strict: false, ...clock.function }
const model = 'support'

test('one response can be continued twice', async () => {
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { client } = await serveOpenAi()
  const first = await client.responses.create({ model, input: 'One', instructions: 'Once.' })
  for (const input of ['Two', 'Three']) await client.responses.create({ model, previous_response_id: first.id, input })
  const before = [{ content: 'One' }, { content: [{ text: 'Fine' }] }]
  expect(upstream.seen.slice(1).map(({ body }) => body)).toMatchObject([
    { instructions: 'Help.', input: [...before, { content: 'Two' }] },
    { instructions: 'Help.', input: [...before, { content: 'Three' }] },
  ])
})

test('a conversation is kept, also with calls of the client', async () => {
  const upstream = await useUpstream((_body, index) =>
    index === 1 ? { calls: [{ name: 'clock', arguments: { zone: 'UTC' } }] } : { text: 'Fine' },
  )
  const { client } = await serveOpenAi()
  const conversation = 'conv_1'
  const first = await client.responses.create({ model, conversation, input: 'One' })
  expect(first.conversation).toEqual({ id: conversation })
  const second = await client.responses.create({
    model,
    conversation: { id: conversation },
    input: 'Time?',
    tools: [time],
  })
  const { call_id } = second.output[0] as { call_id: string }
  await client.responses.create({
    model,
    conversation,
    input: [{ type: 'function_call_output', call_id, output: '12' }],
  })
  expect(upstream.seen[2]?.body.input).toMatchObject([
    { content: 'One' },
    { content: [{ text: 'Fine' }] },
    { content: 'Time?' },
    { type: 'function_call', call_id },
    { type: 'function_call_output', call_id, output: '12' },
  ])
})

test('a conversation that is busy is 400 with conversation_locked', async () => {
  await useUpstream(() => ({ hang: true }))
  const { client } = await serveOpenAi()
  const request = { model, conversation: 'conv_2', input: 'Hi' }
  const running = await client.responses.create({ ...request, background: true })
  const error = await client.responses.create(request).catch((error) => error)
  expect(error).toMatchObject({ status: 400, code: 'conversation_locked' })
  await client.responses.cancel(running.id)
})

test('a background response goes on by itself and can be retrieved', async () => {
  await useUpstream(() => ({ text: 'any', deltas: 3, delayMs: 5 }))
  const { client } = await serveOpenAi()
  const started = await client.responses.create({ model, input: 'Work', background: true })
  expect(['queued', 'in_progress']).toContain(started.status)
  await expect.poll(async () => (await client.responses.retrieve(started.id)).status).toBe('completed')
  expect(await client.responses.retrieve(started.id)).toMatchObject({ output_text: '0 1 2 ', background: true })
})

test('a stream of a background response is taken up after a number', async () => {
  await useUpstream(() => ({ text: 'any', deltas: 30, delayMs: 3 }))
  const { url, client } = await serveOpenAi()
  const stream = await client.responses.create({ model, input: 'Work', background: true, stream: true })
  let id = ''
  let last = 0
  for await (const event of stream) {
    if (event.type === 'response.created') id = event.response.id
    last = event.sequence_number
    if (last >= 8) break // the reader leaves; the response goes on
  }
  const rest = await collect(await client.responses.retrieve(id, { stream: true, starting_after: last }))
  const whole = eventsOf(await (await fetch(`${url}/v1/responses/${id}?stream=true`)).text())
  expect(rest.map(({ sequence_number }) => sequence_number)).toEqual(
    whole.map(({ data }) => data.sequence_number).slice(last + 1),
  )
  expect(rest).toEqual(whole.slice(last + 1).map(({ data }) => data))
  const first = eventsOf(await (await fetch(`${url}/v1/responses/${id}?stream=true&starting_after=0`)).text())
  expect(first).toEqual(whole.slice(1))
  const helper = client.responses.stream({ response_id: id, starting_after: 3 })
  expect((await helper.finalResponse()).status).toBe('completed')
})

test('cancel stops a background response, also the second time', async () => {
  const upstream = await useUpstream(() => ({ hang: true }))
  const { client } = await serveOpenAi()
  const { id } = await client.responses.create({ model, input: 'Work', background: true })
  await expect.poll(() => upstream.seen.length).toBe(1)
  expect((await client.responses.cancel(id)).status).toBe('cancelled')
  await upstream.seen[0]?.aborted
  expect((await client.responses.cancel(id)).status).toBe('cancelled')
  expect((await client.responses.retrieve(id)).status).toBe('cancelled')
})

test('only background responses can be cancelled', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { client } = await serveOpenAi()
  const { id } = await client.responses.create({ model, input: 'Hi' })
  expect(await client.responses.cancel(id).catch((error) => error)).toMatchObject({ status: 400 })
})

test('deleted, unstored and unknown responses are 404', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const { url, client } = await serveOpenAi()
  const kept = await client.responses.create({ model, input: 'Hi' })
  expect((await client.responses.retrieve(kept.id)).output_text).toBe('Hi')
  const deleted = await fetch(`${url}/v1/responses/${kept.id}`, { method: 'DELETE' })
  expect(await deleted.json()).toEqual({ id: kept.id, object: 'response', deleted: true })
  const once = await client.responses.create({ model, input: 'Hi', store: false })
  for (const id of [kept.id, once.id, 'resp_1', `resp_${'0'.repeat(40)}`]) {
    expect(await client.responses.retrieve(id).catch((error) => error)).toBeInstanceOf(OpenAI.NotFoundError)
    const error = await client.responses
      .create({ model, input: 'Hi', previous_response_id: id })
      .catch((error) => error)
    expect(error).toMatchObject({ status: 400, code: 'previous_response_not_found' })
  }
})

test('a response of another owner does not exist', async () => {
  await useUpstream(() => ({ text: 'Hi' }))
  const server = await startServer({
    agencies: { support: new Agency(desk()) },
    openai: true,
    runs: { identify: ({ headers }) => headers['x-user']?.toString() },
  })
  const as = (user: string) => clientOf(server.url, { defaultHeaders: { 'x-user': user } }).responses
  const ask = { role: 'user' as const, content: 'Q' }
  const [mine, theirs, nobody] = [as('a'), as('b'), as('')]
  const { id } = await mine.create({ model, input: 'Hi' })
  expect((await mine.retrieve(id)).output_text).toBe('Hi')
  for (const call of [() => theirs.retrieve(id), () => theirs.cancel(id), () => theirs.delete(id)])
    expect(await call().catch((error) => error)).toBeInstanceOf(OpenAI.NotFoundError)
  const continued = await theirs.create({ model, input: 'Hi', previous_response_id: id }).catch((error) => error)
  expect(continued).toMatchObject({ status: 400, code: 'previous_response_not_found' })
  const [said] = (await mine.retrieve(id)).output
  const referring = { model, input: [{ type: 'item_reference' as const, id: String(said?.id) }, ask] }
  expect(await theirs.create(referring).catch((error) => error)).toMatchObject({ status: 400, param: 'input.0.id' })
  expect((await mine.create(referring)).output_text).toBe('Hi')
  expect(await nobody.create({ model, input: 'Hi' }).catch((error) => error)).toBeInstanceOf(OpenAI.AuthenticationError)
})

test('a response outlives its server, with its stream and its conversation', async () => {
  const upstream = await useUpstream(() => ({ text: 'Hi', deltas: 3 }))
  const file = join(useFolder(), 'runs.db')
  const serveOn = () =>
    serve({
      agencies: { support: new Agency(desk()) },
      openai: true,
      runs: { store: sqlite(file) },
      host: '127.0.0.1',
      port: 0,
      banner: false,
      handleSignals: false,
    })
  const before = await serveOn()
  const stream = await post(`${before.url}/v1/responses`, { model, input: 'Hi', stream: true, background: true })
  const events = eventsOf(await stream.text())
  const id = events[0]?.data.response.id
  await before.close()
  const after = await serveOn()
  onTestFinished(() => after.close())
  const again = await fetch(`${after.url}/v1/responses/${id}?stream=true&starting_after=2`)
  expect(eventsOf(await again.text())).toEqual(events.slice(3))
  const next = await clientOf(after.url).responses.create({ model, input: 'And?', previous_response_id: id })
  expect(next.previous_response_id).toBe(id)
  expect(upstream.seen[1]?.body.input).toHaveLength(3)
})
