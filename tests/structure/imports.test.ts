import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const SRC = resolve(import.meta.dirname, '../../src')

/** Lowest first; a file may import its own floor and those below. */
const FLOORS = [
  ['errors.ts', 'options.ts', 'version.ts', 'limits.ts', 'waits.ts', 'budget.ts', 'wire'],
  ['net', 'tools', 'messages', 'client'],
  ['files'],
  ['models', 'threads'],
  ['agency'],
  ['runs'],
  ['services.ts'],
  ['stores', 'dialects', 'telemetry'],
  ['server'],
  ['composition.ts'],
  ['serve.ts', 'fastify.ts', 'otel.ts', 'in-process'],
  ['agency-swarm.ts'],
  ['index.ts', 'cli'],
]
/** Rooms on one floor that must not know each other. */
const APART: readonly (readonly [string, string])[] = [
  ['errors.ts', 'wire'],
  ['errors.ts', 'options.ts'],
  ['models', 'threads'],
  ['tools', 'messages'],
  ['client', 'errors.ts'],
  ['client', 'net'],
  ['client', 'tools'],
  ['client', 'messages'],
]

const roomOf = (file: string) => file.split('/')[0] as string
const floorOf = (file: string) => FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)))

function readImports(): Map<string, string[]> {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => /(?<!\.test)\.ts$/.test(file))
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(SRC, file), 'utf8')
      const found = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) => match[1] as string)
      return [file, found.map((path) => relative(SRC, resolve(SRC, dirname(file), path)))]
    }),
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

test('imports run down the house only, and in no circle', () => {
  const imports = readImports()
  expect(imports.size).toBeGreaterThan(20)
  expect(climbing(imports)).toEqual([])
  expect(circle(imports)).toBeUndefined()
})

test('an arrow that climbs, a circle and rooms that stay apart are noticed', () => {
  expect(climbing(new Map([['wire/a.ts', ['runs/hub.ts']]]))).toEqual(['wire/a.ts -> runs/hub.ts'])
  expect(climbing(new Map([['tools/a.ts', ['messages/items.ts']]]))).toEqual(['tools/a.ts -> messages/items.ts'])
  const round = new Map([
    ['wire/a.ts', ['wire/b.ts']],
    ['wire/b.ts', ['wire/a.ts']],
  ])
  expect(circle(round)).toEqual(['wire/a.ts', 'wire/b.ts', 'wire/a.ts'])
})
