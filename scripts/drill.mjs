// Breaks servers of stored runs on purpose, and is red when something is lost, doubled or late.
//   npm run drill -- --kills 500 --seed 7                               kill -9 on SQLite
//   npm run drill -- --store postgres --workers 2 --kills 500           the same on PostgreSQL, where others take over
//   npm run drill -- --scenario rolling --runs 60                       three processes are replaced again and again
//   npm run drill -- --scenario pause --times 50                        a worker sleeps beyond its lease, and wakes
//   npm run drill -- --scenario thread --runs 50                        posts at once on one thread, with kills
//   npm run drill -- --scenario away --runs 10 --seconds 20             PostgreSQL is away
//   npm run drill -- --scenario load --runs 200 --minutes 10            many runs at once, with kills, cuts and cancels
// With --redis redis://127.0.0.1:6379 the last five have their events carried by Redis.
import { parseArgs } from 'node:util'
import { runDrill } from '../tests/support/crash-drill.ts'
import { FLEET_DRILLS } from '../tests/support/fleet-drills.ts'

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', default: 'kills' },
    kills: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    lanes: { type: 'string', default: '2' },
    store: { type: 'string', default: 'sqlite' },
    workers: { type: 'string', default: '2' },
    minutes: { type: 'string' },
    runs: { type: 'string', default: '60' },
    times: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '20' },
    redis: { type: 'string', default: '' },
  },
})
const seed = Number(values.seed)

async function drillKills() {
  const report = await runDrill({
    kills: Number(values.kills),
    seed,
    lanes: values.store === 'postgres' ? 1 : Number(values.lanes),
    workers: values.store === 'postgres' ? Number(values.workers) : 0,
    maxMs: 60_000 * Number(values.minutes ?? 30),
  })
  return { card: report, passed: report.lost.length + report.doubled.length + report.wrong.length === 0 }
}

async function drillFleet(drill) {
  const { runs, times, seconds, minutes = 10, redis } = values
  const numbers = { runs: Number(runs), times: Number(times), seconds: Number(seconds), minutes: Number(minutes) }
  const card = await drill({ seed, ...numbers, redis })
  return { card, passed: card.violations.length === 0 }
}

const drill = FLEET_DRILLS[values.scenario]
if (drill === undefined && values.scenario !== 'kills')
  throw new Error(`--scenario is kills, ${Object.keys(FLEET_DRILLS).join(', ')}.`)
console.log(`scenario ${values.scenario}, seed ${seed}`)
const began = performance.now()
const { card, passed } = await (drill === undefined ? drillKills() : drillFleet(drill))
console.log(JSON.stringify({ ...card, s: Math.round((performance.now() - began) / 1000) }, null, 2))
process.exitCode = passed ? 0 : 1
