/** Schemas of MCP tools, as models get them. */
import { expect, test } from 'vitest'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'
import { mcpServer } from './support/mcp.ts'
import { agent, type Json, offences, type Sent } from './support/sent-schemas.ts'

const AB = { a: { type: 'string' }, b: { type: 'string' } }

const deep = (levels: number) => JSON.parse(`${'{"properties":{"a":'.repeat(levels)}{}${'}}'.repeat(levels)}`)

const doubling = Object.fromEntries(
  Array.from({ length: 40 }, (_, n) => {
    const next = { $ref: `#/$defs/d${n + 1}`, description: 'next' }
    return [`d${n}`, { type: 'object', properties: { x: next, y: next } }]
  }),
)

/** Schemas of MCP servers, and what is sent of them. */
const FOREIGN: [name: string, inputSchema: unknown, sent: Json][] = [
  [
    'oneOf at the top',
    { type: 'object', properties: AB, oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    { properties: AB },
  ],
  [
    'anyOf at the top',
    {
      anyOf: [
        { type: 'object', properties: { a: AB.a }, required: ['a'] },
        { type: 'object', properties: { b: AB.b } },
      ],
    },
    { properties: AB },
  ],
  [
    'allOf at the top',
    {
      allOf: [{ properties: { a: AB.a }, required: ['a'] }, { $ref: '#/$defs/b' }],
      $defs: { b: { properties: { b: AB.b } } },
    },
    { properties: AB, required: ['a'] },
  ],
  [
    'not and if at the top',
    { type: 'object', properties: AB, not: { required: ['b'] }, if: {}, else: {} },
    { properties: AB },
  ],
  ['no type', { properties: AB, required: ['a', 'gone'] }, { properties: AB, required: ['a'] }],
  ['null beside the object', { type: ['object', 'null'], properties: AB }, { properties: AB }],
  ['a list', [], { properties: {} }],
  ['nothing', undefined, { properties: {} }],
  [
    'boolean parts',
    { type: 'object', properties: { a: true, b: false, c: { type: 'array', items: true } } },
    { properties: { a: {}, c: { type: 'array', items: {} } } },
  ],
  [
    'a tuple of draft 7',
    { type: 'object', properties: { t: { type: 'array', items: [{ type: 'string' }, { type: 'number' }] } } },
    { properties: { t: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'number' }] } } } },
  ],
  [
    'definitions of draft 7',
    { type: 'object', properties: { a: { $ref: '#/definitions/Id' } }, definitions: { Id: { type: 'string' } } },
    { properties: { a: { $ref: '#/$defs/Id' } }, $defs: { Id: { type: 'string' } } },
  ],
  [
    'a reference with a note',
    {
      type: 'object',
      properties: { a: { $ref: '#/$defs/Id', description: 'Its id' } },
      $defs: { Id: { type: 'string' } },
    },
    { properties: { a: { type: 'string', description: 'Its id' } } },
  ],
  [
    'references to nothing and outside',
    { type: 'object', properties: { a: { $ref: '#/$defs/gone' }, b: { $ref: 'https://a.example/b.json' } } },
    { properties: { a: {}, b: {} } },
  ],
  [
    'references in a circle',
    {
      type: 'object',
      properties: { a: { $ref: '#/$defs/a' } },
      $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } },
    },
    { properties: { a: {} } },
  ],
  [
    'OpenAPI words',
    { type: 'object', properties: { a: { type: 'string', nullable: true, example: 'x', xml: {} } } },
    { properties: { a: { type: ['string', 'null'] } } },
  ],
  [
    'draft-4 words',
    { type: 'object', properties: { n: { type: 'integer', minimum: 1, exclusiveMinimum: true, required: true } } },
    { properties: { n: { type: 'integer', minimum: 1 } } },
  ],
  [
    'loud types',
    { type: 'OBJECT', properties: { n: { type: 'INTEGER' }, x: { type: 'any' } } },
    { properties: { n: { type: 'integer' }, x: {} } },
  ],
  [
    'formats and patterns of others',
    {
      type: 'object',
      properties: {
        u: { type: 'string', format: 'uri-reference' },
        p: { type: 'string', pattern: '^(?!x)' },
        d: { type: 'string', format: 'date-time' },
      },
    },
    { properties: { u: { type: 'string' }, p: { type: 'string' }, d: { type: 'string', format: 'date-time' } } },
  ],
  [
    'a field called pattern',
    {
      type: 'object',
      properties: { pattern: { type: 'string' }, format: { type: 'string' }, oneOf: { type: 'string' } },
    },
    { properties: { pattern: { type: 'string' }, format: { type: 'string' }, oneOf: { type: 'string' } } },
  ],
  [
    'pydantic options',
    {
      type: 'object',
      properties: { n: { anyOf: [{ type: 'integer' }, { type: 'null' }], default: null, title: 'N' } },
    },
    { properties: { n: { anyOf: [{ type: 'integer' }, { type: 'null' }], default: null, title: 'N' } } },
  ],
  ['a thousand levels', { type: 'object', ...deep(1_000) }, { properties: {}, additionalProperties: true }],
  [
    'a huge list of values',
    { type: 'object', properties: { a: { enum: Array.from({ length: 100_000 }, (_, n) => `value ${n}`) } } },
    { properties: {}, additionalProperties: true },
  ],
  [
    'references that double',
    { $ref: '#/$defs/d0', $defs: { ...doubling, d40: {} } },
    { properties: {}, additionalProperties: true },
  ],
]

test.for(FOREIGN)(
  'an MCP schema with %s is sent in a form that every provider takes',
  async ([, inputSchema, sent]) => {
    promise('F1')
    const { server, calls } = mcpServer({ probe: inputSchema })
    const upstream = await useUpstream((_body, index) =>
      index === 0 ? { calls: [{ name: 'probe', arguments: { a: 'x' } }] } : { text: 'ok' },
    )
    await agent({ mcpServers: [server] }).getResponse('Hi')
    const [told] = (upstream.seen[0]?.body.tools ?? []) as unknown as Sent[]
    expect(told?.parameters).toEqual({ type: 'object', ...sent })
    expect(offences(told?.parameters, false)).toEqual([])
    expect(calls).toEqual([{ tool: 'probe', args: { a: 'x' } }])
  },
)
