import { expect, test } from 'vitest'
import { Agency, Agent, Handoff, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, type Frame, final, post, readFrames, startServer, useUpstream } from './support/client.ts'

const assistant = () =>
  new Agency(new Agent({ name: 'Assistant', instructions: 'Help.', model: 'gpt-4.1' }), { name: 'solo' })

test('a text answer streams meta, frames, messages and end in this order', async () => {
  promise('B2', 'B3')
  await useUpstream(() => ({ text: 'Hello there', deltas: 3 }))
  const { url } = await startServer({ agencies: { solo: assistant() } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
  expect(frames.map((frame) => frame.event).filter(Boolean)).toEqual(['meta', 'messages', 'end'])
  expect(frames[0]?.event).toBe('meta')
  const deltas = frames.filter((frame) => frame.data?.data?.data?.type === 'response.output_text.delta')
  expect(deltas.map((frame) => frame.data.data.data.delta).join('')).toBe('0 1 2 ')
  expect(final(frames)).toMatchObject({
    cancelled: false,
    run_id: frames[0]?.data.run_id,
    usage: { request_count: 1, total_tokens: 15 },
  })
  expect(final(frames).new_messages.map((message: { role: string }) => message.role)).toEqual(['user', 'assistant'])
})

test('a sub-agent streams under its own name and answers the sender', async () => {
  promise('B12', 'F3', 'D1')
  const upstream = await useUpstream((body, index) => {
    if (index === 0)
      return {
        calls: [
          {
            name: 'send_message',
            arguments: { recipient_agent: 'Developer', message: 'Code it', additional_instructions: '' },
          },
        ],
      }
    return { text: String(body.instructions).includes('Developer') ? 'Coded.' : 'Done.' }
  })
  const ceo = new Agent({ name: 'CEO', instructions: 'You are the CEO.', model: 'gpt-4.1' })
  const developer = new Agent({ name: 'Developer', instructions: 'You are the Developer.', model: 'gpt-4.1' })
  const { url } = await startServer({ agencies: { team: new Agency(ceo, { communicationFlows: [[ceo, developer]] }) } })
  const frames = await allFrames(`${url}/team/get_response_stream`, { message: 'Build' })
  const speakers = new Set(frames.map((frame) => frame.data?.data?.agent).filter(Boolean))
  expect([...speakers]).toEqual(['CEO', 'Developer'])
  const nested = frames.find((frame) => frame.data?.data?.agent === 'Developer')?.data.data
  expect(nested).toMatchObject({ callerAgent: 'CEO', parent_run_id: expect.stringMatching(/^call_/) })
  const messages = final(frames).new_messages
  expect(messages.map((message: { agent: string; type: string }) => `${message.agent} ${message.type}`)).toEqual([
    'CEO message',
    'Developer message',
    'Developer message',
    'CEO function_call',
    'CEO function_call_output',
    'CEO message',
  ])
  expect(messages[4].output).toBe('Coded.')
  expect(final(frames).usage.request_count).toBe(3)
  expect(JSON.stringify(upstream.seen[1]?.body.input)).not.toContain('Build')
})

test('after a handoff the new agent answers and knows of the handoff', async () => {
  promise('F4', 'B12')
  const upstream = await useUpstream((_body, index) =>
    index === 0
      ? { calls: [{ name: 'transfer_to_Billing_Team', arguments: { recipient_agent: 'Billing Team' } }] }
      : { text: 'Paid.' },
  )
  const triage = new Agent({ name: 'Triage', instructions: 'T', model: 'gpt-4.1' })
  const billing = new Agent({ name: 'Billing Team', instructions: 'B', model: 'gpt-4.1' })
  const { url } = await startServer({
    agencies: { desk: new Agency(triage, { communicationFlows: [[triage, billing, Handoff]] }) },
  })
  const frames = await allFrames(`${url}/desk/get_response_stream`, { message: 'Invoice?' })
  const names = frames
    .map((frame) => frame.data?.data?.name ?? (frame.data?.data?.new_agent && 'agent'))
    .filter(Boolean)
  expect(names).toEqual([
    'agent',
    'tool_called',
    'handoff_requested',
    'handoff_occured',
    'agent',
    'message_output_created',
  ])
  expect(
    final(frames).new_messages.map(
      (message: { message_origin?: string; agent: string }) => message.message_origin ?? message.agent,
    ),
  ).toEqual(['Triage', 'handoff_reminder', 'Triage', 'Triage', 'Billing Team'])
  expect(upstream.seen[1]?.body.instructions).toBe('B')
})

test('immediate cancel closes the upstream and keeps only whole messages', async () => {
  promise('B4', 'B5', 'D5')
  const upstream = await useUpstream(() => ({ text: 'never', deltas: 10_000, delayMs: 5 }))
  const { url } = await startServer({ agencies: { solo: assistant() } })
  const frames: Frame[] = []
  let answer: Promise<Response> | undefined
  for await (const frame of readFrames(`${url}/solo/get_response_stream`, { message: 'Story' })) {
    frames.push(frame)
    if (frames.length === 6) answer = post(`${url}/solo/cancel_response_stream`, { run_id: frames[0]?.data.run_id })
  }
  expect(await (await answer)?.json()).toMatchObject({
    ok: true,
    cancelled: true,
    cancel_mode: 'immediate',
    timed_out: false,
  })
  await upstream.seen[0]?.aborted
  expect(final(frames)).toMatchObject({ cancelled: true })
  expect(final(frames).new_messages).toHaveLength(1)
  const again = await post(`${url}/solo/cancel_response_stream`, { run_id: frames[0]?.data.run_id })
  expect(again.status).toBe(404)
})

test('after_turn lets the turn finish, tools included, and then stops', async () => {
  promise('B6')
  const started = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const slow = tool({
    name: 'slow',
    execute: async () => {
      started.resolve()
      await go.promise
      return 'slept'
    },
  })
  const upstream = await useUpstream(() => ({ calls: [{ name: 'slow', arguments: {} }] }))
  const agent = new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [slow] })
  const { url, app } = await startServer({ agencies: { solo: new Agency(agent) } })
  const frames: Frame[] = []
  let answer: Promise<Response> | undefined
  void started.promise.then(() => {
    answer = post(`${url}/solo/cancel_response_stream`, { run_id: frames[0]?.data.run_id, cancel_mode: 'after_turn' })
  })
  app.server.on('request', (request) => {
    // Its handler has run when the turn of the event loop after the body's end comes.
    if (request.url?.includes('/cancel_')) request.on('end', () => setImmediate(() => go.resolve()))
  })
  for await (const frame of readFrames(`${url}/solo/get_response_stream`, { message: 'Go' })) frames.push(frame)
  expect(await (await answer)?.json()).toMatchObject({ ok: true, cancel_mode: 'after_turn' })
  expect(final(frames).new_messages.at(-1)).toMatchObject({ type: 'function_call_output', output: 'slept' })
  expect(upstream.seen).toHaveLength(1)
})

