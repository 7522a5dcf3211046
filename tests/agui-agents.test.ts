import { expect, test } from 'vitest'
import { Agency, Agent, Handoff } from '../src/index.ts'
import { promise } from './promises.ts'
import { ask, CLIENTS, connect, type Event, inputOf, only, saidBy, types, user } from './support/agui.ts'
import { lastOf, serveAgui, weather } from './support/agui-server.ts'
import { useUpstream } from './support/client.ts'

/** A boss who asks a lead, who asks a worker. */
function threeLevels() {
  const [boss, lead, worker] = ['Boss', 'Lead', 'Worker'].map(
    (name) => new Agent({ name, description: `${name} works`, instructions: `You are ${name}.`, model: 'gpt-4.1' }),
  ) as [Agent, Agent, Agent]
  return new Agency(boss, {
    communicationFlows: [
      [boss, lead],
      [lead, worker],
    ],
  })
}

const send = (recipient: string, message: string) => ({
  calls: [
    {
      name: 'send_message',
      arguments: { recipient_agent: recipient, message, additional_instructions: '' },
      id: `call_${recipient}`,
    },
  ],
})

/** Boss and Lead pass a question on once and then answer; Worker answers. */
const delegate = ({ instructions, input }: { [key: string]: unknown }) => {
  const [, name] = /You are (\w+)/.exec(String(instructions)) ?? []
  const answered = (input as { type?: string }[]).at(-1)?.type === 'function_call_output'
  if (name === 'Boss' && !answered) return send('Lead', 'Plan it')
  if (name === 'Lead' && !answered) return send('Worker', 'Do it')
  return { text: `${name} is done` }
}

test.for(CLIENTS)('client %s keeps the threads of nested agents apart', async ([, Client]) => {
  promise('G3', 'G1')
  const upstream = await useUpstream(delegate)
  const { stream } = await serveAgui(threeLevels())
  const { agent, run } = connect(Client, stream)
  const events = await run('Build')
  const [lead, worker] = only(events, 'SUBAGENT_STARTED')
  expect(lead).toMatchObject({ name: 'Lead', description: 'Lead works', parentToolCallId: 'call_Lead' })
  expect(lead).not.toHaveProperty('parentSubagentRunId')
  expect(worker).toMatchObject({
    name: 'Worker',
    parentSubagentRunId: lead.subagentRunId,
    parentToolCallId: 'call_Worker',
    parentMessageId: only(events, 'TOOL_CALL_START')[1].parentMessageId,
  })
  expect(only(events, 'SUBAGENT_FINISHED').map(({ subagentRunId }) => subagentRunId)).toEqual([
    worker.subagentRunId,
    lead.subagentRunId,
  ])
  expect([undefined, lead.subagentRunId, worker.subagentRunId].map((id) => saidBy(events, id))).toEqual([
    'Boss is done',
    'Lead is done',
    'Worker is done',
  ])
  expect(only(events, 'TEXT_MESSAGE_START').map(({ name }) => name)).toEqual(['Worker', 'Lead', 'Boss'])
  const texts = agent.messages.filter(({ role, content }) => role === 'assistant' && content)
  expect(texts).toMatchObject([
    { subagentRunId: worker.subagentRunId, metadata: { agent: 'Worker', callerAgent: 'Lead' } },
    { subagentRunId: lead.subagentRunId, metadata: { agent: 'Lead', callerAgent: 'Boss' } },
    { name: 'Boss', metadata: { agent: 'Boss', callerAgent: null } },
  ])
  const before = upstream.seen.length
  await run('Again')
  const [boss, asked, worked] = upstream.seen.slice(before).map(({ body }) => body.input as Event[])
  expect(JSON.stringify(boss)).not.toMatch(/Plan it"|Lead is done"}|Worker is done"}/)
  expect(boss?.map(({ type, role }) => type ?? role)).toEqual([
    'user',
    'function_call',
    'function_call_output',
    'assistant',
    'message',
  ])
  expect(asked).toMatchObject([
    { role: 'user', content: 'Plan it' },
    { type: 'function_call', name: 'send_message' },
    { type: 'function_call_output', output: 'Worker is done' },
    { role: 'assistant', content: 'Lead is done' },
    { role: 'user', content: 'Plan it' },
  ])
  expect(worked).toMatchObject([
    { role: 'user', content: 'Do it' },
    { role: 'assistant', content: 'Worker is done' },
    { role: 'user', content: 'Do it' },
  ])
})

