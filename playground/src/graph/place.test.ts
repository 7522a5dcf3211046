import { expect, test } from 'vitest'
import type { Box, Line } from './grid.ts'
import { type Placed, place } from './place.ts'
import type { Point } from './route.ts'

const [WIDTH, HEIGHT] = [156, 46]
const PANEL = { width: 600, height: 520 }

const names = (count: number) => Array.from({ length: count }, (_, index) => `agent ${index}`)
const boxesOf = (ids: readonly string[]): Box[] =>
  ids.map((id, index) => ({ id, width: WIDTH, height: HEIGHT, isEntry: index === 0 }))
const line = (source: string, target: string): Line => ({ id: `${source}->${target}`, source, target })

const ids = names(20)
const GRAPHS: { [name: string]: Line[] } = {
  star: ids.slice(1).map((id) => line(ids[0] as string, id)),
  chain: ids.slice(1).map((id, index) => line(ids[index] as string, id)),
  dense: ids.flatMap((id, index) =>
    [1, 2, 5]
      .map((step) => ids[(index * 2 + step) % ids.length] as string)
      .flatMap((to) => (to === id ? [] : [line(id, to)])),
  ),
  loose: [],
}

const scaleIn = ({ width, height }: Placed, room: { width: number; height: number }) =>
  Math.min(room.width / width, room.height / height)

/** True when a part of a line runs through the inside of a box. Lines are straight along the axes. */
function crosses(points: readonly Point[], { x, y }: Point): boolean {
  return points.slice(1).some((to, index) => {
    const from = points[index] as Point
    const across = Math.max(from.x, to.x) > x + 1 && Math.min(from.x, to.x) < x + WIDTH - 1
    const down = Math.max(from.y, to.y) > y + 1 && Math.min(from.y, to.y) < y + HEIGHT - 1
    return across && down
  })
}

test.each(Object.keys(GRAPHS))('20 agents are readable in a side panel: %s', (name) => {
  const lines = GRAPHS[name] as Line[]
  const placed = place(boxesOf(ids), lines, PANEL)
  expect(scaleIn(placed, PANEL)).toBeGreaterThan(0.5)
  const corners = [...placed.boxes.values()]
  expect(new Set(corners.map(({ x, y }) => `${x} ${y}`)).size).toBe(20)
  for (const points of placed.lines.values()) expect(corners.filter((corner) => crosses(points, corner))).toEqual([])
})

test.each(Object.keys(GRAPHS))('lines begin at their source and end at their target: %s', (name) => {
  const lines = GRAPHS[name] as Line[]
  const placed = place(boxesOf(ids), lines, PANEL)
  expect(placed.lines.size).toBe(lines.length)
  for (const { id, source, target } of lines) {
    const points = placed.lines.get(id) as readonly Point[]
    for (const [end, box] of [
      [points[0], source],
      [points.at(-1), target],
    ] as const) {
      const { x, y } = placed.boxes.get(box) as Point
      expect(end?.x).toBeGreaterThan(x)
      expect(end?.x).toBeLessThan(x + WIDTH)
      expect([y, y + HEIGHT]).toContain(end?.y)
    }
  }
})

test('a small graph keeps one row per distance from its entry', () => {
  const [lead, left, right, last] = names(4) as [string, string, string, string]
  const lines = [line(lead, left), line(lead, right), line(right, last), line(last, lead)]
  const { boxes } = place(boxesOf([lead, left, right, last]), lines, PANEL)
  const [first, second, third, fourth] = [lead, left, right, last].map((id) => boxes.get(id)?.y ?? 0)
  expect(first).toBeLessThan(second as number)
  expect(second).toBe(third)
  expect(fourth).toBeGreaterThan(third as number)
})

test('lines of one row to the next run beside each other, not on each other', () => {
  const [lead, left, right] = names(3) as [string, string, string]
  const lines = [line(lead, left), line(lead, right), line(left, right), line(right, lead)]
  const placed = place(boxesOf([lead, left, right]), lines, PANEL)
  const heights = lines.map(({ id }) => placed.lines.get(id)?.[1]?.y)
  expect(new Set(heights).size).toBe(lines.length)
})
