import { z } from 'zod'
import { Agency, Agent, type AgentOptions, chatCompletions, serve, tool } from '../../src/index.ts'

/** A server as its own process, with one agency for each maker of models. All of them ask the address in GATEWAY. */
const gateway = process.env.GATEWAY ?? 'http://127.0.0.1:1'
process.env.OPENAI_BASE_URL = gateway
process.env.OPENAI_API_KEY = 'sk-budget'
process.env.ANTHROPIC_API_BASE = gateway
process.env.ANTHROPIC_API_KEY = 'sk-budget'

const echo = tool({
  name: 'echo',
  parameters: z.object({ a: z.string() }),
  execute: () => 'echoed '.repeat(Number(process.env.ECHOES ?? '1')),
})
/** Takes anything, and keeps it for a while. */
const hold = tool({
  name: 'hold',
  parameters: { type: 'object', properties: {}, additionalProperties: true },
  execute: async (given) => {
    await new Promise((resolve) => setTimeout(resolve, 500))
    return `kept ${Object.keys(given as object)}`
  },
})
const solo = (model: NonNullable<AgentOptions['model']>) =>
  new Agency(new Agent({ name: 'Assistant', model, tools: [echo, hold] }))

await serve({
  agencies: {
    responses: solo('gpt-4.1'),
    chat: solo(chatCompletions('gpt-4.1')),
    anthropic: solo('anthropic/claude-sonnet-4-5'),
    demo: solo('demo'),
  },
  tools: [echo],
  host: '127.0.0.1',
  port: 0,
  metrics: true,
  exposeErrors: true,
})
