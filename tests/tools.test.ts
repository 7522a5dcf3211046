/** Tools that the process runs: definitions, results, choice and options. */
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import {
  Agency,
  Agent,
  type AgentOptions,
  BaseTool,
  type RunHooks,
  type StandardSchema,
  tool,
  toolOutputFile,
  toolOutputImage,
  toolOutputText,
} from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, startServer, useUpstream } from './support/client.ts'
import { agent, call, type Json, outputsOf } from './support/tool-agent.ts'

test('tools give texts, values, lists, images and files to the model', async () => {
  promise('F1')
  const png = new Uint8Array([1, 2, 3])
  const results: { [name: string]: unknown } = {
    text: 'plain',
    value: { a: 1 },
    list: [1, 'two'],
    nothing: undefined,
    helpers: [
      'A chart:',
      toolOutputImage({ data: png, mediaType: 'image/webp', detail: 'low' }),
      toolOutputFile({ fileId: 'file-1' }),
      toolOutputText('and words'),
    ],
    sdk: [
      { type: 'text', text: 'Look' },
      { type: 'image', image: { url: 'https://a.example/x.png' }, detail: 'high' },
      { type: 'image', image: { fileId: 'file-2' } },
      { type: 'file', file: { data: 'QUJD', mediaType: 'text/csv', filename: 'a.csv' } },
      { type: 'file', file: { url: 'https://a.example/a.pdf' } },
      { type: 'input_image', image: { id: 'file-3' } },
    ],
    wire: [{ type: 'input_image', image_url: 'https://a.example/y.png', extra: 1 }],
    data: { type: 'file', id: 'f1', url: '/a/b.txt' },
  }
  const names = Object.keys(results)
  await useUpstream((_body, index) =>
    index === 0 ? { calls: names.map((name) => ({ name, arguments: {} })) } : { text: 'ok' },
  )
  const tools = names.map((name) => tool({ name, execute: () => results[name] }))
  const heard: unknown[] = []
  const hooks: RunHooks = { onToolEnd: (_context, _agent, _call, output) => heard.push(output) }
  const { newMessages } = await agent({ tools, hooks }).getResponse('go')
  const outputs = Object.fromEntries(outputsOf(newMessages).map((output, index) => [names[index], output]))
  expect(outputs).toEqual({
    text: 'plain',
    value: '{"a":1}',
    list: '[1,"two"]',
    nothing: '',
    helpers: [
      { type: 'input_text', text: 'A chart:' },
      { type: 'input_image', image_url: 'data:image/webp;base64,AQID', detail: 'low' },
      { type: 'input_file', file_id: 'file-1' },
      { type: 'input_text', text: 'and words' },
    ],
    sdk: [
      { type: 'input_text', text: 'Look' },
      { type: 'input_image', image_url: 'https://a.example/x.png', detail: 'high' },
      { type: 'input_image', file_id: 'file-2' },
      { type: 'input_file', file_data: 'data:text/csv;base64,QUJD', filename: 'a.csv' },
      { type: 'input_file', file_url: 'https://a.example/a.pdf' },
      { type: 'input_image', file_id: 'file-3' },
    ],
    wire: results.wire,
    data: JSON.stringify(results.data),
  })
  expect(heard).toContainEqual(outputs.helpers)
  expect(() => toolOutputImage({})).toThrow(/needs a url/)
})

