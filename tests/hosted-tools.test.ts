/** Tools that the provider runs. */
import { expect, test } from 'vitest'
import { readLimits } from '../src/base/limits.ts'
import {
  Agency,
  chatCompletions,
  codeInterpreter,
  fileSearch,
  hostedMcp,
  hostedTool,
  imageGeneration,
  tool,
  toolFactory,
  webSearch,
} from '../src/index.ts'
import { createModels } from '../src/models/models.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, startServer, useUpstream } from './support/client.ts'
import { agent, type Json, outputsOf, say } from './support/tool-agent.ts'

test("hosted tools are sent in the API's format, with includes merged", async () => {
  promise('F1')
  const upstream = await useUpstream(() => ({ text: 'ok' }))
  const tools = [
    webSearch({ userLocation: { city: 'Bonn' }, searchContextSize: 'low', filters: { allowedDomains: ['a.example'] } }),
    fileSearch({ vectorStoreIds: 'vs_1', maxNumResults: 2, rankingOptions: { scoreThreshold: 0.5 } }),
    codeInterpreter({ container: { type: 'auto', fileIds: ['file-1'] }, includeOutputs: true }),
    imageGeneration({ outputFormat: 'webp' }),
    hostedMcp({
      serverLabel: 'docs',
      serverUrl: 'https://mcp.example',
      headers: { 'X-Api-Key': 'k' },
      allowedTools: ['read'],
    }),
    hostedMcp({ serverLabel: 'mail', connectorId: 'connector_gmail', authorization: 'token' }),
    hostedTool({ type: 'shell', environment: { type: 'container_auto', fileIds: ['file-1'] } }),
    tool({ name: 'own', execute: () => '' }),
  ]
  const modelSettings = { include: ['message.output_text.logprobs'], toolChoice: 'file_search' }
  await agent({ tools, modelSettings, includeSearchResults: true }).getResponse('Hi')
  const { body } = upstream.seen[0] as { body: Json }
  expect(body.tools).toEqual([
    expect.objectContaining({ type: 'function', name: 'own' }),
    {
      type: 'web_search',
      search_context_size: 'low',
      filters: { allowed_domains: ['a.example'] },
      user_location: { type: 'approximate', city: 'Bonn' },
    },
    { type: 'file_search', vector_store_ids: ['vs_1'], max_num_results: 2, ranking_options: { score_threshold: 0.5 } },
    { type: 'code_interpreter', container: { type: 'auto', file_ids: ['file-1'] } },
    { type: 'image_generation', output_format: 'webp' },
    {
      type: 'mcp',
      require_approval: 'never',
      server_label: 'docs',
      server_url: 'https://mcp.example',
      headers: { 'X-Api-Key': 'k' },
      allowed_tools: ['read'],
    },
    {
      type: 'mcp',
      require_approval: 'never',
      server_label: 'mail',
      connector_id: 'connector_gmail',
      authorization: 'token',
    },
    { type: 'shell', environment: { type: 'container_auto', file_ids: ['file-1'] } },
  ])
  expect(body.include).toEqual([
    'message.output_text.logprobs',
    'code_interpreter_call.outputs',
    'file_search_call.results',
    'web_search_call.action.sources',
  ])
  expect(body.tool_choice).toEqual({ type: 'file_search' })
  const quiet = agent({
    tools: [webSearch(), fileSearch({ vectorStoreIds: ['vs_1'] })],
    includeWebSearchSources: false,
  })
  await new Agency(quiet).getResponse('Hi', { clientConfig: { model_settings_extra_args: { include: ['x.y'] } } })
  expect(upstream.seen[1]?.body.include).toEqual(['x.y'])
  expect(() => fileSearch({ vectorStoreIds: [] })).toThrow(/needs the vector stores/)
  expect(() => hostedMcp({ serverLabel: 'docs' })).toThrow(/serverUrl/)
  for (const type of ['computer_use_preview', 'shell', 'apply_patch'])
    expect(() => hostedTool({ type })).toThrow(/must be run by the application/)
  expect(() => toolFactory.getOpenApiSchema([webSearch()], { url: 'https://x.example' })).toThrow(/cannot be served/)
})

