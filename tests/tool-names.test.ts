import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  Agency,
  Agent,
  type AgentOptions,
  BaseTool,
  chatCompletions,
  fileSearch,
  Handoff,
  hostedMcp,
  SendMessage,
  tool,
  toolFactory,
  webSearch,
} from '../src/index.ts'
import { toToolNames } from '../src/tools/names.ts'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'
import { mcpServer } from './support/mcp.ts'

type Json = { [key: string]: unknown }
const NAME = /^[a-zA-Z0-9_-]{1,64}$/
const agent = (options: Partial<AgentOptions> = {}) =>
  new Agent({ name: 'Assistant', instructions: 'Help.', model: 'gpt-4.1', ...options })
const offered = (body: Json | undefined) =>
  ((body?.tools ?? []) as { name?: string; function?: { name: string } }[]).map(
    (entry) => entry.name ?? entry.function?.name ?? '',
  )
const outputsOf = (messages: readonly Json[]) =>
  messages.filter((item) => item.type === 'function_call_output').map((item) => item.output)

test('every text gets a tool name of its own, and plain texts keep theirs', () => {
  promise('F4')
  const texts = [
    'Billing',
    'Customer Support',
    'Customer_Support',
    'customer_support',
    'Поддержка',
    'Продажи !!',
    '客服',
    'R&D / Ops',
    'R_D___Ops',
    'Élodie',
    'Elodie',
    'L'.repeat(80),
    'L'.repeat(81),
    '🙂',
    '',
  ]
  const names = toToolNames(texts, { prefix: 'transfer_to_', taken: ['transfer_to_Taken'] })
  expect(new Set(names).size).toBe(texts.length)
  for (const name of names) expect(name).toMatch(NAME)
  const named = Object.fromEntries(texts.map((text, index) => [text, names[index]]))
  expect(named).toMatchObject({
    Billing: 'transfer_to_Billing',
    Customer_Support: 'transfer_to_Customer_Support',
    customer_support: 'transfer_to_customer_support',
    R_D___Ops: 'transfer_to_R_D___Ops',
    Elodie: 'transfer_to_Elodie',
  })
  expect(named.Поддержка).toMatch(/^transfer_to__{9}_[0-9a-f]{8}$/)
  expect(toToolNames(['Taken'], { taken: ['Taken'] })[0]).toMatch(/^Taken_[0-9a-f]{8}$/)
  const alone = (text: string) => toToolNames([text], { prefix: 'transfer_to_' })[0]
  expect([alone('Customer Support'), alone('R&D / Ops'), alone('Élodie')]).toEqual([
    'transfer_to_Customer_Support',
    'transfer_to_R_D___Ops',
    'transfer_to_Elodie',
  ])
  expect(alone('L'.repeat(80)), 'a name does not depend on the others').toBe(named['L'.repeat(80)])
})

const AGENTS = ['Поддержка', 'Продажи', 'R&D / Ops', 'Élodie', 'L'.repeat(80), 'L'.repeat(81), 'Customer Support']

test.for(AGENTS.map((name, index) => ({ name, index })))(
  'hand-off $index has a name that providers take, and leads to its agent',
  async ({ name, index: place }) => {
    promise('F4')
    const upstream = await useUpstream((body, index) => {
      if (index > 0) return { text: 'done' }
      const wanted = offered(body)[place] as string
      return { calls: [{ name: wanted, arguments: { recipient_agent: name } }] }
    })
    const desk = agent({ name: 'Desk' })
    const targets = AGENTS.map((target) => agent({ name: target, instructions: `You are ${target}.` }))
    const agency = new Agency(desk, { communicationFlows: targets.map((target) => [desk, target, Handoff] as const) })
    const { newMessages } = await agency.getResponse('Hi')
    expect(newMessages.at(-1)?.agent).toBe(name)
    const names = offered(upstream.seen[0]?.body)
    expect(new Set(names).size).toBe(AGENTS.length)
    for (const each of names) expect(each).toMatch(NAME)
    expect(names.at(-1)).toBe('transfer_to_Customer_Support')
  },
)

