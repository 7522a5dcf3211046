/** Scenes that every protocol plays with its own client: the agency, its scripted model, and what comes out. */
import { z } from 'zod'
import { Agency, Agent, flow, Handoff, tool } from '../../src/index.ts'
import { outputsIn } from './approval-shop.ts'
import type { Turn } from './upstream.ts'

type Json = { [key: string]: unknown }

const said = (text: string) => ({
  id: 'msg',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
})
const thought = { id: 'rs', type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hmm.' }] }
const ask = (recipient_agent: string) => ({
  name: 'send_message',
  id: `ask-${recipient_agent}`,
  arguments: { recipient_agent, message: 'Please.', additional_instructions: '' },
})

export interface Scene {
  /** What the entry agent does, with the outputs of its calls so far. */
  script(outputs: readonly string[]): Turn
  /** What the client ends with: the text, and the calls that it shows, if it shows any. */
  text: string
  calls: readonly string[]
}

export const COUNTED = Array.from({ length: 30 }, (_, index) => `${index} `).join('')

export const SCENES = {
  text: { script: () => ({ text: 'It is so.', deltas: ['It ', 'is ', 'so.'] }), text: 'It is so.', calls: [] },
  tool: {
    script: ([output]) =>
      output === undefined ? { calls: [{ name: 'lookup', arguments: { what: 'it' } }] } : { text: output },
    text: 'found it',
    calls: ['lookup'],
  },
  'sub-agents': {
    script: ({ length }) => (length === 0 ? { calls: [ask('Rates'), ask('Stock')] } : { text: 'Three of ten.' }),
    text: 'Three of ten.',
    calls: ['send_message', 'send_message'],
  },
  handoff: {
    script: () => ({ calls: [{ name: 'transfer_to_Sales', arguments: {} }] }),
    text: 'Sales here.',
    calls: ['transfer_to_Sales'],
  },
  reasoning: { script: () => ({ output: [thought, said('Yes.')] }), text: 'Yes.', calls: [] },
  failure: { script: () => ({ status: 400, message: 'No such model.' }), text: '', calls: [] },
  approval: {
    script: ([output]) =>
      output === undefined ? { calls: [{ name: 'refund', arguments: { order: 17 } }] } : { text: output },
    text: 'refunded 17',
    calls: ['refund'],
  },
  cut: { script: () => ({ text: '', deltas: 30, delayMs: 15 }), text: COUNTED, calls: [] },
} satisfies { [name: string]: Scene }
export type SceneName = keyof typeof SCENES

/** The words of a message that asks for a scene. */
export const wordsOf = (name: SceneName) => `Play: ${name}.`

export function scriptScenes(body: Json): Turn {
  const instructions = String(body.instructions)
  if (instructions.includes('Rates')) return { text: 'Three' }
  if (instructions.includes('Stock')) return { text: 'Ten' }
  if (instructions.includes('Sales')) return { text: 'Sales here.' }
  const asked = JSON.stringify((body.input as Json[]).findLast(({ role }) => role === 'user'))
  const name = /Play: ([\w-]+)\./.exec(asked)?.[1] as SceneName
  return SCENES[name].script(outputsIn(body))
}

const agent = (name: string, options = {}) =>
  new Agent({ name, instructions: `You are ${name}.`, model: 'gpt-4.1', ...options })

export function createSceneTeam(): Agency {
  const lookup = tool({
    name: 'lookup',
    parameters: z.object({ what: z.string() }),
    execute: ({ what }) => `found ${what}`,
  })
  const refund = tool({
    name: 'refund',
    parameters: z.object({ order: z.int() }),
    needsApproval: true,
    execute: ({ order }) => `refunded ${order}`,
  })
  const desk = agent('Desk', { tools: [lookup, refund] })
  const rates = agent('Rates')
  const stock = agent('Stock')
  return new Agency(desk, {
    name: 'team',
    communicationFlows: [flow(desk, rates), flow(desk, stock), [desk, agent('Sales'), Handoff]],
  })
}
