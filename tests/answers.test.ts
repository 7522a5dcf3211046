import { expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, chatCompletions, type ModelSpec, tool } from '../src/index.ts'
import { type Answer, startAnswers } from './support/answers.ts'
import { allFrames, type Frame, final, postAndRead, startServer } from './support/client.ts'
import { everyProviderAt } from './support/providers.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
type Json = any
const CHAT = chatCompletions('gpt-4.1')
const RESPONSES = 'gpt-4.1'
const CLAUDE = 'anthropic/claude-sonnet-4-5'
const GEMINI = 'gemini/gemini-2.5-pro'

interface Told {
  /** The whole text that was streamed, or `response`. */
  text: unknown
  error: string | undefined
  items: Json[]
  incomplete: unknown
  usage: Json
  frames: Frame[]
}

/** Serves one agent whose provider gives these answers, and asks both endpoints (or one). */
async function setUp(model: ModelSpec, answers: readonly Answer[], options: Json = {}) {
  const ran: Json[] = []
  const get_weather = tool({
    name: 'get_weather',
    description: 'Weather',
    parameters: z.object({ city: z.string() }),
    execute: ({ city }) => {
      ran.push(city)
      return `sunny in ${city}`
    },
  })
  const now = tool({
    name: 'now',
    description: 'The time',
    parameters: z.object({}),
    execute: () => {
      ran.push('now')
      return 'noon'
    },
  })
  const upstream = await startAnswers(answers)
  everyProviderAt(upstream.url)
  const { agent: own, ...serving } = options
  const agent = new Agent({ name: 'A', model, tools: [get_weather, now], ...own })
  const { url } = await startServer({ agencies: { solo: new Agency(agent) }, exposeErrors: true, ...serving })
  const ask = async (streamed: boolean): Promise<Told> => {
    if (!streamed) {
      const { body } = await postAndRead(`${url}/solo/get_response`, { message: 'Hi' })
      const { response: text, error, new_messages: items = [], incomplete_details: incomplete, usage } = body
      return { text, error, items, incomplete, usage, frames: [] }
    }
    const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
    const deltas = rawEvents(frames).filter(({ type }) => type === 'response.output_text.delta')
    const error = frames.find(({ data }) => data?.data?.type === 'error')?.data.data.content
    const { new_messages: items, incomplete_details: incomplete, usage } = final(frames)
    return { text: deltas.map(({ delta }) => delta).join(''), error, items, incomplete, usage, frames }
  }
  return { ask, ran, seen: upstream.seen, url }
}
const rawEvents = (frames: readonly Frame[]): Json[] =>
  frames.filter(({ data }) => data?.data?.type === 'raw_response_event').map(({ data }) => data.data.data)

const chunk = (delta: object, finish_reason: string | null = null, more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, finish_reason }],
  ...more,
})
const calls = (...tool_calls: object[]) => chunk({ tool_calls })
const whole = (message: object, finish_reason: string | null = 'stop', more: object = {}) => ({
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason }],
  ...more,
})
const DONE: Answer = { events: [chunk({ content: 'Done.' }, 'stop')], json: whole({ content: 'Done.' }) }
const paris = '{"city":"Paris"}'
const rome = '{"city":"Rome"}'
const weather = (args: string) => ({ function: { name: 'get_weather', arguments: args } })

/** What went back to the provider of calls and outputs: each call answered once, every id its own, arguments JSON. */
function expectValidPairs(messages: Json[]) {
  const sent = messages.flatMap(({ tool_calls = [] }) => tool_calls)
  const ids = sent.map(({ id }: Json) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.every((id: string) => id.trim() !== '')).toBe(true)
  expect(messages.filter(({ role }) => role === 'tool').map(({ tool_call_id }) => tool_call_id)).toEqual(ids)
  for (const call of sent) expect(JSON.parse(call.function.arguments)).toBeTypeOf('object')
}

