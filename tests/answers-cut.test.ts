import { expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, Handoff, type ModelSpec } from '../src/index.ts'
import {
  type Answer,
  anthropic,
  block,
  CHAT,
  CLAUDE,
  calls,
  chat,
  chunk,
  DONE,
  delta,
  expectValidPairs,
  GEMINI,
  gemini,
  type Json,
  plainClaude,
  RESPONSES,
  rawEvents,
  response,
  said,
  setUp,
  startAnswers,
  text,
  weather,
  whole,
  words,
} from './support/answers.ts'
import { allFrames, final, startServer } from './support/client.ts'
import { everyProviderAt } from './support/providers.ts'

const paris = '{"city":"Paris"}'
const half = 'half a sen'

/** Answers that were cut, in every provider's words. */
const CUT: [name: string, model: ModelSpec, answer: Answer, reason: string][] = [
  ['length', CHAT, chat(half, 'length'), 'max_output_tokens'],
  ['max_tokens', CHAT, chat(half, 'max_tokens'), 'max_output_tokens'],
  ['MAX_TOKENS', CHAT, chat(half, 'MAX_TOKENS'), 'max_output_tokens'],
  ['model_length (Mistral)', CHAT, chat(half, 'model_length'), 'max_output_tokens'],
  ['content_filter', CHAT, chat(half, 'content_filter'), 'content_filter'],
  ['RECITATION', CHAT, chat(half, 'RECITATION'), 'content_filter'],
  [
    'response.incomplete',
    RESPONSES,
    {
      events: [
        delta(half),
        {
          type: 'response.incomplete',
          response: response([text(half, { status: 'incomplete' })], {
            status: 'incomplete',
            incomplete_details: { reason: 'max_output_tokens' },
          }),
        },
      ],
      json: response([text(half, { status: 'incomplete' })], {
        status: 'incomplete',
        incomplete_details: { reason: 'max_output_tokens' },
      }),
    },
    'max_output_tokens',
  ],
  [
    'response.completed with another status (vLLM)',
    RESPONSES,
    {
      events: [
        delta(half),
        {
          type: 'response.completed',
          response: response([text(half)], { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }),
        },
      ],
      json: response([text(half)], { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }),
    },
    'content_filter',
  ],
  [
    'a reason in a response that is called completed',
    RESPONSES,
    {
      events: [
        delta(half),
        {
          type: 'response.completed',
          response: response([text(half)], { incomplete_details: { reason: 'max_output_tokens' } }),
        },
      ],
      json: response([text(half)], { incomplete_details: { reason: 'max_output_tokens' } }),
    },
    'max_output_tokens',
  ],
  [
    'a message that says so, in a response that does not',
    RESPONSES,
    {
      events: [delta(half), { type: 'response.done', response: response([text(half, { status: 'incomplete' })]) }],
      json: response([text(half, { status: 'incomplete' })]),
    },
    'unknown',
  ],
  [
    'Anthropic, max_tokens',
    CLAUDE,
    { ...anthropic('max_tokens', ...words(half)), json: plainClaude('max_tokens', { type: 'text', text: half }) },
    'max_output_tokens',
  ],
  [
    'Anthropic, a full context',
    CLAUDE,
    {
      ...anthropic('model_context_window_exceeded', ...words(half)),
      json: plainClaude('model_context_window_exceeded', { type: 'text', text: half }),
    },
    'model_context_window_exceeded',
  ],
  [
    'Anthropic, pause_turn',
    CLAUDE,
    { ...anthropic('pause_turn', ...words(half)), json: plainClaude('pause_turn', { type: 'text', text: half }) },
    'pause_turn',
  ],
  [
    'Anthropic, refusal',
    CLAUDE,
    { ...anthropic('refusal', ...words(half)), json: plainClaude('refusal', { type: 'text', text: half }) },
    'content_filter',
  ],
  [
    'Gemini, MAX_TOKENS',
    GEMINI,
    gemini({ content: { parts: [{ text: half }] }, finishReason: 'MAX_TOKENS' }),
    'max_output_tokens',
  ],
  [
    'Gemini, SAFETY',
    GEMINI,
    gemini({ content: { parts: [{ text: half }] }, finishReason: 'SAFETY' }),
    'content_filter',
  ],
]
test.each(CUT)('a cut answer is told by both endpoints in one way: %s', async (_name, model, answer, reason) => {
  const { ask } = await setUp(model, [answer])
  for (const streamed of [true, false]) {
    const told = await ask(streamed)
    expect(told.error).toBeUndefined()
    expect(told.text).toBe(half)
    expect(told.incomplete).toEqual({ reason })
    expect(told.items.at(-1)).toMatchObject({ role: 'assistant', status: 'incomplete', content: [{ text: half }] })
    if (!streamed) continue
    const created = told.frames.find(({ data }) => data?.data?.name === 'message_output_created')
    expect(created?.data.data.item.raw_item.status).toBe('incomplete')
    if (model !== RESPONSES)
      expect(rawEvents(told.frames).at(-1)).toMatchObject({
        type: 'response.incomplete',
        response: { status: 'incomplete', incomplete_details: { reason } },
      })
  }
})

