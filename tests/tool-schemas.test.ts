/** Schemas of tools, as models get them. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, BaseTool, SendMessage, tool } from '../src/index.ts'
import { isPortablePattern } from '../src/tools/portable-pattern.ts'
import { promise } from './promises.ts'
import { postAndRead, startServer, useUpstream } from './support/client.ts'
import { agent, define, type Json, offences, type Sent, sentBy } from './support/sent-schemas.ts'

/** Text types of zod: a value that fits, one that does not, and what is sent beside the type. */
const TEXTS: [name: string, type: z.ZodType, good: string, bad: string, sent: Json][] = [
  ['url', z.url(), 'https://a.example', 'no url', {}],
  ['email', z.email(), 'a@b.example', 'no email', { format: 'email' }],
  ['uuid', z.uuid(), '123e4567-e89b-42d3-a456-426614174000', 'no uuid', { format: 'uuid' }],
  ['cuid2', z.cuid2(), 'tz4a98xxat96iws9zmbrgj3a', 'NO', { pattern: '^[0-9a-z]+$' }],
  ['nanoid', z.nanoid(), 'V1StGXR8_Z5jdHi6B-myT', 'short', { pattern: '^[a-zA-Z0-9_-]{21}$' }],
  ['jwt', z.jwt(), 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln', 'no jwt', {}],
  ['e164', z.e164(), '+491234567', '0049', { pattern: '^\\+[1-9]\\d{6,14}$' }],
  ['cidrv4', z.cidrv4(), '10.0.0.0/8', '10.0.0.0', { pattern: expect.stringMatching(/^\^\(\(25/) }],
  ['emoji', z.emoji(), '🙂', 'x', {}],
  ['mac', z.mac(), '00:1A:2B:3C:4D:5E', '00', {}],
  ['base64', z.base64(), 'QUJD', '*', {}],
  ['ulid', z.ulid(), '01ARZ3NDEKTSV4RRFFQ69G5FAV', 'x', { pattern: expect.stringMatching(/^\^\[0-7\]/) }],
  ['hash', z.hash('sha256'), 'a'.repeat(64), 'a', { pattern: '^[0-9a-fA-F]{64}$' }],
  ['date', z.iso.date(), '2026-01-02', '2026-13-02', { format: 'date' }],
  ['duration', z.iso.duration(), 'P1D', '1 day', { format: 'duration' }],
  ['lookahead', z.string().regex(/^(?=.*\d).+$/), 'a1', 'a', {}],
  ['lookbehind', z.string().regex(/(?<!x)y/), 'y', 'xy', {}],
  ['named group', z.string().regex(/^(?<year>\d{4})$/), '2026', 'x', {}],
  ['property', z.string().regex(/^\p{Lu}\p{Ll}+$/u), 'Élodie', 'x', {}],
  ['back-reference', z.string().regex(/^(.)\1$/), 'aa', 'ab', {}],
  ['boundary', z.string().regex(/\bcat\b/), 'a cat', 'cats', {}],
  ['flags', z.string().regex(/^yes$/i), 'YES', 'no', {}],
  ['plain', z.string().regex(/^[A-Z]{2}-\d+$/), 'AB-1', 'ab', { pattern: '^[A-Z]{2}-\\d+$' }],
  ['lengths', z.string().min(2).max(3), 'ab', 'a', {}],
  ['prefix', z.string().startsWith('a'), 'ab', 'b', {}],
]

test.for(TEXTS)('zod text %s is sent in words of strict mode, and checked here', async ([, type, good, bad, sent]) => {
  promise('F5')
  const probe = define({ value: type })
  const [told] = await sentBy({ tools: [probe] })
  expect(told?.strict).toBe(true)
  expect(told?.parameters).toEqual({
    type: 'object',
    properties: { value: { type: 'string', ...sent } },
    required: ['value'],
    additionalProperties: false,
  })
  expect(offences(told?.parameters, true)).toEqual([])
  expect(await probe.check({ value: good }, [], 'model')).toEqual({ ok: true, value: { value: good } })
  expect((await probe.check({ value: bad }, [], 'model')).ok).toBe(false)
})

const tree = z.object({
  value: z.url(),
  get children() {
    return z.array(tree)
  },
})

const nested = (levels: number) =>
  Array.from({ length: levels }).reduce<z.ZodType>((inner) => z.object({ inner }), z.string())

const shapes = [
  z.object({ kind: z.literal('dot'), at: z.int() }),
  z.object({ kind: z.literal('box'), wide: z.number() }),
] as const

/** Other parameters: whether they are strict, arguments that fit, and some that do not. */
const SHAPES: [name: string, parameters: unknown, strict: boolean, good: Json, bad: Json][] = [
  ['tuple', z.object({ pair: z.tuple([z.string(), z.int()]) }), true, { pair: ['a', 1] }, { pair: [1, 'a'] }],
  [
    'unique list',
    { type: 'object', properties: { ids: { type: 'array', uniqueItems: true } } },
    false,
    { ids: [1] },
    { ids: 1 },
  ],
  ['record', z.object({ counts: z.record(z.string(), z.int()) }), false, { counts: { a: 1 } }, { counts: { a: 'x' } }],
  [
    'a free object',
    { type: 'object', properties: { meta: { type: 'object' } }, required: ['meta'] },
    false,
    { meta: { a: 1 } },
    { meta: 1 },
  ],
  ['an empty object', z.object({ meta: z.object({}) }), true, { meta: {} }, { meta: 1 }],
  ['default', z.object({ n: z.int().nullable().default(3) }), true, { n: 2 }, { n: 'x' }],
  ['recursion', tree, true, { value: 'https://a.example', children: [] }, { value: 'x', children: [] }],
  ['two patterns', { code: z.string().regex(/^a/).regex(/b$/) }, true, { code: 'ab' }, { code: 'ac' }],
  [
    'alternatives at the top',
    z.discriminatedUnion('kind', shapes),
    false,
    { kind: 'dot', at: 1 },
    { kind: 'box', at: 1 },
  ],
  ['alternatives below', z.object({ shape: z.union(shapes) }), true, { shape: { kind: 'dot', at: 1 } }, { shape: {} }],
  [
    'one of',
    z.xor([z.object({ a: z.string() }).strict(), z.object({ b: z.string() }).strict()]),
    false,
    { a: 'x' },
    {},
  ],
  ['11 levels', nested(11), false, JSON.parse(`${'{"inner":'.repeat(11)}"x"${'}'.repeat(11)}`), { inner: 1 }],
  ['10 levels', nested(10), true, JSON.parse(`${'{"inner":'.repeat(10)}"x"${'}'.repeat(10)}`), { inner: 1 }],
  ['many values', { v: z.enum(Array.from({ length: 1_001 }, (_, n) => `v${n}`)) }, false, { v: 'v9' }, { v: 'w' }],
  [
    'long values',
    { v: z.enum(Array.from({ length: 251 }, (_, n) => `${'v'.repeat(60)}${n}`)) },
    false,
    { v: `${'v'.repeat(60)}9` },
    { v: 'w' },
  ],
  ['anything', { v: z.any() }, false, { v: [1] }, [] as never],
  [
    'coerced',
    { at: z.coerce.date(), n: z.coerce.number() },
    true,
    { at: '2026-01-02T03:04:05Z', n: '4' },
    { at: 'x', n: 4 },
  ],
  [
    'data with a reference',
    {
      $ref: '#/definitions/A',
      definitions: { A: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] } },
    },
    true,
    { a: 'x' },
    { a: 1 },
  ],
]

test.for(SHAPES)(
  'parameters with %s go out in a portable form, and are checked here',
  async ([, parameters, strict, good, bad]) => {
    promise('F5')
    const probe = define(parameters)
    const [told] = await sentBy({ tools: [probe] })
    expect(told?.strict).toBe(strict)
    expect(offences(told?.parameters, strict)).toEqual([])
    expect((await probe.check(good, [], 'model')).ok).toBe(true)
    expect((await probe.check(bad, [], 'model')).ok).toBe(false)
  },
)

test('alternatives at the top are sent as one object', async () => {
  promise('F5')
  const got: unknown[] = []
  const draw = tool({
    name: 'draw',
    parameters: z.discriminatedUnion('kind', shapes),
    execute: (input) => {
      got.push(input)
      return 'drawn'
    },
  })
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'draw', arguments: { kind: 'box', wide: 2, at: null } }] } : { text: 'ok' },
  )
  await agent({ tools: [draw] }).getResponse('Draw')
  expect(got).toEqual([{ kind: 'box', wide: 2 }])
  const { url } = await startServer({ tools: [draw] })
  const served = await Promise.all(
    [{ kind: 'dot', at: 1 }, { kind: 'dot' }].map((body) => postAndRead(`${url}/tool/draw`, body)),
  )
  expect(served.map(({ status }) => status)).toEqual([200, 422])
  expect(upstream.seen[0]?.body.tools).toMatchObject([
    {
      parameters: {
        type: 'object',
        properties: {
          kind: { type: 'string', enum: ['dot', 'box'] },
          at: { type: 'integer' },
          wide: { type: 'number' },
        },
        required: ['kind'],
      },
    },
  ])
})

