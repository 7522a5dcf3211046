/** A server as its own process, to be killed: a CEO with two sub-agents, stored runs, effects as lines of a file. */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agency, Agent, serve, sqlite, tool } from '../../src/index.ts'
import { postgres, redis } from '../../src/postgres.ts'

/** `STORE` is a SQLite file, or the address of a PostgreSQL database. */
const {
  STORE = '',
  WORK = 'true',
  SESSION_LOCK = 'false',
  BUDGETS = '{}',
  EFFECTS = '',
  LIMITS = '{}',
  TOOLS = 'all',
  PAUSE_MS = '10',
  REDIS = '',
  SERVE = '{}',
} = process.env

/** A tool whose effect is a line with the key of its call; the process may die before and after it. */
const effect = (name: string, options: object = {}) =>
  tool({
    name,
    ...options,
    execute: async (_input, context) => {
      await sleep(Math.random() * Number(PAUSE_MS))
      appendFileSync(EFFECTS, `${context.toolCallId}\n`)
      await sleep(Math.random() * Number(PAUSE_MS))
      return `${name} is done`
    },
  })
const taint = tool({
  name: 'taint',
  execute: (_input, context) => {
    context.set('connection', () => 'no JSON')
    return 'tainted'
  },
})
const probe = tool({
  name: 'probe',
  execute: (_input, context) => `the connection is a ${typeof context.get('connection')}`,
})
const tools = [
  ...(TOOLS === 'all' ? [effect('note')] : []),
  effect('look', { safeToRetry: true }),
  effect('pay', { needsApproval: true }),
  effect('slow'),
  taint,
  probe,
]
const createAgent = (name: string) => new Agent({ name, instructions: `You are ${name}.`, model: 'gpt-4.1', tools })
const [ceo, research, billing] = [createAgent('CEO'), createAgent('Research'), createAgent('Billing')]
const agency = new Agency(ceo, {
  communicationFlows: [
    [ceo, research],
    [ceo, billing],
  ],
})
const server = await serve({
  agencies: { team: agency },
  host: '127.0.0.1',
  port: 0,
  banner: false,
  runs: {
    store: STORE.startsWith('postgres:')
      ? postgres({
          url: STORE,
          poolSize: 5,
          sessionLock: SESSION_LOCK === 'true',
          ...(REDIS === '' ? {} : { events: redis(REDIS) }),
        })
      : sqlite(STORE),
    work: WORK === 'true',
    ...JSON.parse(BUDGETS),
  },
  limits: JSON.parse(LIMITS),
  ...JSON.parse(SERVE),
  trustedModelOrigins: [new URL(process.env.OPENAI_BASE_URL ?? '').origin],
}).catch((error) => {
  process.send?.({ error: `${error.code} ${error.cause ?? ''}` })
  throw error
})
process.send?.({ url: server.url })
