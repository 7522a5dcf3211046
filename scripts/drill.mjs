// Kills servers of stored runs at random and checks that nothing is lost: npm run drill -- --kills 500 --seed 7
// On PostgreSQL, where others take over: npm run drill -- --store postgres --workers 2 --kills 500
import { parseArgs } from 'node:util'
import { runDrill } from '../tests/support/crash-drill.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    lanes: { type: 'string', default: '2' },
    store: { type: 'string', default: 'sqlite' },
    workers: { type: 'string', default: '2' },
    minutes: { type: 'string', default: '30' },
  },
})
const options = {
  kills: Number(values.kills),
  seed: Number(values.seed),
  lanes: values.store === 'postgres' ? 1 : Number(values.lanes),
  workers: values.store === 'postgres' ? Number(values.workers) : 0,
  maxMs: 60_000 * Number(values.minutes),
}
console.log(`seed ${options.seed}`)
const began = performance.now()
const report = await runDrill(options)
console.log(JSON.stringify({ ...report, seconds: Math.round((performance.now() - began) / 1000) }, null, 2))
process.exitCode = report.lost.length + report.doubled.length + report.wrong.length === 0 ? 0 : 1
