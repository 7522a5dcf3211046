/** Agents whose scripted turns the tests of telemetry trace. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agency, Agent, tool } from '../../src/index.ts'
import type { Turn } from './upstream.ts'

export type Body = { [key: string]: unknown }

/** Whose turn it is, by the instructions; how many outputs of tools stand in the input. */
export const seen = (body: Body) => {
  const input = body.input as Body[]
  return {
    who: /You are (\w+)/.exec(String(body.instructions))?.[1],
    outputs: input.filter((item) => item.type === 'function_call_output').length,
  }
}

export const agent = (name: string, more: Partial<ConstructorParameters<typeof Agent>[0]> = {}) =>
  new Agent({ name, instructions: `You are ${name}`, model: 'gpt-4.1', ...more })

export const ask = (recipient: string, message = 'Please') => ({
  name: 'send_message',
  arguments: { recipient_agent: recipient, message, additional_instructions: '' },
})

/** CEO asks Left and Right at the same time; each of them calls its own tool before it answers. */
export function teamScript(body: Body): Turn {
  const { who, outputs } = seen(body)
  if (who === 'CEO') return outputs === 0 ? { calls: [ask('Left'), ask('Right')] } : { text: 'Both have answered' }
  return outputs === 0 ? { calls: [{ name: `${who}_tool`, arguments: {} }] } : { text: `${who} is done` }
}

export function team() {
  const ceo = agent('CEO')
  const [left, right] = ['Left', 'Right'].map((name) =>
    agent(name, { tools: [tool({ name: `${name}_tool`, execute: () => sleep(5, 'ok') })] }),
  ) as [Agent, Agent]
  return new Agency(ceo, {
    communicationFlows: [
      [ceo, left],
      [ceo, right],
    ],
  })
}