test.for(CLIENTS)('client %s reads parallel agents as separate messages', async ([, Client]) => {
  promise('G3')
  const boss = new Agent({ name: 'Boss', instructions: 'You are Boss.', model: 'gpt-4.1' })
  const names = ['A', 'B', 'C']
  const team = names.map((name) => new Agent({ name, instructions: `You are ${name}.`, model: 'gpt-4.1' }))
  await useUpstream(({ instructions, input }) => {
    if (!String(instructions).includes('Boss')) return { text: 'any', deltas: 40, delayMs: 1 }
    if (lastOf({ input })?.output !== undefined) return { text: 'All done' }
    return { calls: names.flatMap((name) => send(name, 'Go').calls) }
  })
  const { stream } = await serveAgui(new Agency(boss, { communicationFlows: team.map((agent) => [boss, agent]) }))
  const { agent, run } = connect(Client, stream)
  const events = await run('Go')
  const started = only(events, 'SUBAGENT_STARTED')
  expect(started.map(({ name }) => name)).toEqual(names)
  const spoken = Array.from({ length: 40 }, (_, index) => `${index} `).join('')
  for (const { subagentRunId } of started) expect(saidBy(events, subagentRunId)).toBe(spoken)
  const turns = only(events, 'TEXT_MESSAGE_CONTENT').map(({ subagentRunId }) => subagentRunId)
  expect(new Set(turns.slice(0, 40)).size).toBeGreaterThan(1) // they really spoke at the same time
  expect(agent.messages.filter(({ role, content }) => role === 'assistant' && content)).toHaveLength(4)
})

test.for(CLIENTS)('client %s sees a handoff and the complete transfer', async ([, Client]) => {
  promise('G3', 'G1')
  const desk = new Agent({ name: 'Desk', instructions: 'You are Desk.', model: 'gpt-4.1' })
  const bills = new Agent({ name: 'Bills', instructions: 'You are Bills.', model: 'gpt-4.1' })
  const legal = new Agent({ name: 'Legal', instructions: 'You are Legal.', model: 'gpt-4.1' })
  const transfer = (name: string) => ({
    calls: [{ name: `transfer_to_${name}`, arguments: { recipient_agent: name }, id: `call_${name}` }],
  })
  const upstream = await useUpstream(({ instructions }, index) => {
    if (index < 2) return transfer(String(instructions).includes('Desk') ? 'Bills' : 'Legal')
    return { text: 'All legal' }
  })
  const flows = [
    [desk, bills, Handoff],
    [bills, legal, Handoff],
  ] as const
  const { stream } = await serveAgui(new Agency(desk, { communicationFlows: flows.map(([...flow]) => flow) }))
  const { agent, run } = connect(Client, stream)
  const events = await run('Help')
  expect(JSON.stringify(events)).not.toMatch(/SUBAGENT|subagentRunId/)
  expect(saidBy(events, undefined)).toBe('All legal')
  const isAnswer = ({ content }: Event) => content === 'All legal'
  expect(agent.messages.find(isAnswer)).toMatchObject({ name: 'Legal', role: 'assistant' })
  expect(only(events, 'TOOL_CALL_RESULT')).toHaveLength(2)
  expect(agent.messages.map(({ role }) => role).sort()).toEqual([...Array(3).fill('assistant'), 'tool', 'tool', 'user'])
  await run('More')
  const input: Event = upstream.seen[3]?.body.input
  expect(input.map(({ type, role }: Event) => type ?? role)).toEqual([
    'user',
    'function_call',
    'function_call',
    'function_call_output',
    'function_call_output',
    'assistant',
    'message',
  ])
})

