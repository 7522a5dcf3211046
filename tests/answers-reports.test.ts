/** Answers as public reports of 2025 and 2026 show them, and cases near them. The source is named where there is one. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  type Answer,
  CHAT,
  calls,
  chunk,
  DONE,
  delta,
  expectValidPairs,
  type Json,
  RESPONSES,
  response,
  setUp,
  text,
  weather,
  whole,
} from './support/answers.ts'

const paris = '{"city":"Paris"}'
const rome = '{"city":"Rome"}'
const end = chunk({}, 'tool_calls')
const piece = (index: number | null, args: string, more: object = {}) => ({
  index,
  function: { arguments: args },
  ...more,
})
const start = (index: number, id: string, args = '') => ({ index, id, type: 'function', ...weather(args) })

/** The chunks of a turn, and the cities that the tool runs for. */
const CALLS: [name: string, chunks: readonly unknown[], ran: string[]][] = [
  // anomalyco/opencode#24137
  [
    'a name behind the whole arguments',
    [calls(piece(0, paris, { id: 'a' })), calls({ index: 0, function: { name: 'get_weather' } }), end],
    ['Paris'],
  ],
  // vercel/ai#12052, NousResearch/hermes-agent#35592
  [
    'cumulative arguments of two calls, interleaved',
    [
      calls(start(0, 'a', '{"ci')),
      calls(start(1, 'b', '{"ci')),
      calls(piece(0, '{"city":"Pa')),
      calls(piece(1, '{"city":"Ro')),
      calls(piece(0, paris)),
      calls(piece(1, rome)),
      end,
    ],
    ['Paris', 'Rome'],
  ],
  [
    'cumulative arguments, the last one twice',
    [calls(start(0, 'a', '{"ci')), calls(piece(0, paris)), calls(piece(0, paris)), end],
    ['Paris'],
  ],
  // earendil-works/pi#8504
  [
    'an empty custom beside each function',
    [calls({ ...start(0, 'a'), custom: {} }), calls(piece(0, paris, { custom: {} })), end],
    ['Paris'],
  ],
  // lidge-jun/opencodex#361, elizaOS/eliza#16973
  [
    'fragments, then the whole call again',
    [
      calls(start(0, 'a')),
      calls(piece(0, '{"city":')),
      calls(piece(0, '"Paris"}')),
      calls({ ...start(0, 'a', paris), custom: {} }),
      end,
    ],
    ['Paris'],
  ],
  [
    'fragments, then the whole arguments without a name',
    [calls(start(0, 'a')), calls(piece(0, '{"city":"Paris"}')), calls(piece(0, paris, { id: 'a' })), end],
    ['Paris'],
  ],
  [
    'pieces of three calls in turn, without ids',
    [
      calls({ index: 0, ...weather('') }),
      calls({ index: 1, ...weather('') }),
      calls({ index: 2, ...weather('') }),
      calls(piece(2, '{"city":"Oslo"}')),
      calls(piece(0, '{"city":')),
      calls(piece(1, rome)),
      calls(piece(0, '"Paris"}')),
      end,
    ],
    ['Oslo', 'Paris', 'Rome'],
  ],
  ['the second index first', [calls(start(1, 'b', rome)), calls(start(0, 'a', paris)), end], ['Paris', 'Rome']],
  ['an index of -1', [calls(start(-1, 'a', '{"city":')), calls(piece(-1, '"Paris"}')), end], ['Paris']],
  ['ids that are numbers', [calls({ ...start(0, ''), id: 7 }), calls(piece(0, paris)), end], ['Paris']],
  [
    'blanks around a name',
    [calls({ index: 0, id: 'a', function: { name: ' get_weather\n', arguments: paris } }), end],
    ['Paris'],
  ],
  ['an entry that is null', [calls(null as never, start(0, 'a', paris)), end], ['Paris']],
  ['the reason stop', [calls(start(0, 'a', paris)), chunk({}, 'stop')], ['Paris']],
  ['the reason function_call', [calls(start(0, 'a', paris)), chunk({}, 'function_call')], ['Paris']],
  [
    'the reason in the chunk of the call',
    [chunk({ content: '', tool_calls: [start(0, 'a', paris)] }, 'tool_calls')],
    ['Paris'],
  ],
  ['no reason at all', [calls(start(0, 'a', paris))], ['Paris']],
  ['a text in front of it', [chunk({ content: 'Let me see.' }), calls(start(0, 'a', paris)), end], ['Paris']],
  ['a text behind it', [calls(start(0, 'a', paris)), chunk({ content: ' ' }), end], ['Paris']],
  [
    'empty lists in other chunks',
    [chunk({ content: null, tool_calls: [] }), calls(start(0, 'a', paris)), chunk({ tool_calls: [] }), end],
    ['Paris'],
  ],
  [
    'arguments in single characters',
    [calls(start(0, 'a')), ...[...paris].map((one) => calls(piece(0, one))), end],
    ['Paris'],
  ],
  [
    'a mark of the template behind the arguments',
    [calls(start(0, 'a', paris)), calls(piece(0, '<|call|>')), end],
    ['Paris'],
  ],
  ['a closing tag in the same piece', [calls(start(0, 'a', `${paris}</tool_call>`)), end], ['Paris']],
  // vllm-project/vllm#22578, gpt-oss behind several servers
  [
    'a channel of gpt-oss in the name',
    [calls({ index: 0, id: 'a', function: { name: 'get_weather<|channel|>commentary', arguments: paris } }), end],
    ['Paris'],
  ],
  [
    'a prefix of the template in the name',
    [calls({ index: 0, id: 'a', function: { name: 'functions.get_weather', arguments: paris } }), end],
    ['Paris'],
  ],
  [
    'a number of Kimi in the name',
    [calls({ index: 0, id: 'a', function: { name: 'functions.get_weather:0', arguments: paris } }), end],
    ['Paris'],
  ],
  // Soju06/codex-lb#284
  ['the same arguments three times in one text', [calls(start(0, 'a', paris + paris + paris)), end], ['Paris']],
  ['the same arguments twice, with blanks', [calls(start(0, 'a', `${paris}\n {"city": "Paris"}`)), end], ['Paris']],
  ['arguments as a text in a text', [calls(start(0, 'a', JSON.stringify(paris))), end], ['Paris']],
  ['a byte order mark before the arguments', [calls(start(0, 'a', `\ufeff${paris}`)), end], ['Paris']],
]

