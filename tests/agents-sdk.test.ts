import { LLMock, MCPMock } from '@copilotkit/aimock'
import {
  codeInterpreterTool,
  computerTool,
  fileSearchTool,
  hostedMcpTool,
  imageGenerationTool,
  MCPServerStreamableHttp,
  OpenAIChatCompletionsModel,
  OpenAIResponsesModel,
  type RunContext,
  tool as sdkTool,
  webSearchTool,
} from '@openai/agents'
import OpenAI from 'openai'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, type AgentOptions, type SdkModel } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, readFrames, startServer, useUpstream } from './support/client.ts'

const agent = (options: Partial<AgentOptions> = {}) =>
  new Agent({ name: 'Assistant', instructions: 'Help.', model: 'gpt-4.1', ...options })
const responses = (baseURL: string, name = 'gpt-4.1') =>
  new OpenAIResponsesModel(new OpenAI({ apiKey: 'sk-own', baseURL, maxRetries: 0 }), name)
const lookup = () =>
  sdkTool({
    name: 'lookup',
    description: 'Looks up.',
    parameters: z.object({ word: z.string() }),
    execute: async ({ word }, context?: RunContext<{ user: string }>) => `${word} for ${context?.context.user}`,
  })
/** Ids and times are new in every run. */
const masked = (value: unknown) =>
  JSON.stringify(value)
    .replace(/(agent_run|trace|resp|msg|fc|call)_[0-9a-f]+/g, '$1')
    .replace(/"timestamp":\d+/g, '"timestamp":0')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'run')

interface ChatBody {
  messages: { role: string; [key: string]: unknown }[]
  tools: { function: { name: string } }[]
}

/** aimock's Chat Completions, and the Agents SDK's model over it. */
async function useChat(...fixtures: Parameters<LLMock['addFixture']>[0][]) {
  const mock = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent', strict: true, chunkSize: 4 })
  for (const fixture of fixtures) mock.addFixture(fixture)
  await mock.start()
  onTestFinished(() => mock.stop())
  const client = new OpenAI({ apiKey: 'sk-own', baseURL: `${mock.url}/v1`, maxRetries: 0 })
  const bodies = () => mock.getRequests().map(({ body }) => body as unknown as ChatBody)
  return { model: new OpenAIChatCompletionsModel(client, 'gpt-4o'), bodies }
}

test('a Responses model object of the Agents SDK acts like a model name', async () => {
  promise('F9', 'C15')
  const script = (body: { [key: string]: unknown }) =>
    (body.input as { type?: string }[]).some((item) => item.type === 'function_call_output')
      ? { text: 'Found it', usage: { input_tokens: 7, output_tokens: 3, total_tokens: 10 } }
      : { calls: [{ name: 'lookup', arguments: { word: 'hi' }, id: 'call_1' }] }
  const upstream = await useUpstream(script)
  const { url } = await startServer({
    agencies: {
      name: new Agency(agent({ tools: [lookup()] })),
      object: new Agency(agent({ tools: [lookup()], model: responses(upstream.baseURL) })),
    },
  })
  const user_context = { user: 'Ann' }
  const [byName, byObject] = [
    await allFrames(`${url}/name/get_response_stream`, { message: 'Look', user_context }),
    await allFrames(`${url}/object/get_response_stream`, { message: 'Look', user_context }),
  ]
  expect(masked(byObject)).toBe(masked(byName))
  expect(final(byObject).new_messages[2].output).toBe('hi for Ann')
  expect(final(byObject).usage).toMatchObject({ request_count: 2, input_tokens: 17, output_tokens: 8 })
  expect(final(byObject).usage.total_cost).toBeGreaterThan(0)
  const [plainName, plainObject] = [
    await (await post(`${url}/name/get_response`, { message: 'Look', user_context })).json(),
    await (await post(`${url}/object/get_response`, { message: 'Look', user_context })).json(),
  ]
  expect(masked(plainObject)).toBe(masked(plainName))
  const [first, second] = [upstream.seen[0]?.body, upstream.seen[2]?.body]
  expect({ ...second, stream: true }).toMatchObject({ ...first, tools: [expect.objectContaining({ name: 'lookup' })] })
  expect(upstream.seen[2]?.headers.authorization).toBe('Bearer sk-own')
})

