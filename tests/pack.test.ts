import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { publishedVersion } from '../src/cli/own-package.ts'
import { VERSION } from '../src/index.ts'
import { emptyFolder, ROOT, start } from './support/cli.ts'

/** A clone of the working tree as it is now, with the dependencies of this one. */
function freshClone(): string {
  const clone = join(emptyFolder(), 'clone')
  execFileSync('git', ['clone', '--quiet', '--depth', '1', `file://${ROOT}`, clone])
  const list = (...args: string[]) =>
    execFileSync('git', ['ls-files', '-z', ...args], { cwd: ROOT, encoding: 'utf8' })
      .split('\0')
      .filter(Boolean)
  for (const file of list('--modified', '--others', '--exclude-standard'))
    if (existsSync(join(ROOT, file))) {
      mkdirSync(dirname(join(clone, file)), { recursive: true })
      cpSync(join(ROOT, file), join(clone, file))
    }
  for (const file of list('--deleted')) rmSync(join(clone, file), { force: true })
  const modules = join(clone, 'node_modules')
  mkdirSync(modules)
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter((name) => !name.startsWith('.install-note')))
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  const lock = createHash('sha256')
    .update(readFileSync(join(clone, 'package-lock.json')))
    .digest('hex')
  const note = { lock, dev: true, platform: process.platform + process.arch }
  writeFileSync(join(modules, '.install-note.json'), JSON.stringify(note))
  return clone
}

test('npm pack in a fresh clone builds and packs all linked files', { timeout: 180_000 }, async () => {
  const clone = freshClone()
  expect(existsSync(join(clone, 'dist'))).toBe(false)
  const out = emptyFolder()
  const packed = await start('npm', ['pack', '--json', '--pack-destination', out], { cwd: clone }).ended
  expect(packed.code, packed.err).toBe(0)
  const [{ filename, files }] = JSON.parse(packed.out) as [{ filename: string; files: { path: string }[] }]
  const paths = new Set(files.map(({ path }) => path))
  for (const file of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cli/main.js',
    'dist/client/index.js',
    'assets/init/basic/agency.ts',
  ])
    expect(paths).toContain(file)
  expect([...paths].filter((path) => /^(src|tests|tools|playground|node_modules)\//.test(path))).toEqual([])
  const there = (path: string) => paths.has(path) || [...paths].some((file) => file.startsWith(`${path}/`))
  const dead = [...paths]
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) => {
      const links = [
        ...readFileSync(join(clone, path), 'utf8')
          .replace(/^```.*?^```$/gms, '')
          .matchAll(/\]\(([^)\s]+)\)/g),
      ]
      return links
        .map(([, link = '']) => link.split('#')[0] ?? '')
        .filter((link) => link !== '' && !/^[a-z]+:/.test(link) && !path.startsWith('assets/init/'))
        .filter((link) => !there(normalize(join(dirname(path), link)).replace(/\/$/, '')))
        .map((link) => `${path}: ${link}`)
    })
  expect(dead).toEqual([])

  // A project that an unpublished copy makes carries the copy along.
  execFileSync('tar', ['xzf', join(out, filename), '-C', out])
  const modules = join(out, 'node_modules')
  mkdirSync(modules)
  cpSync(join(out, 'package'), join(modules, 'agency-swarm-js'), { recursive: true })
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter((name) => !/^(\.|agency-swarm-js)/.test(name)))
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  const notes = { packages: { 'node_modules/agency-swarm-js': { resolved: `file:${filename}` } } }
  writeFileSync(join(modules, '.package-lock.json'), JSON.stringify(notes))
  const cli = join(modules, 'agency-swarm-js/dist/cli/main.js')
  const made = await start(process.execPath, [cli, 'init', 'shop', '--no-install'], { cwd: out, input: '' }).ended
  expect(made, made.err).toMatchObject({ code: 0 })
  const { dependencies } = JSON.parse(readFileSync(join(out, 'shop/package.json'), 'utf8'))
  expect(dependencies['agency-swarm-js']).toBe(`file:agency-swarm-js-${VERSION}.tgz`)
  expect(existsSync(join(out, `shop/agency-swarm-js-${VERSION}.tgz`))).toBe(true)
})

test.for<[resolved: string | undefined, version: string | undefined]>([
  ['https://registry.example/agency-swarm-js-0.1.0.tgz', VERSION],
  [undefined, VERSION],
  ['file:../agency-swarm-js-0.1.0.tgz', undefined],
  ['git+ssh://git@example.com/agency-swarm-js.git#abc', undefined],
])('a copy that npm took from %s asks the registry for %s', ([resolved, version]) => {
  const folder = emptyFolder()
  const root = join(folder, 'node_modules/agency-swarm-js')
  mkdirSync(root, { recursive: true })
  expect(publishedVersion(root, false)).toBe(VERSION) // nothing is noted
  const packages = { 'node_modules/agency-swarm-js': { version: VERSION, ...(resolved && { resolved }) } }
  writeFileSync(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages }))
  expect(publishedVersion(root, false)).toBe(version)
  expect(publishedVersion(root, true)).toBeUndefined()
})