test.for(CLIENTS)('client %s sees a sub-agent fail while the run continues', async ([, Client]) => {
  promise('G1', 'G3')
  await useUpstream(({ instructions, input }) => {
    const name = /You are (\w+)/.exec(String(instructions))?.[1]
    if (name === 'Boss' && lastOf({ input })?.output === undefined) return send('Lead', 'Plan it')
    if (name === 'Lead' && lastOf({ input })?.output === undefined) return send('Worker', 'Do it')
    if (name === 'Worker') return { text: 'Half a sent', cut: true }
    return { text: `${name} is done` }
  })
  const { stream } = await serveAgui(threeLevels())
  const { agent, run } = connect(Client, stream)
  const events = await run('Build')
  const [, worker] = only(events, 'SUBAGENT_STARTED')
  const [failed] = only(events, 'SUBAGENT_ERROR')
  expect(failed).toMatchObject({ subagentRunId: worker.subagentRunId, message: expect.stringMatching(/Worker failed/) })
  expect(only(events, 'SUBAGENT_FINISHED')).toHaveLength(1)
  expect(events.at(-1).type).toBe('RUN_FINISHED')
  expect(JSON.stringify(agent.messages)).not.toContain('Half a sent')
})

test('a sub-agent that fails takes those it had asked with it', async () => {
  promise('G3')
  await useUpstream(({ instructions, input }) => {
    const name = /You are (\w+)/.exec(String(instructions))?.[1]
    if (name === 'Worker' || lastOf({ input })?.output !== undefined) return { text: `${name} is done` }
    if (name === 'Boss') return send('Lead', 'Plan it')
    return { calls: [...send('Worker', 'Do it').calls, { name: 'get_weather', arguments: { city: 'Rome' } }] }
  })
  const hooks = {
    onToolEnd() {
      throw new Error('The listener failed.')
    },
  }
  const [boss, lead, worker] = ['Boss', 'Lead', 'Worker'].map(
    (name) =>
      new Agent({
        ...{ name, instructions: `You are ${name}.`, model: 'gpt-4.1' },
        ...(name === 'Lead' && { hooks, tools: [weather] }),
      }),
  ) as [Agent, Agent, Agent]
  const communicationFlows = [[boss, lead] as const, [lead, worker] as const].map(([...pair]) => pair)
  const { stream } = await serveAgui(new Agency(boss, { communicationFlows }))
  const events = await ask(stream, inputOf([user('Build')]))
  expect(types(events).filter((type) => type.startsWith('SUBAGENT'))).toEqual([
    'SUBAGENT_STARTED',
    'SUBAGENT_STARTED',
    'SUBAGENT_FINISHED',
    'SUBAGENT_ERROR',
  ])
  const [first, second] = only(events, 'SUBAGENT_STARTED')
  expect(only(events, 'SUBAGENT_FINISHED')[0].subagentRunId).toBe(second.subagentRunId)
  expect(only(events, 'SUBAGENT_ERROR')[0].subagentRunId).toBe(first.subagentRunId)
  expect(events.at(-1).type).toBe('RUN_FINISHED')
})

test('older clients can turn sub-agent events off', async () => {
  promise('G3')
  await useUpstream(delegate)
  const { stream } = await serveAgui(threeLevels())
  const events = await ask(stream, inputOf([user('Build')], { forwardedProps: { subagent_events: false } }))
  expect(types(events).filter((type) => type.startsWith('SUBAGENT'))).toEqual([])
  expect(only(events, 'TEXT_MESSAGE_START')).toMatchObject([
    { name: 'Worker', subagentRunId: expect.any(String) },
    { name: 'Lead', subagentRunId: expect.any(String) },
    { name: 'Boss' },
  ])
})
