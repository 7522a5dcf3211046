import { expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, type AgentOptions, BaseTool, SendMessage, type ToolLike, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { postAndRead, startServer, useUpstream } from './support/client.ts'
import { mcpServer } from './support/mcp.ts'

type Json = { [key: string]: unknown }

/** What the model reads after it called the tool `probe` once with each of these arguments. */
async function callProbe(options: Partial<AgentOptions>, ...args: (Json | string)[]): Promise<unknown[]> {
  const output = args.map((given, index) => ({
    type: 'function_call',
    id: `fc_${index}`,
    call_id: `call_${index}`,
    name: 'probe',
    arguments: typeof given === 'string' ? given : JSON.stringify(given),
    status: 'completed',
  }))
  await useUpstream((_body, index) => (index === 0 ? { output } : { text: 'ok' }))
  const solo = new Agent({ name: 'Assistant', model: 'gpt-4.1', ...options })
  const { newMessages } = await solo.getResponse('Hi')
  return newMessages.filter((item) => item.type === 'function_call_output').map((item) => item.output)
}

const probe = (parameters: unknown) =>
  tool({ name: 'probe', parameters: parameters as Json, execute: (input) => JSON.stringify(input) })
class Probe extends BaseTool.define({ q: z.string(), limit: z.int().optional() }) {
  static readonly toolName = 'probe'
  static override description = 'Probes.'
  run() {
    return JSON.stringify({ q: this.q, limit: this.limit })
  }
}
const data = (fields: Json, required: string[] = []): Json => ({
  type: 'object',
  properties: fields,
  required,
  additionalProperties: false,
})
const integer = { type: 'integer' }

const shape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('dot'), label: z.string().optional() }),
  z.object({ kind: z.literal('box'), label: z.string().nullable() }),
])
const nullable = { q: z.string(), page: z.int().nullable(), note: z.string().nullish() }
const list = { rows: z.array(z.object({ id: z.int(), name: z.string().optional() })) }
const reference = { $defs: { n: integer }, ...data({ n: { $ref: '#/$defs/n' }, m: { $ref: '#/$defs/n' } }, ['m']) }

test.for<[name: string, tool: ToolLike, given: Json, used: Json]>([
  ['an optional number', probe({ q: z.string(), limit: z.number().optional() }), { q: 'x', limit: null }, { q: 'x' }],
  ['an optional text with a rule', probe({ q: z.url().optional() }), { q: null }, {}],
  ['a default', probe({ n: z.int().default(3) }), { n: null }, { n: 3 }],
  ['nulls that fit', probe(nullable), { q: 'x', page: null, note: null }, { q: 'x', page: null, note: null }],
  ['a list', probe(list), { rows: [{ id: 1, name: null }] }, { rows: [{ id: 1 }] }],
  ['an alternative', probe({ shape }), { shape: { kind: 'dot', label: null } }, { shape: { kind: 'dot' } }],
  [
    'another alternative',
    probe({ shape }),
    { shape: { kind: 'box', label: null } },
    { shape: { kind: 'box', label: null } },
  ],
  ['data', probe(data({ n: integer })), { n: null }, {}],
  ['data with a reference', probe(reference), { n: null, m: 1 }, { m: 1 }],
  ['data that takes null', probe(data({ n: { type: ['integer', 'null'] } })), { n: null }, { n: null }],
  ['data with alternatives', probe(data({ n: { anyOf: [integer, { type: 'null' }] } })), { n: null }, { n: null }],
  ['a class', Probe, { q: 'x', limit: null }, { q: 'x' }],
])('a null for an optional field counts as absent: %s', async ([, probed, given, used]) => {
  promise('F5')
  const [output] = await callProbe({ tools: [probed] }, given)
  expect(JSON.parse(String(output))).toEqual(used)
})

test('wrong values of a model are still refused', async () => {
  promise('F5')
  const outputs = await callProbe(
    { tools: [probe({ q: z.string(), limit: z.int().optional() })] },
    { q: null },
    {
      q: 'x',
      limit: 'many',
    },
  )
  expect(outputs).toEqual([
    expect.stringMatching(/q: Input should be a valid string/),
    expect.stringMatching(/limit: /),
  ])
})

test.for<[name: string, tool: ToolLike, given: Json, used: Json]>([
  ['a zod object', probe(z.object({ q: z.string() })), { q: 'x', extra: 1 }, { q: 'x' }],
  ['fields below', probe({ in: z.object({ q: z.string() }) }), { in: { q: 'x', extra: 1 } }, { in: { q: 'x' } }],
  ['data', probe(data({ q: { type: 'string' } })), { q: 'x', extra: 1 }, { q: 'x' }],
  ['data below', probe(data({ in: data({ n: integer }) })), { in: { n: 1, extra: 1 } }, { in: { n: 1 } }],
  ['no arguments', probe(undefined), { extra: 1 }, {}],
  ['a class', Probe, { q: 'x', extra: 1 }, { q: 'x' }],
  ['open data', probe({ type: 'object', properties: {} }), { extra: 1 }, { extra: 1 }],
  ['a loose object', probe(z.looseObject({})), { extra: 1 }, { extra: 1 }],
])('fields a tool does not know are left out in a run: %s', async ([, probed, given, used]) => {
  promise('F5')
  const [output] = await callProbe({ tools: [probed] }, given)
  expect(JSON.parse(String(output))).toEqual(used)
})

