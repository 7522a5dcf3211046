import { expect } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, type ModelSettings, tool } from '../../src/index.ts'
import { postAndRead, startServer } from './client.ts'
import { startStrictUpstream } from './strict-upstream.ts'

export type Item = { [key: string]: unknown }

export const look = tool({ name: 'look', parameters: z.object({ city: z.string() }), execute: () => 'seen' })
export const user = (content: unknown): Item => ({ role: 'user', content })
export const assistant = (content: unknown, id?: string): Item => ({
  role: 'assistant',
  content,
  ...(id === undefined ? {} : { id }),
})
export const call = (call_id: string, more: Item = {}): Item => ({
  type: 'function_call',
  call_id,
  name: 'look',
  arguments: '{}',
  ...more,
})
export const output = (call_id: string, text: unknown = 'seen'): Item => ({
  type: 'function_call_output',
  call_id,
  output: text,
})
export const thought = (id: string, more: Item = {}): Item => ({ type: 'reasoning', id, summary: [], ...more })

export interface Setting {
  modelSettings?: ModelSettings
  tools?: [] | [typeof look]
  client_config?: object
}

/** What is sent for a history and the message "Now"; no provider refuses it. */
export async function sendWith(model: string, history: readonly Item[], { client_config, ...options }: Setting = {}) {
  const { seen, refused } = await startStrictUpstream()
  const agent = new Agent({ name: 'A', instructions: 'Help.', model, tools: [look], ...options })
  const { url } = await startServer({ agencies: { solo: new Agency(agent) }, exposeErrors: true })
  const chat_history = history.map((item) => ({ agent: 'A', callerAgent: null, timestamp: 1, ...item }))
  const answer = await postAndRead(`${url}/solo/get_response`, { message: 'Now', chat_history, client_config })
  expect(refused).toEqual([])
  expect(answer).toMatchObject({ status: 200, body: { response: 'Understood.' } })
  return seen[0]?.body
}

/** Items of a request without the message that asks, and without what says nothing. */
export async function inputOf(model: string, history: readonly Item[], setting?: Setting): Promise<Item[]> {
  const { input } = await sendWith(model, history, setting)
  return (input as Item[]).slice(0, -1).map(({ type, ...item }) => (type === 'message' ? item : { type, ...item }))
}
export const messagesOf = async (model: string, history: readonly Item[], setting?: Setting): Promise<Item[]> =>
  (await sendWith(model, history, setting)).messages
export const roles = (messages: readonly Item[]) => messages.map(({ role }) => role)