test('parameters may come from any Standard Schema with JSON Schema', async () => {
  promise('F5')
  // zod's own implementation of the interface, without being a zod object: what another library would give.
  const standard = (schema: z.ZodType): StandardSchema<{ n: number }> => ({ '~standard': schema['~standard'] as never })
  const double = tool({
    name: 'double',
    parameters: standard(
      z.object({
        n: z
          .int()
          .min(2)
          .refine((n) => n % 2 === 0, 'has to be even'),
      }),
    ),
    execute: ({ n }) => n * 2,
  })
  expect(double.parameters).toMatchObject({
    type: 'object',
    properties: { n: { type: 'integer', minimum: 2 } },
    required: ['n'],
    additionalProperties: false,
  })
  const late = tool({
    name: 'late',
    parameters: {
      '~standard': {
        version: 1,
        vendor: 'mine',
        validate: async (value: unknown) => ({ value: { checked: value } }),
        jsonSchema: { input: () => ({ type: 'object' }) },
      },
    },
    execute: (value) => value,
  })
  await useUpstream((_body, index) =>
    index === 0
      ? { calls: [{ n: 4 }, { n: '6' }, { n: 3 }].map((args) => ({ name: 'double', arguments: args })) }
      : index === 1
        ? call('late')
        : { text: 'ok' },
  )
  const { newMessages } = await agent({ tools: [double, late] }).getResponse('go')
  expect(outputsOf(newMessages)).toEqual(['8', '12', 'Error: n: has to be even', '{"checked":{}}'])
  const { url } = await startServer({ tools: [double] })
  const refused = await post(`${url}/tool/double`, { n: 3 })
  expect([refused.status, await refused.json()]).toMatchObject([
    422,
    { detail: [{ loc: ['body', 'n'], type: 'value_error' }] },
  ])
  expect(() => tool({ name: 'x', parameters: standard(z.string()), execute: () => '' })).toThrow(/describe an object/)
  const half = { '~standard': { version: 1, vendor: 'old', validate: () => ({ value: 1 }) } }
  expect(() => tool({ name: 'x', parameters: half, execute: () => '' })).toThrow(
    /Standard Schema with JSON Schema support/,
  )
})

test("a tool class's own rules reach the model in their own text", async () => {
  promise('F5')
  class Book extends BaseTool.define({
    from: z.string().refine((day) => day.includes('-'), 'has to be a date'),
    to: z.string(),
  }) {
    static override description = 'Books.'
    static override refine({ from, to }: { from: string; to: string }) {
      if (to < from) return 'the stay ends before it begins'
      if (to === from) throw new Error('stay one night at least')
      return undefined
    }
    run() {
      return `${this.from} to ${this.to}`
    }
  }
  const stays = [
    { from: '2026-01-01', to: '2026-01-03' },
    { from: 'soon', to: '2026-01-03' },
    { from: '2026-01-04', to: '2026-01-03' },
    { from: '2026-01-03', to: '2026-01-03' },
    { from: 'soon' },
  ]
  await useUpstream((_body, index) =>
    index === 0 ? { calls: stays.map((args) => ({ name: 'Book', arguments: args })) } : { text: 'ok' },
  )
  const { newMessages } = await agent({ tools: [Book] }).getResponse('go')
  expect(outputsOf(newMessages)).toEqual([
    '2026-01-01 to 2026-01-03',
    'Error: from: has to be a date',
    'Error: the stay ends before it begins',
    'Error: stay one night at least',
    expect.stringMatching(/^Error: the arguments for tool "Book" do not fit\. .*to: Field required/),
  ])
  const { url } = await startServer({ tools: [Book] })
  const refused = (await (await post(`${url}/tool/Book`, stays[2])).json()) as { detail: Json[] }
  expect(refused.detail).toMatchObject([{ type: 'value_error', loc: ['body'] }])
})

test('a class without a description, or with Python settings, warns', async () => {
  promise('F5')
  class Silent extends BaseTool.define({}) {
    run() {
      return ''
    }
  }
  const warned = new Promise<string>((resolve) => {
    const listen = ({ message }: Error) => message.includes('Silent') && resolve(message)
    process.on('warning', listen)
    onTestFinished(() => void process.off('warning', listen))
  })
  agent({ tools: [Silent] })
  expect(await warned).toMatch(/Silent has no description/)
  class Old extends BaseTool.define({}) {
    static override description = 'Old.'
    static ToolConfig = { strict: true }
    run() {
      return ''
    }
  }
  expect(() => agent({ tools: [Old] })).toThrow(/static toolConfig/)
})

test('a forced tool choice applies until a tool was used', async () => {
  promise('F1')
  const upstream = await useUpstream((body) =>
    body.tool_choice === 'required' ? call('look') : { text: `choice ${body.tool_choice}` },
  )
  const tools = [tool({ name: 'look', execute: () => 'seen' })]
  const modelSettings = { toolChoice: 'required' }
  const { finalOutput } = await agent({ tools, modelSettings }).getResponse('go')
  expect(finalOutput).toBe('choice undefined')
  expect(upstream.seen.map(({ body }) => body.tool_choice)).toEqual(['required', undefined])
  const stubborn = agent({ tools, modelSettings, resetToolChoice: false }).getResponse('go', { maxTurns: 3 })
  await expect(stubborn).rejects.toMatchObject({ code: 'TURN_LIMIT' })
})

