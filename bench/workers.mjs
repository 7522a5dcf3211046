// Streams per second of one process and of several workers, at the same p99. node bench/workers.mjs [workers] [seconds]
// Cores that the load and the mock of the model take are not there for workers: read the CPU per stream beside the ratio.
import { adapters } from './lib/adapters.mjs'
import { closedLoop, newPool, pct } from './lib/load.mjs'
import { cpu, cpuDelta, loadavg, tree } from './lib/proc.mjs'
import { launch, stop } from './lib/processes.mjs'
import { checkStream, order } from './lib/scenarios.mjs'
import { servers } from './servers.mjs'

const [workers = '2', seconds = '4'] = process.argv.slice(2)
const DELTAS = 100
const CLIENTS = [4, 8, 16, 32]
const mock = await launch(
  { name: 'mock', command: ['{node}', '{here}/lib/mock.mjs', '{port}'], adapter: 'responses', prefix: '/v1', env: {} },
  'http://127.0.0.1:1',
)
const ours = servers.find(({ name }) => name === 'agency-swarm-js')
const adapter = adapters[ours.adapter]

/** Streams per second and p99 for each number of clients. */
async function measure(count) {
  const server = await launch({ ...ours, name: `workers-${count}`, env: { WORKERS: count } }, mock.origin)
  const pids = tree(server.child.pid)
  const rows = []
  for (const C of [CLIENTS[0], ...CLIENTS]) {
    const before = cpu(pids)
    const pool = newPool() // new connections, which the workers share
    const make = () => adapter.stream(server.prefix, order({ n: DELTAS }))
    const result = await closedLoop(pool, server.origin, make, checkStream(adapter, DELTAS), { C, ms: seconds * 1000 })
    await pool.destroy()
    if (result.errors > 0) throw new Error(result.errs.join(' | '))
    const perSecond = (result.ok / result.wall) * 1000
    rows.push({ C, perSecond, p99: pct(result.lat, 0.99), cpuMs: cpuDelta(before, cpu(pids)) / result.ok })
  }
  await stop(server)
  return rows.slice(1) // the first one warms up
}

const round = (value) => Math.round(value * 10) / 10
const results = { 1: await measure('1'), [workers]: await measure(workers) }
for (const [count, rows] of Object.entries(results))
  for (const { C, perSecond, p99, cpuMs } of rows)
    console.log(
      `workers ${count}  clients ${C}  ${round(perSecond)} streams/s  p99 ${round(p99)} ms  CPU ${round(cpuMs)} ms a stream`,
    )
for (const one of results[1]) {
  const rates = results[workers].filter(({ p99 }) => p99 <= one.p99).map(({ perSecond }) => perSecond)
  if (rates.length > 0)
    console.log(
      `at p99 ${round(one.p99)} ms: ${round(Math.max(...rates) / one.perSecond)} times as many with ${workers} workers`,
    )
}
console.log(`load ${loadavg()}`)
await stop(mock)
process.exit(0)
