import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createCheck } from './check.ts'
import { schemaOf } from './define.ts'

const zodSchema = z.object({
  name: z.string(),
  count: z.int().min(0).optional(),
  ratio: z.number(),
  on: z.boolean(),
  list: z.array(z.int()),
  inner: z.object({ at: z.number() }).nullable(),
})
const schema = schemaOf(zodSchema)
const checks = {
  zod: createCheck(schema, zodSchema, 'ignore'),
  json: createCheck(schema, undefined, 'as-schema'),
}
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0))
const valid = fc.record(
  {
    name: fc.string(),
    count: fc.nat(),
    ratio: finite,
    on: fc.boolean(),
    list: fc.array(fc.integer(), { maxLength: 4 }),
    inner: fc.option(fc.record({ at: finite })),
  },
  { requiredKeys: ['name', 'ratio', 'on', 'list', 'inner'] },
)

test.for(Object.entries(checks))('%s: valid arguments pass, also as texts where safe', async ([, check]) => {
  await fc.assert(
    fc.asyncProperty(valid, async (value) => {
      expect(await check(value, [])).toEqual({ ok: true, value: { ...value } })
      const texts = { ...value, on: String(value.on), list: value.list.map(String) }
      expect(await check(texts, [])).toEqual({ ok: true, value: { ...value } })
    }),
  )
})

test.for(Object.entries(checks))('%s: invalid arguments are rejected with their place', async ([, check]) => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      const result = await check(value, ['body'])
      if (!result.ok)
        for (const detail of result.details) {
          expect(detail.loc[0]).toBe('body')
          expect(detail.msg.length).toBeGreaterThan(0)
        }
    }),
  )
  await fc.assert(
    fc.asyncProperty(valid, fc.constantFrom('name', 'ratio', 'on', 'list'), async (value, field) => {
      const result = await check({ ...value, [field]: { wrong: true } }, ['body'])
      expect(result.ok).toBe(false)
      expect(result.ok ? [] : result.details.map((detail) => detail.loc.slice(0, 2))).toEqual([['body', field]])
    }),
  )
})

test('strings stay strict, and numbers are not cut to fit', async () => {
  const check = createCheck(schemaOf(z.object({ text: z.string(), count: z.int() })), undefined, 'as-schema')
  expect(await check({ text: 5, count: 1 }, [])).toMatchObject({
    ok: false,
    details: [{ type: 'string_type', loc: ['text'] }],
  })
  expect(await check({ text: 'x', count: '1.5' }, [])).toMatchObject({ ok: false, details: [{ loc: ['count'] }] })
  expect(await check({ text: 'x', count: '99999999999999999999' }, [])).toMatchObject({ ok: false })
})

test('a hostile key neither passes nor pollutes', async () => {
  const check = createCheck(schema, undefined, 'as-schema')
  const hostile = JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"x": 1}}')
  expect((await check(hostile, [])).ok).toBe(false)
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
})

test.for(Object.entries(checks))('%s: a boolean may be a number, a fraction is no integer', async ([, check]) => {
  const rest = { name: 'n', ratio: 1, on: true, list: [], inner: null }
  expect(await check({ ...rest, count: true }, [])).toMatchObject({ ok: true, value: { count: 1 } })
  expect(await check({ ...rest, count: 1.5 }, ['body'])).toMatchObject({
    ok: false,
    details: [{ type: 'int_from_float', loc: ['body', 'count'], input: 1.5 }],
  })
})
