import { defineOutputGuardrail, type InputGuardrail as SdkInputGuardrail } from '@openai/agents'
import { expect, test } from 'vitest'
import {
  Agency,
  Agent,
  type AgentInfo,
  BaseTool,
  flow,
  Handoff,
  type RunHooks,
  tool,
  type Usage,
} from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, type Frame, final, post, startServer, useUpstream } from './support/client.ts'

const agent = (options = {}) => new Agent({ name: 'Assistant', instructions: 'Help.', model: 'gpt-4.1', ...options })
const polite = (input: string | string[]) => ({
  tripwire: String(input).includes('bad'),
  guidance: 'Please be polite.',
})
const items = (frames: readonly Frame[]) =>
  final(frames).new_messages.map((item: { role: string; message_origin?: string; content: unknown }) => [
    item.role,
    item.message_origin,
    typeof item.content === 'string' ? item.content : 'parts',
  ])
const data = (frames: readonly Frame[]) => frames.map((frame) => frame.data?.data).filter(Boolean)

test('an input guardrail answers with its guidance before the model is asked', async () => {
  promise('F8')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ inputGuardrails: [polite] })) } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'bad words' })
  expect(items(frames)).toEqual([
    ['user', undefined, 'bad words'],
    ['assistant', 'input_guardrail_message', 'Please be polite.'],
  ])
  const said = data(frames).find((event) => event.name === 'message_output_created')
  expect(said.item.raw_item).toMatchObject({
    id: 'msg_input_guardrail_guidance',
    content: [{ type: 'output_text', text: 'Please be polite.' }],
  })
  expect(said).not.toHaveProperty('agent_run_id')
  const plain = (await (await post(`${url}/solo/get_response`, { message: 'bad words' })).json()) as {
    response: string
  }
  expect(plain.response).toBe('Please be polite.')
  expect(upstream.seen).toHaveLength(0)
  expect(items(await allFrames(`${url}/solo/get_response_stream`, { message: 'good words' }))[1][2]).toBe('parts')
  expect(upstream.seen).toHaveLength(1)
})

test('a strict input guardrail fails the run with its guidance as an error', async () => {
  promise('F8')
  const upstream = await useUpstream(() => ({ text: 'Fine' }))
  const strict = agent({ inputGuardrails: [polite], raiseInputGuardrailError: true })
  const { url } = await startServer({ agencies: { solo: new Agency(strict) } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'bad' })
  expect(data(frames).filter((event) => event.type === 'error')).toEqual([
    { type: 'error', content: 'Please be polite.' },
  ])
  expect(frames.filter((frame) => frame.data?.error).map((frame) => frame.data)).toEqual([
    { error: 'Guardrail InputGuardrail triggered tripwire' },
  ])
  expect(items(frames)[1]).toEqual(['system', 'input_guardrail_error', 'Please be polite.'])
  expect(frames.slice(-2).map((frame) => frame.event)).toEqual(['messages', 'end'])
  const plain = await post(`${url}/solo/get_response`, { message: 'bad' })
  expect([plain.status, await plain.json()]).toEqual([500, { error: 'Guardrail InputGuardrail triggered tripwire' }])
  expect(upstream.seen).toHaveLength(0)
})