const PIECES: [name: string, chunks: object[], ran: string[]][] = [
  [
    'no ids, one index',
    [calls({ index: 0, ...weather(paris) }), calls({ index: 0, ...weather(rome) })],
    ['Paris', 'Rome'],
  ],
  [
    'empty ids',
    [calls({ index: 0, id: '', ...weather(paris) }), calls({ index: 0, id: '', ...weather(rome) })],
    ['Paris', 'Rome'],
  ],
  [
    'blank ids and a blank continuation',
    [
      calls({ index: 0, id: ' ', ...weather('{"city"') }),
      calls({ index: 0, id: '  ', function: { arguments: ':"Paris"}' } }),
    ],
    ['Paris'],
  ],
  [
    'an id that changes in each piece',
    [
      calls({ index: 0, id: 'x1', ...weather('') }),
      calls({ index: 0, id: 'x2', function: { arguments: '{"city":' } }),
      calls({ index: 0, id: 'x3', function: { arguments: '"Paris"}' } }),
    ],
    ['Paris'],
  ],
  [
    'an id that changes and a name in each piece',
    [calls({ index: 0, id: 'x1', ...weather('{"city":') }), calls({ index: 0, id: 'x2', ...weather('"Paris"}') })],
    ['Paris'],
  ],
  [
    'one id for two indexes',
    [calls({ index: 0, id: 'call_1', ...weather(paris) }), calls({ index: 1, id: 'call_1', ...weather(rome) })],
    ['Paris', 'Rome'],
  ],
  [
    'one id and one index for two calls',
    [calls({ index: 0, id: 'call_1', ...weather(paris) }), calls({ index: 0, id: 'call_1', ...weather(rome) })],
    ['Paris', 'Rome'],
  ],
  [
    'own ids, every index 0 (Ollama)',
    [calls({ index: 0, id: 'a', ...weather(paris) }), calls({ index: 0, id: 'b', ...weather(rome) })],
    ['Paris', 'Rome'],
  ],
  [
    'no indexes, pieces told apart by their ids',
    [
      calls({ id: 'a', ...weather('') }, { id: 'b', ...weather('') }),
      calls({ id: 'a', function: { arguments: '{"city":' } }),
      calls({ id: 'b', function: { arguments: rome } }),
      calls({ id: 'a', function: { arguments: '"Paris"}' } }),
    ],
    ['Paris', 'Rome'],
  ],
  [
    'indexes as texts, from 1 on',
    [
      calls({ index: '1', id: 'a', ...weather('{"city":') }),
      calls({ index: '2', id: 'b', ...weather(rome) }),
      calls({ index: '1', function: { arguments: '"Paris"}' } }),
    ],
    ['Paris', 'Rome'],
  ],
  [
    'an index that counts the pieces of one call',
    [calls({ index: 0, id: 'a', ...weather('') }), calls({ index: 1, id: 'a', function: { arguments: paris } })],
    ['Paris'],
  ],
  [
    'an index that counts pieces without ids',
    [calls({ index: 0, id: 'a', ...weather('') }), calls({ index: 1, function: { arguments: paris } })],
    ['Paris'],
  ],
  [
    'two entries of one index in one chunk',
    [calls({ index: 0, id: 'a', function: { name: 'get_weather' } }, { index: 0, function: { arguments: paris } })],
    ['Paris'],
  ],
  [
    'a name in pieces',
    [
      calls({ index: 0, id: 'a', function: { name: 'get_' } }),
      calls({ index: 0, function: { name: 'weather', arguments: '' } }),
      calls({ index: 0, function: { arguments: paris } }),
    ],
    ['Paris'],
  ],
  [
    'a name that comes late',
    [calls({ index: 0, id: 'a', function: { arguments: '{"city":' } }), calls({ index: 0, ...weather('"Paris"}') })],
    ['Paris'],
  ],
  [
    'a name in each piece, the last one empty',
    [
      calls({ index: 0, id: 'a', ...weather('{"city":') }),
      calls({ index: 0, ...weather('"Paris"}') }),
      calls({ index: 0, ...weather('') }),
    ],
    ['Paris'],
  ],
  [
    'a second call that begins with its name alone',
    [
      calls({ index: 0, ...weather(paris) }),
      calls({ index: 0, ...weather('') }),
      calls({ index: 0, function: { arguments: '{"city":' } }),
      calls({ index: 0, function: { arguments: '"Rome"}' } }),
    ],
    ['Paris', 'Rome'],
  ],
  [
    'calls of two tools without ids and without arguments of the first',
    [calls({ index: 0, function: { name: 'now' } }), calls({ index: 0, ...weather(rome) })],
    ['now', 'Rome'],
  ],
  [
    'arguments that are repeated whole at the end',
    [
      calls({ index: 0, id: 'a', ...weather('{"city":') }),
      calls({ index: 0, id: 'a', function: { arguments: '"Paris"}' } }),
      calls({ index: 0, id: 'a', ...weather('{"city": "Paris"}') }),
    ],
    ['Paris'],
  ],
  [
    'arguments that are repeated with each piece',
    [
      calls({ index: 0, id: 'a', ...weather('{"ci') }),
      calls({ index: 0, id: 'a', function: { arguments: '{"city":"Pa' } }),
      calls({ index: 0, id: 'a', function: { arguments: paris } }),
    ],
    ['Paris'],
  ],
  [
    'arguments with braces in their texts',
    [
      calls({ index: 0, ...weather('{"city":"}{\\"') }),
      calls({ index: 0, ...weather('}"}') }),
      calls({ index: 0, ...weather(rome) }),
    ],
    ['}{"}', 'Rome'],
  ],
  [
    'arguments as an object',
    [calls({ index: 0, id: 'a', function: { name: 'get_weather', arguments: { city: 'Paris' } } })],
    ['Paris'],
  ],
  [
    'fields without a function around them',
    [calls({ index: 0, id: 'a', name: 'get_weather', arguments: paris })],
    ['Paris'],
  ],
  ['one call instead of a list', [chunk({ tool_calls: { id: 'a', ...weather(paris) } })], ['Paris']],
  [
    'the old function_call',
    [
      chunk({ function_call: { name: 'get_weather', arguments: '' } }),
      chunk({ function_call: { arguments: '{"city":' } }),
      chunk({ function_call: { arguments: '"Paris"}' } }),
    ],
    ['Paris'],
  ],
  [
    'interleaved pieces',
    [
      calls({ index: 0, id: 'a', ...weather('{"city":') }),
      calls({ index: 1, id: 'b', ...weather('{"city":') }),
      calls({ index: 0, function: { arguments: '"Paris"}' } }),
      calls({ index: 1, function: { arguments: '"Rome"}' } }),
    ],
    ['Paris', 'Rome'],
  ],
]

