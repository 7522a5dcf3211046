// CPU, latency and memory of this server beside the Python original and raw proxies. See README.md.
//   node bench.mjs [--servers a,b] [--scenarios burst,paced] [--rounds 5] [--segment 1200] [--write]
import { writeFileSync } from 'node:fs'
import os from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { writeMeasured } from '../scripts/write-measured.mjs'
import { adapters } from './lib/adapters.mjs'
import { fire, newPool, pct } from './lib/load.mjs'
import { expectedText } from './lib/mock.mjs'
import { measureIdle, measureSleepingReader, measureStart, measureUpstreamClosed } from './lib/probes.mjs'
import { cpu, cpuDelta, loadavg, tree } from './lib/proc.mjs'
import { launch, stop } from './lib/processes.mjs'
import { checkStream, order, scenarios } from './lib/scenarios.mjs'
import { report } from './report.mjs'
import { servers as known } from './servers.mjs'

const PROBES = ['start', 'idle', 'reader', 'closed']
const { values: options } = parseArgs({
  options: {
    servers: { type: 'string' },
    scenarios: { type: 'string', default: [...Object.keys(scenarios), ...PROBES].join() },
    rounds: { type: 'string', default: '5' },
    segment: { type: 'string', default: '1200' },
    idle: { type: 'string', default: '2000' },
    out: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})
const wanted = options.scenarios.split(',')
const rounds = Number(options.rounds)
const named = options.servers?.split(',')
const chosen = known.filter(({ name, onRequest }) => named?.includes(name) ?? !onRequest)
const log = (...words) => console.error(`[${(performance.now() / 1000).toFixed(0)} s]`, ...words)

const mockServer = {
  name: 'mock',
  command: ['{node}', '{here}/lib/mock.mjs', '{port}'],
  adapter: 'responses',
  prefix: '/v1',
  env: {},
}
const mock = await launch(mockServer, 'http://127.0.0.1:1')
mock.stats = async () => {
  const pool = newPool()
  const answer = await fire(pool, mock.origin, { method: 'GET', path: '/stats', headers: {} }).done
  await pool.destroy()
  return JSON.parse(answer.text)
}

const results = {
  when: new Date().toISOString(),
  node: process.version,
  machine: `${os.cpus().length} x ${os.cpus()[0].model.trim()}`,
  load: [loadavg()],
  rounds,
  rows: [],
  skipped: {},
  start: {},
  idle: {},
  reader: {},
  closed: {},
}

if (wanted.includes('start'))
  for (let round = 0; round < Math.min(5, rounds); round++)
    for (const server of chosen) {
      const measured = await measureStart(server, mock.origin).catch((error) => log('start', error.message))
      if (measured !== undefined) results.start[server.name] = [...(results.start[server.name] ?? []), measured]
    }

const live = []
for (const server of chosen) {
  try {
    const started = await launch(server, mock.origin)
    await verify(started)
    live.push({ ...started, pids: tree(started.child.pid) })
  } catch (error) {
    results.skipped[server.name] = error.message
    log('SKIP', error.message)
  }
}

/** Reads one stream in full and checks its text against the mock's. */
async function verify(server) {
  const adapter = adapters[server.adapter]
  const answer = await fire(server.pool, server.origin, adapter.stream(server.prefix, order({ n: 20 }))).done
  const problem = checkStream(adapter, 20)(answer)
  if (problem !== undefined) throw new Error(`${server.name}: ${problem}`)
  if (adapter.verify !== undefined && adapter.verify(answer.text) !== expectedText(20))
    throw new Error(`${server.name}: the streamed text is not the mock's`)
}

const direct = { ...mock, pids: [mock.child.pid], raw: true }
const names = wanted.filter((name) => scenarios[name] !== undefined)
// Interleaved: A B C, A B C, so that changes in the speed of the machine affect all alike. Round -1 is a warm-up and is not counted.
for (let round = -1; round < rounds && names.length > 0; round++) {
  for (const name of names) {
    const { run, events, fits = () => true } = scenarios[name]
    for (const server of [direct, ...live].filter(fits)) {
      const segment = Number(options.segment) * (round < 0 ? 0.6 : 1)
      const before = cpu(server.pids)
      const result = await run(server, { ms: segment, min: 8 })
      await sleep(15)
      const used = cpuDelta(before, cpu(server.pids))
      if (result.errors > 0) log(server.name, name, result.errors, 'errors', result.errs.slice(0, 3).join(' | '))
      if (round < 0) continue
      results.rows.push({
        round,
        scenario: name,
        server: server.name,
        ok: result.ok,
        errors: result.errors,
        perSecond: (result.ok / result.wall) * 1000,
        cpuMs: used / result.ok,
        perEventUs: events === undefined ? undefined : ((used / result.ok) * 1000) / events,
        p50: pct(result.lat, 0.5),
        p99: pct(result.lat, 0.99),
        first50: pct(result.ttfd, 0.5),
        bytes: result.bytes / result.ok,
      })
    }
  }
  log('round', round, 'load', loadavg())
}

for (const server of live) await stop(server)
// Each server runs in its own process, so that only its memory is measured.
for (const server of live) {
  const probe = async (name, measure) => {
    if (!wanted.includes(name)) return
    const started = await launch(
      known.find(({ name }) => name === server.name),
      mock.origin,
    )
    await verify(started)
    results[name][server.name] = await measure({ ...started, pids: tree(started.child.pid) })
    await stop(started)
    log(server.name, name, JSON.stringify(results[name][server.name]))
  }
  if (!server.raw) await probe('closed', (started) => measureUpstreamClosed(started, mock))
  await probe('reader', (started) => measureSleepingReader(started))
  await probe('idle', (started) => measureIdle(started, mock, Number(options.idle)))
}
results.load.push(loadavg())
if (options.out !== undefined) writeFileSync(options.out, JSON.stringify(results, null, 1))
console.log(report(results))
if (options.write) writeMeasured('docs/benchmarks.md', 'npm run bench -- --write', report(results))
await stop(mock)
process.exit(0)
