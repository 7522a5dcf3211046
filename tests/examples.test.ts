import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const folder = join(import.meta.dirname, '../examples')
/** The starter, which `npm start` runs, has a test of its own. */
const examples = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'starter')
  .map((entry) => entry.name)

/** An example that drives itself: how it ended, what it printed and what it logged. */
const run = (name: string, env: NodeJS.ProcessEnv = {}) =>
  new Promise<{ code: number; output: string; log: string }>((resolve) => {
    const main = join(folder, name, 'main.ts')
    const options = { env: { ...process.env, ...env }, timeout: 120_000 }
    const child = execFile(process.execPath, [main, '--check'], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (child.exitCode ?? 1), output: stdout, log: stderr }),
    )
  })

test('there are at least five examples, each with a few words on what it shows', () => {
  expect(examples.length).toBeGreaterThanOrEqual(5)
  expect(examples.filter((name) => !existsSync(join(folder, name, 'README.md')))).toEqual([])
})

test.concurrent.for(examples)('the example %s does what it says', { timeout: 120_000 }, async (name, { expect }) => {
  // A key, a token and a model of whoever runs it make no difference.
  const env = { OPENAI_API_KEY: '', APP_TOKEN: 'secret', AGENCY_MODEL: 'gpt-5.4' }
  const { code, output, log } = await run(name, env)
  expect({ code, output }, log).toEqual({ code: 0, output: 'ok: the example does what it says\n' })
})
