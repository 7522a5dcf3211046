// The server of bench/stalls.mjs: it measures how long each turn of its event loop takes, in processor time of its main thread.
import { z } from 'zod'
import { Agency, Agent, chatCompletions, serve, tool } from '../../src/index.ts'

const MIB = 1024 * 1024
const large = tool({
  name: 'large',
  parameters: z.object({ mib: z.number() }),
  execute: ({ mib }) => 'word '.repeat((mib * MIB) / 5),
})
const solo = (model: NonNullable<ConstructorParameters<typeof Agent>[0]['model']>) =>
  new Agency(new Agent({ name: 'Lead', model, tools: [large] }))

const { url } = await serve({
  agencies: {
    responses: solo('gpt-4.1'),
    chat: solo(chatCompletions('gpt-4.1')),
    anthropic: solo('anthropic/claude-sonnet-4-5'),
  },
  tools: [large],
  enableLogging: true,
  host: '127.0.0.1',
  port: 0,
  banner: false,
  exposeErrors: true,
  handleSignals: false,
})

const cpuMs = () => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
let turns: number[] = []
let last = cpuMs()
setImmediate(function measure() {
  const now = cpuMs()
  if (now - last > 5) turns.push(now - last)
  last = now
  setImmediate(measure)
})
process.on('message', (asked) => {
  if (asked === 'exit') process.exit(0)
  if (asked === 'read')
    process.send?.({ turns: turns.sort((a, b) => b - a).slice(0, 8), rss: process.memoryUsage().rss })
  turns = []
})
process.send?.({ url })
