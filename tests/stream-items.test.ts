import { expect, test } from 'vitest'
import {
  Agency,
  Agent,
  type AgentOptions,
  BaseTool,
  Handoff,
  type McpServer,
  tool,
  toolOutputFile,
  toolOutputImage,
  toolOutputText,
} from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, type Frame, final, startServer, useUpstream } from './support/client.ts'

const agent = (name: string, options: Partial<AgentOptions> = {}) =>
  new Agent({ name, instructions: `I am ${name}.`, model: 'gpt-4.1', ...options })
const itemsOf = (frames: readonly Frame[], name: string) =>
  frames.filter((frame) => frame.data?.data?.name === name).map((frame) => frame.data.data.item)
const FUNCTION = { type: {}, mcp_server_name: null, agent_name: null, agent_tool_name: null }

/** The items of one call and of its output, as the stream tells them. */
async function callOne(options: Partial<AgentOptions>, name: string, streamScalars: 'json' | 'python' = 'json') {
  await useUpstream((_body, index) => (index === 0 ? { calls: [{ name, arguments: {} }] } : { text: 'Done' }))
  const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo', options)) }, streamScalars })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Go' })
  const [called] = itemsOf(frames, 'tool_called')
  const [output] = itemsOf(frames, 'tool_output')
  return { called, output }
}

const image = { type: 'image', image_url: 'https://x.example/y.png', file_id: null, detail: 'low' }
const file = { type: 'file', file_data: null, file_url: null, file_id: 'file-1', filename: 'a.pdf' }