test('client_config does not change a model object, with one log line', async () => {
  promise('C15')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const warnings: string[] = []
  const warn = console.warn
  console.warn = (text: string) => warnings.push(text)
  onTestFinished(() => {
    console.warn = warn
  })
  const { url } = await startServer({
    agencies: { solo: new Agency(agent({ model: responses(upstream.baseURL, 'gpt-5.4') })) },
  })
  const history = [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'See' },
        { type: 'input_image', file_id: 'file-1', detail: 'low' },
        { type: 'input_file', file_id: 'file-2' },
        { type: 'input_image', image_url: 'https://images.example/a.png', detail: 'auto' },
      ],
    },
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'xyz' },
    { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'q' } },
    {
      type: 'message',
      id: 'msg_1',
      role: 'assistant',
      status: 'completed',
      content: [
        { type: 'output_text', text: 'Ok', annotations: [{ type: 'file_citation', file_id: 'file-2', index: 1 }] },
      ],
    },
  ]
  const chat_history = history.map((item) => ({ ...item, agent: 'Assistant', callerAgent: null, timestamp: 1 }))
  const client_config = { api_key: 'sk-caller', model: 'gpt-5' }
  const answer = await post(`${url}/solo/get_response`, { message: 'And?', chat_history, client_config })
  expect(await answer.json()).toMatchObject({ response: 'Fine' })
  expect(upstream.seen[0]?.body).toMatchObject({
    model: 'gpt-5.4',
    input: [...history, { content: 'And?', role: 'user' }],
  })
  expect(upstream.seen[0]?.headers.authorization).toBe('Bearer sk-own')
  expect(warnings).toEqual([expect.stringMatching(/leaves the custom model of agent "Assistant" alone/)])
})

test("a model object's failure is a safe text in a complete stream", async () => {
  promise('C15', 'D6')
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { status: 400, message: 'inner words' } : { hang: true },
  )
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ model: responses(upstream.baseURL) })) } })
  const failed = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
  expect(failed.find((frame) => frame.data?.data?.type === 'error')?.data.data.content).toMatch(
    /failed \(cause: BadRequestError\)/,
  )
  expect(failed.slice(-2).map((frame) => frame.event)).toEqual(['messages', 'end'])
  for await (const frame of readFrames(`${url}/solo/get_response_stream`, { message: 'Hi' }))
    if (frame.event === 'meta')
      await Promise.all([
        upstreamOpened(upstream).then(() => post(`${url}/solo/cancel_response_stream`, { run_id: frame.data.run_id })),
      ])
  await upstream.seen[1]?.aborted
  expect(upstream.seen).toHaveLength(2)
})

async function upstreamOpened(upstream: { seen: readonly unknown[] }) {
  while (upstream.seen.length < 2) await new Promise((resolve) => setImmediate(resolve))
}

test('a Chat Completions model object streams Responses events', async () => {
  promise('F9', 'C15')
  const { model, bodies } = await useChat(
    { match: { userMessage: 'Look', hasToolResult: true }, response: { content: 'It said hi' } },
    { match: { userMessage: 'Look' }, response: { toolCalls: [{ name: 'lookup', arguments: '{"word":"hi"}' }] } },
  )
  const tools = [lookup(), webSearchTool()]
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ model, tools })) } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Look', user_context: { user: 'Ann' } })
  const raw = frames.map((frame) => frame.data?.data?.data?.type?.replace('response.', '')).filter(Boolean)
  expect(raw.filter((type, index) => type !== raw[index - 1])).toEqual([
    'created',
    'output_item.added',
    'function_call_arguments.delta',
    'output_item.done',
    'completed',
    'created',
    'output_item.added',
    'content_part.added',
    'output_text.delta',
    'content_part.done',
    'output_item.done',
    'completed',
  ])
  const { new_messages, usage } = final(frames)
  expect(new_messages.map((item: { type: string }) => item.type)).toEqual([
    'message',
    'function_call',
    'function_call_output',
    'message',
  ])
  expect(usage.request_count).toBe(2)
  expect(usage.input_tokens).toBeGreaterThan(0)
  const [first, second] = bodies()
  const call = second?.messages.find(({ role }) => role === 'assistant')
  expect(call).toMatchObject({ tool_calls: [{ function: { name: 'lookup', arguments: '{"word":"hi"}' } }] })
  expect(second?.messages.at(-1)).toMatchObject({ role: 'tool', content: 'hi for Ann' })
  expect(first?.tools.map((tool) => tool.function.name)).toEqual(['lookup', 'web_search'])
  const chat_history = [
    ...new_messages,
    { type: 'web_search_call', id: 'ws_1', status: 'completed', agent: 'Assistant', callerAgent: null, timestamp: 1 },
  ]
  const again = await post(`${url}/solo/get_response`, { message: 'Look', chat_history, user_context: { user: 'Bob' } })
  expect(((await again.json()) as { response: string }).response).toBe('It said hi')
  expect(bodies().at(-1)).toMatchObject({ messages: expect.arrayContaining([{ role: 'user', content: 'Look' }]) })
  expect(JSON.stringify(bodies().at(-1))).not.toContain('ws_1')
})

