// Runs every check in turn and closes with one line: N passed, N failed, N skipped.
//   node scripts/run-tests.mjs [--only format|types|build|regexps|unit|promises|conformance|package|browser]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { needChromium } from './find-chromium.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'agency-tests-'))
const claims = join(scratch, 'claims.json')
// Tests start hundreds of processes: they share what Node has compiled, which halves the time of a start.
process.env.NODE_COMPILE_CACHE = join(scratch, 'compiled')
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined
const total = { passed: 0, failed: 0, skipped: 0 }
const count = (passed, failed, skipped = 0) => {
  total.passed += passed
  total.failed += failed
  total.skipped += skipped
}

function run(command, args, { capture = false, env = {} } = {}) {
  const stdio = ['ignore', capture ? 'pipe' : 'inherit', 'inherit']
  const { status, stdout } = spawnSync(command, args, {
    cwd: root,
    stdio,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  if (capture) process.stdout.write(stdout ?? '')
  return { ok: status === 0, output: stdout ?? '' }
}
const check =
  (command, ...runs) =>
  () => {
    for (const args of runs) {
      const { ok } = run(command, args)
      count(ok ? 1 : 0, ok ? 0 : 1)
    }
  }

const unit = () => runVitest('unit.json', [], { PROMISE_REPORT: claims })

function browser() {
  const chromium = needChromium()
  if (chromium !== undefined)
    return runVitest('browser.json', ['--config', 'tests/browser/vitest.config.ts'], { CHROMIUM: chromium })
  console.log('There is no Chromium: the browser tests are skipped.')
  return count(0, 0, 1)
}

function runVitest(name, args, env) {
  const report = join(scratch, name)
  const { ok } = run('vitest', ['run', ...args], { env: { ...env, TEST_REPORT: report } })
  const result = readJson(report)
  if (result === undefined) return count(0, 1) // vitest itself did not run
  count(result.numPassedTests, result.numFailedTests, result.numPendingTests + (result.numTodoTests ?? 0))
  if (!ok && result.numFailedTests === 0) count(0, 1) // a file that cannot be loaded has no tests to count
}

async function promises() {
  const { judge, PROMISES } = await import('../tests/promises.ts')
  const { kept, broken, open } = judge(new Set(readJson(claims) ?? []))
  console.log(`kept: ${kept.join(' ')}\nopen: ${open.join(' ')}`)
  for (const id of broken) console.error(`no passing test claims ${id}: ${PROMISES[id]}`)
  count(kept.length, broken.length)
}

function conformance() {
  const { ok, output } = run('node', ['tests/conformance/run.mjs'], { capture: true })
  const [, passed = 0, differ = 0, skipped = 0] = /^(\d+) ok, (\d+) differ, (\d+) skipped$/m.exec(output) ?? []
  // Differences on the list of open cases are known and counted as skipped; any other makes the command fail.
  count(Number(passed), ok ? 0 : 1, Number(differ) + Number(skipped))
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

const stages = {
  format: check('biome', ['check', '.']),
  types: check(
    'tsc',
    ['-p', 'tsconfig.json'],
    ['-p', 'playground'],
    ['-p', 'tests/browser'],
    ['-p', 'examples/react-page'],
    ['-p', 'examples/react-chat'],
    ['-p', 'examples/react-thread'],
  ),
  build: () => {
    // The sources were checked with the stage before, and are again, with their declarations, when they are packed.
    check('tsc', ['-p', 'tsconfig.build.json', '--noCheck'])()
    check('node', ['bench/types.mjs', '--check'])()
  },
  regexps: check('node', ['scripts/check-regexps.ts']),
  unit,
  promises,
  conformance,
  package: check('node', ['tests/package/check.mjs']),
  browser,
}
for (const [name, stage] of Object.entries(stages)) {
  if (only !== undefined && only !== name && !(only === 'promises' && name === 'unit')) continue
  const started = performance.now()
  const before = total.failed
  console.log(`\n== ${name}`)
  await stage()
  console.log(
    `== ${name}: ${total.failed === before ? 'ok' : 'FAILED'} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
  )
}
rmSync(scratch, { recursive: true, force: true })
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1
