import { expect, test } from 'vitest'
import { Agency, Agent, Handoff, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, startServer, useUpstream } from './support/client.ts'

type Item = { [key: string]: unknown }

/** Why the real API would refuse this input; undefined when it would not. */
function refusal(input: readonly Item[]): string | undefined {
  const calls = new Set<unknown>()
  const outputs = new Set(input.filter((item) => item.type === 'function_call_output').map((item) => item.call_id))
  const ids = new Set<unknown>()
  for (const [index, item] of input.entries()) {
    for (const key of [
      'agent',
      'callerAgent',
      'timestamp',
      'agent_run_id',
      'parent_run_id',
      'run_trace_id',
      'history_protocol',
      'message_origin',
    ])
      if (key in item) return `unknown parameter input[${index}].${key}`
    if (item.id !== undefined && ids.has(item.id)) return `duplicate item ${item.id}`
    ids.add(item.id)
    if (item.type === 'function_call') {
      calls.add(item.call_id)
      if (!outputs.has(item.call_id)) return `no tool output found for ${item.call_id}`
    }
    if (item.type === 'function_call_output' && !calls.has(item.call_id))
      return `no tool call found for ${item.call_id}`
  }
  return undefined
}

test('a strict upstream accepts ten replayed turns of three agents', async () => {
  promise('C3', 'C2', 'D1')
  const upstream = await useUpstream((body) => {
    const problem = refusal(body.input as Item[])
    if (problem !== undefined) return { status: 400, message: problem }
    const input = body.input as Item[]
    const last = input.at(-1) as Item
    const turn = Number(
      /turn (\d+)/.exec(JSON.stringify(input.findLast((item) => item.role === 'user')?.content))?.[1] ?? 0,
    )
    if (last.role !== 'user') return { text: `Answer ${turn}` }
    if (body.instructions === 'Lead' && turn % 3 === 0)
      return {
        calls: [
          {
            name: 'send_message',
            arguments: { recipient_agent: 'Helper', message: `turn ${turn} for you`, additional_instructions: '' },
          },
          { name: 'note', arguments: { text: 'x' } },
        ],
      }
    if (body.instructions === 'Lead' && turn % 3 === 1)
      return { calls: [{ name: 'transfer_to_Closer', arguments: { recipient_agent: 'Closer' } }] }
    if (body.instructions === 'Helper') return { calls: [{ name: 'note', arguments: { text: 'helping' } }] }
    return { text: `Answer ${turn}` }
  })
  const note = tool({ name: 'note', execute: () => 'noted' })
  const make = (name: string) => new Agent({ name, instructions: name, model: 'gpt-4.1', tools: [note] })
  const [lead, helper, closer] = [make('Lead'), make('Helper'), make('Closer')]
  const { url } = await startServer({
    agencies: {
      team: new Agency(lead, {
        communicationFlows: [
          [lead, helper],
          [lead, closer, Handoff],
        ],
      }),
    },
  })
  let chat_history: Item[] = []
  for (let turn = 0; turn < 10; turn++) {
    const body = { message: `turn ${turn}`, chat_history }
    const answer =
      turn % 2 === 0
        ? final(await allFrames(`${url}/team/get_response_stream`, body))
        : ((await (await post(`${url}/team/get_response`, body)).json()) as { new_messages: Item[] })
    expect(answer.new_messages.at(-1).role).toBe('assistant')
    for (const message of answer.new_messages as Item[])
      expect(message).toMatchObject({
        agent: expect.any(String),
        agent_run_id: expect.stringMatching(/^agent_run_[0-9a-f]{32}$/),
        run_trace_id: expect.stringMatching(/^trace_[0-9a-f]{32}$/),
        history_protocol: 'responses',
        timestamp: expect.any(Number),
      })
    chat_history = [...chat_history, ...answer.new_messages]
  }
  expect(new Set(chat_history.map((message) => message.run_trace_id)).size).toBe(1)
  const toHelper = upstream.seen.filter(({ body }) => body.instructions === 'Helper')
  expect(toHelper.length).toBeGreaterThan(6)
  for (const { body } of toHelper) expect(JSON.stringify(body.input)).not.toMatch(/"turn \d+"/)
})

test('incomplete calls in a message never reach the model', async () => {
  promise('C3')
  const upstream = await useUpstream((body) => {
    const problem = refusal(body.input as Item[])
    return problem === undefined ? { text: 'Hi' } : { status: 400, message: problem }
  })
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' })) },
  })
  const call = (call_id: string) => ({ type: 'function_call', call_id, name: 'step', arguments: '{}' })
  const output = (call_id: string) => ({ type: 'function_call_output', call_id, output: 'done' })
  const user = { role: 'user', content: 'Go on' }
  const about = { agent: 'Assistant', callerAgent: null, timestamp: 1 }
  const cases: { message: Item[]; chat_history?: Item[]; asked: string[] }[] = [
    { message: [call('a'), user], asked: ['message'] },
    { message: [output('a'), user], asked: ['message'] },
    { message: [{ type: 'reasoning', id: 'r', summary: [] }, user], asked: ['message'] },
    {
      message: [call('a'), output('a'), user],
      asked: ['function_call a', 'function_call_output a', 'message'],
    },
    {
      message: [output('a'), output('b')],
      chat_history: [{ ...call('a'), ...about }],
      asked: ['function_call a', 'function_call_output a'],
    },
  ]
  for (const { message, chat_history, asked } of cases)
    for (const endpoint of ['get_response', 'get_response_stream']) {
      const answer = await post(`${url}/solo/${endpoint}`, { message, chat_history })
      const text = await answer.text()
      expect([answer.status, text]).toEqual([200, expect.stringContaining('Hi')])
      const input = upstream.seen.at(-1)?.body.input as Item[]
      expect(input.map(({ type, call_id }) => [type, call_id].filter(Boolean).join(' '))).toEqual(asked)
    }
})

test('with store: false, reasoning is encrypted and ids are dropped', async () => {
  promise('F1')
  const upstream = await useUpstream(() => ({ text: 'Hi' }))
  const agent = new Agent({ name: 'Assistant', model: 'gpt-5.4', modelSettings: { store: false } })
  const { url } = await startServer({ agencies: { solo: new Agency(agent) } })
  const about = { agent: 'Assistant', callerAgent: null, timestamp: 1 }
  const chat_history = [
    { role: 'user', content: 'Before', ...about },
    { id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: 'abc', ...about },
    { id: 'rs_2', type: 'reasoning', summary: [], ...about },
    { id: 'msg_1', type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Yes' }], ...about },
  ]
  await post(`${url}/solo/get_response`, { message: 'Now', chat_history })
  const { body } = upstream.seen[0] as { body: { [key: string]: unknown } }
  expect(body).toMatchObject({ store: false, include: ['reasoning.encrypted_content'] })
  expect((body.input as { id?: string; type?: string }[]).map(({ id, type }) => `${type} ${id}`)).toEqual([
    'undefined undefined',
    'reasoning rs_1',
    'message undefined',
    'message undefined',
  ])
})
