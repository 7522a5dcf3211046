import { expect, test } from 'vitest'
import {
  type Answer,
  CHAT,
  calls,
  chunk,
  DONE,
  expectValidPairs,
  RESPONSES,
  rawEvents,
  response,
  said,
  setUp,
  weather,
  whole,
} from './support/answers.ts'

const paris = '{"city":"Paris"}'
const rome = '{"city":"Rome"}'
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
    'one index, pieces with ids and names in turn',
    [
      calls({ index: 0, id: 'a', ...weather('{"city":') }),
      calls({ index: 0, id: 'b', ...weather('{"city":') }),
      calls({ index: 0, id: 'a', ...weather('"Paris"}') }),
      calls({ index: 0, id: 'b', function: { arguments: '"Rome"}' } }),
    ],
    ['Paris', 'Rome'],
  ],
  [
    'one id for two indexes, in pieces',
    [
      calls({ index: 0, id: 'c', ...weather('{"city":') }, { index: 1, id: 'c', ...weather('{"city":') }),
      calls({ index: 1, id: 'c', function: { arguments: '"Rome"}' } }),
      calls({ index: 0, id: 'c', function: { arguments: '"Paris"}' } }),
    ],
    ['Paris', 'Rome'],
  ],
  [
    'null for ids, indexes and names',
    [
      calls({ index: null, id: null, ...weather('{"city":') }),
      calls({ index: null, id: null, function: { name: null, arguments: '"Paris"}' } }),
    ],
    ['Paris'],
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
  [
    'an empty object before the arguments (Bedrock gateways, LiteLLM)',
    [
      calls({ index: 0, id: 'a', ...weather('{}') }),
      calls({ index: 0, id: null, function: { name: '', arguments: '' } }),
      calls({ index: 0, function: { arguments: '{"city":' } }),
      calls({ index: 0, function: { arguments: '"Paris"}' } }),
    ],
    ['Paris'],
  ],
  [
    'an empty object as an object, then the arguments',
    [
      calls({ index: 0, id: 'a', function: { name: 'get_weather', arguments: {} } }),
      calls({ index: 0, ...weather(paris) }),
    ],
    ['Paris'],
  ],
  ['an empty object in front, in one piece', [calls({ index: 0, id: 'a', ...weather(`{}${paris}`) })], ['Paris']],
  [
    'an empty object, then the whole call again',
    [calls({ index: 0, id: 'a', ...weather('{ }') }), calls({ index: 0, id: 'a', ...weather(paris) })],
    ['Paris'],
  ],
  [
    'empty objects of two calls',
    [
      calls({ index: 0, id: 'a', function: { name: 'now', arguments: '{}' } }),
      calls({ index: 1, id: 'b', function: { name: 'now', arguments: '{' } }),
      calls({ index: 1, function: { arguments: '}' } }),
    ],
    ['now', 'now'],
  ],
  [
    'both the new form and the old one',
    [chunk({ tool_calls: [{ index: 0, id: 'a', ...weather(paris) }], function_call: weather(paris).function })],
    ['Paris'],
  ],
]

test.each(PIECES)('pieces of calls find their call: %s', async (_name, chunks, expected) => {
  const { ask, ran, seen } = await setUp(CHAT, [{ events: [...chunks, chunk({}, 'tool_calls')] }, DONE])
  const { items, error, frames } = await ask(true)
  expect(error).toBeUndefined()
  expect(ran).toEqual(expected)
  expectValidPairs(seen[1].messages)
  expect(items.filter(({ type }) => type === 'function_call')).toHaveLength(expected.length)
  const streamed = rawEvents(frames).filter(({ type }) => type === 'response.function_call_arguments.delta')
  const stored = items.flatMap(({ type, arguments: args }) => (type === 'function_call' ? [args] : []))
  const told = [...Map.groupBy(streamed, ({ output_index }) => output_index).values()]
  const wholes = told.map((deltas) => deltas.map(({ delta }) => delta).join(''))
  const isFilled = (args: string) => args !== '{}' // calls may be told without arguments
  expect(wholes.filter(isFilled).toSorted()).toEqual(stored.filter(isFilled).toSorted())
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
  [
    'in both forms',
    { tool_calls: [{ id: 'a', ...weather(paris) }], function_call: weather(paris).function },
    ['Paris'],
  ],
  ['with an empty object in front', { tool_calls: [{ id: 'a', ...weather(`{} ${paris}`) }] }, ['Paris']],
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
  [
    'an empty object in the item',
    [
      { type: 'response.output_item.added', output_index: 0, item: { ...call, arguments: '{}' } },
      { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 0, delta: paris },
      { type: 'response.output_item.done', output_index: 0, item: { ...call, arguments: '{}' } },
      { type: 'response.completed', response: response([{ ...call, arguments: '{}' }]) },
    ],
  ],
  [
    'an item that is done twice',
    [
      { type: 'response.output_item.done', output_index: 0, item: { ...call, arguments: paris } },
      { type: 'response.output_item.done', output_index: 0, item: { ...call, arguments: paris } },
      { type: 'response.completed', response: response([{ ...call, arguments: paris }]) },
    ],
  ],
  [
    'two last events',
    [
      { type: 'response.output_item.done', output_index: 0, item: { ...call, arguments: paris } },
      { type: 'response.completed', response: response([{ ...call, arguments: paris }]) },
      { type: 'response.done', response: response([]) },
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
  ['[1]', [], '{}', /do not fit/],
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
