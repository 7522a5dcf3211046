/** A server with one agent at a mock provider, and the keys and warnings that tests check. */
import { onTestFinished, vi } from 'vitest'
import { Agency, Agent, type ModelSpec, type ServeOptions } from '../../src/index.ts'
import { post, startServer } from './client.ts'
import type { SeenCall } from './providers.ts'

export const hello = { match: { userMessage: 'Hi' }, response: { content: 'Hello' } }

export const agent = (model: ModelSpec, name = 'Solo') => new Agent({ name, instructions: `I am ${name}.`, model })

export const solo = (model: ModelSpec) => ({ solo: new Agency(agent(model)) })

/** What console.warn is told until the test is over. */
export function listen() {
  const said: string[] = []
  const warn = vi.spyOn(console, 'warn').mockImplementation((text) => void said.push(String(text)))
  onTestFinished(() => warn.mockRestore())
  return said
}

/** The key that a call carries, in whichever header its provider reads it. */
export const keyOf = ({ headers }: SeenCall) =>
  headers['x-api-key'] ??
  headers['x-goog-api-key'] ??
  headers['api-key'] ??
  headers.authorization?.replace('Bearer ', '')

export async function serveAt(mockUrl: string, model: ModelSpec, options: Partial<ServeOptions> = {}) {
  const { url } = await startServer({ agencies: solo(model), trustedModelOrigins: [mockUrl], ...options })
  return (client_config: object, message = 'Hi') => post(`${url}/solo/get_response`, { message, client_config })
}
