/** Search for tools: deferred tools, namespaces, and the items of a search. */

import { join } from 'node:path'
import { tool as sdkTool, toolNamespace as sdkToolNamespace, toolSearchTool } from '@openai/agents'
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  Agency,
  type AgentOptions,
  BaseTool,
  chatCompletions,
  customTool,
  tool,
  toolNamespace,
  toolSearch,
  webSearch,
} from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, startServer, useUpstream } from './support/client.ts'
import { agent, call, type Json, say } from './support/tool-agent.ts'

const STDIO = { command: process.execPath, args: [join(import.meta.dirname, 'support/mcp-program.ts')] }
const lookup = tool({ name: 'lookup', description: 'Looks up.', deferLoading: true, execute: () => 'row' })
const plain = tool({ name: 'now', execute: () => 'noon' })
class Invoice extends BaseTool.define({ id: z.string() }) {
  static override description = 'Reads an invoice.'
  static override toolConfig = { deferLoading: true }
  run() {
    return `paid ${this.id}`
  }
}
const crm = { name: 'crm', description: 'Customers.' }
const bodies = ({ seen }: { seen: { body: Json }[] }) => seen.map(({ body }) => body)
const NOTHING = { type: 'object', properties: {}, additionalProperties: false }
const sent = (name: string, more: Json = {}) => expect.objectContaining({ type: 'function', name, ...more })

test('deferred tools and namespaces are sent as the original sends them', async () => {
  promise('F1')
  const upstream = await useUpstream(() => ({ text: 'ok' }))
  const sql = customTool({ name: 'sql', execute: () => '' })
  const tools = [toolSearch(), plain, ...toolNamespace({ ...crm, tools: [lookup, plain2] }), Invoice, sql]
  await agent({ tools: [...tools, ...toolNamespace({ ...crm, tools: [late] })] }).getResponse('Hi')
  const { body } = upstream.seen[0] as { body: Json }
  expect(body.tools).toEqual([
    sent('now'),
    {
      type: 'namespace',
      ...crm,
      tools: [
        {
          type: 'function',
          name: 'lookup',
          description: 'Looks up.',
          parameters: { ...NOTHING, required: [] },
          strict: true,
          defer_loading: true,
        },
        sent('history'),
        sent('late', { defer_loading: true }),
      ],
    },
    sent('Invoice', { defer_loading: true }),
    { type: 'custom', name: 'sql', description: '' },
    { type: 'tool_search' },
  ])
  expect((body.tools as Json[])[0]).not.toHaveProperty('defer_loading')
})
const plain2 = tool({ name: 'history', execute: () => '' })
const late = tool({ name: 'late', deferLoading: true, execute: () => '' })

const search = {
  id: 'tsc_1',
  type: 'tool_search_call',
  execution: 'server',
  call_id: null,
  arguments: { paths: ['crm'] },
}
const found = {
  id: 'tso_1',
  type: 'tool_search_output',
  execution: 'server',
  call_id: null,
  tools: [
    { type: 'namespace', ...crm, tools: [{ type: 'function', name: 'lookup', parameters: NOTHING, strict: true }] },
  ],
}
const use = { id: 'fc_1', type: 'function_call', call_id: 'c1', name: 'lookup', namespace: 'crm', arguments: '{}' }

test('a search, its results and the call are streamed, stored, and sent back', async () => {
  promise('C3')
  const upstream = await useUpstream((body, index) =>
    body.messages === undefined
      ? { output: index === 0 ? [search, found, use] : [say('found')] }
      : { json: { choices: [{ index: 0, message: { content: 'ok' }, finish_reason: 'stop' }], usage: {} } },
  )
  const solo = agent({ tools: [toolSearch(), ...toolNamespace({ ...crm, tools: [lookup] })] })
  const { url } = await startServer({ agencies: { solo: new Agency(solo) } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
  const items = frames.map(({ data }) => data.data).filter((data) => data?.type === 'run_item_stream_event')
  expect(items.map(({ name, item }) => [name, item.type, item.raw_item.type])).toEqual([
    ['tool_search_called', 'tool_search_call_item', 'tool_search_call'],
    ['tool_search_output_created', 'tool_search_output_item', 'tool_search_output'],
    ['tool_called', 'tool_call_item', 'function_call'],
    ['tool_output', 'tool_call_output_item', 'function_call_output'],
    ['message_output_created', 'message_output_item', 'message'],
  ])
  expect(items[0]).not.toHaveProperty('call_id')
  const { new_messages } = final(frames)
  expect(new_messages.slice(1, 4)).toEqual([search, found, use].map((item) => expect.objectContaining(item)))
  expect(upstream.seen[1]?.body.input).toMatchObject([
    { role: 'user' },
    { type: 'tool_search_call', id: 'tsc_1', arguments: search.arguments },
    { type: 'tool_search_output', id: 'tso_1', tools: found.tools },
    { type: 'function_call', namespace: 'crm', name: 'lookup' },
    { type: 'function_call_output', output: 'row' },
  ])
  // The same conversation with a model that knows no search.
  const chat = agent({ model: chatCompletions('gpt-4.1'), tools: [lookup, toolSearch()] })
  await new Agency(chat, { loadThreads: () => new_messages }).getResponse('And?')
  const { messages, tools } = bodies(upstream).at(-1) as { messages: Json[]; tools: Json[] }
  expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'assistant', 'user'])
  expect(tools).toEqual([{ type: 'function', function: { ...(tools[0]?.function as Json), name: 'lookup' } }])
})

