// Runs every check in turn and closes with one line: N passed, N failed, N skipped.
//   node scripts/run-tests.mjs [--only format|types|build|unit]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'agency-tests-'))
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined
const total = { passed: 0, failed: 0, skipped: 0 }

function run(name, command, args) {
  const started = performance.now()
  console.log(`\n== ${name}`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  console.log(`== ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  return status === 0
}
function stage(name, command, args) {
  if (only !== undefined && only !== name) return
  total[run(name, command, args) ? 'passed' : 'failed']++
}
function unit() {
  if (only !== undefined && only !== 'unit') return
  const report = join(scratch, 'unit.json')
  const ok = run('unit', 'vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`])
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'))
    total.passed += result.numPassedTests
    total.failed += result.numFailedTests
    total.skipped += result.numPendingTests + (result.numTodoTests ?? 0)
    if (!ok && result.numFailedTests === 0) total.failed++ // a file that could not be loaded has no tests to count
  } catch {
    total.failed++ // no report: vitest itself did not run
  }
}

stage('format', 'biome', ['check', '.'])
stage('types', 'tsc', ['-p', 'tsconfig.json'])
stage('build', 'tsc', ['-p', 'tsconfig.build.json'])
unit()
rmSync(scratch, { recursive: true, force: true })
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1
