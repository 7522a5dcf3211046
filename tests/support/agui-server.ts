/** An agency served over AG-UI, with an agent and a tool for it. */
import { type Agency, Agent, type ServeOptions, tool } from '../../src/index.ts'
import { startServer } from './client.ts'

export const weather = tool({
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  execute: ({ city }) => `Sunny in ${city}`,
})

export const assistant = (options = {}) =>
  new Agent({ name: 'Assistant', instructions: 'Top secret instructions.', model: 'gpt-4.1', ...options })

export async function serveAgui(agency: Agency, options: ServeOptions = {}) {
  const server = await startServer({ agencies: { agency }, enableAgui: true, ...options })
  return { ...server, stream: `${server.url}/agency/get_response_stream` }
}

/** The text of the last item that a model call had. */
export const lastOf = ({ input }: { input?: unknown }) => (input as { content?: unknown; output?: unknown }[]).at(-1)

export const usage = { inputTokens: 10, outputTokens: 5, totalTokens: 15, cachedInputTokens: 0 }