test('an object that is declared strict refuses them, and so does HTTP', async () => {
  promise('F5')
  const [output] = await callProbe({ tools: [probe(z.strictObject({ q: z.string() }))] }, { q: 'x', extra: 1 })
  expect(output).toMatch(/extra: Extra inputs are not permitted/)
  const { url } = await startServer({ tools: [probe({ q: z.string(), limit: z.int().optional() })] })
  const refused = await Promise.all(
    [
      { q: 'x', extra: 1 },
      { q: 'x', limit: null },
    ].map((body) => postAndRead(`${url}/tool/probe`, body)),
  )
  expect(refused.map(({ status, body }) => [status, body.detail[0].type])).toEqual([
    [422, 'extra_forbidden'],
    [422, 'int_type'],
  ])
})

test('extra fields of a send_message class are read alike', async () => {
  promise('F3')
  class Planned extends SendMessage {
    static override extraParams = z.object({ days: z.int().optional(), plan: z.string().min(3) })
  }
  const [lead, helper] = ['Lead', 'Helper'].map((name) => new Agent({ name, instructions: name, model: 'gpt-4.1' }))
  const ask = (extra: Json) => ({
    name: 'send_message',
    arguments: { recipient_agent: 'Helper', message: 'Hi', additional_instructions: '', ...extra },
  })
  await useUpstream((body, index) =>
    index === 0
      ? { calls: [ask({ plan: 'Look', days: null, more: 1 }), ask({ plan: 'x' })] }
      : { text: String(body.instructions) },
  )
  const agency = new Agency(lead as Agent, { communicationFlows: [[lead as Agent, helper as Agent, Planned]] })
  const { newMessages } = await agency.getResponse('Hi')
  const outputs = newMessages.filter((item) => item.type === 'function_call_output').map((item) => item.output)
  expect(outputs).toEqual(['Helper', expect.stringMatching(/"send_message" do not fit\. plan: /)])
})

test('a non-strict SDK function checks its own arguments', async () => {
  promise('F5')
  const foreign: ToolLike = {
    type: 'function',
    name: 'probe',
    description: 'What getAllMcpTools() makes of a tool of a server.',
    strict: false,
    parameters: { type: 'object', properties: { q: { type: 'string', pattern: '^(a+)+$' } }, required: ['q'] },
    invoke: async (_context, input) => input,
  }
  const given = { q: `${'a'.repeat(28)}!`, more: 1 }
  expect(await callProbe({ tools: [foreign] }, given, {})).toEqual([
    JSON.stringify(given),
    expect.stringMatching(/q: Field required/),
  ])
})

test.for(['', ' \n', 'null', '{}'])('the arguments %j are none', async (given) => {
  promise('F5')
  expect(await callProbe({ tools: [probe({ n: z.int().optional() })] }, given)).toEqual(['{}'])
})

const search = {
  type: 'object',
  properties: {
    q: { type: 'string' },
    limit: integer,
    when: { type: 'string', format: 'date-time' },
    link: { type: 'string', format: 'uri-reference' },
    code: { type: 'string', pattern: '^[A-Z]+$' },
    page: { type: ['integer', 'null'] },
    filter: { anyOf: [{ type: 'object', properties: { tag: { type: 'string' } } }, { type: 'null' }] },
    ids: { type: 'array', items: { type: 'string' } },
  },
  required: ['q'],
  additionalProperties: false,
}

test.for<[name: string, given: Json, asked: Json]>([
  ['a null for an optional integer', { q: 'x', limit: null }, { q: 'x' }],
  ['a null that fits', { q: 'x', page: null }, { q: 'x', page: null }],
  ['a null below', { q: 'x', filter: { tag: null } }, { q: 'x', filter: {} }],
  ['a time without a zone', { q: 'x', when: '2026-01-02T03:04:05' }, { q: 'x', when: '2026-01-02T03:04:05' }],
  ['a path as a reference', { q: 'x', link: '/a/b' }, { q: 'x', link: '/a/b' }],
  ['a pattern', { q: 'x', code: 'abc' }, { q: 'x', code: 'abc' }],
  ['a field more', { q: 'x', more: 1 }, { q: 'x', more: 1 }],
  ['a list as a text', { q: 'x', ids: '["a"]' }, { q: 'x', ids: '["a"]' }],
  ['a number as a text', { q: 'x', limit: '5' }, { q: 'x', limit: 5 }],
  ['a number for a text', { q: 5 }, { q: 5 }],
])('what an MCP server is asked is for the server to judge: %s', async ([, given, asked]) => {
  promise('F1')
  const { server, calls } = mcpServer({ probe: search })
  await callProbe({ mcpServers: [server] }, given, {})
  expect(calls, 'only a call without a required field is refused here').toEqual([{ tool: 'probe', args: asked }])
})

