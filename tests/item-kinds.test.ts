import { expect, test } from 'vitest'
import { kindOf } from '../src/messages/item-kinds.ts'
import { readItemFields } from './support/item-types.ts'

test('item fields match the installed openai package', () => {
  const fields = readItemFields()
  const kinds = [...fields.keys()].filter((type) => kindOf({ type }) !== undefined)
  expect(kinds.length).toBeGreaterThan(20)
  for (const type of kinds) {
    const theirs = [...(fields.get(type) as Set<string>)]
    expect([...(kindOf({ type })?.keys ?? [])].toSorted(), type).toEqual(theirs.toSorted())
  }
})
