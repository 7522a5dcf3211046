import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { Agency, Agent, BaseTool, type StoredMessage, serve, tool } from '../../src/index.ts'

/** A server as its own process: one conversation in the file STORE, tools that work, sleep, fail and tell secrets. */
const store = process.env.STORE
let writes = 0
const step = tool({ name: 'step', execute: () => new Promise((resolve) => setTimeout(resolve, 15, 'stepped')) })
const stuck = tool({ name: 'stuck', execute: () => new Promise(() => {}) })
const leaky = tool({
  name: 'leaky',
  execute: (_input, context) => {
    // A standalone call does not know what requests brought.
    const known = context.toolCallId === '' ? process.env.LEAK_OWN : process.env.LEAK
    throw new Error(`${known} ${JSON.stringify(context.userContext)}`)
  },
})
class LeakyClass extends BaseTool.define({}) {
  run(): string {
    const error = new Error(`${process.env.LEAK_OWN}`)
    throw new Error(`${error.stack}`)
  }
}
const agent = new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [step, stuck, leaky] })
const agency = new Agency(agent, {
  ...(store === undefined
    ? {}
    : {
        loadThreads: (): StoredMessage[] => {
          try {
            return JSON.parse(readFileSync(store, 'utf8'))
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
            throw error
          }
        },
        saveThreads: async (messages: StoredMessage[]) => {
          await new Promise((resolve) => setTimeout(resolve, 3))
          const draft = `${store}.${writes++}`
          writeFileSync(draft, JSON.stringify(messages))
          renameSync(draft, store)
        },
      }),
})
process.on('unhandledRejection', (reason) => {
  console.error('UNHANDLED REJECTION', reason)
  process.exit(70)
})
await serve({
  agencies: { solo: agency },
  tools: [leaky, LeakyClass],
  host: '127.0.0.1',
  port: 0,
  playground: process.env.PLAYGROUND === 'yes',
  exposeErrors: process.env.EXPOSE_ERRORS === 'yes',
  ...(process.env.LOGS_DIR === undefined ? {} : { enableLogging: true, logsDir: process.env.LOGS_DIR }),
  trustedModelOrigins: [new URL(process.env.OPENAI_BASE_URL ?? 'http://127.0.0.1').origin],
})