test('recipients whose names differ only in case are both reachable', async () => {
  promise('F3')
  await useUpstream((body, index) => {
    const instructions = String(body.instructions)
    if (!instructions.includes('Lead')) return { text: instructions }
    const ask = (recipient_agent: string) => ({
      name: 'send_message',
      arguments: { recipient_agent, message: 'Hi', additional_instructions: '' },
    })
    return index === 0 ? { calls: [ask('Dev'), ask('dev'), ask('OPS')] } : { text: 'ok' }
  })
  const lead = agent({ name: 'Lead', instructions: 'Lead' })
  const others = ['Dev', 'dev', 'Ops'].map((name) => agent({ name, instructions: `I am ${name}` }))
  const agency = new Agency(lead, { communicationFlows: others.map((other) => [lead, other] as const) })
  const { newMessages } = await agency.getResponse('Hi')
  expect(outputsOf(newMessages)).toEqual(['I am Dev', 'I am dev', 'I am Ops'])
})

const NONE = { type: 'object', properties: {} }
const LONG = 'drug_interactions_in_the_database_of_the_food_and_drug_agency_by_'

test.for([
  {
    about: 'two servers with one tool name',
    servers: [mcpServer({ create_issue: NONE }, 'GitHub'), mcpServer({ create_issue: NONE, read: NONE }, 'Linear')],
    names: ['GitHub_create_issue', 'Linear_create_issue', 'read'],
  },
  {
    about: 'servers whose names are addresses',
    servers: [mcpServer({ search: NONE }), mcpServer({ search: NONE })],
    names: ['mcp1_search', 'mcp2_search'],
  },
  {
    about: 'servers with one name',
    servers: [mcpServer({ search: NONE }, 'Docs'), mcpServer({ search: NONE }, 'Docs')],
    names: ['Docs_search', expect.stringMatching(/^Docs_search_[0-9a-f]{8}$/)],
  },
  {
    about: 'names that are equal after cleaning',
    servers: [mcpServer({ 'read.file': NONE, read_file: NONE, 'read/file': NONE }, 'Files')],
    names: [
      expect.stringMatching(/^read_file_[0-9a-f]{8}$/),
      'read_file',
      expect.stringMatching(/^read_file_[0-9a-f]{8}$/),
    ],
  },
  {
    about: 'names with one beginning of 64 characters',
    servers: [mcpServer({ [`${LONG}name`]: NONE, [`${LONG}manufacturer`]: NONE }, 'Drugs')],
    names: [expect.stringMatching(/^drug_.*_[0-9a-f]{8}$/), expect.stringMatching(/^drug_.*_[0-9a-f]{8}$/)],
  },
  {
    about: 'names of the agent itself',
    servers: [mcpServer({ mine: NONE, send_message: NONE, transfer_to_Billing: NONE, web_search: NONE }, 'Odd')],
    names: ['Odd_mine', 'Odd_send_message', 'Odd_transfer_to_Billing', 'Odd_web_search'],
  },
])('MCP tools are all reachable under different names: $about', async ({ servers, names }) => {
  promise('F1')
  const own = ['mine', 'send_message', 'transfer_to_Billing', 'web_search']
  let found: string[] = []
  await useUpstream((body) => {
    const asked = (body.messages as Json[]).some((message) => message.role === 'tool')
    found = offered(body).filter((name) => !own.includes(name))
    const tool_calls = found.map((name, index) => ({ id: `c${index}`, function: { name, arguments: '{}' } }))
    const message = asked ? { content: 'done' } : { tool_calls }
    return { json: { choices: [{ index: 0, message, finish_reason: 'stop' }], usage: {} } }
  })
  const solo = agent({
    model: chatCompletions('gpt-4.1'),
    tools: [tool({ name: 'mine', execute: () => 'mine' }), webSearch()],
    mcpServers: servers.map(({ server }) => server),
  })
  const other = agent({ name: 'Other' })
  const billing = agent({ name: 'Billing' })
  const flows = [[solo, other] as const, [solo, billing, Handoff] as const]
  await new Agency(solo, { communicationFlows: flows }).getResponse('Hi')
  expect(found).toEqual(names)
  for (const name of found) expect(name).toMatch(NAME)
  const called = servers.flatMap(({ calls }) => calls.map((call) => call.tool))
  expect(called).toHaveLength(names.length)
  const listed = await Promise.all(servers.map(({ server }) => server.listTools()))
  expect(called).toEqual(listed.flat().map((entry) => (entry as { name: string }).name))
})