test.each(PIECES)('pieces of calls find their call: %s', async (_name, chunks, expected) => {
  const { ask, ran, seen } = await setUp(CHAT, [{ events: [...chunks, chunk({}, 'tool_calls')] }, DONE])
  const { items, error } = await ask(true)
  expect(error).toBeUndefined()
  expect(ran).toEqual(expected)
  expectValidPairs(seen[1].messages)
  expect(items.filter(({ type }) => type === 'function_call')).toHaveLength(expected.length)
  expect(items.at(-1)).toMatchObject({ role: 'assistant', content: [{ text: 'Done.' }] })
})

const WHOLE_CALLS: [name: string, message: object, ran: string[]][] = [
  ['without ids', { tool_calls: [weather(paris), weather(rome)] }, ['Paris', 'Rome']],
  [
    'with one id',
    {
      tool_calls: [
        { id: 'c', ...weather(paris) },
        { id: 'c', ...weather(rome) },
      ],
    },
    ['Paris', 'Rome'],
  ],
  [
    'with one index',
    {
      tool_calls: [
        { index: 0, ...weather(paris) },
        { index: 0, ...weather(rome) },
      ],
    },
    ['Paris', 'Rome'],
  ],
  ['in the old form', { content: null, function_call: { name: 'get_weather', arguments: paris } }, ['Paris']],
]
test.each(WHOLE_CALLS)('calls of a plain answer run %s', async (_name, message, expected) => {
  const { ask, ran, seen } = await setUp(CHAT, [{ json: whole(message, 'tool_calls') }, DONE])
  expect((await ask(false)).text).toBe('Done.')
  expect(ran).toEqual(expected)
  expectValidPairs(seen[1].messages)
})

test('a call id that comes again in a later turn is replaced, over both APIs', async () => {
  const again: Answer = { events: [calls({ index: 0, id: 'call_0', ...weather(paris) }), chunk({}, 'tool_calls')] }
  const chat = await setUp(CHAT, [again, again, DONE])
  const { items } = await chat.ask(true)
  expectValidPairs(chat.seen[2].messages)
  expect(items.map(({ type }) => type).filter((type) => type !== 'message')).toEqual([
    'function_call',
    'function_call_output',
    'function_call',
    'function_call_output',
  ])
  const call = { id: 'fc_1', type: 'function_call', call_id: 'call_0', name: 'get_weather', arguments: paris }
  const answered = {
    events: [
      { type: 'response.completed', response: { status: 'completed', output: [call, { ...call, id: 'fc_2' }] } },
    ],
  }
  const responses = await setUp(RESPONSES, [answered, said('Done.')])
  const { items: stored, frames } = await responses.ask(true)
  expect(responses.ran).toEqual(['Paris', 'Paris'])
  const ids = stored.filter(({ type }) => type === 'function_call').map(({ call_id }) => call_id)
  expect(new Set(ids).size).toBe(2)
  const announced = frames.filter(({ data }) => data?.data?.name === 'tool_called')
  expect(announced.map(({ data }) => data.data.call_id)).toEqual(ids)
})

