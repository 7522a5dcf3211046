// Reads what tests claim: titles of all tests, and the promises that they hold.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Every `*.test.ts` below `src` and `tests`: title of a test -> the promises it claims, in the order of the file. */
export function readTests(root) {
  const files = ['src', 'tests'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, file).replaceAll('\\', '/')),
  )
  return files
    .filter((file) => file.endsWith('.test.ts'))
    .sort()
    .map((path) => ({ path, tests: readTitles(path, readFileSync(join(root, path), 'utf8')) }))
}

function readTitles(path, source) {
  const tests = []
  // `test('name', ...` or, of a table, `test.for(rows)('name', ...`; and what the test claims
  const found = /(?:^ *test\(|\)\()\s*(['"`])((?:\\.|(?!\1).)*)\1,\s*(?:async\s*)?[({]|\bpromise\(([^)]*)\)/gms
  for (const [, , title, ids] of source.matchAll(found)) {
    if (title !== undefined) tests.push({ title: title.replace(/\\(.)/g, '$1'), claims: [] })
    for (const id of ids?.match(/\w+/g) ?? []) {
      if (tests.length === 0) throw new Error(`${path} claims ${id} outside of a test.`)
      tests.at(-1).claims.push(id)
    }
  }
  return tests
}