test.each(CALLS)('a call in a stream runs once: %s', async (_name, events, expected) => {
  const { ask, ran, seen } = await setUp(CHAT, [{ events }, DONE])
  const { error, text: said } = await ask(true)
  expect({ error, ran: ran.toSorted(), said: String(said).trim().endsWith('Done.') }).toEqual({
    error: undefined,
    ran: expected,
    said: true,
  })
  expectValidPairs(seen[1].messages)
})

const WHOLE: [name: string, message: object, ran: string[]][] = [
  ['the same arguments three times', { tool_calls: [{ id: 'a', ...weather(paris + paris + paris) }] }, ['Paris']],
  [
    'arguments as an object',
    { tool_calls: [{ id: 'a', function: { name: 'get_weather', arguments: { city: 'Paris' } } }] },
    ['Paris'],
  ],
  ['arguments as a text in a text', { tool_calls: [{ id: 'a', ...weather(JSON.stringify(paris)) }] }, ['Paris']],
  [
    'a channel of gpt-oss in the name',
    { tool_calls: [{ id: 'a', function: { name: 'get_weather<|channel|>json', arguments: paris } }] },
    ['Paris'],
  ],
  [
    'null beside it',
    {
      content: null,
      function_call: null,
      audio: null,
      refusal: null,
      tool_calls: [{ id: 'a', ...weather(paris), index: null }],
    },
    ['Paris'],
  ],
  ['a null among the calls', { tool_calls: [null, { id: 'a', ...weather(paris) }] }, ['Paris']],
  [
    'reasoning beside it',
    { content: '', reasoning_content: 'Hm.', tool_calls: [{ id: 'a', ...weather(paris) }] },
    ['Paris'],
  ],
]
test.each(WHOLE)('a call of a plain answer runs once: %s', async (_name, message, expected) => {
  for (const reason of ['tool_calls', 'stop', null]) {
    const { ask, ran, seen } = await setUp(CHAT, [{ json: whole(message, reason) }, DONE])
    const { error, text: said } = await ask(false)
    expect({ error, ran, said }).toEqual({ error: undefined, ran: expected, said: 'Done.' })
    expectValidPairs(seen[1].messages)
  }
})

