/** The lines of edges in the graph. */
interface Point {
  x: number
  y: number
}

/** Direction of an edge: to a lower row, to a higher row, or over the top to an agent of the same row. */
export type Way = 'down' | 'up' | 'over'

/** Pixels between a target and the middle of a label, by the label's place there. */
const LABEL_PLACES = [23, 45, 67] as const
/** Heights of the arcs in pixels, by direction. */
const ARC = { right: 44, left: 66 }
/** Height of an arc with its label, in pixels. */
export const ARC_ROOM = ARC.left + 12

/**
 * Computes the line of an edge and the position of its label: near the target, where lines from one agent are apart, or at the
 * top of an arc.
 */
export function route(
  from: Point,
  to: Point,
  way: Way,
  place: number,
): { path: string; labelX: number; labelY: number } {
  // A cubic Bezier curve reaches three quarters of the height of its control points.
  const bend = way === 'over' ? from.y - (to.x > from.x ? ARC.right : ARC.left) / 0.75 : (from.y + to.y) / 2
  const at = (t: number): Point => ({
    x: from.x + (to.x - from.x) * t * t * (3 - 2 * t),
    y: from.y * (1 - t) ** 3 + 3 * bend * t * (1 - t) + to.y * t ** 3,
  })
  const away = LABEL_PLACES[place % LABEL_PLACES.length] as number
  let t = 1
  while (t > 0.2 && Math.abs(to.y - at(t).y) < away) t -= 0.01
  const { x, y } = at(way === 'over' ? 0.5 : t)
  return { path: `M${from.x},${from.y} C${from.x},${bend} ${to.x},${bend} ${to.x},${to.y}`, labelX: x, labelY: y }
}
