/** AG-UI: what requests may contain. */
import { expect, test } from 'vitest'
import { Agency, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { ask, CLIENTS, connect, type Event, inputOf, only, toEvents, types, user } from './support/agui.ts'
import { assistant, lastOf, serveAgui } from './support/agui-server.ts'
import { post, useUpstream } from './support/client.ts'
import { PDF, page, startFileHost } from './support/file-host.ts'

test('native fields may be in the body or in forwardedProps', async () => {
  promise('G2', 'C12', 'C13')
  const whoami = tool({ name: 'whoami', execute: (_input, context) => `user=${context.get('user')}` })
  const upstream = await useUpstream(({ input }) =>
    lastOf({ input })?.content === 'Who?' ? { calls: [{ name: 'whoami', arguments: {} }] } : { text: 'Fine' },
  )
  const { stream } = await serveAgui(new Agency(assistant({ tools: [whoami] })), {
    trustedModelOrigins: [upstream.origin],
  })
  const extras = {
    additional_instructions: 'Be brief.',
    user_context: { user: 'Ann' },
    client_config: { base_url: upstream.baseURL, api_key: 'sk-mine', model: 'gpt-mine' },
  }
  const requests = [
    inputOf([user('Who?')], extras),
    inputOf([user('Who?')], { forwardedProps: extras }),
    inputOf([user('Who?')], { ...extras, forwardedProps: { ...extras, user_context: { user: 'Bob' } } }),
  ]
  for (const body of requests) {
    const events = await ask(stream, body)
    expect(only(events, 'TOOL_CALL_RESULT')[0].content).toBe('user=Ann')
  }
  expect(upstream.seen).toHaveLength(6)
  for (const { body, headers } of upstream.seen) {
    expect(body).toMatchObject({ model: 'gpt-mine', instructions: 'Top secret instructions.\n\nBe brief.' })
    expect(headers.authorization).toBe('Bearer sk-mine')
  }
  // The client of protocol 1.0 sends no fields of its own but these.
  const { run } = connect(CLIENTS[0][1], stream)
  expect(only(await run('Who?', { forwardedProps: extras }), 'TOOL_CALL_RESULT')[0].content).toBe('user=Ann')
})

test.for(CLIENTS)('client %s attaches files, and keeps the note of where they came from', async ([, Client]) => {
  promise('G2', 'C5', 'C6', 'C7')
  const host = await startFileHost({ '/a.pdf': page(PDF) })
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const { stream } = await serveAgui(new Agency(assistant()), { trustedFileOrigins: [host.origin] })
  const { agent, run } = connect(Client, stream)
  const file_ids = [upstream.files.put('file-old', 'old.pdf')]
  const file_urls = { 'new.pdf': `${host.origin}/a.pdf` }
  const events = await run('Read', { forwardedProps: { file_ids, file_urls } })
  const first: Event = upstream.seen[0]
  const [note, asked] = first.body.input
  expect(asked.content).toMatchObject([
    { type: 'input_text', text: 'Read' },
    { type: 'input_file', file_id: 'file-old' },
    { type: 'input_file', file_id: expect.any(String) },
  ])
  const sources = { 'new.pdf': { url: file_urls['new.pdf'], oai_file_id: asked.content[2].file_id } }
  expect(JSON.parse(note.content.split('\n').at(-1))).toEqual(sources)
  const [{ messages }] = only(events, 'MESSAGES_SNAPSHOT')
  expect(messages.map(({ role }: Event) => role)).toEqual(['system', 'user', 'assistant'])
  expect(agent.messages).toContainEqual({
    id: expect.stringMatching(/^system_file_urls_[0-9a-f]{32}$/),
    role: 'system',
    content: note.content,
  })
  await run('And?')
  expect(upstream.seen[1]?.body.input).toContainEqual({ role: 'system', content: note.content })
})

test('files that cannot be loaded give an error event, and no model is asked', async () => {
  promise('G2', 'C9')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const given = { 'a.pdf': '/srv/secret/a.pdf' }
  for (const body of [
    inputOf([user('Read')], { file_urls: given }),
    inputOf([user('Read')], { forwardedProps: { file_urls: given } }),
    inputOf([], { file_urls: given }),
    inputOf([user('Read')], { file_ids: ['file-unknown'] }),
  ]) {
    const events = await ask(stream, body)
    expect(types(events)).toEqual(['RUN_STARTED', 'RUN_ERROR'])
    expect(events[1]).toMatchObject({ code: 'FILE_FAILED', message: expect.stringMatching(/^Error (down|att)/) })
  }
  expect(upstream.seen).toEqual([])
})

test('chat_history may hold the message, or precede the messages', async () => {
  promise('G2', 'C3')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const stored = (role: string, content: string) => ({
    ...{ role, content, type: 'message' },
    ...{ agent: 'Assistant', callerAgent: null, timestamp: 1 },
  })
  const history = [stored('user', 'One'), stored('assistant', 'Two')]
  const [{ messages }] = only(
    await ask(stream, inputOf([], { chat_history: [...history, stored('user', 'Three')] })),
    'MESSAGES_SNAPSHOT',
  )
  expect(messages).toMatchObject([{ role: 'assistant', content: 'Fine' }])
  await ask(stream, inputOf([user('ignored'), user('Three', 'u2')], { forwardedProps: { chat_history: history } }))
  const parts = [{ type: 'input_text', text: 'Three' }]
  await ask(stream, inputOf([], { chat_history: [...history, { role: 'user', content: parts }] }))
  const input = (last: unknown) => [
    { role: 'user', content: 'One', type: 'message' },
    { role: 'assistant', content: 'Two', type: 'message' },
    { role: 'user', content: last, type: 'message' },
  ]
  expect(upstream.seen.map(({ body }) => body.input)).toEqual([input('Three'), input('Three'), input(parts)])
})

test('snake_case keys, nulls and all kinds of messages are accepted', async () => {
  promise('G1')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const call = { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Rome"}' } }
  const search = { id: 'fs_1', type: 'function', function: { name: 'FileSearchTool', arguments: '{"queries":["q"]}' } }
  const code = { id: 'ci_1', function: { name: 'CodeInterpreterTool', arguments: '{"code":"1","container_id":"c"}' } }
  const data = (mimeType: string) => ({ type: 'data', value: 'QUJD', mime_type: mimeType })
  const events = await ask(stream, {
    ...{ thread_id: 't', run_id: 'r', parent_run_id: 'p', state: null, tools: null, context: null },
    forwarded_props: null,
    messages: [
      { id: '1', role: 'developer', content: 'Be kind', name: null },
      { id: '2', role: 'user', content: 'Hi', name: null, encrypted_value: null },
      { id: '3', role: 'reasoning', content: 'Hm' },
      { id: '4', role: 'activity', activity_type: 'PLAN', content: { steps: [] } },
      { id: '5', role: 'assistant', content: 'Let me see', tool_calls: [call, search, code] },
      { id: '6', role: 'tool', tool_call_id: 'call_1', content: '', error: 'No network' },
      { id: '7', role: 'tool', toolCallId: 'fs_1', content: '[{"file_id":"f"}]' },
      { id: '8', role: 'assistant', content: null },
      {
        id: '9',
        role: 'user',
        content: [
          { type: 'text', text: 'Look' },
          { type: 'image', source: data('image/png') },
          { type: 'image', source: { type: 'url', value: 'https://x.example/y.png' } },
          { type: 'image', source: { type: 'file', value: 'file-1', provider: 'openai' } },
          { type: 'document', source: data('application/pdf'), metadata: { filename: 'a.pdf' } },
          { type: 'document', source: { type: 'file', value: 'file-2' } },
          { type: 'audio', source: data('audio/mpeg') },
          { type: 'video', source: { type: 'url', value: 'https://x.example/y.mp4' } },
        ],
      },
    ],
  })
  expect(events[0]).toMatchObject({ threadId: 't', runId: 'r', parentRunId: 'p' })
  const image = { type: 'input_image', detail: 'auto' }
  const file = { type: 'input_file' }
  expect(upstream.seen[0]?.body.input).toEqual([
    { role: 'system', content: 'Be kind' },
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Let me see' },
    {
      type: 'function_call',
      call_id: 'call_1',
      name: 'get_weather',
      arguments: '{"city":"Rome"}',
      status: 'completed',
    },
    { type: 'file_search_call', id: 'fs_1', queries: ['q'], results: [{ file_id: 'f' }], status: 'completed' },
    { type: 'code_interpreter_call', id: 'ci_1', code: '1', container_id: 'c', outputs: [], status: 'completed' },
    { type: 'function_call_output', call_id: 'call_1', output: 'No network' },
    {
      role: 'user',
      type: 'message',
      content: [
        { type: 'input_text', text: 'Look' },
        { ...image, image_url: 'data:image/png;base64,QUJD' },
        { ...image, image_url: 'https://x.example/y.png' },
        { ...image, file_id: 'file-1' },
        { ...file, filename: 'a.pdf', file_data: 'data:application/pdf;base64,QUJD' },
        { ...file, file_id: 'file-2' },
        { ...file, filename: 'attachment.mpeg', file_data: 'data:audio/mpeg;base64,QUJD' },
        { ...file, file_url: 'https://x.example/y.mp4' },
      ],
    },
  ])
  // What the client keeps to itself stays out of snapshots, and so does null.
  const [{ messages }] = only(events, 'MESSAGES_SNAPSHOT')
  expect(messages.map(({ id }: Event) => id)).toEqual(['1', '2', '5', '6', '7', '8', '9', 'msg_1'])
  expect(messages[0]).toEqual({ id: '1', role: 'developer', content: 'Be kind' })
})

test('binary parts, which protocol 1.0 removed, still work', async () => {
  promise('G1')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const parts = [
    { type: 'binary', mimeType: 'image/png', id: 'file-3' },
    { type: 'binary', mimeType: 'text/csv', data: 'QUJD', filename: 'a.csv' },
    { type: 'binary', mimeType: 'application/pdf', url: 'https://x.example/y.pdf' },
  ]
  const events = toEvents(await (await post(stream, inputOf([user(parts)]))).text())
  expect(lastOf(upstream.seen[0]?.body ?? {})?.content).toEqual([
    { type: 'input_image', detail: 'auto', file_id: 'file-3' },
    { type: 'input_file', filename: 'a.csv', file_data: 'data:text/csv;base64,QUJD' },
    { type: 'input_file', file_url: 'https://x.example/y.pdf' },
  ])
  expect(only(events, 'MESSAGES_SNAPSHOT')[0].messages[0].content).toEqual(parts)
})

test('a conversation that ends in the result of a tool goes on from there', async () => {
  promise('G1')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const call = (id: string) => ({ id, type: 'function', function: { name: 'pick', arguments: '{}' } })
  await ask(
    stream,
    inputOf([
      user('Choose'),
      { id: 'a1', role: 'assistant', toolCalls: [call('call_1'), call('call_2'), call('call_lost')] },
      { id: 't1', role: 'tool', toolCallId: 'call_1', content: 'red' },
      { id: 't2', role: 'tool', toolCallId: 'call_2', content: [{ type: 'text', text: 'blue' }] },
    ]),
  )
  expect(upstream.seen[0]?.body.input).toMatchObject([
    { role: 'user', content: 'Choose' },
    { type: 'function_call', call_id: 'call_1' },
    { type: 'function_call', call_id: 'call_2' },
    { type: 'function_call_output', call_id: 'call_1', output: 'red' },
    { type: 'function_call_output', call_id: 'call_2', output: [{ type: 'input_text', text: 'blue' }] },
  ])
  expect(upstream.seen[0]?.body.input).toHaveLength(5)
})

test('an invalid request gets 422 with the place and no secret', async () => {
  promise('C18', 'D6')
  await useUpstream(() => ({ text: 'Fine' }))
  const { stream } = await serveAgui(new Agency(assistant()))
  const refused = async (body: unknown) => {
    const response = await post(stream, body)
    expect(response.status).toBe(422)
    const { detail } = (await response.json()) as { detail: { type: string; loc: unknown[]; input: unknown }[] }
    return detail
  }
  const messages = [user('Hi')]
  const missing = await refused({ messages, forwardedProps: { client_config: { api_key: 'sk-mine' } } })
  expect(missing).toEqual(
    ['threadId', 'runId'].map((field) => ({
      type: 'missing',
      loc: ['body', field],
      msg: 'Field required',
      input: { messages, forwardedProps: { client_config: { api_key: '[redacted]' } } },
    })),
  )
  for (const [body, type, loc] of [
    [inputOf('x'), 'list_type', ['messages']],
    [inputOf([{ id: '1', role: 'robot', content: '' }]), 'union_tag_invalid', ['messages', 0]],
    [inputOf([{ id: '1', content: '' }]), 'union_tag_not_found', ['messages', 0]],
    [inputOf([{ role: 'user', content: 'Hi' }]), 'missing', ['messages', 0, 'user', 'id']],
    [inputOf([user(5)]), 'value_error', ['messages', 0, 'user', 'content']],
    [inputOf([user([{ type: 'hologram' }])]), 'union_tag_invalid', ['messages', 0, 'user', 'content', 0]],
    [inputOf([user([{ type: 'image' }])]), 'missing', ['messages', 0, 'user', 'content', 0, 'source']],
    [inputOf([user([{ type: 'binary', mimeType: 'a/b' }])]), 'value_error', ['messages', 0, 'user', 'content', 0]],
    [inputOf(messages, { user_context: [] }), 'dict_type', ['user_context']],
    [inputOf(messages, { forwardedProps: { user_context: [] } }), 'dict_type', ['forwardedProps', 'user_context']],
    [inputOf(messages, { chat_history: [5] }), 'dict_type', ['chat_history', 0]],
    [inputOf(messages, { raw_events: 'maybe' }), 'bool_parsing', ['raw_events']],
  ] as const)
    expect(await refused(body)).toMatchObject([{ type, loc: ['body', ...loc] }])
  const [secret] = await refused(inputOf(messages, { forwardedProps: { client_config: { api_key: 'sk ü' } } }))
  expect(secret).toMatchObject({
    loc: ['body', 'forwardedProps', 'client_config', 'api_key'],
    input: '[redacted]',
  })
})