test('a client that leaves stops its run, also while the model is silent', async () => {
  promise('B7')
  const upstream = await useUpstream(() => ({ hang: true }))
  const { url } = await startServer({ agencies: { solo: assistant() } })
  for (const endpoint of ['get_response', 'get_response_stream']) {
    const leave = new AbortController()
    const index = upstream.seen.length
    const gone = post(`${url}/solo/${endpoint}`, { message: 'Hi' }, {}, leave.signal).catch(() => 'left')
    await expect.poll(() => upstream.seen.length).toBe(index + 1)
    leave.abort()
    await upstream.seen[index]?.aborted
    await gone
  }
  expect(upstream.seen).toHaveLength(2)
})

test('a failing model gives an error frame, or a 500 when plain', async () => {
  promise('D6', 'D5')
  await useUpstream(() => ({ status: 400, message: 'secret detail sk-server-key' }))
  const { url } = await startServer({ agencies: { solo: assistant() } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
  expect(frames.find((frame) => frame.data?.data?.type === 'error')?.data.data.content).toBe(
    'The run of agent Assistant failed (cause: BadRequestError).',
  )
  expect(frames.slice(-2).map((frame) => frame.event)).toEqual(['messages', 'end'])
  const plain = await post(`${url}/solo/get_response`, { message: 'Hi' })
  expect(plain.status).toBe(500)
  expect(JSON.stringify([frames, await plain.json()])).not.toContain('secret detail')
})