test('a whole answer says nothing of it', async () => {
  for (const answer of [
    chat('whole', 'stop'),
    chat('whole', 'eos_token'),
    chat('whole', 'end_turn'),
    chat('whole', 'OTHER'),
  ]) {
    const { ask } = await setUp(CHAT, [answer])
    for (const streamed of [true, false]) {
      const { text, incomplete, items } = await ask(streamed)
      expect([text, incomplete, items.at(-1).status]).toEqual(['whole', undefined, 'completed'])
    }
  }
})

/** Cut or withheld before there was a word: an error that says so. */
const EMPTY: [name: string, model: ModelSpec, answer: Answer, words: RegExp][] = [
  ['length', CHAT, chat('', 'length'), /cut off \(max_output_tokens\)/],
  [
    'length after reasoning',
    CHAT,
    {
      events: [chunk({ reasoning_content: 'Hm' }), chunk({}, 'length')],
      json: whole({ content: null, reasoning_content: 'Hm' }, 'length'),
    },
    /cut off \(max_output_tokens\)/,
  ],
  ['Azure, content_filter', CHAT, chat('', 'content_filter'), /refused.*content_filter/],
  [
    'Azure, a choice without a message',
    CHAT,
    { events: [chunk({}, 'content_filter')], json: { choices: [{ finish_reason: 'content_filter' }] } },
    /refused.*content_filter/,
  ],
  ['SAFETY', CHAT, chat('', 'SAFETY'), /refused.*content_filter/],
  [
    'Gemini, a blocked prompt',
    GEMINI,
    gemini(undefined, { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' } }),
    /refused.*content_filter/,
  ],
  ['Gemini, RECITATION', GEMINI, gemini({ finishReason: 'RECITATION' }), /refused.*content_filter/],
  [
    'Gemini, thoughts alone',
    GEMINI,
    gemini({ content: { parts: [{ text: 'Hm', thought: true }] }, finishReason: 'MAX_TOKENS' }),
    /cut off \(max_output_tokens\)/,
  ],
  ['Anthropic, refusal', CLAUDE, { ...anthropic('refusal'), json: plainClaude('refusal') }, /refused.*content_filter/],
  [
    'response.incomplete',
    RESPONSES,
    {
      events: [
        {
          type: 'response.incomplete',
          response: response([], { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }),
        },
      ],
      json: response([{ type: 'reasoning', id: 'rs_1', summary: [] }], {
        status: 'incomplete',
        incomplete_details: { reason: 'max_output_tokens' },
      }),
    },
    /cut off \(max_output_tokens\)/,
  ],
  [
    'a filter of the Responses API',
    RESPONSES,
    {
      events: [
        {
          type: 'response.incomplete',
          response: response([text('')], { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }),
        },
      ],
      json: response([text('')], { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }),
    },
    /refused.*content_filter/,
  ],
  [
    'a refusal',
    CHAT,
    {
      events: [chunk({ refusal: 'I will ' }), chunk({ refusal: 'not.' }), chunk({}, 'stop')],
      json: whole({ content: null, refusal: 'I will not.' }),
    },
    /refused to produce output: I will not\./,
  ],
]
test.each(EMPTY)(
  'an answer that was cut before its first word is an error: %s',
  async (_name, model, answer, words) => {
    const { ask } = await setUp(model, [answer], { exposeErrors: false })
    for (const streamed of [true, false]) {
      const { error, items } = await ask(streamed)
      expect(error).toMatch(words)
      expect(items.filter(({ role }) => role === 'assistant')).toEqual([])
    }
  },
)

const HALF_CALLS: [name: string, answer: Answer][] = [
  [
    'arguments',
    {
      events: [calls({ index: 0, id: 'a', ...weather('{"city":"Par') }), chunk({}, 'length')],
      json: whole({ tool_calls: [{ id: 'a', ...weather('{"city":"Par') }] }, 'length'),
    },
  ],
  [
    'no arguments yet',
    {
      events: [calls({ index: 0, id: 'a', function: { name: 'now', arguments: '' } }), chunk({}, 'length')],
      json: whole({ tool_calls: [{ id: 'a', function: { name: 'now', arguments: '' } }] }, 'length'),
    },
  ],
  [
    'a filter',
    {
      events: [calls({ index: 0, id: 'a', ...weather('{"city":') }), chunk({}, 'content_filter')],
      json: whole({ tool_calls: [{ id: 'a', ...weather('{') }] }, 'content_filter'),
    },
  ],
]
test.each(HALF_CALLS)('a cut call does not run and is sent back as JSON: %s', async (_name, answer) => {
  for (const streamed of [true, false]) {
    const { ask, ran, seen } = await setUp(CHAT, [answer, DONE])
    const { text, items, incomplete } = await ask(streamed)
    expect([text, incomplete, ran]).toEqual(['Done.', undefined, []])
    expectValidPairs(seen[1].messages)
    expect(seen[1].messages.at(-1).content).toMatch(/was cut off.*did not run/)
    expect(items.find(({ type }) => type === 'function_call').arguments).toBe('{}')
  }
})

test('beside a cut call, the complete calls run', async () => {
  const events = [
    calls({ index: 0, id: 'a', ...weather(paris) }),
    calls({ index: 1, id: 'b', ...weather('{"ci') }),
    chunk({}, 'length'),
  ]
  const both = await setUp(CHAT, [{ events }, DONE])
  await both.ask(true)
  expect(both.ran).toEqual(['Paris'])
  expectValidPairs(both.seen[1].messages)
  const named = [
    chunk({ content: 'Let me look' }),
    calls({ index: 0, id: 'a', function: { name: 'get_wea' } }),
    chunk({}, 'length'),
  ]
  const cut = await setUp(CHAT, [{ events: named }])
  const told = await cut.ask(true)
  expect([told.text, told.error, told.incomplete]).toEqual(['Let me look', undefined, { reason: 'max_output_tokens' }])
  expect(told.items.map(({ type }) => type)).toEqual(['message', 'message'])
})

test('cut calls of Responses, Anthropic and Gemini do not run', async () => {
  const call = {
    id: 'fc_1',
    type: 'function_call',
    call_id: 'call_1',
    name: 'get_weather',
    arguments: '{"ci',
    status: 'incomplete',
  }
  const cut = response([call], { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
  const responses: Answer = {
    events: [
      { type: 'response.output_item.done', output_index: 0, item: call },
      { type: 'response.incomplete', response: cut },
    ],
    json: cut,
  }
  const use = { type: 'tool_use', id: 'toolu_1', name: 'get_weather', input: {} }
  const claude: Answer = {
    ...anthropic('max_tokens', ...block(use, { type: 'input_json_delta', partial_json: '{"city":"Par' })),
    json: plainClaude('max_tokens', { ...use, input: { city: 'Par' } }), // Anthropic repairs what it has
  }
  const over: [ModelSpec, Answer, Answer][] = [
    [RESPONSES, responses, said('Done.')],
    [
      CLAUDE,
      claude,
      { ...anthropic('end_turn', ...words('Done.')), json: plainClaude('end_turn', { type: 'text', text: 'Done.' }) },
    ],
  ]
  const half = gemini({
    content: { role: 'model', parts: [{ functionCall: { name: 'get_weather', args: { city: 'Par' } } }] },
    finishReason: 'MAX_TOKENS',
  })
  over.push([GEMINI, half, gemini({ content: { role: 'model', parts: [{ text: 'Done.' }] }, finishReason: 'STOP' })])
  for (const [model, answer, done] of over)
    for (const streamed of [true, false]) {
      const { ask, ran, seen } = await setUp(model, [answer, done])
      const { text, error } = await ask(streamed)
      expect([text, error, ran]).toEqual(['Done.', undefined, []])
      expect(JSON.stringify(seen[1])).toContain('was cut off')
      expect(JSON.stringify(seen[1])).not.toContain('"{\\"ci')
    }
})

test('a cut handoff does not happen, and the sender sees a cut answer', async () => {
  const handoff = { function: { name: 'transfer_to_B', arguments: '{"recipient_' } }
  const upstream = await startAnswers([
    { events: [calls({ index: 0, id: 'a', ...handoff }), chunk({}, 'length')] },
    {
      events: [
        calls({
          index: 0,
          id: 'b',
          function: {
            name: 'send_message',
            arguments: '{"recipient_agent":"C","message":"Hi","additional_instructions":""}',
          },
        }),
        chunk({}, 'tool_calls'),
      ],
    },
    { events: [chunk({ content: 'My half' }), chunk({}, 'length')] },
    DONE,
  ])
  everyProviderAt(upstream.url)
  const [a, b, c] = ['A', 'B', 'C'].map((name) => new Agent({ name, model: CHAT })) as [Agent, Agent, Agent]

  const { url } = await startServer({
    agencies: {
      team: new Agency(a, {
        communicationFlows: [
          [a, b, Handoff],
          [a, c],
        ],
      }),
    },
  })
  const { new_messages, incomplete_details } = final(
    await allFrames(`${url}/team/get_response_stream`, { message: 'Hi' }),
  )
  expect(new_messages.every(({ agent }: Json) => agent !== 'B')).toBe(true)
  expect(upstream.seen[1].messages.at(-1).content).toMatch(/transfer_to_B.*cut off/)
  expect(upstream.seen[3].messages.at(-1).content).toMatch(/^My half\n\n.*cut off.*max_output_tokens/)
  expect(new_messages.find(({ agent, role }: Json) => agent === 'C' && role === 'assistant').status).toBe('incomplete')
  expect(incomplete_details).toBeUndefined()
})

test('a cut call does not become the answer of a stopping agent', async () => {
  const half = calls({ index: 0, id: 'a', ...weather('{"city":"Par') })
  const whole = calls({ index: 0, id: 'b', ...weather(paris) })
  const { ask, ran } = await setUp(
    CHAT,
    [{ events: [half, chunk({}, 'length')] }, { events: [whole, chunk({}, 'tool_calls')] }],
    { agent: { toolUseBehavior: 'stop_on_first_tool' } },
  )
  const { items, error } = await ask(true)
  expect([error, ran]).toEqual([undefined, ['Paris']])
  expect(items.at(-1)).toMatchObject({ type: 'function_call_output', output: 'sunny in Paris' })
})

test('an answer with an outputType that was cut is an error that says so', async () => {
  const { ask } = await setUp(CHAT, [chat('{"city":"Par', 'length')], {
    agent: { outputType: z.object({ city: z.string() }) },
  })
  for (const streamed of [true, false]) expect((await ask(streamed)).error).toMatch(/cut off \(max_output_tokens\)/)
})

test('in-process runs tell of a cut answer too', async () => {
  const upstream = await startAnswers([chat(half, 'length')])
  everyProviderAt(upstream.url)
  const agency = new Agency(new Agent({ name: 'A', model: CHAT }))
  const told = { finalOutput: half, incompleteDetails: { reason: 'max_output_tokens' } }
  expect(await agency.getResponse('Hi')).toMatchObject(told)
  expect(await agency.getResponseStream('Hi').finalResult).toMatchObject(told)
})
