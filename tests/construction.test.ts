import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, type AgentOptions, buildApp, chatCompletions, flow, Handoff, responses } from '../src/index.ts'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'

const agent = (name = 'A') => new Agent({ name, model: 'demo' })
const settings = (modelSettings: object) => new Agent({ name: 'A', modelSettings })
const agencyOf = (options: object) => new Agency(agent(), options)
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

test.each<[string, () => unknown, RegExp]>([
  ['a setting in snake case', () => settings({ max_tokens: 5 }), /"max_tokens". Write "maxTokens"/],
  ['a setting with a slip', () => settings({ temprature: 1 }), /no option "temprature".*Known options: temperature/],
  ['a setting of a provider', () => settings({ frequency_penalty: 1 }), /extraBody: \{ frequency_penalty \}/],
  [
    'a setting that is set later',
    () => Object.assign(agent(), { modelSettings: { seed: 1 } }),
    /extraBody: \{ seed \}/,
  ],
  [
    'a second entry agent',
    () => new Agency(agent(), agent('B') as object),
    /entry agents are a list: new Agency\(\[a, b\]/,
  ],
  [
    'shared instructions that are a function',
    () => agencyOf({ sharedInstructions: () => 'x' }),
    /a text or a file URL/,
  ],
  ['shared instructions that are a list', () => agencyOf({ sharedInstructions: ['x'] }), /a text or a file URL/],
  ['a context of a class', () => agencyOf({ userContext: new (class Session {})() }), /plain object.*\{ session:/],
  ['a context in a Map', () => agencyOf({ name: 'shop', userContext: new Map() }), /agency "shop" .* plain object/],
  ['threads that are no function', () => agencyOf({ loadThreads: [] }), /loadThreads of an agency .* a function/],
])('%s is an option error', (_name, make, says) => {
  promise('F1')
  refused(make, 'INVALID_OPTION', says)
})

test.each<[string, object]>([
  ['a Map', new Map([['user', 'ann']])],
  ['an instance', new (class Session {})()],
  ['a list', ['ann']],
])('a contextOverride that is %s is an option error', async (_name, contextOverride) => {
  promise('F1')
  await expect(
    agent().getResponse('Hi', { contextOverride: contextOverride as object & { [key: string]: unknown } }),
  ).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringMatching(/contextOverride .* plain object/),
  })
})

test.each<[string, unknown, boolean]>([
  ['nothing', undefined, true],
  ['null', null, true],
  ['a list', [], true],
  ['JSON text', '[{"role":"user","content":"before"}]', false],
  ['a record', { messages: [] }, false],
  ['a Map', new Map(), false],
])('loadThreads gives %s', async (_name, loaded, fits) => {
  promise('F1')
  let saved = 0
  const agency = new Agency(agent(), { loadThreads: () => loaded as never, saveThreads: () => void saved++ })
  if (fits) expect(await agency.getResponse('Hi')).toMatchObject({ cancelled: false })
  else await expect(agency.getResponse('Hi')).rejects.toMatchObject({ code: 'THREADS_FAILED' })
  expect(saved > 0, 'what cannot be read is not saved over').toBe(fits)
})

test('options that are undefined count as left out', async () => {
  promise('F1')
  await useUpstream(() => ({ text: 'ok' }))
  vi.stubEnv('OPENAI_API_KEY', 'sk-any')
  onTestFinished(() => void vi.unstubAllEnvs())
  const unset = (...names: string[]): object => Object.fromEntries(names.map((name) => [name, undefined]))
  const solo = new Agent({
    name: 'A',
    ...unset('description', 'instructions', 'model', 'modelSettings', 'tools', 'mcpServers', 'toolUseBehavior'),
    ...unset(
      'resetToolChoice',
      'includeSearchResults',
      'includeWebSearchSources',
      'outputType',
      'conversationStarters',
    ),
    ...unset('quickReplies', 'handoffReminder', 'inputGuardrails', 'outputGuardrails', 'validationAttempts'),
    ...unset('raiseInputGuardrailError', 'systemReminders', 'hooks'),
  })
  const agency = new Agency(solo, {
    ...unset('name', 'communicationFlows', 'sharedInstructions', 'sharedTools', 'userContext', 'loadThreads'),
    ...unset('saveThreads', 'sendMessageToolClass', 'hooks'),
  })
  const options = unset(
    'recipientAgent',
    'contextOverride',
    'additionalInstructions',
    'maxTurns',
    'clientConfig',
    'prices',
  )
  const more = unset('generateChatName', 'hooks', 'fileIds', 'fileUrls', 'allowedLocalFileDirs', 'telemetry', 'signal')
  expect(await agency.getResponse('Hi', { ...options, ...more })).toMatchObject({ finalOutput: 'ok', cancelled: false })
  const app = await buildApp({
    agencies: { a: agency },
    ...unset('host', 'port', 'tools', 'appTokenEnv', 'corsOrigins', 'limits'),
  })
  expect((await app.inject('/a/get_metadata')).statusCode).toBe(200)
  await app.close()
})
