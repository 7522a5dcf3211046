import { expect, test } from 'vitest'
import { copyContext } from './context.ts'

test('a copied context shares only functions and instances of classes', () => {
  class Database {}
  const database = new Database()
  const load = () => 1
  const original = {
    list: [{ a: 1 }],
    map: new Map([['k', { b: 2 }]]),
    set: new Set([1]),
    at: new Date(5),
    database,
    load,
  }
  const circular: Record<string, unknown> = { original }
  circular.self = circular
  const copy = copyContext(circular) as typeof circular & { original: typeof original }
  expect(copy).toEqual(circular)
  expect(copy.self).toBe(copy)
  copy.original.list.push({ a: 2 })
  ;(copy.original.map.get('k') as { b: number }).b = 3
  copy.original.at.setTime(9)
  expect(original).toMatchObject({ list: [{ a: 1 }], at: new Date(5) })
  expect(original.map.get('k')).toEqual({ b: 2 })
  expect(copy.original.database).toBe(database)
  expect(copy.original.load).toBe(load)
})