class Lookup extends BaseTool.define({ q: z.string() }) {
  static override description = 'Looks up.'
  run() {
    return this.q
  }
}
const make = (name: string) => tool({ name, execute: () => '' })
const shared = make('shared')

test.for([
  ['two functions', () => agent({ tools: [make('look'), make('look')] })],
  ['a class and a function', () => agent({ tools: [Lookup, make('Lookup')] })],
  [
    'two described tools',
    () => toolFactory.getOpenApiSchema([make('look'), make('look')], { url: 'https://a.example' }),
  ],
  ['an own and a shared tool', () => new Agency(agent({ tools: [make('look')] }), { sharedTools: [make('look')] })],
  [
    'two file searches',
    () => agent({ tools: [fileSearch({ vectorStoreIds: 'a' }), fileSearch({ vectorStoreIds: 'b' })] }),
  ],
  [
    'two hosted servers',
    () =>
      agent({
        tools: ['a', 'b'].map((host) => hostedMcp({ serverLabel: 'docs', serverUrl: `https://${host}.example` })),
      }),
  ],
] as const)('%s that differ and have one name are an error that names it', ([, construct]) => {
  promise('F1')
  expect(construct).toThrow(
    expect.objectContaining({
      code: 'DUPLICATE_NAME',
      message: expect.stringMatching(/"(look|Lookup|file_search|docs)"/),
    }),
  )
})

test('one tool that is given twice is one tool', () => {
  const solo = agent({ tools: [shared, Lookup, webSearch(), webSearch(), Lookup] })
  expect(solo.tools.map(({ name }) => name)).toEqual(['shared', 'Lookup', 'web_search'])
  const { metadata } = new Agency(solo, { sharedTools: [shared, Lookup, webSearch()] }).getMetadata()
  expect(metadata).toMatchObject({ totalTools: 3 })
})

test('two send_message classes of one sender need two tool names', () => {
  promise('F2')
  class First extends SendMessage {}
  class Second extends SendMessage {
    static override toolName = 'send_message_second'
  }
  class Clash extends SendMessage {
    static override extraParams = z.object({ message: z.string() })
  }
  class Odd extends SendMessage {
    static override toolName = 'send_message to all'
  }
  const [a, b, c] = ['A', 'B', 'C'].map((name) => agent({ name })) as [Agent, Agent, Agent]
  const join = (one: typeof SendMessage, two: typeof SendMessage) => () =>
    new Agency(a, { communicationFlows: [[a, b, one] as const, [a, c, two] as const] })
  expect(join(SendMessage, First)).toThrow(/"send_message": SendMessage and First/)
  expect(join(SendMessage, Second)).not.toThrow()
  expect(join(SendMessage, Clash)).toThrow(/the field "message"/)
  expect(join(SendMessage, Odd)).toThrow(/"send_message to all" .* is not valid/)
})

test.for([
  ['ein Werkzeug', /"ein Werkzeug" is not valid/],
  ['größe', /"größe" is not valid/],
  ['x'.repeat(65), /is not valid: use 1 to 64/],
] as const)('a tool of your own named "%s" is refused at construction', ([name, words]) => {
  promise('F5')
  expect(() => make(name)).toThrow(words)
  class Named extends BaseTool.define({}) {
    static readonly toolName = name
    static override description = 'Named.'
    run() {
      return ''
    }
  }
  expect(() => agent({ tools: [Named] })).toThrow(words)
  expect(() => agent({ tools: [Named] })).toThrow(/static toolName/)
})
