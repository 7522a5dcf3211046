import { Agency, Agent, serve, tool } from '../../src/index.ts'

/** A server of careless code: a tool that leaves a rejected promise behind, one that throws outside of every promise, and a store that hangs. */
const late = tool({
  name: 'late',
  execute: () => {
    setTimeout(() => Promise.reject(new Error('late sk-server-key')), 50)
    return 'ok'
  },
})
const fatal = tool({
  name: 'fatal',
  execute: () => {
    setTimeout(() => {
      throw new Error('nobody caught this')
    }, 50)
    return 'ok'
  },
})
const never = () => new Promise<never>(() => {})
const agent = new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [late] })
await serve({
  agencies: {
    solo: new Agency(agent),
    stuck: new Agency(agent, { saveThreads: (messages) => (messages.length > 1 ? never() : undefined) }),
  },
  tools: [late, fatal],
  host: '127.0.0.1',
  port: 0,
})