const text = (value: string, more: object = {}) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: value, annotations: [] }],
  ...more,
})
const response = (output: object[], more: object = {}) => ({
  id: 'resp_1',
  object: 'response',
  status: 'completed',
  output,
  usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
  ...more,
})
function said(value: string): Answer {
  const done = response([text(value)])
  return { events: [delta(value), { type: 'response.completed', response: done }], json: done }
}
const delta = (value: string, more: object = {}) => ({
  type: 'response.output_text.delta',
  item_id: 'msg_1',
  output_index: 0,
  content_index: 0,
  delta: value,
  ...more,
})

/** Failures inside of answers that HTTP calls a success. `tries`: requests to the provider, where it is not 1. */
const FAILURES: [name: string, model: ModelSpec, answer: Answer, words: RegExp, tries?: number][] = [
  [
    'vLLM',
    CHAT,
    { events: [{ object: 'error', message: 'too long', type: 'BadRequestError', code: 400 }] },
    /too long/,
  ],
  ['an error as a text', CHAT, { events: [{ error: 'model crashed' }] }, /model crashed/],
  [
    'a list around the error (Gemini)',
    CHAT,
    { events: [[{ error: { code: 400, message: 'bad key', status: 'INVALID_ARGUMENT' } }]] },
    /bad key/,
  ],
  [
    'fields beside choices: null',
    CHAT,
    { events: [{ choices: null, error_type: 'BadRequestError', error_message: 'context is full' }] },
    /context is full/,
  ],
  [
    'MiniMax',
    CHAT,
    { events: [{ choices: null, base_resp: { status_code: 1008, status_msg: 'insufficient balance' } }] },
    /insufficient balance/,
  ],
  ['nested words', CHAT, { events: [{ error: { error: { message: 'deep inside' } } }] }, /deep inside/],
  ['a code alone', CHAT, { events: [{ error: { code: 'model_gone' } }] }, /model_gone/],
  ['an empty stream', CHAT, { events: [] }, /reason/],
  [
    'a finish reason and an error in the choice',
    CHAT,
    {
      events: [
        chunk({ content: 'so far' }),
        { choices: [{ delta: {}, finish_reason: 'error', error: { code: 400, message: 'provider died' } }] },
      ],
    },
    /provider died/,
  ],
  ['a finish reason alone', CHAT, { events: [chunk({ content: 'so far' }), chunk({}, 'error')] }, /"error"/],
  [
    'an error in the choice alone',
    CHAT,
    { events: [chunk({ content: 'so far' }), { choices: [{ delta: {}, error: { message: 'lost it' } }] }] },
    /lost it/,
  ],
  [
    'a finish reason as an object (SGLang)',
    CHAT,
    { events: [{ choices: [{ delta: {}, finish_reason: { type: 'abort', message: 'out of memory' } }] }] },
    /out of memory/,
  ],
  [
    'a malformed call',
    CHAT,
    { events: [calls({ index: 0, ...weather(paris) }), chunk({}, 'malformed_function_call')] },
    /malformed_function_call/,
  ],
  [
    'resources that ran out (DeepSeek)',
    CHAT,
    { events: [chunk({ content: 'so' }), chunk({}, 'insufficient_system_resource')] },
    /insufficient/,
  ],
  [
    'an unknown reason without an answer',
    CHAT,
    { events: [chunk({ role: 'assistant' }), chunk({}, 'OTHER')] },
    /other/,
  ],
  [
    'one JSON document for a streamed call',
    CHAT,
    { json: { error: { code: 401, message: 'no such key' } } },
    /no such key/,
  ],
  ['an event without a type', RESPONSES, { events: [{ error: { message: 'gateway died' } }] }, /gateway died/],
  ['an error event', RESPONSES, { events: [{ type: 'error', code: 'x', message: 'stop it' }] }, /stop it/],
  [
    'a failed response called completed',
    RESPONSES,
    {
      events: [
        { type: 'response.completed', response: response([], { status: 'failed', error: { message: 'exploded' } }) },
      ],
    },
    /exploded/,
  ],
  [
    'a failed response called done',
    RESPONSES,
    {
      events: [
        delta('so'),
        { type: 'response.done', response: response([], { status: 'failed', error: { message: 'exploded' } }) },
      ],
    },
    /exploded/,
  ],
  [
    'a cancelled response',
    RESPONSES,
    { events: [{ type: 'response.completed', response: response([], { status: 'cancelled' }) }] },
    /reason|cancel/,
  ],
  [
    'one JSON document instead of events',
    RESPONSES,
    { json: { detail: [{ msg: 'field required' }], error: { message: 'bad body' } } },
    /bad body/,
  ],
  [
    'an overload before the first event',
    RESPONSES,
    { events: [{ type: 'error', error: { code: 503, message: 'warming up' } }] },
    /warming up/,
    3,
  ],
  [
    'a rate limit in the first chunk',
    CHAT,
    { events: [{ error: { type: 'rate_limit_error', message: 'slow down' } }] },
    /slow down/,
    3,
  ],
]
test.each(FAILURES)('a failure in a stream ends the run as one: %s', async (_name, model, answer, words, tries = 1) => {
  const { ask, ran, seen } = await setUp(model, [answer])
  const { error, items } = await ask(true)
  expect(error).toMatch(words)
  expect(items.filter(({ role }) => role === 'assistant')).toEqual([])
  expect(ran).toEqual([])
  expect(seen).toHaveLength(tries)
})

