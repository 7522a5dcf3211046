// The built package as the server of the soak test. It reports its memory when the parent sends a message.
import { Agency, Agent, chatCompletions, Handoff, serve, tool } from '../../dist/index.js'

const slow = tool({ name: 'slow', execute: () => new Promise((resolve) => setTimeout(resolve, 20, 'done')) })
const fails = tool({ name: 'fails', execute: () => Promise.reject(new Error('the tool failed')) })
const lead = (model) => new Agent({ name: 'Lead', instructions: 'Lead.', model, tools: [slow, fails] })
const team = (model) => {
  const [first, helper, other] = [
    lead(model),
    new Agent({ name: 'Helper', instructions: 'Helper.', model, tools: [slow] }),
    new Agent({ name: 'Other', instructions: 'Other.', model }),
  ]
  return new Agency(first, {
    communicationFlows: [
      [first, helper],
      [first, other, Handoff],
    ],
    saveThreads: async () => {},
  })
}
await serve({
  agencies: { responses: team('gpt-5-mini'), chat: team(chatCompletions('gpt-5-mini')) },
  tools: [slow],
  host: '127.0.0.1',
  port: Number(process.env.PORT),
  banner: false,
})
process.on('message', () => {
  for (let round = 0; round < 4; round++) globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  process.send({ heapUsed, rss })
})
process.on('unhandledRejection', (reason) => {
  console.error('UNHANDLED REJECTION', reason)
  process.exit(70)
})
process.send('ready')
