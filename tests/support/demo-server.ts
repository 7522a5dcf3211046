/** A server with demo agents and tools, and checks of its answers. */
import { expect } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, tool } from '../../src/index.ts'
import { refuseRejections, startServer } from './client.ts'
import { bodyOf, statusOf } from './raw.ts'

export async function serveDemo() {
  refuseRejections()
  const echo = tool({ name: 'echo', parameters: z.object({ text: z.string() }), execute: ({ text }) => text })
  const loose = tool({
    name: 'loose',
    parameters: {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'array', items: { type: 'object' } } },
    },
    execute: (input) => JSON.stringify(input),
  })
  const agent = new Agent({ name: 'Assistant', model: 'demo', tools: [echo, loose] })
  const real = new Agent({ name: 'Assistant', model: 'gpt-4.1' })
  const { url } = await startServer({
    agencies: { solo: new Agency(agent), real: new Agency(real) },
    tools: [echo, loose],
    enableLogging: false,
    keyPerRequest: true,
  })
  return url
}

export const PATHS = [
  '/solo/get_response',
  '/solo/get_response_stream',
  '/solo/cancel_response_stream',
  '/tool/echo',
  '/tool/loose',
]

/** An answer that the server gives on purpose: not a 5xx, and JSON where it refuses. */
export function expectAnswer(answer: string, label: string): void {
  if (answer === '') return // a closed connection
  const status = statusOf(answer)
  expect(status, label).toBeGreaterThanOrEqual(200)
  expect(status, `${label}\n${answer.slice(0, 500)}`).toBeLessThan(500)
  if (status >= 400 && /content-type: application\/json/i.test(answer) && /content-length/i.test(answer))
    expect(() => JSON.parse(bodyOf(answer)), label).not.toThrow()
}

export const isWell = async (url: string) => expect((await fetch(`${url}/healthz`)).status).toBe(200)
