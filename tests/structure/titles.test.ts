/** Test titles: short enough to be read in a list of failures. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseAst } from 'rolldown/parseAst'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const MAX_CHARS = 72
const FOLDERS = ['src', 'tests', 'playground/src']

const findTests = () =>
  FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /(?<!node_modules.*)\.test\.tsx?$/.test(file))
      .map((file) => join(folder, file)),
  )

interface Node {
  type: string
  [field: string]: unknown
}
const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === 'string'

/** True for `test`, `test.for(...)` and `test.concurrent.for(...)`: the callee of a call whose first argument is a title. */
function isTestCallee(node: Node): boolean {
  if (node.type === 'Identifier') return node.name === 'test'
  if (node.type === 'MemberExpression') return isTestCallee(node.object as Node)
  return node.type === 'CallExpression' && isTestCallee(node.callee as Node)
}

/** The titles of a file. Placeholders such as `%s` and `${name}` count as they are written. */
function readTitles(code: string, lang: 'ts' | 'tsx'): string[] {
  const titles: string[] = []
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const part of value) visit(part)
    if (!isNode(value)) return
    if (value.type === 'CallExpression' && isTestCallee(value.callee as Node)) {
      const [title] = value.arguments as (Node & { start: number; end: number })[]
      const isText = title?.type === 'TemplateLiteral' || typeof title?.value === 'string'
      if (title !== undefined && isText) titles.push(code.slice(title.start + 1, title.end - 1).replace(/\\(.)/g, '$1'))
    }
    for (const [field, part] of Object.entries(value)) if (field !== 'parent') visit(part)
  }
  visit(parseAst(code, { lang }))
  return titles
}

test('no test title is longer than 72 characters', () => {
  const files = findTests()
  const titles = files.flatMap((file) =>
    readTitles(readFileSync(join(ROOT, file), 'utf8'), file.endsWith('x') ? 'tsx' : 'ts').map((title) => ({
      file,
      title,
    })),
  )
  expect(titles.length).toBeGreaterThan(700)
  expect(titles.filter(({ title }) => title.length > MAX_CHARS)).toEqual([])
})

test('titles are found in every form of a test', () => {
  const code = `test('a', () => {})
test.for([1])('b %s', () => {})
test.concurrent.each<number>([1])(\`c %d\`, {}, () => {})
for (const x of [1]) { test("it\\'s d", () => {}) }
atest('e')`
  expect(readTitles(code, 'ts')).toEqual(['a', 'b %s', 'c %d', "it's d"])
})
