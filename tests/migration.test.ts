import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ORIGINAL_NAMES } from './support/original-names.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../docs/migrating-from-python.md'), 'utf8')

/** The rows of the tables below a heading: the names in the first cell, and the text of the second. */
function rowsBelow(heading: string): { names: string[]; counterpart: string }[] {
  const [, after] = PAGE.split(new RegExp(`^#+ ${heading.replace(/[^\w ]/g, '\\$&')}\n`, 'm'))
  const [section = ''] = (after ?? '').split(/^#+ /m)
  return [...section.matchAll(/^\| (.+?) \| (.+) \|$/gm)].map(([, first = '', counterpart = '']) => ({
    names: [...first.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => code.match(/\w+/g) ?? []),
    counterpart: counterpart.trim(),
  }))
}

test('the migration page maps every name of the original', () => {
  for (const [heading, names] of Object.entries(ORIGINAL_NAMES)) {
    const rows = rowsBelow(heading)
    const mapped = new Set(rows.filter(({ counterpart }) => counterpart !== '-').flatMap((row) => row.names))
    const missing = (names.match(/\w+/g) ?? []).filter((name) => !mapped.has(name))
    expect({ heading, missing }).toEqual({ heading, missing: [] })
  }
})