test('an output guardrail retries with guidance, then fails the run', async () => {
  promise('F8')
  const upstream = await useUpstream((body) => ({
    text: JSON.stringify(body.input).includes('Say it shorter') ? 'Short.' : 'Very very long.',
  }))
  const shorter = (output: unknown) => ({ tripwire: String(output).includes('long'), guidance: 'Say it shorter.' })
  const never = () => ({ tripwire: true, guidance: 'Never.' })
  const { url } = await startServer({
    agencies: {
      solo: new Agency(agent({ outputGuardrails: [shorter] })),
      never: new Agency(agent({ outputGuardrails: [never], validationAttempts: 2 })),
    },
  })
  const streamed = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
  expect(items(streamed)).toEqual([
    ['user', undefined, 'Hi'],
    ['system', 'output_guardrail_error', 'Say it shorter.'],
    ['assistant', undefined, 'parts'],
  ])
  const agents = data(streamed).filter((event) => event.type === 'agent_updated_stream_event')
  expect(new Set(agents.map((event) => event.agent_run_id)).size).toBe(2)
  expect(data(streamed).filter((event) => event.name === 'message_output_created')).toHaveLength(1)
  const plain = (await (await post(`${url}/solo/get_response`, { message: 'Hi' })).json()) as {
    response: string
    new_messages: { role: string }[]
  }
  expect(plain.response).toBe('Short.')
  expect(plain.new_messages.map((item) => item.role)).toEqual(['user', 'assistant', 'system', 'assistant'])
  const before = upstream.seen.length
  const failed = await allFrames(`${url}/never/get_response_stream`, { message: 'Hi' })
  expect(upstream.seen.length - before).toBe(3)
  expect(failed.find((frame) => frame.data?.error)?.data).toEqual({
    error: 'Guardrail OutputGuardrail triggered tripwire: Never.',
  })
  expect(items(failed).map((item: string[]) => item[0])).toEqual(['user', 'system', 'system'])
  expect(await (await post(`${url}/never/get_response`, { message: 'Hi' })).json()).toEqual({
    error: 'Guardrail OutputGuardrail triggered tripwire',
  })
})

test("a sub-agent's guardrail answers its sender, in either shape", async () => {
  promise('F8')
  const upstream = await useUpstream((_body, index) =>
    index === 0
      ? {
          calls: ['Strict', 'Soft'].map((name) => ({
            name: 'send_message',
            arguments: { recipient_agent: name, message: 'bad', additional_instructions: '' },
          })),
        }
      : { text: 'Done' },
  )
  const execute = async ({ input }: { input: unknown }) => ({
    tripwireTriggered: String(input).includes('bad'),
    outputInfo: 'No.',
  })
  const guarded = (name: string, options = {}) =>
    agent({ name, inputGuardrails: [{ name: 'sdk', execute }], ...options })
  const [strict, soft] = [guarded('Strict', { raiseInputGuardrailError: true }), guarded('Soft')]
  const boss = agent({ name: 'Boss' })
  const { newMessages, finalOutput } = await new Agency(boss, {
    communicationFlows: [
      [boss, strict],
      [boss, soft],
    ],
  }).getResponse('go')
  const outputs = newMessages.filter((item) => item.type === 'function_call_output').map((item) => item.output)
  expect(outputs).toEqual([expect.stringMatching(/could not answer\. No\.$/), 'No.'])
  expect(finalOutput).toBe('Done')
  expect(upstream.seen).toHaveLength(2)
  expect(() => agent({ inputGuardrails: ['no'] })).toThrow(/list of functions/)
})

test("what a sub-agent's guardrail says has the name of the sub-agent", async () => {
  promise('F8', 'B12')
  const ask = { recipient_agent: 'Soft', message: 'bad', additional_instructions: '' }
  await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'send_message', arguments: ask }] } : { text: 'Done' },
  )
  const [boss, soft] = [agent({ name: 'Boss' }), agent({ name: 'Soft', inputGuardrails: [polite] })]
  const { url } = await startServer({ agencies: { team: new Agency(boss, { communicationFlows: [[boss, soft]] }) } })
  const told = data(await allFrames(`${url}/team/get_response_stream`, { message: 'go' })).filter(
    ({ name }) => name === 'message_output_created',
  )
  expect(told).toMatchObject([
    { agent: 'Soft', callerAgent: 'Boss', parent_run_id: expect.any(String) },
    { agent: 'Boss', agent_run_id: expect.any(String) },
  ])
  expect(told[0]).not.toHaveProperty('agent_run_id') // no agent has run
})

