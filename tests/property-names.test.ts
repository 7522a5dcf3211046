import { expect, test } from 'vitest'
import { z } from 'zod'
import { tool } from '../src/index.ts'
import { createCheck, createServerCheck } from '../src/tools/check.ts'
import { toPortable } from '../src/tools/portable-schema.ts'
import { restoreNames, toSentNames } from '../src/tools/property-names.ts'
import { CHAT, chunk, DONE, setUp, whole } from './support/answers.ts'
import { sendWith } from './support/sent.ts'

const LONG = 'settings__'.repeat(8)
test.each([
  [
    ['city', 'a.b', 'x-y'],
    ['city', 'a.b', 'x-y'],
  ],
  [
    ['filter[id]', '$top', '@odata.type', 'Account Number'],
    ['filter_id', 'top', 'odata.type', 'Account_Number'],
  ],
  [
    ['filter[id]', 'filter_id', 'filter(id)'],
    ['filter_id_', 'filter_id', 'filter_id_'],
  ],
  [
    ['日本', '', LONG],
    ['field_', 'field_', LONG.slice(0, 50)],
  ],
])('property names %j are sent as names that providers accept', (names, starts) => {
  const sent = [...toSentNames(names).values()]
  expect(new Set(sent).size).toBe(names.length)
  for (const [index, name] of sent.entries()) {
    expect(name).toMatch(/^[a-zA-Z0-9_.-]{1,64}$/)
    expect(name.startsWith(starts[index] as string)).toBe(true)
  }
  expect([...toSentNames(names).values()]).toEqual(sent)
})

const nested = {
  type: 'object',
  properties: {
    'filter[id]': { type: 'string' },
    'page options': { $ref: '#/$defs/page' },
    rows: {
      type: 'array',
      items: {
        anyOf: [{ type: 'object', properties: { '@id': { type: 'integer' } }, required: ['@id'] }, { type: 'null' }],
      },
    },
  },
  required: ['filter[id]', 'page options'],
  additionalProperties: false,
  $defs: { page: { type: 'object', properties: { 'size (max)': { type: 'integer' } }, required: ['size (max)'] } },
}
const SENT = { filter_id: 'a', page_options: { size_max: 2 }, rows: [{ id: 3 }, null] }
const MEANT = { 'filter[id]': 'a', 'page options': { 'size (max)': 2 }, rows: [{ '@id': 3 }, null] }

test('names are mapped at every depth, and back in arguments', () => {
  const portable = JSON.stringify(toPortable(nested))
  for (const name of ['filter_id', 'page_options', 'size_max']) expect(portable).toContain(`"${name}":{`)
  expect(toPortable(nested)).toMatchObject({
    required: ['filter_id', 'page_options'],
    properties: { filter_id: { title: 'filter[id]' } },
  })
  expect(restoreNames(SENT, nested)).toEqual(MEANT)
  expect(restoreNames(MEANT, nested)).toEqual(MEANT)
})

test('arguments with restored names are checked', async () => {
  const check = createCheck(nested, undefined, 'as-schema')
  expect(await check(SENT, [], 'model')).toEqual({ ok: true, value: MEANT })
  expect((await check({ ...SENT, filter_id: 5 }, [], 'model')).ok).toBe(false)
  expect((await check({ rows: [] }, [], 'model')).ok).toBe(false)
  const server = createServerCheck(nested, toPortable(nested).required)
  expect(await server(SENT, [])).toEqual({ ok: true, value: MEANT })
  expect((await server({ filter_id: 'a' }, [])).ok).toBe(false)
})

test.each(['gpt-5.4', 'groq/llama', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash'])(
  '%s gets accepted names only',
  async (model) => {
    const search = tool({
      name: 'search',
      parameters: z.object({ 'filter[id]': z.string(), $top: z.number() }),
      execute: () => '',
    })
    const body = JSON.stringify((await sendWith(model, [], { tools: [search] as never })).tools)
    expect(body).toContain('"filter_id":{')
    expect(body).not.toMatch(/"(filter\[id\]|\$top)":/)
  },
)

test('a tool gets its own names for what the model wrote', async () => {
  const ran: object[] = []
  const search = tool({
    name: 'search',
    parameters: z.object({ 'filter[id]': z.string(), $top: z.number() }),
    execute: (args) => void ran.push(args),
  })
  const args = '{"filter_id":"a","top":5}'
  const call = { id: 'c', type: 'function', function: { name: 'search', arguments: args } }
  const first = {
    events: [chunk({ tool_calls: [{ index: 0, ...call }] }, 'tool_calls')],
    json: whole({ tool_calls: [call] }, 'tool_calls'),
  }
  const { ask } = await setUp(CHAT, [first, DONE, first, DONE], { agent: { tools: [search] } })
  for (const streamed of [true, false]) expect((await ask(streamed)).text).toBe('Done.')
  expect(ran).toEqual([
    { 'filter[id]': 'a', $top: 5 },
    { 'filter[id]': 'a', $top: 5 },
  ])
})

test('structured output has its own names', async () => {
  const outputType = z.object({ 'Account Number': z.string() })
  const json = '{"Account_Number":"42"}'
  const { seen, url } = await setUp(CHAT, [{ json: whole({ content: json }) }], { agent: { outputType } })
  const answer = await fetch(`${url}/solo/get_response`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"message":"Hi"}',
  })
  expect(((await answer.json()) as { response: unknown }).response).toEqual({ 'Account Number': '42' })
  expect(JSON.stringify(seen[0].response_format)).toContain('"Account_Number":{')
})
