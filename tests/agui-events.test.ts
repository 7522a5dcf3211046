import { expect, onTestFinished, test } from 'vitest'
import { Agency, chatCompletions, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { ask, CLIENTS, connect, type Event, inputOf, judge, only, toEvents, types, user } from './support/agui.ts'
import { assistant, serveAgui, weather } from './support/agui-server.ts'
import { post, useUpstream } from './support/client.ts'
import { startEvents } from './support/upstream.ts'

/** An agency whose model answers with these Responses events, turn by turn. */
async function serveScript(turns: readonly (readonly object[])[], options: object = {}) {
  const gateway = await startEvents(turns.map((events) => events.map((event) => JSON.stringify(event))))
  await useUpstream(() => ({ text: '' }))
  process.env.OPENAI_BASE_URL = gateway.baseURL
  onTestFinished(() => gateway.close())
  return serveAgui(new Agency(assistant({ tools: [weather], ...options })))
}

const completed = (output: readonly object[]) => ({
  type: 'response.completed',
  response: { id: 'resp_1', instructions: 'Top secret instructions.', output, usage: {} },
})

const text = (id: string, words: string, annotations: object[] = []) => ({
  ...{ id, type: 'message', role: 'assistant', status: 'completed' },
  content: [{ type: 'output_text', text: words, annotations }],
})

const added = (item: object, output_index: number) => ({ type: 'response.output_item.added', output_index, item })

const done = (item: object, output_index: number) => ({ type: 'response.output_item.done', output_index, item })

const delta = (type: string, item_id: string, output_index: number, piece: string) => ({
  ...{ type: `response.${type}.delta`, item_id, output_index },
  delta: piece,
})

test.for(CLIENTS)('client %s gets reasoning, hosted calls and annotations', async ([, Client]) => {
  promise('G1')
  const reasoning = {
    ...{ id: 'rs_1', type: 'reasoning', encrypted_content: 'xyz' },
    summary: ['First', 'Then'].map((words) => ({ type: 'summary_text', text: words })),
  }
  const search = {
    id: 'fs_1',
    type: 'file_search_call',
    status: 'completed',
    queries: ['q'],
    results: [{ file_id: 'f' }],
  }
  const code = {
    ...{ id: 'ci_1', type: 'code_interpreter_call', status: 'completed', container_id: 'cntr_1' },
    ...{ code: 'print("é")', outputs: [{ type: 'logs', logs: 'é' }] },
  }
  const cited = { type: 'url_citation', url: 'https://x.example', title: 'X', start_index: 0, end_index: 1 }
  const answer = text('msg_1', 'Found', [cited])
  const { stream } = await serveScript([
    [
      added({ ...reasoning, summary: [] }, 0),
      { type: 'response.reasoning_summary_part.added', item_id: 'rs_1', output_index: 0, summary_index: 0 },
      delta('reasoning_summary_text', 'rs_1', 0, 'First'),
      { type: 'response.reasoning_summary_part.added', item_id: 'rs_1', output_index: 0, summary_index: 1 },
      delta('reasoning_summary_text', 'rs_1', 0, 'Then'),
      done(reasoning, 0),
      added({ id: 'ws_1', type: 'web_search_call', status: 'in_progress' }, 1),
      done({ id: 'ws_1', type: 'web_search_call', status: 'completed' }, 1),
      added({ ...search, results: null }, 2),
      done(search, 2),
      added({ ...code, code: '' }, 3),
      delta('code_interpreter_call_code', 'ci_1', 3, 'print('),
      delta('code_interpreter_call_code', 'ci_1', 3, '"é")'),
      done(code, 3),
      added({ ...answer, content: [] }, 4),
      delta('output_text', 'msg_1', 4, 'Found'),
      done(answer, 4),
      completed([reasoning, search, code, answer]),
    ],
  ])
  const { agent, run } = connect(Client, stream)
  const events = await run('Search')
  const thoughts = only(events, 'REASONING_MESSAGE_CONTENT')
  expect(thoughts.map(({ delta: piece }) => piece).join('')).toBe('First\n\nThen')
  expect(types(events).filter((type) => /^REASONING(?!.*CONTENT)/.test(type))).toEqual([
    'REASONING_START',
    'REASONING_MESSAGE_START',
    'REASONING_MESSAGE_END',
    'REASONING_END',
  ])
  const args = (id: string) => only(events, 'TOOL_CALL_ARGS').filter(({ toolCallId }) => toolCallId === id)
  expect(
    JSON.parse(
      args('fs_1')
        .map((event) => event.delta)
        .join(''),
    ),
  ).toEqual({ queries: ['q'] })
  expect(args('ci_1').length).toBe(3)
  const written = { code: 'print("é")', container_id: 'cntr_1' }
  expect(
    JSON.parse(
      args('ci_1')
        .map((event) => event.delta)
        .join(''),
    ),
  ).toEqual(written)
  expect(only(events, 'TOOL_CALL_RESULT').map(({ content }) => JSON.parse(content))).toEqual([
    search.results,
    code.outputs,
  ])
  expect(only(events, 'CUSTOM')).toMatchObject([
    { name: 'annotated_output', value: { id: 'msg_1', role: 'assistant', content: 'Found', annotations: [cited] } },
  ])
  expect(only(events, 'RAW')).toEqual([])
  expect(agent.messages.map(({ role }) => role)).toEqual([
    ...['user', 'reasoning', 'assistant', 'tool', 'assistant', 'tool', 'assistant'],
  ])
  const calls = agent.messages.flatMap((message) => ('toolCalls' in message && message.toolCalls) || [])
  expect(calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)])).toEqual([
    ['FileSearchTool', { queries: ['q'] }],
    ['CodeInterpreterTool', written],
  ])
})

