/** Positions of the boxes and lines of a graph, in the shape that fills the available room best. */
import { type Box, type Line, placeInGrid } from './grid.ts'
import type { Point } from './route.ts'

export interface Room {
  width: number
  height: number
}

/** A placed graph. Boxes are given by their top left corner. */
export interface Placed extends Room {
  boxes: ReadonlyMap<string, Point>
  /** Line -> its points, from the source to the target. */
  lines: ReadonlyMap<string, readonly Point[]>
}

/** Pixels between the columns of a folded graph. */
const BETWEEN = 74
/** Layers are cut to at most so many boxes, when that makes the graph larger in its room. */
const WIDTHS = [Number.POSITIVE_INFINITY, 7, 6, 5, 4, 3, 2]
/** Long graphs are folded into so many columns. */
const FOLDS = [1, 2, 3, 4, 5]
/** Another shape has to be so much larger than a simpler one. */
const CLEARLY = 1.12

/**
 * Places boxes in rows by their distance from the entry boxes. Wide rows are cut and long graphs folded to fill the room. Layout
 * libraries (dagre, ELK) keep one row per distance: an agent with 19 others would be 4,300 pixels wide.
 */
export function place(boxes: readonly Box[], lines: readonly Line[], room: Room): Placed {
  const layers = findLayers(boxes, lines)
  const widest = Math.max(...layers.map((layer) => layer.length))
  let best: { placed: Placed; scale: number } | undefined
  for (const width of WIDTHS.filter((width) => width === WIDTHS[0] || width < widest)) {
    const rows = layers.flatMap((layer) => cut(layer, width))
    const wide = inGrid(boxes, lines, rows)
    for (const columns of FOLDS.filter((columns) => columns === 1 || rows.length >= columns * 2)) {
      const placed = columns === 1 ? wide : fold(wide, boxes, lines, rows, columns)
      const scale = Math.min(1, room.width / placed.width, room.height / placed.height)
      if (best === undefined || scale > best.scale * CLEARLY) best = { placed, scale }
    }
  }
  return (best as { placed: Placed }).placed
}

/** Boxes by their distance from the entry boxes; boxes that nothing reaches are the last layer. */
function findLayers(boxes: readonly Box[], lines: readonly Line[]): string[][] {
  const entries = boxes.filter(({ isEntry }) => isEntry)
  const first = (entries.length > 0 ? entries : boxes.slice(0, 1)).map(({ id }) => id)
  const known = new Set(first)
  const layers: string[][] = []
  for (let layer = first; layer.length > 0; ) {
    layers.push(layer)
    const reached = new Set(
      layer.flatMap((id) => lines.filter(({ source }) => source === id).map(({ target }) => target)),
    )
    layer = [...reached].filter((id) => !known.has(id))
    for (const id of layer) known.add(id)
  }
  const rest = boxes.filter(({ id }) => !known.has(id)).map(({ id }) => id)
  return rest.length > 0 ? [...layers, rest] : layers
}

function cut(layer: string[], width: number): string[][] {
  if (layer.length <= width) return [layer]
  const each = Math.ceil(layer.length / Math.ceil(layer.length / width))
  return Array.from({ length: Math.ceil(layer.length / each) }, (_, row) => layer.slice(row * each, (row + 1) * each))
}

const indexRows = (rows: readonly (readonly string[])[]) =>
  new Map(rows.flatMap((row, index) => row.map((id) => [id, index] as const)))

function inGrid(boxes: readonly Box[], lines: readonly Line[], rows: readonly (readonly string[])[]): Placed {
  const placed = placeInGrid(boxes, lines, rows)
  return frame(boxes, placed.boxes, placed.lines)
}

/** Cuts the rows into columns that stand beside each other. */
function fold(
  placed: Placed,
  boxes: readonly Box[],
  lines: readonly Line[],
  rows: readonly (readonly string[])[],
  columns: number,
): Placed {
  const rowOf = indexRows(rows)
  const each = Math.ceil(rows.length / columns)
  const columnOf = (id: string) => Math.floor((rowOf.get(id) ?? 0) / each)
  const within = (line: Line) => columnOf(line.source) === columnOf(line.target)
  const moves: Point[] = []
  const edges: { left: number; right: number }[] = []
  let left = 0
  for (let column = 0; column * each < rows.length; column++) {
    const part = frame(
      boxes.filter(({ id }) => columnOf(id) === column),
      placed.boxes,
      new Map(
        lines
          .filter((line) => within(line) && columnOf(line.source) === column)
          .map(({ id }) => [id, placed.lines.get(id) as readonly Point[]]),
      ),
    )
    moves.push({ x: left - part.from.x, y: -part.from.y })
    edges.push({ left, right: left + part.width })
    left += part.width + BETWEEN
  }
  const move = ({ x, y }: Point, column: number): Point => ({
    x: x + (moves[column]?.x ?? 0),
    y: y + (moves[column]?.y ?? 0),
  })
  const corners = new Map(boxes.map(({ id }) => [id, move(placed.boxes.get(id) as Point, columnOf(id))]))
  const sizes = new Map(boxes.map((box) => [box.id, box]))
  const routes = lines.map((line) => {
    const column = columnOf(line.source)
    if (within(line)) return [line.id, placed.lines.get(line.id)?.map((point) => move(point, column)) ?? []] as const
    const ends = [line.source, line.target].map((id) => ({ ...(corners.get(id) as Point), ...(sizes.get(id) as Box) }))
    const later = columnOf(line.target) > column
    const gap = later ? (edges[column]?.right ?? 0) + BETWEEN / 2 : (edges[column]?.left ?? 0) - BETWEEN / 2
    return [line.id, aroundColumns(ends as [End, End], gap)] as const
  })
  return frame(boxes, corners, new Map(routes))
}

type End = Point & Box

/** The points of a line to another column: down from its source, up in the gap between the columns, down to its target. */
const aroundColumns = ([from, to]: [End, End], gap: number): Point[] => [
  { x: from.x + from.width / 2, y: from.y + from.height },
  { x: from.x + from.width / 2, y: from.y + from.height + 24 },
  { x: gap, y: from.y + from.height + 24 },
  { x: gap, y: to.y - 24 },
  { x: to.x + to.width / 2, y: to.y - 24 },
  { x: to.x + to.width / 2, y: to.y },
]

/** The graph moved so that it begins at 0, 0, with its size. */
function frame(
  boxes: readonly Box[],
  corners: ReadonlyMap<string, Point>,
  lines: ReadonlyMap<string, readonly Point[]>,
): Placed & { from: Point } {
  const points = [...lines.values()].flat()
  const spots = boxes.map((box) => ({ ...(corners.get(box.id) as Point), ...box }))
  const from = {
    x: Math.min(...spots.map(({ x }) => x), ...points.map(({ x }) => x)),
    y: Math.min(...spots.map(({ y }) => y), ...points.map(({ y }) => y)),
  }
  const width = Math.max(...spots.map(({ x, width }) => x + width), ...points.map(({ x }) => x)) - from.x
  const height = Math.max(...spots.map(({ y, height }) => y + height), ...points.map(({ y }) => y)) - from.y
  const move = ({ x, y }: Point): Point => ({ x: x - from.x, y: y - from.y })
  return {
    boxes: new Map(boxes.map(({ id }) => [id, move(corners.get(id) as Point)])),
    lines: new Map([...lines].map(([id, points]) => [id, points.map(move)])),
    width,
    height,
    from,
  }
}
