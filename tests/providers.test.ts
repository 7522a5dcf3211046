import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, Handoff, type ModelSpec, type StoredMessage, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, type Frame, final, post, readFrames, startServer } from './support/client.ts'
import { everyProviderAt, type Fixture, startMock } from './support/providers.ts'

/** The ways to a model that is not OpenAI's, each at the mock. */
const WAYS: { [way: string]: (url: string) => ModelSpec } = {
  anthropic: () => 'litellm/anthropic/claude-sonnet-4-5',
  gemini: () => 'gemini/gemini-2.5-flash',
  groq: () => 'litellm/groq/llama-3.3-70b',
  'an AI SDK object': (url) =>
    createOpenAICompatible({
      name: 'mine',
      baseURL: `${url}/v1`,
      apiKey: 'sk-of-the-object',
      includeUsage: true,
      supportsStructuredOutputs: true,
    })('any-model'),
}
const usage = { prompt_tokens: 11, completion_tokens: 7, promptTokenCount: 11, candidatesTokenCount: 7 }
const FIXTURES: Fixture[] = [
  { match: { userMessage: 'Hi' }, response: { content: 'Hello from the mock', usage } },
  { match: { userMessage: 'Look', hasToolResult: true }, response: { content: 'It said: found it', usage } },
  {
    match: { userMessage: 'Look' },
    response: { toolCalls: [{ name: 'lookup', arguments: '{"what":"it"}' }], usage },
  },
  { match: { userMessage: 'Ask', hasToolResult: true }, response: { content: 'They answered', usage } },
  {
    match: { userMessage: 'Ask' },
    response: {
      toolCalls: [
        {
          name: 'send_message',
          arguments: '{"recipient_agent":"Second","message":"Hi","additional_instructions":""}',
        },
      ],
      usage,
    },
  },
  { match: { userMessage: 'Move', systemMessage: 'I am Second.' }, response: { content: 'Second here', usage } },
  {
    match: { userMessage: 'Move' },
    response: { toolCalls: [{ name: 'transfer_to_Second', arguments: '{"recipient_agent":"Second"}' }], usage },
  },
  { match: { userMessage: 'Structure' }, response: { content: '{"city":"Paris","days":3}', usage } },
]

async function serveOver(way: string, options = {}) {
  const { url: mockUrl, seen } = await startMock(FIXTURES)
  everyProviderAt(mockUrl)
  const model = (WAYS[way] as (url: string) => ModelSpec)(mockUrl)
  const lookup = tool({
    name: 'lookup',
    description: 'Looks up',
    parameters: z.object({ what: z.string().max(20) }),
    execute: () => 'found it',
  })
  const agent = (name: string, more = {}) =>
    new Agent({ name, description: name, instructions: `I am ${name}.`, model, ...options, ...more })
  const [first, second] = [agent('First', { tools: [lookup] }), agent('Second')]
  const structured = agent('Structured', { outputType: z.object({ city: z.string(), days: z.number() }) })
  const { url } = await startServer({
    agencies: {
      team: new Agency([first, structured], {
        communicationFlows: [
          [first, second],
          [first, second, Handoff],
        ],
      }),
    },
  })
  return { stream: `${url}/team/get_response_stream`, plain: `${url}/team/get_response`, seen }
}

const rawEvents = (frames: readonly Frame[]) =>
  frames.filter((frame) => frame.data?.data?.type === 'raw_response_event').map((frame) => frame.data.data.data)
const textOf = (frames: readonly Frame[]) =>
  rawEvents(frames)
    .map((event) => (event.type === 'response.output_text.delta' ? event.delta : ''))
    .join('')
type Answer = { response: unknown; new_messages: StoredMessage[]; usage: { [key: string]: number } }
const ask = async (url: string, body: object) => (await (await post(url, body)).json()) as Answer