test.each<[string, unknown, value: unknown, raw: unknown]>([
  ['a text', 'Sunny', 'Sunny', 'Sunny'],
  ['an empty text', '', '', ''],
  ['nothing', undefined, null, ''],
  ['null', null, null, ''],
  ['a number', 3.5, 3.5, '3.5'],
  ['no number', Number.NaN, 'NaN', 'NaN'],
  ['a long number', 2n ** 64n, '18446744073709551616', '18446744073709551616'],
  ['a truth value', false, false, 'false'],
  [
    'an object',
    { n: 1, ok: true, none: null, list: [1, 'a'] },
    { n: 1, ok: true, none: null, list: [1, 'a'] },
    '{"n":1,"ok":true,"none":null,"list":[1,"a"]}',
  ],
  ['a list', [1, 2], [1, 2], '[1,2]'],
  ['a date in an object', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ['an object that writes itself as nothing', { toJSON: () => undefined }, null, ''],
  [
    'an object with a type of its own',
    { type: 'image', size: 3 },
    { type: 'image', size: 3 },
    '{"type":"image","size":3}',
  ],
  ['a text part', toolOutputText('T'), { type: 'text', text: 'T' }, [{ type: 'input_text', text: 'T' }]],
  [
    'an image',
    toolOutputImage({ url: 'https://x.example/y.png', detail: 'low' }),
    image,
    [{ type: 'input_image', image_url: 'https://x.example/y.png', detail: 'low' }],
  ],
  [
    'a list of parts',
    ['see', toolOutputFile({ fileId: 'file-1', filename: 'a.pdf' })],
    [{ type: 'text', text: 'see' }, file],
    [
      { type: 'input_text', text: 'see' },
      { type: 'input_file', file_id: 'file-1', filename: 'a.pdf' },
    ],
  ],
])('a tool that returns %s: item.output and raw_item.output', async (_name, returned, value, raw) => {
  promise('B2')
  const { output } = await callOne({ tools: [tool({ name: 'give', execute: () => returned })] }, 'give')
  expect(output.output).toEqual(value)
  expect(output.raw_item.output).toEqual(raw)
})

test('with scalars as strings a value has the original’s strings', async () => {
  promise('B2')
  const give = tool({ name: 'give', execute: () => ({ n: 1, ok: true, none: null, list: [1, 'a'] }) })
  const { called, output } = await callOne({ tools: [give] }, 'give', 'python')
  expect(output.output).toEqual({ n: '1', ok: 'True', none: 'None', list: ['1', 'a'] })
  const origin = { type: {}, mcp_server_name: 'None', agent_name: 'None', agent_tool_name: 'None' }
  expect(called).toMatchObject({ description: '', title: 'None', tool_origin: origin })
  expect(output).toMatchObject({ tool_origin: origin, custom_data: 'None' })
})

class Weather extends BaseTool.define({}) {
  static override description = 'Tells the weather.'
  run() {
    return { sky: 'blue' }
  }
}
const mcp = (name: string, listed: object): McpServer => ({
  name,
  connect: async () => {},
  listTools: async () => [{ name: 'look', inputSchema: { type: 'object' }, ...listed }],
  callTool: async () => [{ type: 'text', text: 'seen' }],
})
const fails = tool({
  name: 'fails',
  description: 'Fails.',
  execute: () => {
    throw new Error('no')
  },
})

test.each<[string, Partial<AgentOptions>, name: string, facts: object]>([
  ['a function', { tools: [fails] }, 'fails', { description: 'Fails.', title: null, tool_origin: FUNCTION }],
  [
    'a class',
    { tools: [Weather] },
    'Weather',
    { description: 'Tells the weather.', title: null, tool_origin: FUNCTION },
  ],
  [
    'a function without a description',
    { tools: [tool({ name: 'bare', execute: () => 1 })] },
    'bare',
    { description: '', title: null, tool_origin: FUNCTION },
  ],
  [
    'a tool of an MCP server',
    { mcpServers: [mcp('files', { description: 'Looks.', title: 'Look' })] },
    'look',
    { description: 'Looks.', title: 'Look', tool_origin: { ...FUNCTION, mcp_server_name: 'files' } },
  ],
  [
    'one with its title among its annotations',
    { mcpServers: [mcp('files', { annotations: { title: 'L' } })] },
    'look',
    { description: '', title: 'L', tool_origin: { ...FUNCTION, mcp_server_name: 'files' } },
  ],
  [
    'one of a server named after its address',
    { mcpServers: [mcp('sse: https://u:p@mcp.example/key/sse?token=secret', {})] },
    'look',
    { description: '', title: null, tool_origin: { ...FUNCTION, mcp_server_name: 'sse: https://mcp.example' } },
  ],
  [
    'one of a server named after its command',
    { mcpServers: [mcp('stdio: npx -y files --key secret', {})] },
    'look',
    { description: '', title: null, tool_origin: { ...FUNCTION, mcp_server_name: 'stdio: npx' } },
  ],
])('the items of a call tell of %s', async (_name, options, name, facts) => {
  promise('B2')
  const { called, output } = await callOne(options, name)
  expect(called).toEqual({ agent: expect.anything(), raw_item: expect.anything(), type: 'tool_call_item', ...facts })
  const { tool_origin } = facts as { tool_origin: object }
  expect(output).toMatchObject({ type: 'tool_call_output_item', tool_origin, custom_data: null })
  expect(output).not.toHaveProperty('description')
})

test('send_message has a description; transfers have none', async () => {
  promise('B2')
  const [lead, helper] = [agent('Lead'), agent('Helper')]
  const ask = {
    name: 'send_message',
    arguments: { recipient_agent: 'Helper', message: 'x', additional_instructions: '' },
  }
  const search = { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'x' } }
  await useUpstream((body, index) => {
    if (index === 0)
      return {
        output: [
          search,
          {
            type: 'function_call',
            call_id: 'call_a',
            id: 'fc_a',
            status: 'completed',
            ...ask,
            arguments: JSON.stringify(ask.arguments),
          },
        ],
      }
    if (index === 2) return { calls: [{ name: 'transfer_to_Helper', arguments: { recipient_agent: 'Helper' } }] }
    return { text: String(body.instructions) }
  })
  const flows = [
    [lead, helper, Handoff],
    [lead, helper],
  ] as const
  const { url } = await startServer({ agencies: { team: new Agency(lead, { communicationFlows: flows }) } })
  const frames = await allFrames(`${url}/team/get_response_stream`, { message: 'Go' })
  const none = { description: null, title: null, tool_origin: null }
  expect(itemsOf(frames, 'tool_called')).toMatchObject([
    { raw_item: { type: 'web_search_call' }, ...none },
    { raw_item: { name: 'send_message' }, description: expect.stringContaining('Helper'), tool_origin: FUNCTION },
    { raw_item: { name: 'transfer_to_Helper' }, ...none },
  ])
  expect(itemsOf(frames, 'tool_output')).toMatchObject([
    { output: 'I am Helper.', tool_origin: FUNCTION, custom_data: null },
  ])
  expect(itemsOf(frames, 'handoff_requested')[0]).not.toHaveProperty('tool_origin')
})