test('guardrails of the Agents SDK get the arguments of the SDK', async () => {
  promise('F8')
  await useUpstream((body) => ({ text: JSON.stringify(body.input).includes('Shorter') ? 'Short' : 'Far too long' }))
  const seen: unknown[] = []
  const input: SdkInputGuardrail = {
    name: 'in',
    execute: async ({ input, context, agent }) => {
      seen.push([input, context.context, agent.name])
      return { tripwireTriggered: JSON.stringify(input).includes('bad'), outputInfo: { reason: 'rude' } }
    },
  }
  const output = defineOutputGuardrail({
    name: 'out',
    execute: async ({ agentOutput }) => ({ tripwireTriggered: agentOutput.length > 5, outputInfo: 'Shorter' }),
  })
  const solo = new Agency(agent({ inputGuardrails: [input], outputGuardrails: [output] }), {
    userContext: { user: 'Ann' },
  })
  expect((await solo.getResponse('good')).finalOutput).toBe('Short')
  const two = ['one', 'two'].map((content) => ({ role: 'user', content }))
  await solo.getResponse(two)
  expect((await solo.getResponse('bad')).finalOutput).toBe('{"reason":"rude"}')
  const messages = two.map((item) => ({ type: 'message', ...item }))
  expect(seen.slice(0, 2)).toEqual([
    ['good', { user: 'Ann' }, 'Assistant'],
    [messages, { user: 'Ann' }, 'Assistant'],
  ])
})

test('reminders reach the model when they are due and are never stored', async () => {
  promise('F1')
  const upstream = await useUpstream((_body, index) =>
    index < 3 ? { calls: [{ name: 'look', arguments: {} }] } : { text: 'Done' },
  )
  const look = tool({ name: 'look', execute: () => 'seen' })
  const reminded = agent({
    tools: [look],
    systemReminders: [
      'Be brief.',
      (_: unknown, { name }: AgentInfo) => `You are ${name}.`,
      { everyToolCalls: 2, message: 'Check.' },
    ],
  })
  const { newMessages } = await new Agency(reminded).getResponse('Hi')
  const notes = upstream.seen.map(({ body }) =>
    (body.input as { role?: string; content?: string }[])
      .filter((item) => item.role === 'system')
      .map((item) => item.content),
  )
  expect(notes).toEqual([['Be brief.', 'You are Assistant.'], [], ['Check.'], []])
  expect(newMessages.some((item) => item.role === 'system')).toBe(false)
  expect(() => agent({ systemReminders: [{ everyToolCalls: 0, message: 'x' }] })).toThrow(/systemReminders/)
})

test('reminders count the calls of each agent', async () => {
  promise('F1')
  const search = (id: string) => ({ id, type: 'web_search_call', status: 'completed' })
  const callOf = (name: string) => ({
    id: `fc_${name}`,
    type: 'function_call',
    call_id: `c_${name}`,
    name,
    arguments: '{}',
  })
  const upstream = await useUpstream((_body, index) => {
    if (index === 0) return { output: [search('ws_1'), callOf('transfer_to_B')] }
    if (index === 1) return { output: [search('ws_2'), callOf('look')] }
    return { text: 'Done' }
  })
  const look = tool({ name: 'look', execute: () => 'seen' })
  const [a, b] = ['A', 'B'].map((name) =>
    agent({ name, tools: [look], systemReminders: { everyToolCalls: 2, message: `${name} checks.` } }),
  ) as [Agent, Agent]
  await new Agency(a, { communicationFlows: [[a, b, Handoff]] }).getResponse('go')
  const notes = upstream.seen.map(({ body }) => JSON.stringify(body.input).match(/\w checks\./g))
  expect(notes).toEqual([null, null, ['B checks.']])
})