test('a tool that must be called is sent whole, outside its namespace', async () => {
  const upstream = await useUpstream((_body, index) => (index === 0 ? call('lookup') : { text: 'ok' }))
  const modelSettings = { toolChoice: 'lookup' }
  const tools = [toolSearch(), ...toolNamespace({ ...crm, tools: [lookup, late] })]
  await agent({ tools, modelSettings }).getResponse('Hi')
  const [forced, free] = bodies(upstream) as { tools: Json[]; tool_choice: unknown }[]
  expect(forced?.tool_choice).toEqual({ type: 'function', name: 'lookup' })
  expect(forced?.tools[0]).toEqual(sent('lookup'))
  expect(forced?.tools[0]).not.toHaveProperty('defer_loading')
  expect(free?.tools[0]).toMatchObject({ type: 'namespace', tools: [{ name: 'lookup' }, { name: 'late' }] })
})

test('the tools of an MCP server can be found by a search', async () => {
  const upstream = await useUpstream(() => ({ text: 'ok' }))
  const mcpServers = [{ ...STDIO, name: 'my notes', deferLoading: true }]
  await using agency = new Agency(agent({ tools: [toolSearch()], mcpServers }))
  await agency.getResponse('Hi')
  expect(upstream.seen[0]?.body.tools).toEqual([
    {
      type: 'namespace',
      name: 'my_notes',
      description: 'The tools of the MCP server "my notes".',
      tools: expect.arrayContaining([expect.objectContaining({ type: 'function', defer_loading: true })]),
    },
    { type: 'tool_search' },
  ])
})

test('search, namespaces and deferred tools of the Agents SDK work', async () => {
  const upstream = await useUpstream(() => ({ text: 'ok' }))
  const deferred = sdkTool({
    name: 'lookup',
    description: 'Looks up.',
    parameters: z.object({}),
    deferLoading: true,
    execute: () => 'row',
  })
  await agent({ tools: [toolSearchTool(), ...sdkToolNamespace({ ...crm, tools: [deferred] })] }).getResponse('Hi')
  expect(upstream.seen[0]?.body.tools).toEqual([
    { type: 'namespace', ...crm, tools: [sent('lookup', { defer_loading: true })] },
    { type: 'tool_search' },
  ])
})

test.each<[string, () => unknown, RegExp]>([
  ['a deferred tool without a search', () => served({ tools: [lookup] }), /"lookup" of agent "Assistant".*toolSearch/],
  [
    'a deferred server without a search',
    () => served({ mcpServers: [{ ...STDIO, name: 'notes', deferLoading: true }] }),
    /"notes" of agent "Assistant".*toolSearch/,
  ],
  ['a search with nothing to find', () => served({ tools: [toolSearch(), plain] }), /no tool that it could find/],
  [
    'a namespace without a description',
    () => toolNamespace({ name: 'a', description: ' ', tools: [] }),
    /a description/,
  ],
  ['a namespace with a bad name', () => toolNamespace({ ...crm, name: 'a b', tools: [] }), /"a b" is not valid/],
  [
    'a member with the name of its namespace',
    () => toolNamespace({ ...crm, name: 'now', tools: [plain] }),
    /has its name/,
  ],
  [
    'a hosted tool in a namespace',
    () => toolNamespace({ ...crm, tools: [webSearch()] as never }),
    /only function tools/,
  ],
  [
    'two descriptions of one namespace',
    () =>
      served({
        tools: [
          toolSearch(),
          ...toolNamespace({ ...crm, tools: [lookup] }),
          ...toolNamespace({ name: 'crm', description: 'x', tools: [late] }),
        ],
      }),
    /"crm" has two descriptions/,
  ],
  [
    'one name in two namespaces',
    () =>
      served({
        tools: [
          toolSearch(),
          ...toolNamespace({ ...crm, tools: [lookup] }),
          ...toolNamespace({ name: 'erp', description: 'x', tools: [lookup] }),
        ],
      }),
    /two different tools "lookup"/,
  ],
])('%s is refused', (_name, make, message) => {
  promise('F8')
  expect(make).toThrow(message)
})
const served = (options: Partial<AgentOptions>) => new Agency(agent(options))