const both = (message: object, reason: string | null = 'stop'): Answer => ({
  events: [chunk(message), chunk({}, reason)],
  json: whole(message, reason),
})
const thoughts = 'The answer is 42.'
/** lmstudio-ai/lmstudio-bug-tracker#1602, antirez/ds4#1087, mindcraft-bots/mindcraft#789, mudler/LocalAI#11135 */
const THOUGHTS: [name: string, answer: Answer, said: string][] = [
  ['reasoning_content', both({ content: '', reasoning_content: thoughts }), thoughts],
  ['reasoning', both({ content: null, reasoning: thoughts }), thoughts],
  ['reasoning_details', both({ reasoning_details: [{ type: 'reasoning.text', text: thoughts }] }), thoughts],
  [
    'a thinking part',
    both({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: thoughts }] }] }),
    thoughts,
  ],
  ['reasoning_content, and the reason eos', both({ content: '', reasoning_content: thoughts }, 'eos'), thoughts],
  ['reasoning_content beside an answer', both({ content: 'It is 42', reasoning_content: thoughts }), 'It is 42'],
  ['blank reasoning', both({ content: '', reasoning_content: ' \n' }), ''],
]
test.each(THOUGHTS)('an answer that is filed under reasoning is an answer: %s', async (_name, answer, expected) => {
  const { ask } = await setUp(CHAT, [answer])
  for (const streamed of [true, false]) {
    const { error, items } = await ask(streamed)
    const [part] = items.findLast(({ role }: Json) => role === 'assistant')?.content ?? []
    expect({ streamed, error, said: part?.text ?? part?.refusal ?? '' }).toEqual({
      streamed,
      error: undefined,
      said: expected,
    })
  }
})

test('structured output that is filed under reasoning is parsed', async () => {
  const agent = { outputType: z.object({ city: z.string() }) }
  const { ask } = await setUp(CHAT, [both({ content: null, reasoning_content: `Sure: ${paris}` })], { agent })
  expect(await ask(false)).toMatchObject({ error: undefined, text: { city: 'Paris' } })
})

test('after a tool an answer that is filed under reasoning ends the run', async () => {
  const { ask, ran } = await setUp(CHAT, [
    { events: [chunk({ reasoning: 'Look.' }), calls(start(0, 'a', paris)), end] },
    both({ reasoning_content: thoughts }),
  ])
  expect(await ask(true)).toMatchObject({ error: undefined, text: thoughts })
  expect(ran).toEqual(['Paris'])
})

