/** A graph in the cells of a grid, with lines that run between the boxes like the wires of a circuit. */
import type { Point } from './route.ts'

export interface Box {
  id: string
  width: number
  height: number
  /** The graph begins with these boxes. */
  isEntry: boolean
}

export interface Line {
  id: string
  source: string
  target: string
}

/** Distances between boxes in pixels: room for the lines. */
const BESIDE = 34
const BELOW = 66
/** Distance between lines that run beside each other. */
const LANE = 4
/** The part of a box's side that lines may touch. */
const TOUCHED = 0.62

interface Cell {
  row: number
  column: number
}

/** Top left corners of the boxes, and the points of the lines, for boxes of one size in these rows. */
export function placeInGrid(
  boxes: readonly Box[],
  lines: readonly Line[],
  rows: readonly (readonly string[])[],
): { boxes: Map<string, Point>; lines: Map<string, Point[]> } {
  const width = Math.max(...boxes.map((box) => box.width)) + BESIDE
  const tops = rowTops(boxes, rows)
  const columns = Math.max(...rows.map((row) => row.length))
  const cells = new Map<string, Cell>()
  const corners = new Map<string, Point>()
  for (const [row, ids] of sortRows(rows, lines).entries()) {
    const first = Math.floor((columns - ids.length) / 2)
    // A box alone in the first row is centred: no line has to pass it.
    const shift = row === 0 && ids.length === 1 && columns % 2 === 0 ? width / 2 : 0
    for (const [index, id] of ids.entries()) {
      cells.set(id, { row, column: first + index })
      corners.set(id, { x: (first + index) * width + shift, y: tops[row] as number })
    }
  }
  return { boxes: corners, lines: routeLines({ boxes, lines, cells, corners, tops, width }) }
}

function rowTops(boxes: readonly Box[], rows: readonly (readonly string[])[]): number[] {
  const heights = new Map(boxes.map(({ id, height }) => [id, height]))
  let top = 0
  return rows.map((row) => {
    const mine = top
    top += Math.max(...row.map((id) => heights.get(id) ?? 0)) + BELOW
    return mine
  })
}

/** Each row in the order of the middles of what its boxes are joined to in the rows above. */
function sortRows(rows: readonly (readonly string[])[], lines: readonly Line[]): string[][] {
  const middle = new Map<string, number>()
  return rows.map((row) => {
    const wish = new Map(
      row.map((id, index) => {
        const above = lines
          .flatMap(({ source, target }) => (source === id ? [target] : target === id ? [source] : []))
          .flatMap((other) => middle.get(other) ?? [])
        const mean = above.reduce((sum, x) => sum + x, 0) / above.length
        return [id, above.length === 0 ? index - (row.length - 1) / 2 : mean] as const
      }),
    )
    const sorted = row.toSorted((a, b) => (wish.get(a) ?? 0) - (wish.get(b) ?? 0))
    for (const [index, id] of sorted.entries()) middle.set(id, index - (sorted.length - 1) / 2)
    return sorted
  })
}

interface Grid {
  boxes: readonly Box[]
  lines: readonly Line[]
  cells: ReadonlyMap<string, Cell>
  corners: ReadonlyMap<string, Point>
  tops: readonly number[]
  /** The width of a cell. */
  width: number
}

function routeLines(grid: Grid): Map<string, Point[]> {
  const { lines, cells } = grid
  const rowOf = (id: string) => (cells.get(id) as Cell).row
  /** A line is drawn from its upper end; `flat` lines join boxes of one row. */
  const drawn = lines.map(({ id, source, target }) => {
    const down = rowOf(target) - rowOf(source)
    return {
      id,
      upper: down < 0 ? target : source,
      lower: down < 0 ? source : target,
      reversed: down < 0,
      flat: down === 0,
    }
  })
  const touch = touchPoints(grid, drawn)
  const lanes = new Map<string, number>()
  /** The lanes of a channel in an order that keeps lines apart; `most` is odd. */
  const lane = (channel: string, most: number) => {
    const count = lanes.get(channel) ?? 0
    lanes.set(channel, count + 1)
    return (((count * 4) % most) - (most - 1) / 2) * LANE
  }
  const routes = drawn.map(({ id, upper, lower, reversed, flat }): [string, Point[]] => {
    const [from, to] = [touch(id, upper), touch(id, lower)]
    const [above, below] = [cells.get(upper) as Cell, cells.get(lower) as Cell]
    if (flat) {
      const y = from.y - BELOW / 2 + lane(`row ${above.row}`, 9)
      return [id, [from, { x: from.x, y }, { x: to.x, y }, to]]
    }
    const leave = from.y + BELOW / 2 + lane(`row ${above.row + 1}`, 9)
    if (below.row === above.row + 1)
      return [id, ends(reversed, [from, { x: from.x, y: leave }, { x: to.x, y: leave }, to])]
    const gutter = below.column + (to.x > from.x ? 0 : 1)
    const x = gutter * grid.width - BESIDE / 2 + lane(`gutter ${gutter}`, 7)
    const arrive = (grid.tops[below.row] as number) - BELOW / 2 + lane(`row ${below.row}`, 9)
    const points = [from, { x: from.x, y: leave }, { x, y: leave }, { x, y: arrive }, { x: to.x, y: arrive }, to]
    return [id, ends(reversed, points)]
  })
  return new Map(routes)
}

const ends = (reversed: boolean, points: Point[]) => (reversed ? points.toReversed() : points)

interface Drawn {
  id: string
  upper: string
  lower: string
  flat: boolean
}

/** Where lines touch boxes: spread over the side, in the order of the boxes at their other ends. */
function touchPoints({ boxes, corners }: Grid, drawn: readonly Drawn[]): (line: string, box: string) => Point {
  const sizes = new Map(boxes.map((box) => [box.id, box]))
  const sides = new Map<string, { line: string; box: string; other: number; y: number }[]>()
  const add = (line: string, box: string, other: string, bottom: boolean) => {
    const { y } = corners.get(box) as Point
    const side = { line, box, other: corners.get(other)?.x ?? 0, y: bottom ? y + (sizes.get(box)?.height ?? 0) : y }
    const key = `${bottom} ${box}`
    sides.set(key, [...(sides.get(key) ?? []), side])
  }
  for (const { id, upper, lower, flat } of drawn) {
    add(id, upper, lower, !flat)
    add(id, lower, upper, false)
  }
  const points = new Map<string, Point>()
  for (const side of sides.values())
    for (const [index, { line, box, y }] of side.toSorted((a, b) => a.other - b.other).entries()) {
      const width = sizes.get(box)?.width ?? 0
      const step = Math.min(16, (width * TOUCHED) / side.length)
      const x = (corners.get(box) as Point).x + width / 2 + (index - (side.length - 1) / 2) * step
      points.set(`${line} ${box}`, { x, y })
    }
  return (line, box) => points.get(`${line} ${box}`) as Point
}
