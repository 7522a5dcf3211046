import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')

/** Lowest first; a file may import its own floor and those below. */
const FLOORS = [
  ['base'],
  ['wire'],
  ['net', 'tools', 'messages', 'client', 'workers'],
  ['files', 'react'],
  ['models', 'threads'],
  ['agency'],
  ['runs'],
  ['stores'],
  ['dialects', 'telemetry'],
  ['services.ts'],
  ['server'],
  ['composition'],
  ['serve.ts', 'fastify.ts', 'otel.ts', 'postgres.ts', 'in-process'],
  ['serve-mcp.ts', 'start-worker.ts'],
  ['agency-swarm.ts'],
  ['testing'],
  ['index.ts', 'cli'],
]
/** Rooms on one floor that must not know each other. */
const APART: readonly (readonly [string, string])[] = [
  ['models', 'threads'],
  ['tools', 'messages'],
  ['client', 'base'],
  ['client', 'net'],
  ['client', 'tools'],
  ['client', 'messages'],
  ['react', 'net'],
  ['react', 'tools'],
  ['react', 'messages'],
  ['react', 'base'],
]

const roomOf = (file: string) => file.split('/')[0] as string
const floorOf = (file: string) => FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)))

/** Where code lives, and which of these folders (or built files) it may import beside itself. */
const FOLDERS: { readonly [folder: string]: readonly string[] } = {
  src: [],
  'playground/src': [],
  examples: [],
  bench: ['dist', 'scripts', 'tests'],
  scripts: ['src', 'tests'],
}
const CODE = /(?<!\.test|\.d)\.(ts|tsx|mjs)$/
/** Recorded streams that the playground's own tests read. */
const TEST_SUPPORT = new Set(['playground/src/run/recorded.ts'])

/** File -> the files that it imports, all relative to the root. */
function readImports(folder: string): Map<string, string[]> {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter(
    (file) => CODE.test(file) && !/(^|\/)(node_modules|dist)\//.test(file),
  )
  return new Map(
    files.map((file) => {
      const path = join(folder, file)
      const text = readFileSync(join(ROOT, path), 'utf8')
      const found = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) => match[1] as string)
      return [path, found.map((target) => relative(ROOT, resolve(ROOT, dirname(path), target)))]
    }),
  )
}

/** The imports of `src`, relative to it. */
const readSource = () =>
  new Map(
    [...readImports('src')].map(([file, targets]) => [
      relative('src', file),
      targets.map((target) => relative('src', target)),
    ]),
  )

/** Every import that leaves its folder for one that it may not know. */
function leaving(folder: string, imports: ReadonlyMap<string, readonly string[]>): string[] {
  const allowed = [folder, ...(FOLDERS[folder] ?? [])]
  return [...imports].flatMap(([file, targets]) =>
    TEST_SUPPORT.has(file)
      ? []
      : targets
          .filter((target) => !allowed.some((place) => target.startsWith(`${place}/`)))
          .map((target) => `${file} -> ${target}`),
  )
}

/** Every arrow that climbs, leaves the map, or joins rooms that stay apart. */
function climbing(imports: ReadonlyMap<string, readonly string[]>): string[] {
  return [...imports].flatMap(([file, targets]) =>
    targets
      .filter((target) => {
        const apart = APART.some(([a, b]) => roomOf(file) === a && roomOf(target) === b)
        return apart || floorOf(file) < 0 || floorOf(target) < 0 || floorOf(target) > floorOf(file)
      })
      .map((target) => `${file} -> ${target}`),
  )
}

/** One circle of files, or undefined. */
function circle(imports: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const target of imports.get(file) ?? []) {
      const found = visit(target, [...path, file])
      if (found !== undefined) return found
    }
    done.add(file)
    return undefined
  }
  for (const file of imports.keys()) {
    const found = visit(file, [])
    if (found !== undefined) return found
  }
  return undefined
}

test('imports run down the floors only', () => {
  const imports = readSource()
  expect(imports.size).toBeGreaterThan(20)
  expect(climbing(imports)).toEqual([])
})

test('every room on the floors exists', () => {
  expect(FLOORS.flat().filter((room) => !existsSync(join(ROOT, 'src', room)))).toEqual([])
})

test.for(Object.keys(FOLDERS))('imports of %s stay where they may, in no circle', (folder) => {
  const imports = readImports(folder)
  expect(imports.size).toBeGreaterThan(3)
  expect(leaving(folder, imports)).toEqual([])
  expect(circle(imports)).toBeUndefined()
})

test('an arrow that climbs, a circle and rooms that stay apart are noticed', () => {
  expect(climbing(new Map([['wire/a.ts', ['runs/runner.ts']]]))).toEqual(['wire/a.ts -> runs/runner.ts'])
  expect(climbing(new Map([['tools/a.ts', ['messages/items.ts']]]))).toEqual(['tools/a.ts -> messages/items.ts'])
  const round = new Map([
    ['wire/a.ts', ['wire/b.ts']],
    ['wire/b.ts', ['wire/a.ts']],
  ])
  expect(leaving('examples', new Map([['examples/a/main.ts', ['src/index.ts']]]))).toHaveLength(1)
  expect(circle(round)).toEqual(['wire/a.ts', 'wire/b.ts', 'wire/a.ts'])
})