const answer = chunk({ content: 'It is 42' })
const stop = chunk({}, 'stop')
const same = (...events: unknown[]): Answer => ({ events })
/** Streams with an odd chunk, which say "It is 42". */
const ODD: [name: string, stream: Answer][] = [
  ['null (earendil-works/pi#2466)', same(null, answer, null, stop)],
  ['a delta that is null', same({ choices: [{ index: 0, delta: null, finish_reason: null }] }, answer, stop)],
  ['no delta in the last chunk', same(answer, { choices: [{ index: 0, finish_reason: 'stop' }] })],
  [
    'a placeholder in front (vercel/ai#20829)',
    same(
      {
        id: '',
        object: '',
        created: 0,
        model: '',
        choices: [],
        prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }],
      },
      answer,
      stop,
    ),
  ],
  [
    'content_filter_results alone (Azure)',
    same({ choices: [{ index: 0, content_filter_results: {}, content_filter_offsets: {} }] }, answer, stop),
  ],
  ['usage alone, in front (vercel/ai#7417)', same({ usage: { prompt_tokens: 3 } }, answer, stop)],
  [
    'usage without completion_tokens (vercel/ai#2763)',
    same({ ...answer, usage: { prompt_tokens: 3, total_tokens: 3 } }, stop),
  ],
  ['usage as a list', same({ ...answer, usage: [] }, stop)],
  [
    'an index missing (Cloudflare, vercel/ai#4031)',
    same({ choices: [{ delta: { content: 'It is 42' } }] }, { choices: [{ delta: {}, finish_reason: 'stop' }] }),
  ],
  ['an index as a text', same({ choices: [{ index: '0', delta: { content: 'It is 42' }, finish_reason: 'stop' }] })],
  [
    'a role in each chunk',
    same(chunk({ role: 'assistant', content: 'It ' }), chunk({ role: 'assistant', content: 'is 42' }), stop),
  ],
  ['the role null', same(chunk({ role: null, content: 'It is 42', function_call: null, tool_calls: null }), stop)],
  [
    'the whole text again in the last chunk',
    same(chunk({ content: 'It is 42' }), {
      choices: [{ index: 0, delta: {}, message: { role: 'assistant', content: 'It is 42' }, finish_reason: 'stop' }],
    }),
  ],
  ['two last chunks', same(answer, stop, stop)],
  ['an empty error', same({ ...answer, error: null }, { ...stop, error: {} })],
  ['an error of code 0', same({ ...answer, code: 0, message: 'success' }, { ...stop, code: 0 })],
  ['a status 200', same({ ...answer, status: 200, msg: 'ok' }, stop)],
  ['timings (llama.cpp)', same(answer, { ...stop, timings: { predicted_n: 3 } })],
  ['a ping of an event', same({ type: 'ping' }, answer, stop)],
  ['a text of a gateway: ": keep-alive" as data', same(': keep-alive', answer, stop)],
  ['[DONE] in lower case', { ...same(answer, stop, '[done]'), open: true }],
  ['data behind [DONE]', same(answer, stop, '[DONE]', { cost: 1 })],
  ['[DONE] with a blank', { ...same(answer, stop, '[DONE] '), open: true }],
  [
    'logprobs',
    same(chunk({ content: 'It is 42' }, null, {}), {
      choices: [{ index: 0, delta: { content: '' }, logprobs: { content: [] }, finish_reason: 'stop' }],
    }),
  ],
  ['a service tier alone', same({ service_tier: 'default' }, answer, stop)],
  ['a fingerprint of null', same({ ...answer, system_fingerprint: null, x_groq: null }, stop)],
]
test.each(ODD)('a stream with an odd chunk is the same answer: %s', async (_name, stream) => {
  const { ask } = await setUp(CHAT, [stream])
  expect(await ask(true)).toMatchObject({ error: undefined, text: 'It is 42' })
})

