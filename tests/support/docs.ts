import { readdirSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')

/** What can be imported -> the source behind it: `agency-swarm-js/client` -> `src/client/index.ts`. */
export function readDoors(): { [name: string]: string } {
  const { name, exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const doors = Object.entries<{ types?: string }>(exports).flatMap(([door, { types }]) =>
    types === undefined ? [] : [[join(name, door), types.replace(/^\.\/dist\/(.*)\.d\.ts$/, 'src/$1.ts')] as const],
  )
  return Object.fromEntries(doors)
}

/** A fenced block: ` ```ts run ` is compiled and run, ` ```ts ` compiled only. */
export interface Block {
  language: string
  run: boolean
  code: string
  /** What it prints: the next block, when that is ` ```text `. `...` in it stands for anything. */
  expected: string | undefined
}

export interface Page {
  name: string
  blocks: readonly Block[]
}

export function readPage(name: string, markdown: string): Page {
  const found = [...markdown.matchAll(/^```(\w*)( run)?\n(.*?)^```$/gms)]
  const blocks = found.map(([, language = '', run, code = ''], index): Block => {
    const next = found[index + 1]
    return { language, run: run !== undefined, code, expected: next?.[1] === 'text' ? next[3] : undefined }
  })
  return { name, blocks }
}

/** README and every page below docs/ that people write. */
export function readPages(): Page[] {
  const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md') && name !== 'api.md')
  const paths = [join(ROOT, 'README.md'), ...docs.map((name) => join(ROOT, 'docs', name))]
  return paths.map((path) => readPage(basename(path, '.md'), readFileSync(path, 'utf8')))
}

/**
 * Pieces of code as one module. A piece sees what those before it declare and may declare the same names anew, so each is
 * a scope inside the one before; imports stand at the top, each name once.
 */
export function toModule(pieces: readonly string[]): string {
  const names = new Map<string, Set<string>>()
  const whole = new Set<string>()
  const scopes = pieces.map((code) =>
    code.replace(
      /^import (type )?(\w+|\{([^}]*)\}) from ('[^']+')\n/gm,
      (line, type = '', _, list: string | undefined, from: string) => {
        if (list === undefined) whole.add(line.trim())
        else {
          const known = names.get(from) ?? new Set()
          for (const name of list.split(',')) if (name.trim() !== '') known.add(type + name.trim())
          names.set(from, known)
        }
        return ''
      },
    ),
  )
  const imports = [...names].map(([from, list]) => `import { ${[...list].join(', ')} } from ${from}`)
  return [...whole, ...imports, ...scopes.map((code) => `{\n${code}`), '}'.repeat(scopes.length)].join('\n')
}
