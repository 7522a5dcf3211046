import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const ALLOWED = new Set(
  'MIT ISC BSD-2-Clause BSD-3-Clause Apache-2.0 BlueOak-1.0.0 0BSD CC0-1.0 Unlicense Python-2.0 MPL-2.0'.split(' '),
)
/** Of alternatives one has to be allowed, of what holds together all. */
const isAllowed = (license: string) =>
  license
    .replace(/[()]/g, '')
    .split(' OR ')
    .some((one) => one.split(' AND ').every((name) => ALLOWED.has(name)))

const lock: { packages: { [path: string]: { integrity?: string; resolved?: string; link?: boolean } } } = JSON.parse(
  readFileSync(join(ROOT, 'package-lock.json'), 'utf8'),
)

test('every locked package has an integrity value and names no registry', () => {
  const installed = Object.entries(lock.packages).filter(
    ([path, entry]) => path.startsWith('node_modules/') && !entry.link,
  )
  expect(installed.length).toBeGreaterThan(20)
  expect(installed.filter(([, entry]) => !entry.integrity || entry.resolved).map(([path]) => path)).toEqual([])
})

test('every installed package has an allowed licence', () => {
  const bad: string[] = []
  for (const path of Object.keys(lock.packages)) {
    const file = join(ROOT, path, 'package.json')
    if (!path.startsWith('node_modules/') || !existsSync(file)) continue
    const { license, private: own } = JSON.parse(readFileSync(file, 'utf8'))
    if (!own && !isAllowed(typeof license === 'string' ? license : (license?.type ?? '')))
      bad.push(`${path}: ${JSON.stringify(license)}`)
  }
  expect(bad).toEqual([])
})

test('no file names a machine path, and no test is switched off', () => {
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const files = list
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)) && !/\.(json|js|css)$/.test(file))
  const machinePath = new RegExp(`(?<![\\w.])/(${['work', 'root', 'home'].join('|')})/\\w`)
  const switchedOff = new RegExp(`\\b(test|it|describe)\\.(${['only', 'skip', 'todo'].join('|')})\\(`)
  const bad = files.filter((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    return machinePath.test(text) || (file.endsWith('.test.ts') && switchedOff.test(text))
  })
  expect(files.length).toBeGreaterThan(40)
  expect(bad).toEqual([])
})

test('llms.txt is what its script writes from the docs', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/llms-doc.mjs', '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

test('the table of features is written from its list, which tests hold', () => {
  const page = execFileSync(process.execPath, ['scripts/features-doc.mjs'], { cwd: ROOT, encoding: 'utf8' })
  const written = readFileSync(join(ROOT, 'docs/coming-from-python-features.md'), 'utf8')
  expect(written, 'run: node scripts/features-doc.mjs --write').toBe(page)
})

test('docs/promises.md is what its script writes from the list and the tests', () => {
  const page = execFileSync(process.execPath, ['scripts/promises-doc.mjs'], { cwd: ROOT, encoding: 'utf8' })
  expect(readFileSync(join(ROOT, 'docs/promises.md'), 'utf8'), 'run: node scripts/promises-doc.mjs --write').toBe(page)
})
