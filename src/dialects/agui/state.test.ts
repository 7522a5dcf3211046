import { applyPatch } from 'fast-json-patch'
import { expect, test } from 'vitest'
import { diff, SharedState } from './state.ts'

const STATES: unknown[] = [
  null,
  'text',
  {},
  { a: 1 },
  { a: { 'b/c~d': [1, 2, 3] }, list: [] },
  { a: { 'b/c~d': [1, 'two'] }, list: [{ x: 1 }, { x: 2 }] },
  { list: [{ x: 1, y: null }, { x: 3 }, [], [[0]]] },
  [1, { a: 2 }],
  [{ a: 2 }],
]

test('a patch turns any state into any other', () => {
  for (const before of STATES)
    for (const after of STATES) {
      const patch = diff(before, after)
      const result = applyPatch(structuredClone(before), structuredClone(patch) as never, true).newDocument
      expect(result, JSON.stringify(patch)).toEqual(after)
      if (before === after) expect(patch).toEqual([])
    }
})

test('what was not shared is sent whole, what did not change not at all', () => {
  const state = new SharedState(undefined)
  expect(state.snapshot()).toBe('')
  expect(state.change({ a: 1 })).toContain('STATE_SNAPSHOT')
  expect(state.change({ a: 1 })).toBe('')
  expect(state.change({ a: 1, long: 'x'.repeat(100) })).toContain('STATE_SNAPSHOT')
  expect(state.change({ a: 2, long: 'x'.repeat(100) })).toContain('STATE_DELTA')
})
