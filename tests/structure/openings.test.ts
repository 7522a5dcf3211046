/** Source files open with a line that says what they are for. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const SOURCES = resolve(import.meta.dirname, '../../src')
/** The folders that hold this rule so far. */
const FOLDERS = ['base', 'cli', 'client', 'files', 'wire']

test('every source file opens with a line that says what it is for', () => {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(SOURCES, folder))
      .filter((file) => /^(?!json-).*(?<!\.test)\.ts$/.test(file))
      .map((file) => join(folder, file)),
  )
  const lacking = files.filter((file) => {
    const opening = readFileSync(join(SOURCES, file), 'utf8').replace(/^#!.*\n/, '')
    return !/^\/\*\* [A-Z`/].*\*\/\n|^\/\*\*\n \* [A-Z`]/.test(opening)
  })
  expect(files.length).toBeGreaterThan(50)
  expect(lacking).toEqual([])
})
