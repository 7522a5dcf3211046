// Five conversations that every release of the AG-UI clients has to get through: the model's script, the agency, the scenes.
import { Agency, Agent, tool } from '../../src/index.ts'

type Json = { [key: string]: unknown }
/** A message as the clients keep it. */
interface Message {
  role: string
  content?: unknown
  toolCalls?: { function: { name: string } }[]
}
/** The part of `HttpAgent` that all releases share. */
export interface Client {
  messages: Message[]
  addMessage?(message: Json): void
  runAgent(parameters?: Json): Promise<unknown>
}
export type ClientClass = new (config: { url: string; threadId: string }) => Client

/** What the scripted model does, by what it was asked. */
export function scriptScenes({ input, tools }: Json) {
  const items = input as Json[]
  const asked = JSON.stringify(items.findLast(({ role }) => role === 'user'))
  const answered = items.at(-1)?.type === 'function_call_output'
  const hasTool = (name: string) => JSON.stringify(tools ?? []).includes(`"${name}"`)
  if (asked.includes('weather') && !answered && hasTool('get_weather'))
    return { calls: [{ name: 'get_weather', arguments: { city: 'Rome' } }] }
  if (asked.includes('expert') && !answered && hasTool('send_message'))
    return { calls: [{ name: 'send_message', arguments: { recipient_agent: 'Expert', message: 'Ready?' } }] }
  const text = answered ? 'Done.' : 'Hello there.'
  const message = { type: 'message', role: 'assistant', status: 'completed' }
  const said = { ...message, content: [{ type: 'output_text', text, annotations: [] }] }
  const id = items.length
  if (!asked.includes('think')) return { output: [{ ...said, id: `msg_${id}` }] }
  const summary = [{ type: 'summary_text', text: 'Let me think.' }]
  return {
    output: [
      { id: `rs_${id}`, type: 'reasoning', summary },
      { ...said, id: `msg_${id}` },
    ],
  }
}

/** The agency that the scenes talk to. */
export function createSceneAgency(): Agency {
  const weather = tool({
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    execute: ({ city }) => `Sunny in ${city}`,
  })
  const expert = new Agent({ name: 'Expert', description: 'Knows more', model: 'gpt-5.4' })
  const guide = new Agent({ name: 'Guide', model: 'gpt-5.4', tools: [weather] })
  return new Agency(guide, { communicationFlows: [[guide, expert]] })
}

/** Name -> what the user says turn by turn, and what the client has to show afterwards. */
export const SCENES: { [name: string]: { turns: string[]; roles: string[]; holds: string[] } } = {
  text: { turns: ['Hi'], roles: ['user', 'assistant'], holds: ['Hello there.'] },
  tool: {
    turns: ['The weather?'],
    roles: ['user', 'assistant', 'tool', 'assistant'],
    holds: ['get_weather', 'Sunny in Rome', 'Done.'],
  },
  'sub-agent': {
    turns: ['Ask the expert'],
    roles: ['user', 'assistant', 'assistant', 'tool', 'assistant'],
    holds: ['send_message', 'Hello there.', 'Done.'],
  },
  'next turn': {
    turns: ['The weather?', 'Ask the expert', 'Hi'],
    roles: [
      'user',
      'assistant',
      'tool',
      'assistant',
      'user',
      'assistant',
      'assistant',
      'tool',
      'assistant',
      'user',
      'assistant',
    ],
    holds: ['Sunny in Rome', 'Hello there.'],
  },
  reasoning: { turns: ['Please think'], roles: ['user', 'assistant'], holds: ['Hello there.'] },
}

/**
 * Plays one scene.
 * @param user whose threads they are, where the server keeps them
 * @throws what the client threw, or how its messages differ from what they should be
 */
export async function play(AgentClass: ClientClass, url: string, name: string, user = 'thread'): Promise<Message[]> {
  const scene = SCENES[name]
  if (scene === undefined) throw new Error(`No scene is named ${name}.`)
  const agent = new AgentClass({ url, threadId: `${user}-${name.replace(' ', '-')}` })
  for (const [index, content] of scene.turns.entries()) {
    const message = { id: `u${index}`, role: 'user', content }
    if (agent.addMessage === undefined) agent.messages = [...agent.messages, message]
    else agent.addMessage(message)
    await agent.runAgent()
  }
  const shown = agent.messages.filter(({ role }) => role !== 'reasoning')
  const roles = shown.map(({ role }) => role).sort() // releases place results of tools differently
  const text = JSON.stringify(shown)
  const missing = scene.holds.filter((part) => !text.includes(part))
  if (roles.join() !== scene.roles.toSorted().join() || missing.length > 0)
    throw new Error(
      `roles ${roles.join()} instead of ${scene.roles.toSorted().join()}; missing: ${missing.join(', ')}\n${text}`,
    )
  return agent.messages
}