test('a model without a hosted tool gets a function of its name', async () => {
  promise('F1')
  const bodies: Json[] = []
  const upstream = await useUpstream((body) => {
    bodies.push(body)
    const asked = (body.messages as Json[]).some((message) => message.role === 'tool')
    const message = asked
      ? { content: 'Without it, then.' }
      : { tool_calls: [{ id: 'c1', function: { name: 'web_search', arguments: '{"q":"x"}' } }] }
    return { json: { choices: [{ index: 0, message, finish_reason: 'stop' }], usage: {} } }
  })
  const mine = tool({ name: 'file_search', description: 'Mine.', execute: () => 'own' })
  const tools = [webSearch(), fileSearch({ vectorStoreIds: ['vs_1'] }), mine]
  const solo = agent({ model: chatCompletions('gpt-4.1'), tools })
  const { finalOutput, newMessages } = await solo.getResponse('Search')
  expect(finalOutput).toBe('Without it, then.')
  expect(outputsOf(newMessages)).toEqual([expect.stringMatching(/"web_search" is run by OpenAI's Responses API/)])
  expect(bodies[0]?.include).toBeUndefined()
  const offered = bodies[0]?.tools as { function: Json }[]
  expect(offered.map((entry) => entry.function.description)).toEqual(['Mine.', 'Not available on this model.'])
  expect(upstream.seen).toHaveLength(2)
})

test('the metadata shows hosted tools and MCP servers, no settings', () => {
  promise('B8')
  const tools = [
    hostedMcp({ serverLabel: 'docs', serverUrl: 'https://mcp.example', authorization: 'hunter2' }),
    imageGeneration(),
    webSearch(),
    codeInterpreter(),
    tool({ name: 'own', execute: () => '' }),
  ]
  const metadata = new Agency(agent({ tools, modelSettings: { reasoning: { effort: 'low' } } })).getMetadata()
  const nodes = metadata.nodes as { id: string; type: string; data: Json }[]
  expect(nodes.filter((node) => node.type === 'tool').map(({ data }) => [data.label, data.type])).toEqual([
    ['docs', 'HostedMCPTool'],
    ['image_generation', 'ImageGenerationTool'],
    ['web_search', 'WebSearchTool'],
    ['code_interpreter', 'CodeInterpreterTool'],
    ['own', 'function'],
  ])
  const solo = nodes.find((node) => node.type === 'agent')?.data
  expect(solo).toMatchObject({
    toolCount: 5,
    capabilities: ['tools', 'reasoning', 'code_interpreter', 'web_search', 'hosted_mcp', 'image_generation'],
  })
  expect(JSON.stringify(metadata)).not.toMatch(/hunter2|mcp\.example/)
})

test('search results and citations are kept for later turns', async () => {
  promise('F1', 'C3', 'D1')
  const search = { id: 'ws_1', type: 'web_search_call', status: 'completed' }
  const action = { type: 'search', query: 'q', sources: [{ type: 'url', url: 'https://a.example' }] }
  const results = [
    { file_id: 'file-1', filename: 'a.txt', text: 'First passage', score: 0.9 },
    { file_id: 'file-2', text: 'Second' },
  ]
  const citation = { type: 'file_citation', file_id: 'file-1', filename: 'a.txt', index: 4 }
  const upstream = await useUpstream((_body, index) =>
    index % 2 === 0
      ? {
          output: [
            { id: 'mcpl_1', type: 'mcp_list_tools', server_label: 'docs', tools: [] },
            { ...search, action },
            { id: 'fs_1', type: 'file_search_call', status: 'completed', queries: ['q'], results },
            say('Here it is', [citation, { type: 'url_citation', url: 'https://a.example' }]),
          ],
        }
      : { text: 'Still known' },
  )
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ tools: [webSearch()] })) } })
  for (const endpoint of ['get_response', 'get_response_stream']) {
    const ask = async (body: Json): Promise<{ new_messages: Json[] }> =>
      endpoint === 'get_response'
        ? ((await (await post(`${url}/solo/${endpoint}`, body)).json()) as { new_messages: Json[] })
        : final(await allFrames(`${url}/solo/${endpoint}`, body))
    const { new_messages } = await ask({ message: 'Find it' })
    expect(new_messages.map((item) => item.message_origin ?? item.type)).toEqual([
      'message',
      'web_search_call',
      'file_search_call',
      'message',
      'web_search_preservation',
      'file_search_preservation',
    ])
    const [, , , answer, web, file] = new_messages
    expect(answer?.citations).toEqual([{ ...citation, method: 'direct_file' }])
    expect(web).toMatchObject({
      role: 'system',
      type: 'message',
      agent: 'Assistant',
      callerAgent: null,
      content:
        '[WEB_SEARCH_RESULTS] Tool Call ID: ws_1\nTool Type: web_search\nSearch Results:\nHere it is\nSources:\nhttps://a.example\n',
    })
    expect(Object.keys(web ?? {})).not.toContain('agent_run_id')
    expect(file?.content).toBe(
      '[SEARCH_RESULTS] Tool Call ID: fs_1\nTool Type: file_search\nFile 1: file-1\nContent: First passage\n\nFile 2: file-2\nContent: Second\n\n',
    )
    await ask({ message: 'And?', chat_history: new_messages })
    const input = upstream.seen.at(-1)?.body.input as Json[]
    expect(input.slice(4, 6)).toEqual([
      { role: 'system', type: 'message', content: web?.content },
      { role: 'system', type: 'message', content: file?.content },
    ])
    expect(input[3]).not.toHaveProperty('citations')
  }
})