test('every handoff of a chain keeps its reminder, streamed and plain', async () => {
  promise('F4')
  const next: { [name: string]: string } = { A: 'B', B: 'C' }
  await useUpstream((body) => {
    const target = next[String(body.instructions)]
    return target === undefined ? { text: 'Mine' } : { calls: [{ name: `transfer_to_${target}`, arguments: {} }] }
  })
  const [a, b, c] = ['A', 'B', 'C'].map((name) => agent({ name, instructions: name })) as [Agent, Agent, Agent]
  const { url } = await startServer({
    agencies: { team: new Agency(a, { communicationFlows: [[flow(a, b, c), Handoff]] }) },
  })
  const kept = (messages: { message_origin?: string; content: string; agent: string }[]) =>
    messages
      .filter((item) => item.message_origin)
      .map(({ message_origin, content, agent }) => [message_origin, content.match(/now (\w)/)?.[1], agent])
  const reminders = [
    ['handoff_reminder', 'B', 'A'],
    ['handoff_reminder', 'C', 'A'],
  ]
  expect(kept(final(await allFrames(`${url}/team/get_response_stream`, { message: 'go' })).new_messages)).toEqual(
    reminders,
  )
  const plain = (await (await post(`${url}/team/get_response`, { message: 'go' })).json()) as { new_messages: never[] }
  expect(kept(plain.new_messages)).toEqual(reminders)
})

test('the end of a model call comes with its usage, streamed and plain', async () => {
  promise('F1')
  await useUpstream(() => ({ text: 'Hi', usage: { input_tokens: 7, output_tokens: 2, total_tokens: 9 } }))
  const heard: (Partial<Usage> | null | undefined)[] = []
  const solo = new Agency(agent(), { hooks: { onLlmEnd: (_context, _agent, { usage }) => heard.push(usage) } })
  await solo.getResponse('go')
  await solo.getResponseStream('go').finalResult
  expect(heard).toEqual([
    { input_tokens: 7, output_tokens: 2, total_tokens: 9 },
    { input_tokens: 7, output_tokens: 2, total_tokens: 9 },
  ])
})

test('an agent that the user turns to learns of the handoff, once', async () => {
  promise('F4')
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'transfer_to_Support', arguments: {} }] } : { text: `Turn ${index}` },
  )
  const [desk, support] = [agent({ name: 'Desk' }), agent({ name: 'Support', description: 'Solves things' })]
  const team = new Agency(desk, { communicationFlows: [[desk, support, Handoff]] })
  const { url } = await startServer({ agencies: { team } })
  const chat_history: object[] = []
  const say = async (recipient_agent: string) => {
    const frames = await allFrames(`${url}/team/get_response_stream`, {
      message: 'Go on',
      recipient_agent,
      chat_history,
    })
    chat_history.push(...final(frames).new_messages)
    return items(frames).map((item: string[]) => item[1] ?? item[0])
  }
  expect(await say('Desk')).toContain('handoff_reminder')
  expect(await say('Desk')).toEqual(['recipient_reminder', 'user', 'assistant'])
  const input = upstream.seen.at(-1)?.body.input as { content: string }[] | undefined
  expect(input?.at(-2)?.content).toMatch(/you are "Desk"/)
  expect(await say('Desk')).toEqual(['user', 'assistant'])
  expect(await say('Support')).toEqual(['user', 'assistant'])
  // Handed over, and stopped before anybody answered: the next agent has to know.
  chat_history.length = 0
  const mark = { agent: 'Desk', callerAgent: null, timestamp: 1 }
  chat_history.push({ role: 'user', content: 'Go', ...mark })
  chat_history.push({ role: 'system', content: 'Over', message_origin: 'handoff_reminder', ...mark })
  expect(await say('Support')).toEqual(['recipient_reminder', 'user', 'assistant'])
})