const PLAIN_FAILURES: [name: string, model: ModelSpec, json: unknown, words: RegExp, tries?: number][] = [
  ['a code that passes', CHAT, { error: { code: 429, message: 'rate limited upstream' } }, /rate limited upstream/, 3],
  ['a code as a text', CHAT, { error: { code: '503', message: 'no capacity' } }, /no capacity/, 3],
  ['a code by its name', CHAT, { error: { type: 'overloaded_error', message: 'busy' } }, /busy/, 3],
  ['a code that stays', CHAT, { error: { code: 400, message: 'too long' } }, /too long/],
  ['no code', CHAT, { error: 'model crashed' }, /model crashed/],
  ['words of FastAPI', CHAT, { detail: 'Not ready' }, /Not ready/],
  ['a list of errors', CHAT, { errors: [{ message: 'first' }, { message: 'second' }] }, /first/],
  [
    'an error in the choice',
    CHAT,
    { choices: [{ message: { content: 'half' }, finish_reason: 'error', error: { code: 400, message: 'died' } }] },
    /died/,
  ],
  ['a finish reason', CHAT, whole({ content: 'half' }, 'error'), /"error"/],
  ['a malformed call', CHAT, whole({ content: '' }, 'MALFORMED_FUNCTION_CALL'), /malformed/],
  ['no answer at all', CHAT, { id: 'x', choices: [] }, /not an answer/],
  [
    'a failed response',
    RESPONSES,
    response([], { status: 'failed', error: { code: 'server_error', message: 'exploded' } }),
    /exploded/,
  ],
  [
    'an error beside no usage',
    RESPONSES,
    { error: { code: 'rate_limit_exceeded', message: 'slow' }, output: [] },
    /slow/,
    3,
  ],
  ['a response that is still queued', RESPONSES, response([], { status: 'queued' }), /before the model did/],
  ['a list around the error', RESPONSES, [{ error: { code: 400, message: 'bad key' } }], /bad key/],
  ['Anthropic', CLAUDE, { type: 'error', error: { type: 'invalid_request_error', message: 'no credit' } }, /no credit/],
  [
    'Anthropic, overloaded',
    CLAUDE,
    { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    /Overloaded/,
    3,
  ],
  [
    'Gemini',
    GEMINI,
    { candidates: [{ content: { parts: [] }, finishReason: 'MALFORMED_FUNCTION_CALL' }], usageMetadata: {} },
    /malformed/,
  ],
  ['Gemini, nothing at all', GEMINI, { usageMetadata: { promptTokenCount: 3 } }, /reason/],
]
test.each(PLAIN_FAILURES)(
  'a failure in a plain answer ends the run as one: %s',
  async (_name, model, json, words, tries = 1) => {
    const { ask, seen } = await setUp(model, [{ json }])
    expect((await ask(false)).error).toMatch(words)
    expect(seen).toHaveLength(tries)
  },
  15_000,
)

test("a provider's words about a failure are not told unless errors are exposed", async () => {
  const { ask } = await setUp(CHAT, [{ events: [{ error: 'internal words' }], json: { error: 'internal words' } }], {
    exposeErrors: false,
  })
  for (const streamed of [true, false])
    expect((await ask(streamed)).error).toBe('The run of agent A failed (cause: ModelError).')
})

const anthropic = (stop_reason: string, ...content: object[]): Answer => ({
  named: true,
  open: true,
  events: [
    {
      type: 'message_start',
      message: {
        id: 'm',
        type: 'message',
        role: 'assistant',
        model: 'claude',
        content: [],
        usage: { input_tokens: 3, output_tokens: 1 },
      },
    },
    ...content,
    { type: 'message_delta', delta: { stop_reason }, usage: { output_tokens: 5 } },
    { type: 'message_stop' },
  ],
})
const block = (content_block: object, ...deltas: object[]) => [
  { type: 'content_block_start', index: 0, content_block },
  ...deltas.map((one) => ({ type: 'content_block_delta', index: 0, delta: one })),
  { type: 'content_block_stop', index: 0 },
]
const words = (value: string) => block({ type: 'text', text: '' }, { type: 'text_delta', text: value })
const plainClaude = (stop_reason: string, ...content: object[]) => ({
  type: 'message',
  id: 'm',
  role: 'assistant',
  model: 'claude',
  content,
  stop_reason,
  usage: { input_tokens: 3, output_tokens: 5 },
})
const gemini = (candidate: object | undefined, more: object = {}): Answer => {
  const json = {
    ...(candidate ? { candidates: [candidate] } : {}),
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 },
    ...more,
  }
  return { events: [json], json, open: true }
}
const chat = (content: string, finish_reason: string | null): Answer => ({
  events: [chunk({ content }), chunk({}, finish_reason)],
  json: whole({ content }, finish_reason),
})
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
test.each(HALF_CALLS)(
  'a call that was cut does not run, and goes back as JSON beside the reason: %s',
  async (_name, answer) => {
    for (const streamed of [true, false]) {
      const { ask, ran, seen } = await setUp(CHAT, [answer, DONE])
      const { text, items, incomplete } = await ask(streamed)
      expect([text, incomplete, ran]).toEqual(['Done.', undefined, []])
      expectValidPairs(seen[1].messages)
      expect(seen[1].messages.at(-1).content).toMatch(/was cut off.*did not run/)
      expect(items.find(({ type }) => type === 'function_call').arguments).toBe('{}')
    }
  },
)