test("hosted tools and their keys are not sent to a caller's address", async () => {
  promise('C13')
  const models = createModels({
    env: { OPENAI_API_KEY: 'sk-server' },
    trustedModelOrigins: [],
    limits: readLimits(),
    log: () => {},
  })
  const own = await models.of()
  const foreign = await models.of({ base_url: 'https://1.1.1.1/v1' })
  expect([own, foreign].map((request) => request.model('gpt-4.1', 'A').runsHostedTools)).toEqual([true, false])
})

test('listings and requests of hosted MCP servers are streamed as recorded', async () => {
  promise('C3')
  const listing = {
    id: 'mcpl_1',
    type: 'mcp_list_tools',
    server_label: 'docs',
    tools: [{ name: 'read', input_schema: {} }],
  }
  const made = { id: 'mcp_1', type: 'mcp_call', server_label: 'docs', name: 'read', arguments: '{}', output: 'text' }
  const asked = { id: 'mcpr_1', type: 'mcp_approval_request', server_label: 'docs', name: 'write', arguments: '{}' }
  const answers = [[listing, made, asked], [say('done')]]
  await useUpstream((_body, index) => ({ output: answers[index] ?? [] }))
  const docs = hostedMcp({ serverLabel: 'docs', serverUrl: 'https://mcp.example', requireApproval: 'always' })
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ tools: [docs] })) } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
  const items = frames.map(({ data }) => data.data).filter((data) => data?.type === 'run_item_stream_event')
  expect(items.map(({ name, item, call_id }) => [name, item.type, item.raw_item.id, call_id])).toEqual([
    ['tool_called', 'tool_call_item', 'mcp_1', 'mcp_1'],
    ['mcp_list_tools', 'mcp_list_tools_item', 'mcpl_1', undefined],
    ['mcp_approval_requested', 'mcp_approval_request_item', 'mcpr_1', undefined],
    ['message_output_created', 'message_output_item', 'msg_1', undefined],
  ])
})