test("a tool's output can be the answer, with guardrails", async () => {
  promise('F1')
  await useUpstream((body) =>
    (body.input as Json[]).length === 1
      ? { calls: ['look', 'sum'].map((name) => ({ name, arguments: {} })) }
      : { text: 'asked again' },
  )
  const tools = [tool({ name: 'look', execute: () => 'seen' }), tool({ name: 'sum', execute: () => ({ total: 3 }) })]
  const answer = async (options: Partial<AgentOptions>) => {
    const { url } = await startServer({ agencies: { solo: new Agency(agent({ tools, ...options })) } })
    const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'go' })
    const body = (await (await post(`${url}/solo/get_response`, { message: 'go' })).json()) as {
      response: unknown
      new_messages: Json[]
    }
    const types = (items: readonly Json[]) => items.map((item) => item.type)
    expect(types(final(frames).new_messages)).toEqual(types(body.new_messages))
    return body.response
  }
  expect(await answer({})).toBe('asked again')
  expect(await answer({ toolUseBehavior: 'stop_on_first_tool' })).toBe('seen')
  expect(await answer({ toolUseBehavior: { stopAtToolNames: ['sum'] } })).toBe('{"total":3}')
  expect(await answer({ toolUseBehavior: { stopAtToolNames: ['none'] } })).toBe('asked again')
  const outputType = z.object({ total: z.number() })
  expect(await answer({ toolUseBehavior: { stopAtToolNames: ['sum'] }, outputType })).toEqual({ total: 3 })
  const pick: AgentOptions['toolUseBehavior'] = (context, results) => ({
    isFinalOutput: results.length === 2,
    finalOutput: `${context.currentAgentName}: ${results.map(({ name }) => name)}`,
  })
  expect(await answer({ toolUseBehavior: pick })).toBe('Assistant: look,sum')
  const outputGuardrails = [(output: unknown) => ({ tripwire: output === 'seen', guidance: 'Say more.' })]
  expect(await answer({ toolUseBehavior: 'stop_on_first_tool', outputGuardrails })).toBe('asked again')
  expect(() => agent({ toolUseBehavior: 'stop' as never })).toThrow(/toolUseBehavior of agent "Assistant"/)
})

test('a tool is offered only while it is enabled', async () => {
  promise('F1')
  const upstream = await useUpstream((_body, index) => (index === 0 ? call('open') : { text: `turn ${index}` }))
  const gate = tool({
    name: 'gated',
    isEnabled: (context, { name }) => name === 'Assistant' && context.get('open') === true,
    execute: () => '',
  })
  const open = tool({ name: 'open', execute: (_input, context) => context.set('open', true) })
  const solo = agent({ tools: [gate, open] })
  const { finalOutput } = await solo.getResponse('go', { contextOverride: { open: false } })
  expect(finalOutput).toBe('turn 1')
  const offered = upstream.seen.map(({ body }) => (body.tools as Json[]).map((entry) => entry.name))
  expect(offered).toEqual([['open'], ['gated', 'open']])
  let text = ''
  for await (const piece of solo.getResponseStream('again').textStream()) text += piece
  expect(text).toBe('turn 2')
  expect(upstream.seen[2]?.body.input).toHaveLength(1)
  expect(solo.clone({ description: 'Copy' })).toBeInstanceOf(Agent)
})

test('options of the original get an error with the new name', () => {
  promise('F1', 'A12')
  const wrong = (make: () => unknown) => expect(make)
  const option = (name: string) => ({ [name]: 1 })
  for (const [name, place] of [
    ['model_settings', 'Write "modelSettings"'],
    ['tool_use_behavior', 'Write "toolUseBehavior"'],
    ['max_prompt_tokens', 'truncation'],
    ['truncation_strategy', 'modelSettings: { truncation }'],
    ['return_input_guardrail_errors', 'raiseInputGuardrailError, with the opposite value'],
    ['throw_input_guardrail_error', 'raiseInputGuardrailError'],
    ['tool_resources', 'fileSearch'],
    ['tools_folder', 'Write "toolsFolder"'],
    ['files_folder', 'Write "filesFolder"'],
    ['schemas_folder', 'Write "schemasFolder"'],
    ['send_message_tool_class', 'communicationFlows'],
    ['handoffs', 'Handoff'],
    ['refresh_from_id', 'loadThreads'],
    ['frobnicate', 'no option "frobnicate". Known options: name,'],
  ] as const)
    wrong(() => agent(option(name))).toThrow(place)
  for (const [name, place] of [
    ['load_threads_callback', 'Use instead: loadThreads'],
    ['save_threads_callback', 'Use instead: saveThreads'],
    ['communication_flows', 'Write "communicationFlows"'],
    ['agency_chart', 'communicationFlows'],
    ['shared_tools_folder', 'Write "sharedToolsFolder"'],
    ['frobnicate', 'no option "frobnicate"'],
  ] as const)
    wrong(() => new Agency(agent(), option(name))).toThrow(place)
  for (const [name, place] of [
    ['name_override', 'Use instead: name'],
    ['strict_mode', 'Use instead: strict'],
    ['one_call_at_a_time', 'Write "oneCallAtATime"'],
    ['timeout', 'Use instead: timeoutMs'],
    ['on_invoke_tool', 'execute(input, context)'],
  ] as const)
    wrong(() => tool({ name: 'x', execute: () => '', ...option(name) })).toThrow(place)
  expect(() => agent({ tools: [String as never] })).toThrow(/"String" is not a tool/)
})