test('outputs and extra fields of messages are sent in the same form', async () => {
  promise('F1')
  class Planned extends SendMessage {
    static override extraParams = z.object({ link: z.url(), tree })
  }
  const upstream = await useUpstream(() => ({ text: '{"link":"https://a.example","code":"A"}' }))
  const outputType = z.object({ link: z.url(), code: z.string().regex(/^(?=A)A$/) })
  const [boss, other] = [agent({ outputType }), agent({ name: 'Other' })]
  const { finalOutput } = await new Agency(boss, { communicationFlows: [[boss, other, Planned]] }).getResponse('Hi')
  expect(finalOutput).toEqual({ link: 'https://a.example', code: 'A' })
  const { tools, text } = (upstream.seen[0]?.body ?? {}) as unknown as { tools: Sent[]; text: { format: Json } }
  expect(text.format).toMatchObject({ strict: true, schema: { properties: { link: { type: 'string' } } } })
  expect(offences(text.format.schema, true)).toEqual([])
  expect(offences(tools[0]?.parameters, false)).toEqual([])
  expect(tools[0]?.parameters).toMatchObject({ properties: { link: { type: 'string' }, tree: {} } })
  for (const odd of [z.string(), z.array(z.string()), z.object({ at: z.date() })])
    expect(() => new Agency(agent({ outputType: odd }))).toThrow(/outputType of agent "Assistant"/)
})