for (const way of Object.keys(WAYS)) {
  test(`${way}: text comes streamed and plain, with usage and one id everywhere`, async () => {
    promise('F9', 'D4', 'B3')
    const { stream, plain } = await serveOver(way)
    const frames = await allFrames(stream, { message: 'Hi' })
    expect(textOf(frames)).toBe('Hello from the mock')
    expect(rawEvents(frames).map((event) => event.type.replace('response.', ''))).toEqual([
      'created',
      'output_item.added',
      'content_part.added',
      ...rawEvents(frames)
        .filter((event) => event.type.endsWith('.delta'))
        .map(() => 'output_text.delta'),
      'content_part.done',
      'output_item.done',
      'completed',
    ])
    const { new_messages, usage: counted } = final(frames)
    const said = new_messages[1]
    expect(said).toMatchObject({
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'Hello from the mock', annotations: [], logprobs: [] }],
      provider_data: { model: expect.any(String), response_id: expect.any(String) },
    })
    expect(said.id).toBe(`msg_${said.agent_run_id}_0`)
    const ids = new Set(rawEvents(frames).flatMap((event) => event.item_id ?? event.item?.id ?? []))
    expect([...ids]).toEqual([said.id])
    expect(counted).toMatchObject({ request_count: 1, input_tokens: 11, output_tokens: 7, total_tokens: 18 })
    const answer = await ask(plain, { message: 'Hi' })
    expect(answer.response).toBe('Hello from the mock')
    expect(answer.usage).toMatchObject({ input_tokens: 11, output_tokens: 7 })
    expect(answer.new_messages[1]?.id).toBe(`msg_${answer.new_messages[1]?.agent_run_id}_0`)
  })

  test(`${way}: a tool turn, an agent that is asked and a handoff go their way`, async () => {
    promise('F9', 'B12')
    const { stream, plain, seen } = await serveOver(way)
    for (const [message, kinds, text] of [
      ['Look', ['message', 'function_call', 'function_call_output', 'message'], 'It said: found it'],
      ['Ask', ['message', 'message', 'message', 'function_call', 'function_call_output', 'message'], 'They answered'],
      ['Move', ['message', undefined, 'function_call', 'function_call_output', 'message'], 'Second here'],
    ] as const) {
      const frames = await allFrames(stream, { message })
      const { new_messages } = final(frames)
      expect(
        new_messages.map((item: StoredMessage) => item.type),
        message,
      ).toEqual(kinds)
      const call = new_messages.find((item: StoredMessage) => item.type === 'function_call')
      expect(call.id).toBe(call.call_id)
      expect(call).not.toHaveProperty('status')
      expect((await ask(plain, { message })).response).toBe(text)
      expect(JSON.stringify(frames)).toContain(text)
      expect(frames.filter((frame) => frame.data?.data?.type === 'error')).toEqual([])
    }
    const told = JSON.stringify(seen.map(({ body }) => body))
    expect(told).toContain('found it')
    expect(told).toContain('Hello from the mock') // what Second answered goes back to First
  })

  test(`${way}: a structured answer is an object`, async () => {
    promise('F1')
    const { plain, stream, seen } = await serveOver(way)
    const request = { message: 'Structure', recipient_agent: 'Structured' }
    expect((await ask(plain, request)).response).toEqual({ city: 'Paris', days: 3 })
    expect(textOf(await allFrames(stream, request))).toBe('{"city":"Paris","days":3}')
    for (const { body } of seen) expect(JSON.stringify(body)).toMatch(/"city".*"days"/)
  })

  test(`${way}: new_messages make correct later turns`, async () => {
    promise('C3')
    const { stream, plain, seen } = await serveOver(way)
    let chat_history: StoredMessage[] = []
    for (const message of ['Hi', 'Look', 'Ask', 'Move', 'Hi']) {
      const { new_messages } =
        message === 'Look'
          ? final(await allFrames(stream, { message, chat_history }))
          : await ask(plain, { message, chat_history })
      chat_history = [...chat_history, ...new_messages]
    }
    const ids = chat_history.flatMap(({ id }) => (id === undefined ? [] : [id]))
    expect(new Set(ids).size).toBe(ids.length)
    const last = JSON.stringify(seen.at(-1)?.body)
    for (const text of ['Hello from the mock', 'It said: found it', 'They answered', 'Second here'])
      expect(last).toContain(text)
    for (const key of ['agent_run_id', 'callerAgent', 'provider_data', 'timestamp']) expect(last).not.toContain(key)
  })

  test(`${way}: a cancel closes the connection to the provider`, async () => {
    promise('B5')
    const { url: mockUrl, seen } = await startMock([
      { match: { userMessage: 'Slow' }, latency: 50, response: { content: 'word '.repeat(200) } },
    ])
    everyProviderAt(mockUrl)
    const model = (WAYS[way] as (url: string) => ModelSpec)(mockUrl)
    const { url } = await startServer({ agencies: { solo: new Agency(new Agent({ name: 'Solo', model })) } })
    let runId = ''
    const frames: Frame[] = []
    for await (const frame of readFrames(`${url}/solo/get_response_stream`, { message: 'Slow' })) {
      frames.push(frame)
      if (frame.event === 'meta') runId = frame.data.run_id
      if (textOf(frames).length > 0 && runId !== '') {
        void post(`${url}/solo/cancel_response_stream`, { run_id: runId })
        runId = ''
      }
    }
    expect(final(frames)).toMatchObject({ cancelled: true, new_messages: [{ role: 'user' }] })
    await seen[0]?.aborted
  })
}
