// Tries the playground in a real Chromium.
//   node scripts/test-browser.mjs              the tests; without a Chromium they are skipped
//   node scripts/test-browser.mjs --pictures   takes the pictures of the documents, into docs/images
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { needChromium } from './find-chromium.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const chromium = needChromium()
if (chromium === undefined) {
  console.log('There is no Chromium: the browser tests are skipped. Install one, or set CHROMIUM to its path.')
} else {
  const [command, args] = process.argv.includes('--pictures')
    ? ['node', ['tests/browser/pictures.ts', 'docs/images']]
    : ['vitest', ['run', '--config', 'tests/browser/vitest.config.ts', ...process.argv.slice(2)]]
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, CHROMIUM: chromium },
  })
  process.exitCode = status ?? 1
}