test('beside a call that was cut the whole ones run, and of half a name nobody is told', async () => {
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

test('calls that were cut over the Responses API and at Anthropic do not run', async () => {
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
  for (const [model, answer, done] of over)
    for (const streamed of [true, false]) {
      const { ask, ran, seen } = await setUp(model, [answer, done])
      const { text, error } = await ask(streamed)
      expect([text, error, ran]).toEqual(['Done.', undefined, []])
      expect(JSON.stringify(seen[1])).toContain('was cut off')
      expect(JSON.stringify(seen[1])).not.toContain('"{\\"ci')
    }
})

test('a handoff that was cut does not happen, and the sender of a cut answer is told', async () => {
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
  const { Handoff } = await import('../src/index.ts')
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

const thinking = { type: 'thinking', thinking: [{ type: 'text', text: 'let me see' }] }
/** Answers in other shapes: all mean "It is 42". */
const SHAPES: [name: string, model: ModelSpec, answer: Answer, thought?: string][] = [
  [
    'lists of parts (Mistral)',
    CHAT,
    {
      events: [
        chunk({ content: [thinking] }),
        chunk({ content: [{ type: 'text', text: 'It is ' }] }),
        chunk({ content: '42' }, 'stop'),
      ],
      json: whole({ content: [thinking, { type: 'text', text: 'It is 42' }] }),
    },
    'let me see',
  ],
  [
    'reasoning in summaries (Databricks)',
    CHAT,
    {
      events: [
        chunk({ content: [{ type: 'reasoning', summary: [{ type: 'summary_text', text: 'let me see' }] }] }),
        chunk({ content: [{ type: 'text', text: 'It is 42' }] }, 'stop'),
      ],
      json: whole({ content: [{ type: 'reasoning', summary: [{ text: 'let me see' }] }, 'It is 42'] }),
    },
    'let me see',
  ],
  [
    'one part instead of a list',
    CHAT,
    {
      events: [chunk({ content: { type: 'text', text: 'It is 42' } }, 'stop')],
      json: whole({ content: { type: 'text', text: { value: 'It is 42' } } }),
    },
  ],
  [
    'reasoning twice',
    CHAT,
    {
      events: [chunk({ reasoning_content: '', reasoning: 'let me see' }), chunk({ content: 'It is 42' }, 'stop')],
      json: whole({ content: 'It is 42', reasoning: 'let me see', reasoning_content: 'let me see' }),
    },
    'let me see',
  ],
  [
    'whole messages in a stream',
    CHAT,
    {
      events: [{ choices: [{ message: { content: 'It is 42' }, finish_reason: 'stop' }] }],
      json: whole({ content: 'It is 42' }),
    },
  ],
  ['one JSON document for a streamed call', CHAT, { json: whole({ content: 'It is 42' }) }],
  ['no finish reason', CHAT, { events: [chunk({ content: 'It is 42' })], json: whole({ content: 'It is 42' }, null) }],
  [
    'text deltas alone',
    RESPONSES,
    {
      events: [delta('It is '), delta('42'), { type: 'response.completed', response: response([]) }],
      json: response([text('It is 42')]),
    },
  ],
  [
    'deltas without places',
    RESPONSES,
    {
      events: [
        { type: 'response.output_text.delta', delta: 'It is ' },
        { type: 'response.output_text.delta', delta: '42' },
        { type: 'response.done', response: response([]) },
      ],
      json: response([text('It is 42')]),
    },
  ],
  [
    'an item that is never done (early vLLM)',
    RESPONSES,
    {
      events: [
        { type: 'response.output_item.added', output_index: 0, item: text('', { status: 'in_progress', content: [] }) },
        delta('It is '),
        delta('42'),
        { type: 'response.completed', response: response([]) },
      ],
      json: response([text('It is 42')]),
    },
  ],
  [
    'an item without content',
    RESPONSES,
    {
      events: [
        delta('It is 42'),
        { type: 'response.output_item.done', output_index: 0, item: text('', { content: [] }) },
        { type: 'response.completed', response: response([text('', { content: [] })]) },
      ],
      json: response([text('It is 42')]),
    },
  ],
  [
    'an item that closes too early (OmniRoute)',
    RESPONSES,
    {
      events: [
        delta('It'),
        { type: 'response.output_item.done', output_index: 0, item: text('It') },
        delta(' is 42'),
        { type: 'response.completed', response: response([text('It')]) },
      ],
      json: response([text('It is 42')]),
    },
  ],
  [
    'another id in each delta',
    RESPONSES,
    {
      events: [
        delta('It is ', { item_id: 'x' }),
        delta('42', { item_id: 'y' }),
        { type: 'response.completed', response: response([]) },
      ],
      json: response([text('It is 42')]),
    },
  ],
  ['one JSON document for a streamed call', RESPONSES, { json: response([text('It is 42')]) }],
]
test.each(SHAPES)('an answer of another shape is the same answer: %s', async (_name, model, answer, thought) => {
  const { ask } = await setUp(model, [answer])
  for (const streamed of [true, false]) {
    const { items, error, text } = await ask(streamed)
    expect(error).toBeUndefined()
    if (!streamed || answer.events !== undefined) expect(text).toBe('It is 42')
    expect(items.filter(({ role }) => role === 'assistant')).toEqual([
      expect.objectContaining({ status: 'completed', content: [expect.objectContaining({ text: 'It is 42' })] }),
    ])
    const thoughts = items.filter(({ type }) => type === 'reasoning').flatMap(({ summary }) => summary)
    expect(thoughts.map((part) => part.text)).toEqual(thought === undefined ? [] : [thought])
  }
})

const call = { id: 'fc_1', type: 'function_call', call_id: 'call_1', name: 'get_weather', arguments: '' }
const STREAMED_CALLS: [name: string, events: object[]][] = [
  [
    'pieces alone',
    [
      { type: 'response.output_item.added', output_index: 0, item: { ...call, status: 'in_progress' } },
      { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 0, delta: '{"city":' },
      { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 0, delta: '"Paris"}' },
      { type: 'response.completed', response: response([]) },
    ],
  ],
  [
    'arguments that are only done',
    [
      { type: 'response.output_item.added', output_index: 0, item: call },
      { type: 'response.function_call_arguments.done', item_id: 'fc_1', output_index: 0, arguments: paris },
      { type: 'response.output_item.done', output_index: 0, item: call },
      { type: 'response.completed', response: response([]) },
    ],
  ],
  ['the last event alone', [{ type: 'response.completed', response: response([{ ...call, arguments: paris }]) }]],
  [
    'no call id',
    [
      { type: 'response.output_item.done', output_index: 0, item: { ...call, call_id: '', arguments: paris } },
      { type: 'response.completed', response: response([]) },
    ],
  ],
]
test.each(STREAMED_CALLS)('a call of a Responses stream is announced and runs: %s', async (_name, events) => {
  const { ask, ran, seen } = await setUp(RESPONSES, [{ events }, said('Done.')])
  const { frames, items } = await ask(true)
  expect(ran).toEqual(['Paris'])
  const announced = frames.filter(({ data }) => data?.data?.name === 'tool_called')
  expect(announced).toHaveLength(1)
  expect(announced[0]?.data.data.item.raw_item).toMatchObject({ name: 'get_weather', arguments: paris })
  const [stored] = items.filter(({ type }) => type === 'function_call')
  expect(stored.call_id).toBe(announced[0]?.data.data.call_id)
  expect(seen[1].input.slice(-2)).toMatchObject([
    { type: 'function_call', call_id: stored.call_id, arguments: paris },
    { type: 'function_call_output', call_id: stored.call_id },
  ])
})

const ARGUMENTS: [given: unknown, ran: string[], sent: string, output: RegExp][] = [
  [' \n', ['now'], '{}', /noon/],
  ['', ['now'], '{}', /noon/],
  ['null', ['now'], '{}', /noon/],
  [' null ', ['now'], '{}', /noon/],
  [null, ['now'], '{}', /noon/],
  ['"{}"', ['now'], '{}', /noon/],
  ['{"a":', [], '{}', /not valid JSON/],
  ['{}{}', [], '{}', /not valid JSON/],
  ['[1]', [], '[1]', /do not fit/],
]
test.each(ARGUMENTS)('arguments of a tool without parameters: %j', async (given, expected, sent, output) => {
  const answer = { tool_calls: [{ id: 'a', function: { name: 'now', arguments: given } }] }
  for (const streamed of [true, false]) {
    const json = whole(answer, 'tool_calls')
    const { ask, ran, seen } = await setUp(CHAT, [
      { events: [calls({ index: 0, ...answer.tool_calls[0] }), chunk({}, 'tool_calls')], json },
      DONE,
    ])
    await ask(streamed)
    expect(ran).toEqual(expected)
    const [, question, told] = seen[1].messages.slice(-3)
    expect(question.tool_calls[0].function.arguments).toBe(sent)
    expect(told.content).toMatch(output)
  }
})

const OUTPUTS: [name: string, text: string][] = [
  ['a fence', '```json\n{"city":"Paris"}\n```'],
  ['a fence on one line', '```json {"city":"Paris"}```'],
  ['a fence without a language', '```\n{"city":"Paris"}\n```\n'],
  ['text round a fence', 'Here it is:\n\n```JSON\n{"city":"Paris"}\n```\nAnything else?'],
  ['a fence that stays open', '```json\n{"city":"Paris"}'],
  ['waves', '~~~json\n{"city":"Paris"}\n~~~'],
  ['the second fence', '```sh\nls\n```\n```json\n{"city":"Paris"}\n```'],
  ['no fence', ' {"city":"Paris"}\n'],
]
test.each(OUTPUTS)('JSON of an outputType is read from %s', async (_name, content) => {
  const { ask } = await setUp(CHAT, [chat(content, 'stop')], { agent: { outputType: z.object({ city: z.string() }) } })
  expect((await ask(false)).text).toEqual({ city: 'Paris' })
  expect((await ask(true)).error).toBeUndefined()
})
test('JSON with fences inside is read whole, and what is not JSON is an error about the text', async () => {
  const inside = JSON.stringify({ city: 'say ```js\nx\n``` twice' }, undefined, 1)
  const nested = await setUp(CHAT, [chat(`\`\`\`json\n${inside}\n\`\`\``, 'stop')], {
    agent: { outputType: z.object({ city: z.string() }) },
  })
  expect((await nested.ask(false)).text).toEqual({ city: 'say ```js\nx\n``` twice' })
  const wrong = await setUp(CHAT, [chat('Paris, of course', 'stop')], {
    agent: { outputType: z.object({ city: z.string() }) },
  })
  expect((await wrong.ask(false)).error).toMatch(/does not fit its outputType: .*Paris, of/)
})

const usage = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 }
const USAGE: [name: string, last: object][] = [
  ['usage', { choices: [], usage }],
  ['x_groq', { choices: [], x_groq: { id: 'req', usage } }],
  ['the choice (Moonshot)', { choices: [{ delta: {}, finish_reason: 'stop', usage }] }],
  ['texts', { choices: [], usage: { prompt_tokens: '9', completion_tokens: '4', total_tokens: '13' } }],
  ['names of the Responses API', { choices: [], usage: { input_tokens: 9, output_tokens: 4 } }],
]
test.each(USAGE)('usage is counted where its provider puts it: %s', async (_name, last) => {
  const { ask } = await setUp(CHAT, [
    { events: [chunk({ content: 'Hi' }, 'stop', { usage: null }), last, { choices: [], usage: null }] },
  ])
  expect((await ask(true)).usage).toMatchObject({
    request_count: 1,
    input_tokens: 9,
    output_tokens: 4,
    total_tokens: 13,
  })
})
test.each([[null], ['lots'], [{ prompt_tokens: null, completion_tokens: -3, total_tokens: {} }]])(
  'a usage that cannot be one counts nothing: %j',
  async (odd) => {
    const { ask } = await setUp(CHAT, [
      {
        events: [chunk({ content: 'Hi' }, 'stop', { usage: odd })],
        json: whole({ content: 'Hi' }, 'stop', { usage: odd }),
      },
    ])
    for (const streamed of [true, false])
      expect((await ask(streamed)).usage).toMatchObject({ input_tokens: 0, output_tokens: 0, total_tokens: 0 })
  },
)