test('any model object of that shape runs and gets its provider data back', async () => {
  promise('F9')
  const asked: { input: { [key: string]: unknown }[]; tools: { name: string }[]; signal: AbortSignal }[] = []
  const usage = {
    requests: 1,
    inputTokens: 4,
    outputTokens: 2,
    totalTokens: 6,
    inputTokensDetails: [{ cached_tokens: 1 }],
  }
  const turn = (done: boolean) => [
    {
      type: 'reasoning',
      content: [],
      rawContent: [{ type: 'reasoning_text', text: 'Hm.' }],
      providerData: { signature: 's1' },
    },
    ...(done
      ? [{ type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'Done.' }] }]
      : [
          {
            type: 'function_call',
            callId: 'c1',
            name: 'lookup',
            arguments: '{"word":"x"}',
            providerData: { thought: 't1' },
          },
        ]),
  ]
  class Custom {
    async getResponse(request: (typeof asked)[number]) {
      asked.push(request)
      return { usage, output: turn(asked.length > 1) }
    }
    async *getStreamedResponse(request: (typeof asked)[number]) {
      asked.push(request)
      yield { type: 'response_started' }
      if (asked.length > 1) yield { type: 'output_text_delta', delta: 'Do' }
      yield { type: 'response_done', response: { id: 'r', usage, output: turn(asked.length > 1) } }
    }
  }
  for (const streaming of [true, false]) {
    asked.length = 0
    const solo = new Agency(agent({ model: new Custom() as SdkModel, tools: [lookup()] }), {
      userContext: { user: 'Ann' },
    })
    const {
      finalOutput,
      usage: counted,
      newMessages,
    } = streaming ? await solo.getResponseStream('Hi').finalResult : await solo.getResponse('Hi')
    expect(finalOutput).toBe('Done.')
    expect(counted).toMatchObject({ request_count: 2, input_tokens: 8, cached_tokens: 2 })
    expect(asked[1]?.input).toMatchObject([
      { role: 'user', content: 'Hi' },
      { type: 'reasoning', content: [{ type: 'input_text', text: 'Hm.' }], providerData: { signature: 's1' } },
      { type: 'function_call', callId: 'c1', name: 'lookup', providerData: { thought: 't1' } },
      { type: 'function_call_result', callId: 'c1', name: 'lookup', output: 'x for Ann' },
    ])
    expect(newMessages.map((item) => item.type)).toEqual([
      'message',
      'reasoning',
      'function_call',
      'function_call_output',
      'reasoning',
      'message',
    ])
    expect(asked[0]?.signal).toBeInstanceOf(AbortSignal)
  }
})

