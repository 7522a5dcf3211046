import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as door from '../src/index.ts'

const root = join(import.meta.dirname, '..')
const reference = readFileSync(join(root, 'docs/api.md'), 'utf8')
const headings = new Set([...reference.matchAll(/^### (\w+)$/gm)].map((match) => match[1]))

test('the API reference is up to date and every name has a comment', {
  timeout: 60_000,
}, () => {
  const script = join(root, 'scripts/api-reference.mjs')
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

test('the API reference contains every public name and its types', () => {
  expect(Object.keys(door).filter((name) => !headings.has(name))).toEqual([])
  for (const name of ['ServeOptions', 'BuildOptions', 'RunOptions', 'AgencySwarmPluginOptions', 'Limits', 'RunEvent'])
    expect(headings).toContain(name)
  const [, agency = ''] = /^### Agency\n(.*?)^### /ms.exec(reference) ?? []
  expect(agency).toMatch(/getResponseStream<.*>\(message/) // its own
  expect(agency).toContain('get agentNames(): readonly string[]') // its base's
  expect(reference).not.toMatch(/#private|AgencyGraph|@internal/)
})
