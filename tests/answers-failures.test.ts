import { expect, test } from 'vitest'
import type { ModelSpec } from '../src/index.ts'
import {
  type Answer,
  CHAT,
  CLAUDE,
  calls,
  chunk,
  delta,
  GEMINI,
  RESPONSES,
  response,
  setUp,
  weather,
  whole,
} from './support/answers.ts'

const paris = '{"city":"Paris"}'
const said = chunk({ content: 'so far' })
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
  ['a code and a message alone', CHAT, { events: [{ code: 500, msg: 'upstream is gone' }] }, /upstream is gone/],
  ['words of FastAPI in a stream', CHAT, { events: [{ detail: 'Not ready' }] }, /Not ready/],
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
    'calls that never came',
    CHAT,
    { events: [chunk({ role: 'assistant', content: '' }), chunk({}, 'tool_calls')] },
    /tool_calls/,
  ],
  [
    "the provider's own reason (OpenRouter)",
    CHAT,
    {
      events: [
        chunk({ content: '' }),
        { choices: [{ delta: {}, finish_reason: 'stop', native_finish_reason: 'MALFORMED_FUNCTION_CALL' }] },
      ],
    },
    /malformed/,
  ],
  [
    'a stream that breaks off behind empty reasons',
    CHAT,
    { events: [chunk({ content: 'so' }, ''), chunk({ content: ' far' }, '')], open: true },
    /ended before/,
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
  ['a choice without a message', CHAT, { events: [{ choices: [{ delta: null, finish_reason: 'stop' }] }] }, /stop/],
  ['a code and words behind text', CHAT, { events: [said, { message: 'upstream died', code: 502 }] }, /upstream died/],
  ['words of FastAPI behind text', CHAT, { events: [said, { detail: 'engine dead' }] }, /engine dead/],
  ['words alone behind text', CHAT, { events: [said, { choices: [], message: 'gone' }] }, /gone/],
  ['an overload as a reason', CHAT, { events: [said, chunk({}, 'engine_overloaded')] }, /engine_overloaded/],
  ['a code and words without a type', RESPONSES, { events: [{ code: 400, message: 'too long' }] }, /too long/],
  ['words without a type behind text', RESPONSES, { events: [delta('so'), { detail: 'engine dead' }] }, /engine dead/],
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
  ['a choice without a message', CHAT, { choices: [{ message: null, finish_reason: 'stop' }] }, /stop/],
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

test("a provider's error text is hidden unless errors are exposed", async () => {
  const { ask } = await setUp(CHAT, [{ events: [{ error: 'internal words' }], json: { error: 'internal words' } }], {
    exposeErrors: false,
  })
  for (const streamed of [true, false])
    expect((await ask(streamed)).error).toBe('The run of agent A failed (cause: ModelError).')
})
