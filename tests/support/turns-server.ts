/** A server that measures how long each turn of its event loop takes, in processor time of its main thread: other processes do not count. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { Agency, Agent, serve, sqlite, tool } from '../../src/index.ts'

const MIB = 1024 * 1024
const large = tool({
  name: 'large',
  parameters: z.object({ mib: z.number() }),
  execute: ({ mib }) => 'word '.repeat((mib * MIB) / 5),
})

const { url } = await serve({
  agencies: { responses: new Agency(new Agent({ name: 'Lead', model: 'gpt-4.1', tools: [large] })) },
  tools: [large],
  runs: { store: sqlite(join(mkdtempSync(join(tmpdir(), 'turns-')), 'runs.db')) },
  enableLogging: true,
  logsDir: join(tmpdir(), `turns-${process.pid}`),
  host: '127.0.0.1',
  port: 0,
  banner: false,
  limits: { storedBodyBytes: 64 * MIB },
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
