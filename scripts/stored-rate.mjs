// Measures how many stored runs a second are accepted, and worked on, over PostgreSQL: node scripts/stored-rate.mjs --runs 500
// With --workers 0 nobody works on them: the accepting process has the machine for itself.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundleCrashServer } from '../tests/support/crash-process.ts'
import { createPostgresScene, post, settled } from '../tests/support/postgres-scene.ts'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '500' }, workers: { type: 'string', default: '2' } },
})
const count = Number(values.runs)
/** Requests at the same time. */
const CALLERS = 20

const folder = mkdtempSync(join(tmpdir(), 'rate-'))
const script = await bundleCrashServer(folder)
const scene = await createPostgresScene({ folder, script }, () => ({ text: 'Done.' }))
await scene.query(`ALTER DATABASE ${new URL(scene.url).pathname.slice(1)} SET synchronous_commit = on`)
try {
  const front = await scene.start({ WORK: 'false' })
  for (let n = 0; n < Number(values.workers); n++) await scene.start()
  const runs = []
  let next = 0
  const call = async () => {
    while (next++ < count) runs.push(await post(front, 'Hello.'))
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: CALLERS }, call))
  const accepted = performance.now() - began
  const perSecond = (ms) => Math.round((1_000 * count) / ms)
  console.log(`${count} runs: ${perSecond(accepted)} accepted a second`)
  if (Number(values.workers) > 0) {
    for (const run of runs) await settled(front, run)
    console.log(`${perSecond(performance.now() - began)} worked on a second`)
  }
} finally {
  await scene.close()
  rmSync(folder, { recursive: true, force: true })
}