test('RAW carries other events on request, and never instructions', async () => {
  promise('G1', 'D6')
  const answer = text('msg_1', 'Hi')
  const created = { ...completed([]), type: 'response.created' }
  const turn = [created, added(answer, 0), delta('output_text', 'msg_1', 0, 'Hi'), done(answer, 0), completed([answer])]
  const { stream } = await serveScript([turn, turn, turn])
  expect(only(await ask(stream, inputOf([user('Hi')])), 'RAW')).toEqual([])
  for (const body of [
    inputOf([user('Hi')], { raw_events: true }),
    inputOf([user('Hi')], { forwardedProps: { raw_events: true } }),
  ]) {
    const events = await ask(stream, body)
    const raw = only(events, 'RAW').map(({ event }) => event)
    expect(raw.map((event) => event.data?.type ?? event.type)).toEqual([
      'agent_updated_stream_event',
      'response.created',
      'response.completed',
    ])
    expect(raw[0]).toMatchObject({ new_agent: { name: 'Assistant' }, agent: 'Assistant' })
    expect(JSON.stringify(events)).not.toContain('Top secret')
  }
})

test.for(CLIENTS)('client %s reads streams with missing or repeated events', async ([, Client]) => {
  promise('G1')
  const call = (id: string) => ({
    ...{ id, type: 'function_call', status: 'completed', call_id: 'call_0', name: 'get_weather' },
    arguments: '{"city":"Rome"}',
  })
  const { stream } = await serveScript([
    // Nothing is announced, nothing ends: the response says what it was.
    [
      delta('output_text', 'msg_0', 0, ''),
      delta('output_text', 'msg_0', 0, 'Let me '),
      delta('output_text', 'msg_0', 0, 'see'),
      added(call('fc_0'), 1),
      completed([text('msg_0', 'Let me see'), call('fc_0')]),
    ],
    // The same ids once more, and another in every event.
    [
      added({ ...call('fc_0'), arguments: '' }, 0),
      delta('function_call_arguments', 'fc_7', 0, '{"city":"Rome"}'),
      done(call('fc_0'), 0),
      completed([call('fc_0')]),
    ],
    [
      added(text('msg_0', ''), 0),
      delta('output_text', 'msg_8', 0, 'Sunny'),
      done(text('msg_9', 'Sunny'), 0),
      completed([text('msg_9', 'Sunny')]),
    ],
    [completed([text('msg_0', 'Still')])],
  ])
  const { agent, run } = connect(Client, stream)
  const first = await run('Weather?')
  expect(only(first, 'TEXT_MESSAGE_START')).toHaveLength(2) // one for each text, whatever ids its pieces had
  expect(only(first, 'TOOL_CALL_START')).toHaveLength(2)
  expect(only(first, 'TEXT_MESSAGE_CONTENT').map((event) => event.delta)).not.toContain('')
  await run('Again')
  const list = agent.messages.map((message) => ({
    role: message.role,
    said: 'toolCalls' in message && message.toolCalls ? message.toolCalls[0]?.function.arguments : message.content,
  }))
  expect(list.filter(({ role }) => role !== 'user')).toEqual(
    expect.arrayContaining([
      { role: 'assistant', said: 'Let me see' },
      { role: 'assistant', said: '{"city":"Rome"}' },
      { role: 'tool', said: 'Sunny in Rome' },
      { role: 'assistant', said: 'Sunny' },
      { role: 'assistant', said: 'Still' },
    ]),
  )
  expect(list).toHaveLength(9)
  expect(new Set(agent.messages.map(({ id }) => id)).size).toBe(9)
})