test('function tools of the Agents SDK behave like ours, over HTTP too', async () => {
  promise('F5', 'B10')
  let open = true
  const broken = sdkTool({
    name: 'broken',
    description: 'Breaks.',
    parameters: z.object({}),
    errorFunction: null,
    execute: async () => {
      throw new Error('kaputt')
    },
  })
  const gated = sdkTool({
    name: 'gated',
    description: 'Now and then.',
    parameters: z.object({}),
    isEnabled: () => open,
    execute: async () => 'through',
  })
  const watched = sdkTool({
    name: 'watched',
    description: 'Needs a look.',
    parameters: z.object({ amount: z.number() }),
    needsApproval: async (_context, { amount }) => amount > 10,
    execute: async ({ amount }, _context, details) =>
      `${amount} ${details?.toolCall?.callId} ${details?.signal?.aborted}`,
  })
  const slow = sdkTool({
    name: 'slow',
    description: 'Never ends.',
    parameters: z.object({}),
    timeoutMs: 20,
    execute: () => new Promise<string>(() => {}),
  })
  const image = sdkTool({
    name: 'image',
    description: 'Draws.',
    parameters: z.object({}),
    execute: async () => ({ type: 'image', image: { data: 'AAAA', mediaType: 'image/png' } }),
  })
  const upstream = await useUpstream((_body, index) => {
    if (index > 0) open = false
    return index === 0
      ? {
          calls: [
            { name: 'lookup', arguments: { word: 5 } },
            { name: 'broken', arguments: {} },
            { name: 'gated', arguments: {} },
            { name: 'watched', arguments: { amount: 5 }, id: 'call_w' },
            { name: 'watched', arguments: { amount: 50 } },
            { name: 'image', arguments: {} },
            { name: 'slow', arguments: {} },
          ],
        }
      : index === 1
        ? { calls: [{ name: 'gated', arguments: {} }] }
        : { text: 'ok' }
  })
  const tools = [lookup(), broken, gated, watched, image, slow]
  const { newMessages } = await new Agency(agent({ tools }), { userContext: { user: 'Ann' } }).getResponse('go')
  const outputs = newMessages.filter((item) => item.type === 'function_call_output').map((item) => item.output)
  expect(outputs).toEqual([
    expect.stringMatching(/^Error: the arguments for tool "lookup" do not fit\. word: /),
    expect.stringMatching(/^An error occurred in the tool "broken": kaputt/),
    'through',
    '5 call_w false',
    expect.stringMatching(/needs a person's approval/),
    [{ type: 'input_image', image_url: 'data:image/png;base64,AAAA' }],
    expect.stringMatching(/timed out/),
    expect.stringMatching(/not available now/),
  ])
  const offered = upstream.seen.map(({ body }) => (body.tools as { name: string }[]).map(({ name }) => name))
  expect(offered[0]).toContain('gated')
  expect(offered[2]).not.toContain('gated')
  const { url } = await startServer({ tools: [lookup()] })
  expect(await (await post(`${url}/tool/lookup`, { word: 'hi' })).json()).toEqual({ response: 'hi for undefined' })
  expect((await post(`${url}/tool/lookup`, { word: 5 })).status).toBe(422)
})

test('hosted tools of the Agents SDK reach the provider in its words', async () => {
  promise('F1')
  const upstream = await useUpstream(() => ({ text: 'ok' }))
  const tools = [
    webSearchTool({ searchContextSize: 'low', filters: { allowedDomains: ['a.example'] } }),
    fileSearchTool('vs_1', { includeSearchResults: true, maxNumResults: 3 }),
    codeInterpreterTool(),
    imageGenerationTool({ size: '1024x1024' }),
    hostedMcpTool({ serverLabel: 'docs', serverUrl: 'https://mcp.example', headers: { 'X-Key': 'secret' } }),
  ]
  const [byName, byObject] = [agent({ tools }), agent({ tools, model: responses(upstream.baseURL) })]
  for (const one of [byName, byObject]) await one.getResponse('Hi')
  const expected = [
    { type: 'web_search', search_context_size: 'low', filters: { allowed_domains: ['a.example'] } },
    { type: 'file_search', vector_store_ids: ['vs_1'], max_num_results: 3 },
    { type: 'code_interpreter', container: { type: 'auto' } },
    { type: 'image_generation', size: '1024x1024' },
    {
      type: 'mcp',
      server_label: 'docs',
      server_url: 'https://mcp.example',
      require_approval: 'never',
      headers: { 'X-Key': 'secret' },
    },
  ]
  const include = ['file_search_call.results', 'web_search_call.action.sources']
  expect(upstream.seen[0]?.body).toMatchObject({ tools: expected, include })
  expect(upstream.seen[0]?.body.tools).toEqual(expected)
  expect(upstream.seen[1]?.body).toMatchObject({ tools: expected, include })
})

test('an unsupported tool option is an error that names the tool', () => {
  promise('F1')
  const make = (tool: unknown) => () => agent({ tools: [tool as never] })
  const readTools = (create: () => Agent) => create().tools
  const asking = { name: 'pay', description: 'Pays.', parameters: z.object({}), execute: async () => '' }
  expect(readTools(make(sdkTool({ ...asking, needsApproval: true })))).toMatchObject([{ needsApproval: true }])
  expect(readTools(make(sdkTool({ ...asking, needsApproval: false })))).toMatchObject([{ needsApproval: false }])
  const guard = { name: 'g', run: async () => ({ behavior: { type: 'allow' as const } }) }
  expect(make(sdkTool({ ...asking, inputGuardrails: [guard] }))).toThrow(/"pay" has guardrails of its own/)
  expect(make(computerTool({ computer: () => ({}) as never }))).toThrow(/creates a computer per run/)
  expect(make(webSearchTool)).toThrow(/"webSearchTool" is not a tool/)
})

test('MCP servers of the Agents SDK provide their tools', async () => {
  promise('F1')
  const mock = new MCPMock()
  const inputSchema = { type: 'object' as const, properties: { word: { type: 'string' } }, required: ['word'] }
  for (const name of ['shout', 'look', 'secret']) mock.addTool({ name, description: `To ${name}.`, inputSchema })
  mock.onToolCall('shout', (args) => `${(args as { word: string }).word}!`)
  mock.onToolCall('look', () => [
    { type: 'text', text: 'See' },
    { type: 'image', data: 'AAAA', mimeType: 'image/png' } as never,
  ])
  const url = await mock.start()
  onTestFinished(() => mock.stop())
  const server = new MCPServerStreamableHttp({ url, toolFilter: { blockedToolNames: ['secret'] } })
  onTestFinished(() => server.close())
  const upstream = await useUpstream((_body, index) =>
    index === 0
      ? {
          calls: [
            { name: 'shout', arguments: { word: 'hi' } },
            { name: 'look', arguments: { word: 'x' } },
            { name: 'shout', arguments: {} },
          ],
        }
      : { text: 'ok' },
  )
  const solo = agent({ mcpServers: [server], tools: [lookup()] })
  const { newMessages } = await solo.getResponse('go')
  const outputs = newMessages.filter((item) => item.type === 'function_call_output').map((item) => item.output)
  expect(outputs).toEqual([
    'hi!',
    [
      { type: 'input_text', text: 'See' },
      { type: 'input_image', image_url: 'data:image/png;base64,AAAA' },
    ],
    expect.stringMatching(/"shout" do not fit\. word: Field required/),
  ])
  const offered = (upstream.seen[0]?.body.tools as { name: string }[] | undefined)?.map(({ name }) => name)
  expect(offered).toEqual(['lookup', 'shout', 'look'])
  const gone = new MCPServerStreamableHttp({ url: 'http://127.0.0.1:9/mcp?key=hunter2' })
  const { url: served } = await startServer({ agencies: { solo: new Agency(agent({ mcpServers: [gone] })) } })
  const logged = vi.spyOn(console, 'error').mockReturnValue()
  onTestFinished(() => logged.mockRestore())
  const failed = await post(`${served}/solo/get_response`, { message: 'Hi' })
  expect([failed.status, await failed.json()]).toEqual([
    500,
    { error: 'An MCP server of agent "Assistant" could not be reached.' },
  ])
  expect(JSON.stringify(logged.mock.calls)).not.toContain('hunter2')
  expect(() => agent({ mcpServers: [{ address: url } as never] })).toThrow(
    /mcpServers of agent "Assistant" must be a list of/,
  )
  const filtered = new MCPServerStreamableHttp({ url, toolFilter: async () => true })
  expect(() => agent({ mcpServers: [filtered] })).toThrow(/filter function/)
})
