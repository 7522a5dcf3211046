/** An agent, and scripted answers of its model, for tests of tools. */
import { Agent, type AgentOptions } from '../../src/index.ts'

export type Json = { [key: string]: unknown }

export const agent = (options: Partial<AgentOptions> = {}) =>
  new Agent({ name: 'Assistant', instructions: 'Help.', model: 'gpt-4.1', ...options })

export const say = (text: string, annotations: Json[] = [], id = 'msg_1'): Json => ({
  id,
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations }],
})

export const call = (name: string, args: Json = {}) => ({ calls: [{ name, arguments: args }] })

export const outputsOf = (messages: readonly Json[]) =>
  messages.filter((item) => item.type === 'function_call_output').map((item) => item.output)