/** Bodies with the status 200 that are failures, and words that the error has. */
const FAILED: [name: string, body: unknown, words: RegExp][] = [
  ['a text', { error: 'model not loaded' }, /model not loaded/],
  ['a code without a message', { error: { message: null, code: 403 } }, /403/],
  ['success: false', { success: false, message: 'quota is used up' }, /quota is used up/],
  ['Cloudflare', { success: false, errors: [{ code: 5007, message: 'no such model' }], result: null }, /no such model/],
  ['a status of a text', { status: 'error', message: 'bad things' }, /bad things/],
  ['DashScope', { code: 'InvalidParameter', message: 'url error', request_id: 'r' }, /url error/],
  ['FastAPI', { detail: [{ loc: ['body'], msg: 'field required', type: 'missing' }] }, /field required/],
  ['an API gateway', { message: 'Unauthorized' }, /Unauthorized/],
  ['Bedrock', { message: 'Too many tokens', __type: 'ValidationException' }, /Too many tokens/],
  ['Google', [{ error: { code: 400, message: 'not here', status: 'FAILED_PRECONDITION' } }], /not here/],
  [
    'fault',
    { fault: { faultstring: 'Rate limit quota violation', detail: { errorcode: 'policies.ratelimit' } } },
    /Rate limit quota/,
  ],
  ['choices of none', { id: 'x', choices: [] }, /not an answer/],
  ['choices of null', { id: 'x', choices: null, error_msg: 'busy' }, /busy/],
  ['a text of a proxy', 'upstream connect error', /not an answer/],
  ['nothing', null, /not an answer/],
  ['a list of nothing', [], /not an answer/],
]
test.each(FAILED)('a failure in a plain answer with the status 200 is a failure: %s', async (_name, body, words) => {
  for (const model of [CHAT, RESPONSES]) {
    const { ask } = await setUp(model, [{ json: body }])
    const { text: said, error } = await ask(false)
    expect({ model, said, error }).toEqual({ model, said: undefined, error: expect.stringMatching(words) })
  }
})

const LATE: [name: string, event: unknown, words: RegExp][] = [
  ['OpenAI', { error: { message: 'The server is overloaded', type: 'server_error', code: null } }, /overloaded/],
  ['Anthropic', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, /Overloaded/],
  ['vLLM', { object: 'error', message: 'engine died', code: 500 }, /engine died/],
  ['a text', { error: 'CUDA out of memory' }, /CUDA/],
  ['LiteLLM', { error: { message: 'litellm.APIError: gone', type: null, param: null, code: '500' } }, /gone/],
  ['a status', { status: 'error', message: 'node lost' }, /node lost/],
]
test.each(LATE)('a failure in the middle of a stream is a failure: %s', async (_name, event, words) => {
  const { ask } = await setUp(CHAT, [{ events: [chunk({ content: 'It is' }), event] }])
  expect((await ask(true)).error).toMatch(words)
  const late = await setUp(CHAT, [{ events: [chunk({ content: 'It is' }), event], open: true }])
  expect((await late.ask(true)).error).toMatch(words)
})

