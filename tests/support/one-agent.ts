/** A server with one agent on a given model, and readers of its stream. */
import type { ServerResponse } from 'node:http'
import { z } from 'zod'
import { Agency, Agent, type ModelSpec, type StoredMessage, tool } from '../../src/index.ts'
import { type Frame, post, startServer } from './client.ts'

export const lookup = tool({
  name: 'lookup',
  description: 'Looks up',
  parameters: z.object({ what: z.string() }),
  execute: ({ what }) => `found ${what}`,
})

export async function serveOne(model: ModelSpec, options = {}) {
  const agency = new Agency(new Agent({ name: 'Solo', instructions: 'Help.', model, tools: [lookup], ...options }))
  const { url } = await startServer({ agencies: { solo: agency }, exposeErrors: true })
  return { stream: `${url}/solo/get_response_stream`, plain: `${url}/solo/get_response` }
}

export const rawEvents = (frames: readonly Frame[]) =>
  frames.filter((frame) => frame.data?.data?.type === 'raw_response_event').map((frame) => frame.data.data.data)

export const errorOf = (frames: readonly Frame[]) =>
  frames.find((frame) => frame.data?.data?.type === 'error')?.data.data.content

export const messagesOf = async (url: string, body: object) =>
  ((await (await post(url, body)).json()) as { new_messages: StoredMessage[] }).new_messages

export const answerJson = (response: ServerResponse, status: number, body: object, headers = {}) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
  return true
}
