// Which AG-UI events a client gets: releases before protocol 1.0 fail at events they do not know.
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, type ServeOptions, serve } from '../src/index.ts'
import { promise } from './promises.ts'
import { ALL_EVENTS, ask, CLIENTS, type Event, inputOf, only, types, user } from './support/agui.ts'
import { type ClientClass, createSceneAgency, play, SCENES, scriptScenes } from './support/agui-scenes.ts'
import { startServer, useUpstream } from './support/client.ts'
import { startEvents } from './support/upstream.ts'

async function serveScenes(options: ServeOptions = {}) {
  await useUpstream(scriptScenes)
  const server = await startServer({ agencies: { agency: createSceneAgency() }, enableAgui: true, ...options })
  return `${server.url}/agency/get_response_stream`
}

test.for(CLIENTS.flatMap(([version, Client]) => Object.keys(SCENES).map((scene) => [version, scene, Client] as const)))(
  'client %s gets through the scene "%s" without asking for anything',
  async ([version, scene, Client]) => {
    promise('G1')
    const messages = await play(Client as unknown as ClientClass, await serveScenes(), scene)
    const showsReasoning = scene === 'reasoning' && version === '1.0.0'
    expect(messages.some(({ role }) => role === 'reasoning')).toBe(showsReasoning)
  },
)

const OPTIONAL = /^(SUBAGENT|REASONING|TOOL_CALL_RESULT)/
const ALL = { subagents: true, reasoning: true, toolResults: true }
const NONE = { subagents: false, reasoning: false, toolResults: false }
const asked = (more: object) => ({ forwardedProps: more })

test.for([
  ['protocol 1.0', { protocolVersion: '1.0' }, true, ['REASONING', 'SUBAGENT', 'TOOL_CALL_RESULT']],
  ['a later protocol', { protocolVersion: '2.3' }, true, ['REASONING', 'SUBAGENT', 'TOOL_CALL_RESULT']],
  ['no protocol', { protocolVersion: undefined }, true, []],
  ['a null', { protocolVersion: null }, true, []],
  ['protocol 0.9', { protocolVersion: '0.9' }, true, []],
  ['what is not a version', { protocolVersion: 'newest' }, true, []],
  [
    'forwardedProps',
    { protocolVersion: undefined, ...asked(ALL_EVENTS) },
    true,
    ['REASONING', 'SUBAGENT', 'TOOL_CALL_RESULT'],
  ],
  ['the body', { protocolVersion: undefined, reasoning_events: true }, true, ['REASONING']],
  ['a refusal in the body', { subagent_events: false }, true, ['REASONING', 'TOOL_CALL_RESULT']],
  ['a refusal in forwardedProps', asked({ tool_result_events: false }), true, ['REASONING', 'SUBAGENT']],
  ['the server', { protocolVersion: undefined }, ALL, ['REASONING', 'SUBAGENT', 'TOOL_CALL_RESULT']],
  ['a server that sends one kind', { protocolVersion: undefined }, { subagents: true }, ['SUBAGENT']],
  ['a server that sends none', { protocolVersion: '1.0' }, NONE, []],
  ['a request against the server', { protocolVersion: undefined, reasoning_events: true }, NONE, ['REASONING']],
] as const)('%s decides which optional events are sent', async ([, more, enableAgui, expected]) => {
  promise('G1', 'G3')
  const stream = await serveScenes({ enableAgui })
  const found = new Set<string>()
  for (const words of ['The weather?', 'Ask the expert', 'Please think']) {
    const events = await ask(stream, inputOf([user(words)], more))
    for (const type of types(events)) if (OPTIONAL.test(type)) found.add(type.replace(/(SUBAGENT|REASONING).*/, '$1'))
    const roles = only(events, 'MESSAGES_SNAPSHOT').flatMap(({ messages }) => messages.map(({ role }: Event) => role))
    const isThought = words === 'Please think' && (expected as readonly string[]).includes('REASONING')
    expect(roles.includes('reasoning')).toBe(isThought)
    if (words === 'The weather?') expect(roles).toContain('tool')
  }
  expect([...found].sort()).toEqual(expected)
})

test.for([[{ subagent: true }], [{ reasoning: 'yes' }], ['all'], [null], [1]])(
  'enableAgui: %j is refused with the names it takes',
  async ([enableAgui]) => {
    const options = {
      agencies: { agency: new Agency(new Agent({ name: 'A', model: 'demo' })) },
      enableAgui,
    } as ServeOptions
    await expect(serve({ ...options, banner: false, handleSignals: false, port: 0 })).rejects.toThrow(
      'enableAgui has to be true, false, or an object of booleans: subagents, reasoning, toolResults.',
    )
  },
)

test('snapshots for protocol 1.0 contain the reasoning of all turns', async () => {
  promise('G1')
  const stream = await serveScenes()
  const first = await ask(stream, inputOf([user('Please think')]))
  const { messages } = only(first, 'MESSAGES_SNAPSHOT').at(-1)
  expect(messages).toMatchObject([
    { role: 'user' },
    { role: 'reasoning', content: 'Let me think.', metadata: { agent: 'Guide' } },
    { role: 'assistant', content: 'Hello there.' },
  ])
  const [{ messageId }] = only(first, 'REASONING_MESSAGE_START')
  expect(messages[1].id).toBe(messageId)
  const activity = { id: 'a1', role: 'activity', activityType: 'plan', content: { step: 1 } }
  const second = await ask(stream, inputOf([...messages, activity, user('Hi', 'u2')]))
  expect(only(second, 'MESSAGES_SNAPSHOT').at(-1).messages).toMatchObject([
    ...messages,
    activity,
    { id: 'u2' },
    { role: 'assistant', content: 'Hello there.' },
  ])
})

test('snapshots contain reasoning that a provider never finished', async () => {
  promise('G1')
  const at = { output_index: 0, item_id: 'rs_1' }
  const answer = {
    id: 'm',
    type: 'message',
    role: 'assistant',
    content: [{ type: 'output_text', text: 'So', annotations: [] }],
  }
  const gateway = await startEvents(
    [
      { type: 'response.reasoning_summary_text.delta', ...at, delta: 'One' },
      { type: 'response.reasoning_summary_part.added', ...at },
      { type: 'response.reasoning_summary_text.delta', ...at, delta: 'two' },
      { type: 'response.output_item.done', output_index: 1, item: answer },
      { type: 'response.completed', response: { id: 'r', output: [answer], usage: {} } },
    ].map((event) => JSON.stringify(event)),
  )
  onTestFinished(() => gateway.close())
  await useUpstream(scriptScenes)
  process.env.OPENAI_BASE_URL = gateway.baseURL
  const server = await startServer({ agencies: { agency: createSceneAgency() }, enableAgui: true })
  const events = await ask(`${server.url}/agency/get_response_stream`, inputOf([user('Hi')]))
  const { messages } = only(events, 'MESSAGES_SNAPSHOT').at(-1)
  expect(messages.map(({ role, content }: Event) => [role, content]).sort()).toEqual([
    ['assistant', 'So'],
    ['reasoning', 'One\n\ntwo'],
    ['user', 'Hi'],
  ])
})
