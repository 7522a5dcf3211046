import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import {
  Agency,
  AgencyError,
  Agent,
  BaseTool,
  type CommunicationFlow,
  chatCompletions,
  flow,
  Handoff,
  SendMessage,
  type StoredMessage,
  tool,
} from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, startServer, useUpstream } from './support/client.ts'

const agent = (name: string, options = {}) =>
  new Agent({ name, instructions: `I am ${name}.`, model: 'gpt-4.1', ...options })
const ask = (recipient: string, message = 'go', extra = {}) => ({
  name: 'send_message',
  arguments: { recipient_agent: recipient, message, additional_instructions: '', ...extra },
})

test('an agency runs in process with all its features', async () => {
  promise('F1', 'D2', 'D3')
  const upstream = await useUpstream((_body, index) => ({
    text: index === 0 ? '{"city":"Bonn","people":3}' : 'Later',
    usage: {
      input_tokens: 1000,
      output_tokens: 100,
      total_tokens: 1100,
      input_tokens_details: { cached_tokens: 400 },
      output_tokens_details: { reasoning_tokens: 7 },
    },
  }))
  const folder = mkdtempSync(join(tmpdir(), 'instructions-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'lead.md'), 'From a file.')
  const lead = agent('Lead', {
    instructions: join(folder, 'lead.md'),
    outputType: z.object({ city: z.string(), people: z.number() }),
    modelSettings: { temperature: 0.1, maxTokens: 50, reasoning: { effort: 'low' } },
  })
  const other = agent('Other', {
    instructions: async (context: { get(key: string): unknown }) => `Dynamic for ${context.get('user')}.`,
  })
  const agency = new Agency([lead, other], { sharedInstructions: 'Shared.', userContext: { user: 'Ann' } })
  const first = await agency.getResponse('Where?')
  expect(first.finalOutput).toEqual({ city: 'Bonn', people: 3 })
  expect(first.usage).toMatchObject({
    request_count: 1,
    cached_tokens: 400,
    reasoning_tokens: 7,
    input_tokens: 1000,
    output_tokens: 100,
  })
  expect(first.usage?.total_cost).toBeCloseTo((600 * 2 + 400 * 0.5 + 100 * 8) / 1e6, 12)
  expect(upstream.seen[0]?.body).toMatchObject({
    instructions: 'Shared.\n\nFrom a file.',
    temperature: 0.1,
    max_output_tokens: 50,
    reasoning: { effort: 'low' },
    truncation: 'auto',
    text: { format: { type: 'json_schema', name: 'final_output' } },
  })
  await agency.getResponse('And?', { recipientAgent: other, additionalInstructions: 'Briefly.' })
  expect(upstream.seen[1]?.body.instructions).toBe('Shared.\n\nDynamic for Ann.\n\n---\n\nBriefly.')
  expect(upstream.seen[1]?.body.input).toHaveLength(3)
})

test('a stream in process has wire events, text, result and cancel', async () => {
  promise('F1')
  await useUpstream(() => ({ text: '0 1 2 ', deltas: 3 }))
  const stream = new Agency(agent('Solo')).getResponseStream('Hi')
  const types: unknown[] = []
  for await (const event of stream) types.push(event.type)
  expect(types[0]).toBe('agent_updated_stream_event')
  expect((await stream.finalResult).finalOutput).toBe('0 1 2 ')
  let text = ''
  for await (const piece of new Agency(agent('Solo')).getResponseStream('Hi').textStream()) text += piece
  expect(text).toBe('0 1 2 ')
  await useUpstream(() => ({ hang: true }))
  const hanging = new Agency(agent('Solo')).getResponseStream('Hi')
  hanging.cancel()
  expect((await hanging.finalResult).cancelled).toBe(true)
  const failing = new Agency(agent('Solo')).getResponse('Hi', { recipientAgent: 'Ghost' })
  await expect(failing).rejects.toMatchObject({ code: 'UNKNOWN_AGENT' })
})

test('flows may be pairs, chains or fluent chains', () => {
  promise('F2')
  class Formatted extends SendMessage {
    static override toolName = 'send_message_formatted'
    static override extraParams = z.object({ key_moments: z.string() })
  }
  const [a, b, c, d] = ['A', 'B', 'C', 'D'].map((name) => agent(name)) as [Agent, Agent, Agent, Agent]
  const edges = (...flows: CommunicationFlow[]) =>
    new Agency(a, { communicationFlows: flows }).edges.map(
      (edge) => `${edge.from.name}${edge.kind === 'handoff' ? '=>' : '->'}${edge.to.name}`,
    )
  expect(edges([a, b], [a, b, Handoff], flow(b, c, d), c.to(a).to(d), [flow(d, b, a), Formatted])).toEqual([
    'A->B',
    'A=>B',
    'B->C',
    'C->D',
    'C->A',
    'A->D',
    'D->B',
    'B->A',
  ])
  const roles = new Agency(a, {
    communicationFlows: [
      [a, b, Formatted],
      [a, c, [SendMessage, Handoff]],
    ],
  }).role('A')
  expect(roles.schemas.map((schema) => schema.name)).toEqual([
    'send_message_formatted',
    'send_message',
    'transfer_to_C',
  ])
  expect(roles.schemas[0]?.parameters).toMatchObject({
    required: ['recipient_agent', 'message', 'additional_instructions', 'key_moments'],
  })
})

test('conflicting flows and names are errors at construction', () => {
  promise('F2')
  const [a, b] = [agent('A'), agent('B')]
  const make =
    (...flows: unknown[]) =>
    () =>
      new Agency(a, { communicationFlows: flows as CommunicationFlow[] })
  expect(make([a, b], [a, b])).toThrow(/declared twice/)
  expect(make([a, a])).toThrow(/to itself/)
  expect(make([a, b, class Foreign {}])).toThrow(/neither SendMessage nor Handoff/)
  expect(make('a > b')).toThrow(/A communication flow is/)
  expect(() => new Agency([a, agent('A')])).toThrow(/Two different agents are called "A"/)
  expect(() => new Agency([])).toThrow(/needs an entry agent/)
})

test('send_message runs recipients in parallel, in their own threads', async () => {
  promise('F3', 'D2')
  const upstream = await useUpstream((body) => {
    const input = body.input as { type?: string; output?: string }[]
    if (body.instructions === 'I am Good.') return { text: 'good answer' }
    if (body.instructions === 'I am Bad.') return { status: 400, message: 'bad day' }
    if (input.at(-1)?.type === 'function_call_output') return { text: 'summary' }
    return {
      calls: [
        ask('Good'),
        ask('Bad'),
        ask('Nobody'),
        ask('GOOD', 'again'),
        { name: 'send_message', arguments: { message: 'x' } },
      ],
    }
  })
  const [lead, good, bad] = [agent('Lead'), agent('Good'), agent('Bad')]
  const { url } = await startServer({
    agencies: {
      team: new Agency(lead, {
        communicationFlows: [
          [lead, good],
          [lead, bad],
        ],
      }),
    },
  })
  const frames = await allFrames(`${url}/team/get_response_stream`, { message: 'secret of the user' })
  const { new_messages, usage } = final(frames)
  const outputs = new_messages
    .filter((item: { type: string }) => item.type === 'function_call_output')
    .map((item: { output: string }) => item.output)
  expect(outputs[0]).toBe('good answer')
  expect(outputs[1]).toMatch(/^Error: .*"Bad" could not answer/)
  expect(outputs[2]).toMatch(/^Error: .*'Nobody'.*Good, Bad/)
  expect(outputs[3]).toMatch(/^Error: .*still working/)
  expect(outputs[4]).toMatch(/^Error: .*recipient_agent/)
  expect(usage.request_count).toBe(3)
  for (const { body } of upstream.seen)
    if (body.instructions !== 'I am Lead.') expect(JSON.stringify(body.input)).not.toContain('secret of the user')
  const nested = frames.find((frame) => frame.data?.data?.type === 'error')?.data.data
  expect(nested).toMatchObject({ agent: 'Bad', callerAgent: 'Lead', parent_run_id: expect.any(String) })
  expect(nested).not.toHaveProperty('agent_run_id')
})

test('nested sub-agents stream, count and precede their call', async () => {
  promise('B12', 'D2')
  await useUpstream((body) => {
    const name = /I am (\w)/.exec(String(body.instructions))?.[1] as string
    const done = (body.input as { type?: string }[]).at(-1)?.type === 'function_call_output'
    const next = { A: 'B', B: 'C', C: 'D' }[name]
    return done || next === undefined ? { text: `${name} done` } : { calls: [ask(next)] }
  })
  const [a, b, c, d] = ['A', 'B', 'C', 'D'].map((name) => agent(name)) as [Agent, Agent, Agent, Agent]
  const { url } = await startServer({ agencies: { deep: new Agency(a, { communicationFlows: [flow(a, b, c, d)] }) } })
  const frames = await allFrames(`${url}/deep/get_response_stream`, { message: 'go' })
  const { new_messages, usage } = final(frames)
  expect(usage.request_count).toBe(7)
  expect(
    new_messages.map(
      (item: { agent: string; type: string }) =>
        `${item.agent}${item.type === 'message' ? '' : item.type === 'function_call' ? '?' : '!'}`,
    ),
  ).toEqual('A B C D D C? C! C B? B! B A? A! A'.split(' '))
  const order = frames.flatMap(({ data }) =>
    data?.data?.name === 'tool_output' || data?.data?.name === 'message_output_created'
      ? [`${data.data.agent} ${data.data.name}`]
      : [],
  )
  expect(order).toEqual([
    'D message_output_created',
    'C tool_output',
    'C message_output_created',
    'B tool_output',
    'B message_output_created',
    'A tool_output',
    'A message_output_created',
  ])
})

test('a handoff is named after its target and can go without a reminder', async () => {
  promise('F4')
  class Quiet extends Handoff {
    static override addReminder = false
  }
  const upstream = await useUpstream((_body, index) =>
    index === 0
      ? { calls: [{ name: 'transfer_to_Big_Boss', arguments: { recipient_agent: 'Big Boss' } }] }
      : { text: 'Mine now' },
  )
  const [desk, boss] = [agent('Desk'), agent('Big Boss', { description: 'Decides' })]
  const result = await new Agency(desk, { communicationFlows: [[desk, boss, Quiet]] }).getResponse('Who decides?')
  expect(result.finalOutput).toBe('Mine now')
  expect(result.newMessages.map((message) => message.agent)).toEqual(['Desk', 'Desk', 'Desk', 'Big Boss'])
  expect(result.newMessages[2]?.output).toBe('{"assistant": "Big Boss"}')
  expect((upstream.seen[0]?.body.tools as unknown as { name: string }[] | undefined)?.[0]).toMatchObject({
    name: 'transfer_to_Big_Boss',
    parameters: { properties: { recipient_agent: { const: 'Big Boss' } } },
  })
})

test('tools come from zod, JSON Schema or classes; failures are texts', async () => {
  promise('F5')
  class Address extends BaseTool.define({ street: z.string(), zip: z.number().int().min(1) }) {
    static override description = 'An address.'
    run() {
      return { line: `${this.street} ${this.zip}`, by: this.context.currentAgentName, call: this.toolCallId }
    }
  }
  const calls = [
    { name: 'Address', arguments: { street: 'Main', zip: 5 }, id: 'call_a' },
    { name: 'Address', arguments: { street: 'Main', zip: 'x' } },
    { name: 'zodded', arguments: { n: 2 } },
    { name: 'raw', arguments: { text: 'hi' } },
    { name: 'broken', arguments: {} },
  ]
  const upstream = await useUpstream((_body, index) => (index === 0 ? { calls } : { text: 'ok' }))
  const tools = [
    Address,
    tool({ name: 'zodded', parameters: z.object({ n: z.number() }), execute: ({ n }) => n * 2 }),
    tool({
      name: 'raw',
      parameters: { type: 'object', properties: { text: { type: 'string' } } },
      execute: (input) => `raw ${input.text}`,
    }),
    tool({
      name: 'broken',
      execute: () => {
        throw new Error('kaputt')
      },
    }),
  ]
  const { newMessages } = await new Agency(agent('Solo', { tools })).getResponse('go')
  const outputs = newMessages
    .filter((message) => message.type === 'function_call_output')
    .map((message) => message.output)
  expect(JSON.parse(String(outputs[0]))).toEqual({ line: 'Main 5', by: 'Solo', call: 'call_a' })
  expect(outputs[1]).toMatch(/^Error: .*zip: Input should be a valid integer/)
  expect(outputs.slice(2, 4)).toEqual(['4', 'raw hi'])
  expect(outputs[4]).toMatch(/^An error occurred .*kaputt/)
  expect(
    (upstream.seen[0]?.body.tools as unknown as { name: string; strict: boolean }[] | undefined)?.map(
      ({ name, strict }) => `${name} ${strict}`,
    ),
  ).toEqual(['Address false', 'zodded true', 'raw false', 'broken true'])
  expect(() => new Agent({ name: 'X', tools: [new Date() as never] })).toThrow(/A tool must be created by/)
  expect(() => tool({ name: 'has space', execute: () => '' })).toThrow(/not valid/)
})

test('thread callbacks are awaited, and their failures stay inside', async () => {
  promise('F7')
  await useUpstream(() => ({ text: 'Hi' }))
  const saved: StoredMessage[][] = []
  const make = () =>
    new Agency(agent('Solo'), {
      loadThreads: async () => [
        { role: 'user', content: 'old', agent: 'Solo', callerAgent: null, timestamp: 1, type: 'message' },
      ],
      saveThreads: async (messages) => {
        await new Promise((resolve) => setImmediate(resolve))
        saved.push(messages)
        if (saved.length === 1) throw new Error('disk full')
      },
    })
  const { url } = await startServer({ agencies: { solo: make } })
  const answer = await post(`${url}/solo/get_response`, { message: 'new' })
  expect(answer.status).toBe(200)
  expect(saved.map((messages) => messages.map((message) => message.role))).toEqual([
    ['user', 'user'],
    ['user', 'user', 'assistant'],
  ])
})

test('model names select Responses or Chat Completions', async () => {
  promise('F9')
  const upstream = await useUpstream(() => ({ text: 'Hi' }))
  await new Agency(agent('Solo', { model: 'openai/gpt-4.1' })).getResponse('Hi')
  expect(upstream.seen[0]?.body.model).toBe('gpt-4.1')
  const { url } = await startServer({
    agencies: { solo: new Agency(agent('Solo', { model: 'openai/gpt-4.1' })) },
    trustedModelOrigins: [upstream.origin],
  })
  await post(`${url}/solo/get_response`, { message: 'Hi', client_config: { base_url: upstream.baseURL } })
  expect(upstream.seen[1]?.body.model).toBe('openai/gpt-4.1')
  await expect(new Agency(agent('Solo', { model: 'litellm/nobody/claude' })).getResponse('Hi')).rejects.toMatchObject({
    code: 'MODEL_NOT_SUPPORTED',
    message: expect.stringContaining('anthropic'),
  })
  expect(new Agency(agent('Solo', { model: chatCompletions('gpt-4.1') })).getMetadata()).toMatchObject({
    nodes: [{ data: { model: 'gpt-4.1' } }],
  })
})

test('an agent that has run cannot be changed, and says how to go on', async () => {
  promise('F11')
  await useUpstream(() => ({ text: 'Hi' }))
  const solo = agent('Solo')
  solo.instructions = 'Still free.'
  await new Agency(solo).getResponse('Hi')
  expect(() => {
    solo.instructions = 'Too late.'
  }).toThrow(/agent\.clone\(\{ instructions/)
  expect(() => solo.addTool(tool({ name: 'x', execute: () => '' }))).toThrow(AgencyError)
  expect(solo.clone({ instructions: 'Copy.' }).instructions).toBe('Copy.')
})

test('a request ends at its limit of model turns and at 20 nested agents', async () => {
  promise('F12')
  const upstream = await useUpstream(() => ({ calls: [{ name: 'again', arguments: {} }] }))
  const again = tool({ name: 'again', execute: () => 'and again' })
  await expect(new Agency(agent('Solo', { tools: [again] })).getResponse('go')).rejects.toMatchObject({
    code: 'TURN_LIMIT',
  })
  expect(upstream.seen).toHaveLength(100)
  await expect(new Agency(agent('Solo', { tools: [again] })).getResponse('go', { maxTurns: 3 })).rejects.toThrow(
    /3 model turns/,
  )
  const nested = await useUpstream((body) => ({ calls: [ask(body.instructions === 'I am A.' ? 'B' : 'A')] }))
  const [a, b] = [agent('A'), agent('B')]
  const circular = new Agency(a, {
    communicationFlows: [
      [a, b],
      [b, a],
    ],
  })
  // A is busy with B and B with A after two steps: the third is refused as text, so the turns run out instead.
  await expect(circular.getResponse('go', { maxTurns: 30 })).rejects.toMatchObject({ code: 'TURN_LIMIT' })
  expect(nested.seen).toHaveLength(30)
  const chain = Array.from({ length: 23 }, (_, index) => agent(`N${index}`))
  await useUpstream((body) => ({ calls: [ask(`N${Number(/\d+/.exec(String(body.instructions))?.[0]) + 1}`)] }))
  await expect(
    new Agency(chain[0] as Agent, { communicationFlows: [flow(...chain)] }).getResponse('go'),
  ).rejects.toMatchObject({
    code: 'DEPTH_LIMIT',
  })
})

test('the metadata shows agents, tools, starters and edges', async () => {
  promise('B8')
  const lead = agent('Lead', { model: 'demo', conversationStarters: ['Hi?'], quickReplies: ['yes'] })
  const helper = agent('Helper', {
    model: 'demo',
    tools: [
      tool({ name: 'note', description: 'Notes.', parameters: z.object({ text: z.string() }), execute: () => '' }),
    ],
  })
  const { url } = await startServer({
    agencies: { team: new Agency(lead, { name: 'My Team', communicationFlows: [[lead, helper]] }) },
  })
  const metadata = (await (await fetch(`${url}/team/get_metadata`)).json()) as {
    nodes: { id: string; data: object }[]
    [key: string]: unknown
  }
  expect(metadata).toMatchObject({
    agency_swarm_version: '1.11.0',
    allowed_local_file_dirs: null,
    metadata: { agencyName: 'My Team', totalAgents: 2, totalTools: 1, entryPoints: ['Lead'] },
    edges: [
      { id: 'Helper->Helper_tool_0', type: 'owns' },
      { id: 'Lead->Helper', type: 'communication' },
    ],
  })
  const byId = Object.fromEntries(metadata.nodes.map((node) => [node.id, node.data]))
  expect(byId.Lead).toMatchObject({
    conversationStarters: ['Hi?'],
    quickReplies: ['yes'],
    isEntryPoint: true,
    hasSubagents: true,
  })
  expect(byId.Helper).toMatchObject({
    tools: [{ name: 'note', type: 'function', inputSchema: { properties: { text: { type: 'string' } } } }],
  })
})
