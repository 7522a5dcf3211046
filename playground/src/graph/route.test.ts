import { expect, test } from 'vitest'
import { drawLine } from './route.ts'

/** The height of a label with its ground. */
const LABEL = 18

const bent = [
  { x: 0, y: 0 },
  { x: 0, y: 50 },
  { x: 200, y: 50 },
  { x: 200, y: 200 },
]

test('labels at one target stand below each other, near it', () => {
  const heights = [0, 1, 2].map((place) => drawLine(bent, place).label.y)
  for (const [index, y] of [...heights, 50].entries()) expect((heights[index - 1] ?? 200) - y).toBeGreaterThan(LABEL)
  expect(drawLine(bent, 2).label.x).toBe(200)
})

test('a line keeps its ends and its straight parts, and rounds its corners', () => {
  const { path } = drawLine(bent, 0)
  expect(path).toMatch(/^M0\.0,0\.0 .*L200\.0,200\.0$/)
  expect(path.match(/Q/g)).toHaveLength(2)
  expect(drawLine([bent[0], bent[1]] as typeof bent, 0).path).toBe('M0.0,0.0 L0.0,50.0')
})