test.for([
  ['a text', z.string(), /must describe an object/],
  ['a list', z.array(z.string()), /must describe an object/],
  ['anything', z.any(), /must describe an object/],
  ['an object or a text', z.union([z.object({}), z.string()]), /must describe an object/],
  ['data of a text', { type: 'string' }, /must describe an object/],
  ['fields without a schema around them', { city: { type: 'string' } }, /must describe an object/],
  ['a number', 5, /zod 4 object/],
  ['a field that is not a type', { city: z.string(), days: 3 }, /"days" of tool "probe" is not a zod 4 type/],
  ['a date', { at: z.date() }, /z\.date\(\) at properties\.at, use z\.iso\.datetime\(\)/],
  ['a bigint', { id: z.bigint().optional() }, /z\.bigint\(\) at/],
  ['a map in a list', { maps: z.array(z.map(z.string(), z.string())) }, /z\.map\(\) at .*z\.record\(\)/],
  ['an instance', { at: z.instanceof(Date) }, /z\.custom\(\)/],
  ['a file', { scan: z.file() }, /z\.file\(\) at properties\.scan, use z\.base64\(\)/],
] as const)('parameters that are %s are refused at construction', ([, parameters, words]) => {
  promise('F5')
  expect(() => define(parameters)).toThrow(
    expect.objectContaining({ code: 'INVALID_TOOL', message: expect.stringMatching(words) }),
  )
})

test('a result of a type that JSON does not have is refused at construction', () => {
  promise('F5')
  const make = () => tool({ name: 'probe', returns: z.object({ at: z.date() }), execute: () => ({ at: new Date() }) })
  expect(make).toThrow(/result of tool "probe" .* z\.date\(\) at properties\.at/)
})