/** Every place of a schema that OpenAI's strict mode would refuse. */
function offences(schema: unknown, at = '$'): string[] {
  if (Array.isArray(schema)) return schema.flatMap((part, index) => offences(part, `${at}[${index}]`))
  if (typeof schema !== 'object' || schema === null) return []
  const found: string[] = []
  const { type, properties, required, additionalProperties } = schema as { [key: string]: unknown }
  if (type === 'object') {
    if (additionalProperties !== false) found.push(`${at} is open`)
    const names = Object.keys((properties ?? {}) as object)
    if (names.some((name) => !((required ?? []) as string[]).includes(name))) found.push(`${at} has optional fields`)
  }
  for (const word of ['oneOf', 'allOf', 'not', 'prefixItems', 'propertyNames'])
    if (word in schema) found.push(`${at} has ${word}`)
  return [...found, ...Object.entries(schema).flatMap(([key, part]) => offences(part, `${at}.${key}`))]
}

test('a strict schema is strict at every depth, or not strict', async () => {
  promise('F5')
  const upstream = await useUpstream(() => ({ text: '{"rows": []}' }))
  const define = (name: string, parameters: z.ZodType<unknown> | Json) => tool({ name, parameters, execute: () => '' })
  const day = z.object({ day: z.iso.date(), note: z.string().nullish() })
  const shape = z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('dot') }),
    z.object({ kind: z.literal('box'), size: z.object({ width: z.number() }) }),
  ])
  const open = { type: 'object', properties: { deep: { type: 'object', properties: {} } }, required: ['deep'] }
  const tools = [
    define('nested', z.object({ days: z.array(day), shape })),
    define('data', open),
    define('optional', z.object({ deep: z.object({ maybe: z.string().optional() }) })),
    define('record', z.object({ counts: z.record(z.string(), z.number()) })),
    define('either', z.object({ shape, maybe: z.string().optional() })),
  ]
  const boss = agent({ tools, outputType: z.object({ rows: z.array(z.object({ id: z.int() })) }) })
  await new Agency(boss).getResponse('Hi')
  const [asked] = upstream.seen
  if (asked === undefined) throw new Error('The model was not asked.')
  const { tools: sent, text } = asked.body as unknown as {
    tools: { name: string; strict: boolean; parameters: Json }[]
    text: { format: Json }
  }
  expect(sent.map(({ name, strict }) => `${name} ${strict}`)).toEqual([
    'nested true',
    'data true',
    'optional false',
    'record false',
    'either false',
  ])
  for (const { name, strict, parameters } of sent) {
    if (strict) expect(offences(parameters), name).toEqual([])
    expect(JSON.stringify(parameters), 'the API takes no oneOf at all').not.toContain('oneOf')
  }
  expect(text.format).toMatchObject({ name: 'final_output', strict: true })
  expect(offences(text.format.schema)).toEqual([])
  expect(open, 'what was given is not touched').toEqual({
    type: 'object',
    properties: { deep: { type: 'object', properties: {} } },
    required: ['deep'],
  })

  const loose = agent({ outputType: z.object({ rows: z.array(z.string()), note: z.string().optional() }) })
  await new Agency(loose).getResponse('Hi')
  expect(upstream.seen[1]?.body).toMatchObject({ text: { format: { strict: false } } })
})