const done = (output: unknown, more: object = {}) => ({
  type: 'response.completed',
  response: response(output as object[], more),
})
const itemDone = (item: object, output_index?: number) => ({
  type: 'response.output_item.done',
  item,
  ...(output_index === undefined ? {} : { output_index }),
})
const call = {
  id: 'fc_1',
  type: 'function_call',
  call_id: 'c1',
  name: 'get_weather',
  arguments: paris,
  status: 'completed',
}
const unopened = {
  id: 'chatcmpl-1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: '', annotations: [] }],
}
const said = (...events: unknown[]): Answer[] => [{ events }]
const used = (...events: unknown[]): Answer[] => [{ events }, { events: [delta('It is 42'), done([text('It is 42')])] }]
/** Streams of gateways for the Responses API, which end with "It is 42"; the second kind calls the tool first. */
const GATEWAYS: [name: string, answers: Answer[], ran?: string[]][] = [
  [
    'BerriAI/litellm#37852: a message that was never opened',
    used(
      itemDone(unopened, 0),
      {
        type: 'response.content_part.done',
        item_id: 'chatcmpl-1',
        output_index: 0,
        content_index: 0,
        part: { type: 'output_text', text: '' },
      },
      itemDone(call, 1),
      done([unopened, call]),
    ),
    ['Paris'],
  ],
  [
    'BerriAI/litellm#41009: a last event without items',
    said(delta('It is 42'), itemDone(text('It is 42'), 0), done([])),
  ],
  ['a call in a last event without items', used(itemDone(call, 0), done([])), ['Paris']],
  ['output: null', said(delta('It is 42'), itemDone(text('It is 42'), 0), done(null))],
  [
    'nulls among the items',
    said(delta('It is 42'), itemDone(text('It is 42'), 1), done([text('It is 42')], { usage: null })),
  ],
  ['response.done', said(delta('It is 42'), { type: 'response.done', response: response([text('It is 42')]) })],
  ['no indexes', used(itemDone(call), done([call])), ['Paris']],
  ['an item in progress at the end', said(delta('It is 42'), done([{ ...text('It is 42'), status: 'in_progress' }]))],
  [
    'empty deltas and unknown events',
    said(
      { type: 'response.output_text.delta', delta: '' },
      { type: 'response.keepalive' },
      { type: 'response.x', delta: null },
      delta('It is 42'),
      done([text('It is 42')]),
    ),
  ],
  ['a ping', said({ type: 'ping' }, delta('It is 42'), done([text('It is 42')]))],
  [
    'error: null in each event',
    said({ ...delta('It is 42'), error: null }, done([text('It is 42')], { error: null, incomplete_details: null })),
  ],
  [
    'a role of no text',
    said(
      delta('It is 42'),
      done([{ ...text('It is 42'), phase: null, content: [{ type: 'output_text', text: 'It is 42' }] }]),
    ),
  ],
  [
    'the type text',
    said(delta('It is 42'), done([{ ...text('It is 42'), content: [{ type: 'text', text: 'It is 42' }] }])),
  ],
  [
    'arguments as an object',
    used(itemDone({ ...call, arguments: { city: 'Paris' } }, 0), done([{ ...call, arguments: { city: 'Paris' } }])),
    ['Paris'],
  ],
  [
    'the same arguments twice',
    used(itemDone({ ...call, arguments: paris + paris }, 0), done([{ ...call, arguments: paris + paris }])),
    ['Paris'],
  ],
  [
    'a call without a status',
    used(itemDone({ ...call, status: undefined }, 0), done([{ ...call, status: undefined }])),
    ['Paris'],
  ],
  ['an id of null', used(itemDone({ ...call, id: null }, 0), done([{ ...call, id: null }])), ['Paris']],
]
test.each(GATEWAYS)('a gateway of the Responses API is understood: %s', async (_name, answers, expected = []) => {
  const { ask, ran } = await setUp(RESPONSES, answers)
  const { error, items } = await ask(true)
  const last = items.findLast(({ role }: Json) => role === 'assistant')
  expect({ error, ran, said: last?.content[0].text }).toEqual({ error: undefined, ran: expected, said: 'It is 42' })
})

const USAGE: [name: string, usage: unknown, expected: [input: number, output: number, total: number]][] = [
  ['texts', { prompt_tokens: '3', completion_tokens: '2', total_tokens: '5' }, [3, 2, 5]],
  ['fractions', { prompt_tokens: 3.0, completion_tokens: 2.0 }, [3, 2, 5]],
  ['no total', { prompt_tokens: 3, completion_tokens: 2 }, [3, 2, 5]],
  ['a total of null', { prompt_tokens: 3, completion_tokens: 2, total_tokens: null }, [3, 2, 5]],
  [
    'details of null',
    {
      prompt_tokens: 3,
      completion_tokens: 2,
      total_tokens: 5,
      prompt_tokens_details: null,
      completion_tokens_details: null,
    },
    [3, 2, 5],
  ],
  ['names of Anthropic', { input_tokens: 3, output_tokens: 2, cache_read_input_tokens: 1 }, [3, 2, 5]],
  ['camelCase', { promptTokens: 3, completionTokens: 2, totalTokens: 5 }, [3, 2, 5]],
]
test.each(USAGE)('usage in another shape is counted: %s', async (_name, usage, [input, output, total]) => {
  const { ask } = await setUp(CHAT, [
    { events: [answer, { ...stop, usage }], json: whole({ content: 'It is 42' }, 'stop', { usage }) },
  ])
  for (const streamed of [true, false])
    expect((await ask(streamed)).usage).toMatchObject({
      input_tokens: input,
      output_tokens: output,
      total_tokens: total,
    })
})