test('a tool output beside a transfer belongs to the calling agent', async () => {
  promise('B2', 'F4')
  const look = tool({ name: 'look', description: 'Looks.', execute: () => 'seen' })
  const [lead, helper] = [agent('Lead', { tools: [look] }), agent('Helper')]
  const calls = [
    { name: 'transfer_to_Helper', arguments: { recipient_agent: 'Helper' } },
    { name: 'look', arguments: {} },
  ]
  await useUpstream((_body, index) => (index === 0 ? { calls } : { text: 'Done' }))
  const { url } = await startServer({
    agencies: { team: new Agency(lead, { communicationFlows: [[lead, helper, Handoff]] }) },
  })
  const frames = await allFrames(`${url}/team/get_response_stream`, { message: 'Go' })
  const told = frames.map(({ data }) => data?.data).find((data) => data?.name === 'tool_output')
  expect(told).toMatchObject({
    agent: 'Lead',
    item: { agent: { name: 'Lead' }, output: 'seen', tool_origin: FUNCTION },
  })
})

test("a provider's MCP call has the description of its listing", async () => {
  promise('B2')
  const listing = {
    type: 'mcp_list_tools',
    id: 'mcpl_1',
    server_label: 'docs',
    tools: [{ name: 'find', description: 'Finds.', annotations: { title: 'Find' } }],
  }
  const call = { type: 'mcp_call', id: 'mcp_1', server_label: 'docs', name: 'find', arguments: '{}', output: 'x' }
  const answer = {
    type: 'message',
    id: 'msg_1',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text: 'Yes', annotations: [] }],
  }
  await useUpstream(() => ({ output: [listing, call, { ...call, id: 'mcp_2', server_label: 'other' }, answer] }))
  const { url } = await startServer({ agencies: { solo: new Agency(agent('Solo')) } })
  const items = itemsOf(await allFrames(`${url}/solo/get_response_stream`, { message: 'Go' }), 'tool_called')
  expect(items).toMatchObject([
    { description: 'Finds.', title: 'Find', tool_origin: { ...FUNCTION, mcp_server_name: 'docs' } },
    { description: null, title: null, tool_origin: { ...FUNCTION, mcp_server_name: 'other' } },
  ])
})

test.each([
  ['guidance for the user', false, 'Solo'],
  ['guidance as an error', true, 'Solo'],
  ['guidance for a sender', false, 'Lead'],
])('%s has the agent_run_id of its message, streamed and plain', async (_name, raise, entry) => {
  promise('B2', 'D1')
  await useUpstream((body) =>
    String(body.instructions).includes('Lead') && !JSON.stringify(body.input).includes('function_call_output')
      ? {
          calls: [
            { name: 'send_message', arguments: { recipient_agent: 'Solo', message: 'x', additional_instructions: '' } },
          ],
        }
      : { text: 'Done' },
  )
  const solo = agent('Solo', {
    inputGuardrails: [() => ({ tripwire: true, guidance: 'No way.' })],
    raiseInputGuardrailError: raise,
  })
  const lead = agent('Lead')
  const agency = new Agency([solo, lead], { communicationFlows: [[lead, solo]] })
  const { url } = await startServer({ agencies: { team: agency } })
  const streamed = final(await allFrames(`${url}/team/get_response_stream`, { message: 'Go', recipient_agent: entry }))
  const plain = await agency.getResponse('Go', { recipientAgent: entry }).catch(() => undefined)
  for (const messages of [streamed.new_messages, ...(plain === undefined ? [] : [plain.newMessages])]) {
    const own = messages.filter((message: { agent: string }) => message.agent === 'Solo')
    expect(own.map(({ content }: { content: string }) => content).at(-1)).toBe('No way.')
    expect(new Set(own.map((message: { agent_run_id: string }) => message.agent_run_id)).size).toBe(1)
  }
})
