import { expect, test } from 'vitest'
import { findVoidFrames } from '../loop/journal.ts'
import { Coverage } from './coverage.ts'

/** Frames of scopes by number, as a coverage sees them; `cover` after a number. */
function follow(frames: readonly [number, string | undefined][], covers: { [after: number]: string }, last = 0) {
  const coverage = new Coverage(last)
  for (const [number, scope] of frames) {
    coverage.add(number, scope)
    const scopeOfCover = covers[number]
    if (scopeOfCover !== undefined) coverage.cover(scopeOfCover)
  }
  return coverage
}
const range = (from: number, to: number, scope: string) =>
  Array.from({ length: to - from + 1 }, (_, index): [number, string] => [from + index, scope])

/** What a reader drops and gets again, from the state that was stored. */
function takeUp(coverage: Coverage, frames: readonly [number, string | undefined][]) {
  const { final, covered } = JSON.parse(JSON.stringify(coverage.read()))
  const unread = frames.filter(([number]) => number > final).map(([number, scope]) => ({ number, scope: scope ?? '' }))
  return findVoidFrames(unread, new Map([...Object.entries<number>(covered), ['', Number.POSITIVE_INFINITY]]))
}

test('half a text is void although another branch crossed a boundary', () => {
  const frames = [
    ...range(1, 19, 'main'),
    ...range(20, 40, 'main/billing'),
    ...range(41, 50, 'main/research'),
    ...range(51, 60, 'main/billing'),
  ]
  const coverage = follow(frames, { 19: 'main', 50: 'main/research' })
  expect(coverage.read()).toEqual({ final: 19, covered: { 'main/research': 50 } })
  expect(takeUp(coverage, frames)).toEqual({ voidAfter: 19, again: range(41, 50, '').map(([number]) => number) })
})

test('everything is final once every scope is covered', () => {
  const coverage = follow([...range(1, 5, 'main'), ...range(6, 9, 'main/a')], { 5: 'main', 9: 'main/a' })
  expect(coverage.read()).toEqual({ final: 9, covered: {} })
})

test('events without a scope are final as soon as they are stored', () => {
  const frames: [number, string | undefined][] = [[1, undefined], ...range(2, 3, 'main'), [4, undefined]]
  const coverage = follow(frames, {})
  expect(coverage.read()).toEqual({ final: 1, covered: {} })
  expect(takeUp(coverage, frames)).toEqual({ voidAfter: 1, again: [4] })
})

test('what a scope emits after its boundary is open again', () => {
  const coverage = follow(range(1, 6, 'main'), { 4: 'main' })
  expect(coverage.read()).toEqual({ final: 4, covered: {} })
})

test('a boundary without events changes nothing', () => {
  const coverage = follow(range(1, 2, 'main'), { 2: 'elsewhere' })
  expect(coverage.read()).toEqual({ final: 0, covered: {} })
})

test('what an attempt found is final or void for the next', () => {
  expect(follow([], {}, 60).read()).toEqual({ final: 60, covered: {} })
  expect(follow(range(61, 62, 'main'), {}, 60).read()).toEqual({ final: 60, covered: {} })
})

test('the state stays small however many scopes are over', () => {
  const coverage = new Coverage(0)
  for (let number = 1; number <= 1000; number++) {
    coverage.add(number, `main/${number}`)
    coverage.cover(`main/${number}`)
  }
  expect(coverage.read()).toEqual({ final: 1000, covered: {} })
})
