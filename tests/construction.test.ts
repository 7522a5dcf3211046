import { expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, type AgentOptions, buildApp, chatCompletions, flow, Handoff, responses } from '../src/index.ts'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'

const agent = (name = 'A') => new Agent({ name, model: 'demo' })
const refused = (make: () => unknown, code: string, says: RegExp) => {
  expect(make).toThrow(expect.objectContaining({ code, message: expect.stringMatching(says) }))
}

test.each<[string, unknown, RegExp]>([
  ['a text', z.string(), /does not describe an object.*z\.object/],
  ['a number', z.number(), /does not describe an object/],
  ['a list', z.array(z.object({ a: z.string() })), /does not describe an object/],
  ['one of several words', z.enum(['a', 'b']), /does not describe an object/],
  ['an object or a text', z.union([z.object({ a: z.string() }), z.string()]), /does not describe an object/],
  ['anything', z.any(), /does not describe an object/],
  ['an object with a date', z.object({ at: z.date() }), /JSON Schema/i],
  ['a JSON Schema', { type: 'object', properties: {} }, /zod 4 object/],
  ['a shape', { title: z.string() }, /zod 4 object/],
  ['a text in place of a schema', 'string', /zod 4 object/],
])('outputType is refused for %s', (_name, outputType, says) => {
  promise('F1')
  refused(() => new Agent({ name: 'A', outputType: outputType as z.ZodType }), 'INVALID_OPTION', says)
  refused(() => agent().clone({ outputType: outputType as z.ZodType }), 'INVALID_OPTION', says)
})

test.each<[string, z.ZodType, unknown]>([
  ['an object', z.object({ title: z.string() }), { title: 'T' }],
  ['an object that becomes another value', z.object({ title: z.string() }).transform(({ title }) => title.length), 1],
  ['an object behind a name', z.lazy(() => z.object({ title: z.string() })), { title: 'T' }],
  ['an object of any keys', z.record(z.string(), z.string()), { title: 'T' }],
  ['one of two objects', z.union([z.object({ a: z.string() }), z.object({ title: z.string() })]), { title: 'T' }],
  ['an object or nothing', z.object({ title: z.string() }).nullable(), { title: 'T' }],
])('outputType takes %s', async (_name, outputType, output) => {
  promise('F1')
  await useUpstream(() => ({ text: '{"title":"T"}' }))
  const { finalOutput } = await new Agent({ name: 'A', model: 'gpt-4.1', outputType }).getResponse('x')
  expect(finalOutput).toEqual(output)
})

test.each<[string, Partial<AgentOptions>, RegExp]>([
  ['an empty model', { model: '' }, /The model .* of agent "A" has no name/s],
  ['a blank model', { model: ' \n' }, /The model .* of agent "A" has no name/s],
  ['no model', { model: null as never }, /has no name/],
  ['a number as the model', { model: 5 as never }, /has no name/],
  ['an empty model over Responses', { model: responses('') }, /has no name/],
  ['an empty model over Chat Completions', { model: chatCompletions('') }, /has no name/],
  ['one tool in place of a list', { tools: {} as never }, /tools of agent "A" must be a list/],
  ['a guardrail in place of a list', { inputGuardrails: (() => {}) as never }, /inputGuardrails.*a list/],
  ['a number as instructions', { instructions: 7 as never }, /instructions.*a text, a file URL or a function/],
  ['a list as the description', { description: ['x'] as never }, /description.*a text/],
  ['a text as the settings', { modelSettings: 'hot' as never }, /modelSettings.*an object/],
])('an agent refuses %s', (_name, options, says) => {
  promise('F1')
  refused(() => new Agent({ name: 'A', ...options }), 'INVALID_OPTION', says)
})

test('a model without a name is refused by the setter too', () => {
  promise('F1')
  const one = agent()
  refused(() => Object.assign(one, { model: '' }), 'INVALID_OPTION', /has no name/)
})

const [a, b, c] = [agent('A'), agent('B'), agent('C')]
test.each<[string, unknown, RegExp]>([
  ['one agent', [[a]], /\[a, b\]/],
  ['no agent', [[]], /\[a, b\]/],
  ['agents without a list', [a, b], /a list of its own: \[\[a, b\]\]/],
  ['three agents', [[a, b, c]], /flow\(A, B, C\)/],
  ['a name', [[a, 'B']], /\[a, b\]/],
  ['a text', ['A > B'], /a list of its own/],
  ['an object', { A: b }, /communicationFlows is a list/],
  ['a chain of one', [flow(a)], /at least two/],
  ['a class that is none', [[a, b, Date]], /neither SendMessage nor Handoff/],
  ['a class among classes that is none', [[a, b, [Handoff, Date]]], /neither SendMessage nor Handoff/],
])('communicationFlows with %s says what a flow is', (_name, communicationFlows, says) => {
  promise('F2')
  refused(() => new Agency(a, { communicationFlows: communicationFlows as never }), 'INVALID_FLOW', says)
})

test.each<[string, unknown, RegExp]>([
  ['an agent', a, /agencies\["x"\] is the agent "A"\. Serve an agency: new Agency\(agent\)/],
  ['a class', Agent, /is no Agency/],
  ['a promise', Promise.resolve(new Agency(a)), /is a promise\. Await it/],
  ['a list', [new Agency(a)], /is no Agency/],
  ['nothing', undefined, /but undefined/],
  ['a text', 'agency.ts', /is no Agency/],
  ['a factory of an agent', () => a, /factory agencies\["x"\] gives is the agent "A"/],
  ['a factory of nothing', () => {}, /factory agencies\["x"\] gives is no Agency but undefined/],
  ['a factory of a promise of an agent', async () => a, /is the agent "A"/],
])('a server refuses %s in place of an agency', async (_name, value, says) => {
  promise('A12')
  await expect(buildApp({ agencies: { x: value as never } })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringMatching(says),
  })
})
