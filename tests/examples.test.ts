import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const folder = join(import.meta.dirname, '../examples')
const examples = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
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

test('an example imports the package by name, so it can be copied', () => {
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file))
  const imports = sources.flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(
      ([, path = '']) => [file, relative(folder, resolve(folder, dirname(file), path))] as const,
    ),
  )
  expect(imports.length).toBeGreaterThan(20)
  expect(imports.filter(([, path]) => path.startsWith('..'))).toEqual([])
})

test('scripts/example.mjs runs an example by name, or lists all', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(folder, '../scripts/example.mjs'), ...args], { encoding: 'utf8' })
  expect(run('starter', '--check')).toMatchObject({ status: 0, stdout: 'ok: the example does what it says\n' })
  for (const args of [[], ['nope'], ['../src'], ['--check']])
    expect(run(...args)).toMatchObject({ status: 2, stderr: expect.stringMatching(/There is: .*starter.*web-page/) })
})

test.concurrent.for(examples)('the example %s does what it says', { timeout: 120_000 }, async (name, { expect }) => {
  // The key, token, model and address in the environment make no difference.
  const env = { HOST: '192.0.2.1', PORT: 'abc', OPENAI_API_KEY: '', APP_TOKEN: 'secret', AGENCY_MODEL: 'gpt-5.4' }
  const { code, output, log } = await run(name, env)
  expect({ code, output }, log).toEqual({ code: 0, output: 'ok: the example does what it says\n' })
})
