/** Anthropic and Gemini: reasoning, retries, files and tools. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, Handoff, type StoredMessage, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, startServer } from './support/client.ts'
import { answerJson, errorOf, lookup, messagesOf, rawEvents, serveOne } from './support/one-agent.ts'
import { everyProviderAt, messageStart, startMock, writeAnthropic } from './support/providers.ts'

const CLAUDE = 'anthropic/claude-sonnet-4-5'

const block = (index: number, content_block: object, ...deltas: object[]) => [
  { type: 'content_block_start', index, content_block },
  ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
  { type: 'content_block_stop', index },
]

const text = (said: string) =>
  [
    { type: 'text', text: '' },
    { type: 'text_delta', text: said },
  ] as const

const stop = (stop_reason: string, usage: object = { output_tokens: 20 }) => [
  { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage },
  { type: 'message_stop' },
]

test("Anthropic's reasoning is sent back with its signature", async () => {
  promise('C3')
  const { url, seen } = await startMock([
    {
      match: { userMessage: 'Think', hasToolResult: true },
      response: { content: 'It is it.', reasoning: 'So that is it.', reasoningSignature: 'sig-2' },
    },
    {
      match: { userMessage: 'Think' },
      response: {
        toolCalls: [{ name: 'lookup', arguments: '{"what":"it"}' }],
        reasoning: 'I look it up.',
        reasoningSignature: 'sig-1',
      },
    },
    { match: { userMessage: 'Again' }, response: { content: 'Yes.' } },
  ])
  everyProviderAt(url)
  const { stream, plain } = await serveOne(CLAUDE, { modelSettings: { reasoning: { effort: 'high' } } })
  for (const streamed of [true, false]) {
    seen.length = 0
    const frames = streamed ? await allFrames(stream, { message: 'Think' }) : []
    const new_messages = streamed ? final(frames).new_messages : await messagesOf(plain, { message: 'Think' })
    expect(new_messages.map((item: StoredMessage) => item.type)).toEqual([
      'message',
      'reasoning',
      'function_call',
      'function_call_output',
      'reasoning',
      'message',
    ])
    expect(new_messages[1]).toMatchObject({
      summary: [{ type: 'summary_text', text: 'I look it up.' }],
      provider_data: { provider_metadata: { anthropic: { signature: 'sig-1' } } },
    })
    // The mock refuses a continuation whose turn does not begin with signed thinking.
    expect(seen[1]?.body.messages[1].content).toMatchObject([
      { type: 'thinking', thinking: 'I look it up.', signature: 'sig-1' },
      { type: 'tool_use', name: 'lookup', input: { what: 'it' } },
    ])
    await messagesOf(plain, { message: 'Again', chat_history: new_messages })
    expect(JSON.stringify(seen.at(-1)?.body.messages)).toMatch(/sig-1.*sig-2/)
    if (streamed) {
      const kinds = rawEvents(frames).map((event) => event.type.replace('response.', ''))
      expect(kinds.slice(0, 3)).toEqual(['created', 'output_item.added', 'reasoning_summary_part.added'])
      expect(kinds.indexOf('reasoning_summary_part.done')).toBeGreaterThan(
        kinds.indexOf('reasoning_summary_text.delta'),
      )
      expect(frames.map((frame) => frame.data?.data?.name)).toContain('reasoning_item_created')
    }
  }
})

test('several parts of thinking keep their order and data', async () => {
  const { url, seen } = await startMock([], (_call, response, index) =>
    writeAnthropic(response, [
      messageStart(),
      ...(index > 0
        ? block(0, ...text('Done'))
        : [
            ...block(
              0,
              { type: 'thinking', thinking: '' },
              { type: 'thinking_delta', thinking: 'One.' },
              { type: 'signature_delta', signature: 's1' },
            ),
            ...block(1, { type: 'redacted_thinking', data: 'hidden-data' }),
            ...block(2, ...text('I look. ')),
            ...block(
              3,
              { type: 'tool_use', id: 'toolu_1', name: 'lookup', input: {} },
              { type: 'input_json_delta', partial_json: '{"what":' },
              { type: 'input_json_delta', partial_json: '"a"}' },
            ),
            ...block(
              4,
              { type: 'tool_use', id: 'toolu_2', name: 'lookup', input: {} },
              { type: 'input_json_delta', partial_json: '{"what":"b"}' },
            ),
          ]),
      ...stop(index > 0 ? 'end_turn' : 'tool_use'),
    ]),
  )
  everyProviderAt(url)
  const { stream } = await serveOne(CLAUDE)
  const { new_messages } = final(await allFrames(stream, { message: 'Think' }))
  expect(new_messages.map((item: StoredMessage) => item.type)).toEqual([
    'message',
    'reasoning',
    'reasoning',
    'message',
    'function_call',
    'function_call',
    'function_call_output',
    'function_call_output',
    'message',
  ])
  expect(seen[1]?.body.messages.slice(1)).toMatchObject([
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'One.', signature: 's1' },
        { type: 'redacted_thinking', data: 'hidden-data' },
        { type: 'text', text: 'I look. ' },
        { type: 'tool_use', id: 'toolu_1', input: { what: 'a' } },
        { type: 'tool_use', id: 'toolu_2', input: { what: 'b' } },
      ],
    },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'toolu_1' },
        { type: 'tool_result', tool_use_id: 'toolu_2' },
      ],
    },
  ])
})

test('cached tokens, written and read, and reasoning tokens are counted', async () => {
  promise('D2', 'D4')
  const { url } = await startMock([], (_call, response) => {
    writeAnthropic(response, [
      messageStart({
        input_tokens: 10,
        cache_read_input_tokens: 100,
        cache_creation_input_tokens: 30,
        output_tokens: 1,
      }),
      ...block(0, ...text('Hi')),
      ...stop('end_turn', { output_tokens: 25 }),
    ])
    return true
  })
  everyProviderAt(url)
  const { stream } = await serveOne(CLAUDE)
  const { usage } = final(await allFrames(stream, { message: 'Hi' }))
  expect(usage).toMatchObject({
    input_tokens: 140,
    cached_tokens: 100,
    cache_write_tokens: 30,
    output_tokens: 25,
    total_tokens: 165,
  })
  expect(usage.total_cost).toBeCloseTo((10 * 3 + 100 * 0.3 + 30 * 3.75 + 25 * 15) / 1e6, 9)
})

test('transient failures are retried twice, others are not', async () => {
  const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
  const refusals: ((response: ServerResponse) => boolean)[] = [
    (response) => answerJson(response, 529, overloaded, { 'retry-after-ms': '1' }),
    (response) => answerJson(response, 429, overloaded, { 'retry-after': '0' }),
    (response) => writeAnthropic(response, [overloaded]),
  ]
  let refuse: (typeof refusals)[number][] = []
  const { url, seen } = await startMock(
    [{ match: {}, response: { content: 'Hello' } }],
    (_call, response) => refuse.shift()?.(response) ?? false,
  )
  everyProviderAt(url)
  const { stream, plain } = await serveOne(CLAUDE)
  const told = async (endpoint: string) =>
    endpoint === stream
      ? JSON.stringify(await allFrames(stream, { message: 'Hi' }))
      : (await post(plain, { message: 'Hi' })).text()
  for (const endpoint of [stream, plain]) {
    seen.length = 0
    refuse = refusals.slice(0, 2)
    expect(await told(endpoint)).toContain('Hello')
    expect(seen).toHaveLength(3)
    refuse = [...refusals.slice(0, 2), ...refusals.slice(0, 2)]
    expect(await told(endpoint)).toContain('Overloaded')
    expect(seen).toHaveLength(6)
    refuse = [
      (response) =>
        answerJson(response, 400, { type: 'error', error: { type: 'invalid_request_error', message: 'Bad request' } }),
    ]
    expect(await told(endpoint)).toContain('Bad request')
    expect(seen).toHaveLength(7)
  }
  refuse = [refusals[2] as (typeof refusals)[number]]
  expect(await told(stream)).toContain('Hello') // an overload that is told inside of a stream, before anything else
  refuse = [
    (response) => writeAnthropic(response, [messageStart(), ...block(0, ...text('Half')).slice(0, 2), overloaded]),
  ]
  const broken = await allFrames(stream, { message: 'Hi' })
  expect(errorOf(broken)).toContain('Overloaded')
  expect(broken.slice(-2).map((frame) => frame.event)).toEqual(['messages', 'end'])
  refuse = [(response) => writeAnthropic(response, [messageStart(), ...block(0, ...text('Half')), overloaded], false)]
  expect(errorOf(await allFrames(stream, { message: 'Hi' }))).toContain('Overloaded')
  await seen.at(-1)?.aborted // a reader that stops reading closes the connection
  refuse = [(response) => writeAnthropic(response, [messageStart(), ...block(0, ...text('Half'))])]
  expect(errorOf(await allFrames(stream, { message: 'Hi' }))).toContain('ended before the answer was complete')
  refuse = [
    (response) => {
      writeAnthropic(response, [messageStart(), ...block(0, ...text('Half')).slice(0, 2)], false)
      setImmediate(() => response.destroy())
      return true
    },
  ]
  const cut = await allFrames(stream, { message: 'Hi' })
  expect(errorOf(cut)).toBeTruthy()
  expect(final(cut).new_messages).toHaveLength(1)
})

test('Anthropic and Gemini get images, files and notes in their format', async () => {
  promise('C1')
  const { url, seen } = await startMock([{ match: {}, response: { content: 'Seen' } }])
  everyProviderAt(url)
  const message = [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'What is this?' },
        { type: 'input_image', image_url: 'data:image/png;base64,AAAA' },
        { type: 'input_image', image_url: 'https://pictures.example/cat.webp' },
        { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,BBBB' },
        { type: 'input_file', file_url: 'https://files.example/b.pdf' },
        { type: 'input_file', file_id: 'file_theirs' },
        { type: 'input_image', file_id: 'file-at-openai' },
      ],
    },
  ]
  const chat_history = [
    { role: 'user', content: 'Before', agent: 'Solo', callerAgent: null, timestamp: 1 },
    { role: 'system', content: 'A note.', agent: 'Solo', callerAgent: null, timestamp: 2 },
    { role: 'assistant', content: 'Plain text', agent: 'Solo', callerAgent: null, timestamp: 3 },
    {
      type: 'web_search_call',
      id: 'ws_1',
      status: 'completed',
      action: {},
      agent: 'Solo',
      callerAgent: null,
      timestamp: 4,
    },
    {
      type: 'reasoning',
      id: 'rs_1',
      summary: [],
      encrypted_content: 'of OpenAI',
      agent: 'Solo',
      callerAgent: null,
      timestamp: 5,
    },
    {
      type: 'function_call',
      call_id: 'c1',
      name: 'lookup',
      arguments: 'not json',
      agent: 'Solo',
      callerAgent: null,
      timestamp: 6,
    },
    {
      type: 'function_call_output',
      call_id: 'c1',
      output: [
        { type: 'input_text', text: 'A picture:' },
        { type: 'input_image', image_url: 'data:image/png;base64,CCCC' },
      ],
      agent: 'Solo',
      callerAgent: null,
      timestamp: 7,
    },
  ]
  for (const model of [CLAUDE, 'gemini/gemini-3-pro-preview']) {
    const { plain } = await serveOne(model)
    expect((await post(plain, { message, chat_history })).status).toBe(200)
  }
  const [claude, gemini] = seen.map(({ body }) => body)
  expect(claude.system).toEqual([{ type: 'text', text: 'Help.\n\nA note.' }])
  expect(claude.messages).toMatchObject([
    { role: 'user', content: [{ text: 'Before' }] },
    {
      role: 'assistant',
      content: [{ text: 'Plain text' }, { type: 'tool_use', id: 'c1', input: { invalid_arguments: 'not json' } }],
    },
    {
      role: 'user',
      content: [
        {
          type: 'tool_result',
          content: [
            { text: 'A picture:' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'CCCC' } },
          ],
        },
        { type: 'text', text: 'What is this?' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
        { type: 'image', source: { type: 'url', url: 'https://pictures.example/cat.webp' } },
        { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'BBBB' } },
        { type: 'document', source: { type: 'url', url: 'https://files.example/b.pdf' } },
        { type: 'document', source: { type: 'file', file_id: 'file_theirs' } },
        { type: 'text', text: '(The image file-at-openai cannot be shown to this model.)' },
      ],
    },
  ])
  expect(gemini.systemInstruction).toEqual({ parts: [{ text: 'Help.\n\nA note.' }] })
  const parts = JSON.stringify(gemini.contents)
  for (const data of [
    '"mimeType":"image/png","data":"AAAA"',
    '"mimeType":"image/webp","fileUri":"https://pictures.example/cat.webp"',
    '"mimeType":"application/pdf","data":"BBBB"',
    '"data":"CCCC"',
    '"fileUri":"file_theirs"',
    'image file-at-openai cannot be shown',
  ])
    expect(parts).toContain(data)
  expect(JSON.stringify(seen.map(({ body }) => body))).not.toMatch(/of OpenAI|web_search/)
})

test('tools keep their schemas and the tool choice', async () => {
  const { url, seen } = await startMock([{ match: {}, response: { content: 'Ok' } }])
  everyProviderAt(url)
  const bounded = tool({ name: 'bounded', parameters: z.object({ count: z.int().min(1) }), execute: () => '' })
  for (const [model, toolChoice] of [
    [CLAUDE, 'lookup'],
    ['gemini/gemini-2.5-flash', 'required'],
    ['groq/llama', 'lookup'],
  ] as const) {
    const { plain } = await serveOne(model, {
      tools: [lookup, bounded],
      modelSettings: { toolChoice, parallelToolCalls: false, maxTokens: 100, temperature: 0.2 },
    })
    expect((await post(plain, { message: 'Hi' })).status).toBe(200)
  }
  const [claude, gemini, groq] = seen.map(({ body }) => body)
  expect(claude).toMatchObject({
    max_tokens: 100,
    temperature: 0.2,
    tool_choice: { type: 'tool', name: 'lookup', disable_parallel_tool_use: true },
    tools: [
      { name: 'lookup', strict: true },
      { name: 'bounded', input_schema: { properties: { count: { minimum: 1 } } } },
    ],
  })
  expect(claude.tools[1]).not.toHaveProperty('strict')
  expect(gemini).toMatchObject({
    generationConfig: { maxOutputTokens: 100, temperature: 0.2 },
    toolConfig: { functionCallingConfig: { mode: 'ANY' } },
    tools: [{ functionDeclarations: [{ name: 'lookup' }, { name: 'bounded' }] }],
  })
  expect(groq).toMatchObject({
    tool_choice: { type: 'function', function: { name: 'lookup' } },
    parallel_tool_calls: false,
    tools: [{ function: { name: 'lookup', strict: true } }, { function: { name: 'bounded' } }],
  })
})

test("an OpenAI agent continues another provider's conversation", async () => {
  promise('C3', 'F4')
  const { url, seen } = await startMock([
    { match: { systemMessage: 'I am Second.' }, response: { content: 'Second here' } },
    {
      match: {},
      response: {
        toolCalls: [{ name: 'transfer_to_Second', arguments: '{"recipient_agent":"Second"}' }],
        reasoning: 'Hm.',
        reasoningSignature: 'sig',
      },
    },
  ])
  everyProviderAt(url)
  const first = new Agent({ name: 'First', instructions: 'I am First.', model: CLAUDE })
  const second = new Agent({ name: 'Second', description: 'Second', instructions: 'I am Second.', model: 'gpt-4.1' })
  const { url: server } = await startServer({
    agencies: { team: new Agency(first, { communicationFlows: [[first, second, Handoff]] }) },
  })
  const { new_messages } = final(await allFrames(`${server}/team/get_response_stream`, { message: 'Go' }))
  expect(new_messages.at(-1)).toMatchObject({ agent: 'Second', content: [{ text: 'Second here' }] })
  expect(JSON.stringify(new_messages)).toContain('provider_data')
  expect(seen[1]?.path).toBe('/v1/responses')
  const input = seen[1]?.body.input as StoredMessage[]
  expect(input.map((item) => item.type ?? item.role)).toEqual([
    'message',
    'system',
    'function_call',
    'function_call_output',
  ])
  expect(JSON.stringify(input)).not.toMatch(/provider_data|msg_agent_run|"reasoning"/)
  // And back again, at the first agent.
  await post(`${server}/team/get_response`, {
    message: 'And now?',
    recipient_agent: 'First',
    chat_history: new_messages,
  })
  expect(seen[2]?.body.messages[1].content).toMatchObject([
    { type: 'thinking', signature: 'sig' },
    { type: 'tool_use' },
  ])
})
