/** The lines of edges in the graph. */
export interface Point {
  x: number
  y: number
}

/** Pixels along a line between its target and the middle of a label, by the label's place there. */
const LABEL_PLACES = [24, 46, 68] as const

/** The path of a line, with rounded corners, and the position of its label. */
export function drawLine(points: readonly Point[], place: number): { path: string; label: Point } {
  const [first, ...rest] = points
  const last = rest.at(-1)
  if (first === undefined || last === undefined) return { path: '', label: first ?? { x: 0, y: 0 } }
  const bends = rest.slice(0, -1).map((corner, index) => {
    const before = toward(corner, points[index] as Point)
    const after = toward(corner, rest[index + 1] as Point)
    return `L${at(before)} Q${at(corner)} ${at(after)} `
  })
  return {
    path: `M${at(first)} ${bends.join('')}L${at(last)}`,
    label: pointBefore(points, LABEL_PLACES[place % LABEL_PLACES.length] as number),
  }
}

const at = ({ x, y }: Point) => `${x.toFixed(1)},${y.toFixed(1)}`

/** The radius of corners in pixels. */
const ROUND = 14

/** The point where the rounding of a corner begins, on the way to another point. */
function toward(corner: Point, other: Point): Point {
  const length = Math.hypot(other.x - corner.x, other.y - corner.y)
  const part = length === 0 ? 0 : Math.min(ROUND / length, 0.5)
  return { x: corner.x + (other.x - corner.x) * part, y: corner.y + (other.y - corner.y) * part }
}

/** The point at a distance before the end of a line, but not before its middle third. */
function pointBefore(points: readonly Point[], distance: number): Point {
  const parts = points.slice(1).map((to, index) => {
    const from = points[index] as Point
    return { from, to, length: Math.hypot(to.x - from.x, to.y - from.y) }
  })
  const total = parts.reduce((sum, { length }) => sum + length, 0)
  let left = Math.min(distance, total * 0.6)
  for (const { from, to, length } of parts.toReversed()) {
    if (left <= length && length > 0) {
      const part = left / length
      return { x: to.x + (from.x - to.x) * part, y: to.y + (from.y - to.y) * part }
    }
    left -= length
  }
  return points[0] as Point
}
