/** Agencies served at `/v1`, and OpenAI's own client for them. */
import OpenAI from 'openai'
import { z } from 'zod'
import { Agency, Agent, flow, type ServeOptions, tool } from '../../src/index.ts'
import { type Frame, startServer } from './client.ts'

export const lookup = tool({
  name: 'lookup',
  description: 'Looks up',
  parameters: z.object({ what: z.string() }),
  execute: ({ what }) => `found ${what}`,
})

export const desk = (options = {}) =>
  new Agent({ name: 'Desk', instructions: 'Help.', model: 'gpt-4.1', tools: [lookup], ...options })

/** Desk, which may ask Rates. */
export function team(): Agency {
  const front = desk()
  const rates = new Agent({ name: 'Rates', description: 'Knows rates', instructions: 'Rates.', model: 'gpt-4.1' })
  return new Agency(front, { communicationFlows: [flow(front, rates)] })
}

export async function serveOpenAi(agency: Agency = new Agency(desk()), options: ServeOptions = {}) {
  const { url } = await startServer({ agencies: { support: agency }, openai: true, ...options })
  return { url, client: clientOf(url) }
}

export const clientOf = (url: string, options = {}) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0, ...options })

/** A function that the client runs. */
export const clock = {
  type: 'function' as const,
  function: {
    name: 'clock',
    description: 'The time',
    parameters: { type: 'object', properties: { zone: { type: 'string' } }, required: ['zone'] },
  },
}

export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of stream) all.push(value)
  return all
}

/** The events of a raw stream. */
export function eventsOf(text: string): Frame[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('event: '))
    .map((block) => {
      const [event = '', data = ''] = block.split('\n')
      return { event: event.slice('event: '.length), data: JSON.parse(data.slice('data: '.length)) }
    })
}
