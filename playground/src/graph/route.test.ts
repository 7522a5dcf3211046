import { expect, test } from 'vitest'
import { route, type Way } from './route.ts'

const [left, right, below] = [
  { x: 0, y: 0 },
  { x: 240, y: 0 },
  { x: 240, y: 100 },
]

/** The height of a label with its ground. */
const LABEL = 20

test('labels at one target stand below each other, near it', () => {
  const places = [0, 1, 2].map((place) => route(left, below, 'down', place))
  const heights = [below.y, ...places.map(({ labelY }) => labelY), left.y]
  for (const [index, y] of heights.slice(1).entries()) expect((heights[index] ?? 0) - y).toBeGreaterThan(LABEL)
})

test.each<Way>(['down', 'up'])('siblings have their labels apart: %s', (way) => {
  const [from, sign] = way === 'down' ? [{ x: 120, y: -100 }, -1] : [{ x: 120, y: 100 }, 1]
  const [one, other] = [route(from, left, way, 0), route(from, right, way, 0)]
  expect(other.labelX - one.labelX).toBeGreaterThan(150)
  expect(Math.sign(one.labelY)).toBe(sign)
})

test('agents of one row are joined over their heads, there and back', () => {
  const [there, back] = [route(left, right, 'over', 0), route(right, left, 'over', 0)]
  expect(there.labelY).toBeLessThan(-LABEL)
  expect(there.labelY - back.labelY).toBeGreaterThan(LABEL)
})