test('a tool that has to be alone turns other calls away, and is turned away', async () => {
  promise('F1')
  const ran: string[] = []
  class Alone extends BaseTool.define({}) {
    static override toolConfig = { oneCallAtATime: true }
    async run() {
      await new Promise((resolve) => setTimeout(resolve, 10))
      return ran.push('Alone')
    }
  }
  const free = tool({ name: 'free', execute: () => ran.push('free') })
  const upstream = await useUpstream((_body, index) =>
    index === 0
      ? { calls: ['free', 'Alone', 'free'].map((name) => ({ name, arguments: {} })) }
      : index === 1
        ? { calls: ['Alone', 'free', 'Alone'].map((name) => ({ name, arguments: {} })) }
        : { text: 'ok' },
  )
  const { newMessages } = await new Agency(agent({ tools: [Alone, free] })).getResponse('go')
  const outputs = newMessages.filter((item) => item.type === 'function_call_output').map((item) => String(item.output))
  expect(outputs.map((output) => (output.startsWith('Error') ? 'away' : 'ran'))).toEqual([
    'ran',
    'away',
    'ran',
    'ran',
    'away',
    'away',
  ])
  expect(ran).toEqual(['free', 'free', 'Alone'])
  expect(JSON.stringify(upstream.seen[0]?.body.tools)).toMatch(/Call it alone/)
})

test('hooks run in order, and one that throws fails the run', async () => {
  promise('F1')
  await useUpstream((_body, index) =>
    index === 0
      ? { calls: [{ name: 'look', arguments: {} }] }
      : index === 1
        ? { calls: [{ name: 'transfer_to_Support', arguments: {} }] }
        : { text: 'Done' },
  )
  const heard: string[] = []
  const listener = (by: string): RunHooks => ({
    onAgentStart: (_, { name }) => heard.push(`${by} start ${name}`),
    onAgentEnd: async (_, { name }, output) => void heard.push(`${by} end ${name} ${output}`),
    onHandoff: (_, from, to) => heard.push(`${by} handoff ${from.name} ${to.name}`),
    onToolStart: (_, __, call) => heard.push(`${by} tool ${call.name} ${call.argumentsJson}`),
    onToolEnd: (_, __, call, output) => heard.push(`${by} tooled ${call.name} ${output}`),
    onLlmStart: (_, { name }, request) => heard.push(`${by} ask ${name} ${request.input.length}`),
    onLlmEnd: (_, { name }, { output }) => heard.push(`${by} asked ${name} ${output[0]?.type}`),
  })
  const look = tool({ name: 'look', execute: () => 'seen' })
  const desk = agent({ name: 'Desk', tools: [look], hooks: listener('agent') })
  const support = agent({ name: 'Support' })
  const team = new Agency(desk, { communicationFlows: [[desk, support, Handoff]], hooks: listener('agency') })
  await team.getResponse('go', { hooks: listener('run') })
  expect(heard.filter((line) => line.startsWith('agency'))).toEqual([
    'agency start Desk',
    'agency ask Desk 1',
    'agency asked Desk function_call',
    'agency tool look {}',
    'agency tooled look seen',
    'agency ask Desk 3',
    'agency asked Desk function_call',
    'agency handoff Desk Support',
    'agency start Support',
    'agency ask Support 6',
    'agency asked Support message',
    'agency end Support Done',
  ])
  expect(heard.slice(0, 3)).toEqual(['run start Desk', 'agency start Desk', 'agent start Desk'])
  expect(heard.filter((line) => line.startsWith('agent '))).toHaveLength(8)
  const failing = new Agency(agent(), {
    hooks: {
      onLlmStart() {
        throw new Error('not today')
      },
    },
  })
  await expect(failing.getResponse('go')).rejects.toThrow('not today')
})

test('options of older versions get an error that names where they went', () => {
  promise('F1')
  for (const [option, place] of [
    ['temperature', 'modelSettings: { temperature }'],
    ['max_completion_tokens', 'modelSettings: { maxTokens }'],
    ['response_validator', 'outputGuardrails'],
  ])
    expect(() => agent({ [option as string]: 1 })).toThrow(`Use instead: ${place}`)
})