const letters = 'a'.repeat(28)
const bomb = { type: 'string', pattern: '^(a+)+$' }
const chain = Object.fromEntries(
  Array.from({ length: 22 }, (_, n) => {
    const next = { $ref: `#/$defs/d${n + 1}` }
    return [`d${n}`, { anyOf: [next, next] }]
  }),
)
const joined = Object.fromEntries(
  Array.from({ length: 22 }, (_, n) => {
    const next = { $ref: `#/$defs/d${n + 1}` }
    return [`d${n}`, { allOf: [next, next] }]
  }),
)
const chained = { $defs: { ...chain, d22: { type: 'integer' } } }

test.for<[name: string, inputSchema: Json, given: Json]>([
  ['a pattern', { type: 'object', properties: { q: bomb } }, { q: `${letters}!` }],
  ['patterns of names', { type: 'object', patternProperties: { '^(a+)+$': {} } }, { [`${letters}!`]: 1 }],
  ['alternatives that double', { type: 'object', properties: { q: { $ref: '#/$defs/d0' } }, ...chained }, { q: null }],
  [
    'parts that double',
    { type: 'object', properties: { q: { allOf: [{ $ref: '#/$defs/d0' }] } }, ...chained },
    { q: 'x' },
  ],
  [
    'parts of parts that double',
    { type: 'object', properties: { q: { $ref: '#/$defs/d0' } }, $defs: { ...joined, d22: { type: 'integer' } } },
    { q: null },
  ],
  ['a circle', { type: 'object', properties: { q: { $ref: '#/properties/q' } } }, { q: null }],
])('a hostile schema of an MCP server is not run: %s', async ([, inputSchema, given]) => {
  promise('F1')
  const { server, calls } = mcpServer({ probe: inputSchema })
  await callProbe({ mcpServers: [server] }, given)
  expect(calls).toHaveLength(1)
})

const isOslo = async (city: string) => city === 'Oslo'
class Patient extends BaseTool.define(z.object({ city: z.string() })) {
  static readonly toolName = 'probe'
  static override description = 'Probes.'
  static override refine = async ({ city }: { city: string }) => ((await isOslo(city)) ? undefined : 'only Oslo')
  run() {
    return JSON.stringify({ city: this.city })
  }
}
const broken = (city: string): boolean => {
  if (city !== 'Oslo') throw new Error('only Oslo')
  return true
}
const measured = z.object({ city: z.string() }).refine(({ city }) => isOslo(city), 'only Oslo')

test.for<[name: string, tool: ToolLike, used: Json]>([
  ['an asynchronous rule of a field', probe({ city: z.string().refine(isOslo, 'only Oslo') }), { city: 'Oslo' }],
  ['an asynchronous rule of the whole', probe(measured), { city: 'Oslo' }],
  [
    'an asynchronous conversion',
    probe({
      city: z
        .string()
        .refine(isOslo, 'only Oslo')
        .transform(async (city) => city.length),
    }),
    { city: 4 },
  ],
  ['a rule that throws', probe({ city: z.string().refine(broken) }), { city: 'Oslo' }],
  ['a conversion that throws', probe({ city: z.string().transform((city) => broken(city) && city) }), { city: 'Oslo' }],
  ['an asynchronous rule of a class', Patient, { city: 'Oslo' }],
])('%s is waited for and tells the model what is wrong', async ([, probed, used]) => {
  promise('F5')
  const outputs = await callProbe({ tools: [probed] }, { city: 'Oslo' }, { city: 'Rome' })
  expect(JSON.parse(String(outputs[0]))).toEqual(used)
  expect(outputs[1]).toMatch(/^Error: (city: )?only Oslo$/)
  const { url } = await startServer({ tools: [probed] })
  expect(await postAndRead(`${url}/tool/probe`, { city: 'Rome' })).toMatchObject({
    status: 422,
    body: { detail: [{ msg: 'Value error, only Oslo' }] },
  })
})

test('a class that declares its fields again keeps their values', async () => {
  promise('F5')
  class Again extends BaseTool.define({ city: z.string(), days: z.int().optional() }) {
    static readonly toolName = 'probe'
    static override description = 'Probes.'
    override city!: string
    run() {
      return JSON.stringify({ city: this.city, days: this.days })
    }
  }
  const outputs = await callProbe({ tools: [Again] }, { city: 'Oslo', days: 2 }, { city: 'Rome' })
  expect(outputs).toEqual(['{"city":"Oslo","days":2}', '{"city":"Rome"}'])
})