test.for(CLIENTS)('client %s reads an agent on Chat Completions', async ([, Client]) => {
  promise('G1')
  const chunk = (piece: object, finish_reason: string | null = null) => ({
    choices: [{ index: 0, delta: piece, finish_reason }],
  })
  const part = (index: number, args: string, id?: string) => ({
    tool_calls: [{ index, ...(id && { id }), function: { ...(id && { name: 'get_weather' }), arguments: args } }],
  })
  const { stream } = await serveScript(
    [
      [
        chunk({ content: 'Let me see' }),
        chunk(part(0, '{"city":', 'call_1')),
        chunk(part(0, '"Rome"}')),
        chunk(part(1, '{"city":"Bonn"}', 'call_2')),
        chunk({}, 'tool_calls'),
      ],
      [chunk({ reasoning_content: 'Hm' }), chunk({ content: 'Sunny' }), chunk({}, 'stop')],
    ],
    { model: chatCompletions('any') },
  )
  const { agent, run } = connect(Client, stream)
  const events = await run('Weather?')
  expect(only(events, 'REASONING_MESSAGE_CONTENT')).toMatchObject([{ delta: 'Hm' }])
  expect(only(events, 'TOOL_CALL_ARGS').map(({ delta: piece }) => piece)).toHaveLength(3)
  const said = agent.messages.map(({ role, content }) => [role, content])
  expect(said).toHaveLength(8)
  expect(said).toEqual(
    expect.arrayContaining([
      ['assistant', 'Let me see'],
      ['tool', 'Sunny in Rome'],
      ['tool', 'Sunny in Bonn'],
      ['reasoning', 'Hm'],
      ['assistant', 'Sunny'],
    ]),
  )
})

test('rich outputs are parts in protocol 1.0 and texts before it', async () => {
  promise('G1')
  const png = 'data:image/png;base64,QUJD'
  const look = tool({
    name: 'look',
    execute: () => [
      { type: 'input_text', text: 'A picture' },
      { type: 'input_image', image_url: png },
      { type: 'input_file', file_id: 'file-1', filename: 'a.pdf' },
    ],
  })
  for (const [version, Client] of CLIENTS) {
    const upstream = await useUpstream((_body, index) =>
      index === 0 ? { calls: [{ name: 'look', arguments: {} }] } : { text: 'Seen' },
    )
    const { stream } = await serveAgui(new Agency(assistant({ tools: [look] })))
    const { run } = connect(Client, stream)
    const [{ content }] = only(await run('Look'), 'TOOL_CALL_RESULT')
    await run('Again')
    const output = (upstream.seen[2]?.body.input as Event[] | undefined)?.find(({ output: found }) => found)?.output
    if (version === '0.0.59') {
      expect(content).toBe('A picture\n[image]\n[a.pdf]')
      expect(output).toBe(content)
      continue
    }
    expect(content).toEqual([
      { type: 'text', text: 'A picture' },
      { type: 'image', source: { type: 'data', mimeType: 'image/png', value: 'QUJD' } },
      { type: 'document', source: { type: 'file', value: 'file-1' }, metadata: { filename: 'a.pdf' } },
    ])
    expect(output).toEqual([
      { type: 'input_text', text: 'A picture' },
      { type: 'input_image', detail: 'auto', image_url: png },
      { type: 'input_file', file_id: 'file-1', filename: 'a.pdf' },
    ])
  }
})

test('snapshots of a long run stay small, and the last is complete', async () => {
  promise('G1')
  const calls = 40
  await useUpstream((_body, index) =>
    index < calls ? { calls: [{ name: 'get_weather', arguments: { city: 'Rome' } }] } : { text: 'Done' },
  )
  const { stream } = await serveAgui(new Agency(assistant({ tools: [weather] })))
  const large = 'x'.repeat(1_000_000)
  const response = await post(
    stream,
    inputOf([user(large), { id: 'a', role: 'assistant', content: 'y' }, user('Go', 'u2')]),
  )
  const body = await response.text()
  const events = toEvents(body)
  judge(events)
  expect(body.length).toBeLessThan(7_000_000)
  expect(only(events, 'MESSAGES_SNAPSHOT').at(-1).messages).toHaveLength(3 + 2 * calls + 1)
  expect(types(events).at(-2)).toBe('MESSAGES_SNAPSHOT')
})

test('texts with unusual line breaks stay in one frame', async () => {
  promise('B2')
  const nasty = 'a\u0085b\u2028c\u2029d\n\ndata: {}\n\n"é😀'
  await useUpstream(() => ({ text: nasty }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const response = await post(stream, inputOf([user(nasty)]))
  expect(response.headers.get('cache-control')).toBe('no-cache')
  expect(response.headers.get('x-accel-buffering')).toBe('no')
  const body = await response.text()
  expect(body).toMatch(/^(data: [^\n\u0085\u2028\u2029]+\n\n)+$/)
  expect(only(toEvents(body), 'TEXT_MESSAGE_CONTENT')).toMatchObject([{ delta: nasty }])
})