test('the fields of a zod object are taken as the object', async () => {
  promise('F5')
  const forecast = tool({
    name: 'forecast',
    parameters: { city: z.string(), days: z.int().optional() },
    execute: ({ city, days = 1 }) => `${city}: ${days}`,
  })
  await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'forecast', arguments: { city: 'Rome', days: '3' } }] } : { text: 'ok' },
  )
  const { newMessages } = await agent({ tools: [forecast] }).getResponse('Hi')
  expect(newMessages.find((item) => item.type === 'function_call_output')?.output).toBe('Rome: 3')
  expect(forecast.parameters).toEqual({
    type: 'object',
    properties: { city: { type: 'string' }, days: { type: 'integer' } },
    required: ['city'],
    additionalProperties: false,
  })
  expect(define({}).parameters).toEqual(define(undefined).parameters)
})

test.for([
  ['context', z.object({ decision_type: z.string(), context: z.string() })],
  ['run', z.object({ run: z.string() })],
  ['toolCallId', z.object({ toolCallId: z.string() })],
  ['constructor', z.object({ constructor: z.string() })],
  ['helper', z.object({ helper: z.string() })],
] as const)('a tool class whose field hides its member "%s" is refused', ([name, { shape }]) => {
  promise('F5')
  class Clash extends BaseTool.define(shape as z.ZodRawShape) {
    static override description = 'Clashes.'
    helper() {}
    run() {
      return ''
    }
  }
  expect(() => agent({ tools: [Clash as never] })).toThrow(
    expect.objectContaining({
      code: 'INVALID_TOOL',
      message: expect.stringContaining(`class Clash has the field "${name}"`),
    }),
  )
})

test.for([
  ['^[a-z]+$', true],
  ['^(?:a|b){1,3}\\.\\d$', true],
  ['^[^\\s/]*$', true],
  ['^a{2}[.^$]$', true],
  ['[a-z]', false],
  ['^a$|^b$', false],
  ['^(?i)a$', false],
  ['^(?!a).$', false],
  ['^\\p{L}$', false],
  ['^\\u0041$', false],
  ['^a{1001}$', false],
  ['^a{,3}$', false],
  ['^[a&&b]$', false],
  ['^[[a]]$', false],
  ['^(a$', false],
  [`^${'a'.repeat(1_000)}$`, false],
] as const)('the pattern %s is sent: %s', ([pattern, sent]) => {
  expect(isPortablePattern(pattern)).toBe(sent)
})

const NAMES: [name: string, first: string, second: string][] = [
  ['of another script', '用户', '订单'],
  ['with a space', 'Line Item', 'Line_Item'],
  ['with a slash', 'a/b', 'a b'],
]

test.for(NAMES)('definitions whose names are %s stay apart', async ([, first, second]) => {
  promise('F5')
  const one = z.object({ city: z.string() }).meta({ id: first })
  const two = z.object({ amount: z.number() }).meta({ id: second })
  const [told] = await sentBy({ tools: [define({ one, two, again: one })] })
  const { properties = {}, $defs = {} } = (told?.parameters ?? {}) as { [part: string]: { [name: string]: Json } }
  const fieldsOf = (field: string) => {
    const ref = String(properties[field]?.$ref).replace('#/$defs/', '')
    expect(ref).toMatch(/^[\w.-]+$/)
    return Object.keys($defs[ref]?.properties ?? {})
  }
  expect([fieldsOf('one'), fieldsOf('two'), fieldsOf('again')]).toEqual([['city'], ['amount'], ['city']])
})

test('a tool class has zod fields, and a wrong field is named', async () => {
  promise('F5')
  class Book extends BaseTool.define(z.strictObject({ city: z.string() })) {
    static override description = 'Books.'
    run() {
      return this.city.length
    }
  }
  const [told] = await sentBy({ tools: [Book] })
  expect(told?.parameters).toEqual({
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  })
  for (const odd of ['string', null, { type: 'string' }, String])
    expect(() => BaseTool.define({ city: odd as never })).toThrow(
      expect.objectContaining({ code: 'INVALID_TOOL', message: expect.stringContaining('"city"') }),
    )
})
