// Draws agencies of the examples, from get_metadata, into docs/pictures.
//   node scripts/draw-graphs.mjs [--check]     --check only reports whether the pictures are up to date
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const EXAMPLES = ['research-team', 'support-desk']
const WIDTH = 168
const LINE = 18
const GAP = 56

/** Agents in the rows of the metadata, with the size and corner of each box. */
function placeAgents({ nodes }) {
  const agents = nodes.filter((node) => node.type === 'agent')
  const rows = [...Map.groupBy(agents, (node) => node.position.y)].sort(([a], [b]) => a - b).map(([, row]) => row)
  const widest = Math.max(...rows.map((row) => row.length)) * (WIDTH + GAP) - GAP
  const boxes = new Map()
  let top = 8
  for (const row of rows) {
    row.sort((a, b) => a.position.x - b.position.x)
    const left = 8 + (widest - (row.length * (WIDTH + GAP) - GAP)) / 2
    for (const [index, { id, data }] of row.entries()) {
      const height = 34 + LINE * data.toolCount
      boxes.set(id, { x: left + index * (WIDTH + GAP), y: top, height, ...data })
    }
    top += Math.max(...row.map(({ id }) => boxes.get(id).height)) + GAP
  }
  return { boxes, width: widest + 16, height: top - GAP + 8 }
}

function drawEdge(from, to) {
  const middle = (box) => box.x + WIDTH / 2
  if (to.y > from.y) {
    const [x1, y1, x2, y2] = [middle(from), from.y + from.height, middle(to), to.y - 2]
    return `<path d="M${x1} ${y1}C${x1} ${y1 + GAP / 2} ${x2} ${y2 - GAP / 2} ${x2} ${y2}"/>`
  }
  const back = to.x < from.x // in one row, or up: from side to side
  const [x1, x2] = back ? [from.x, to.x + WIDTH + 2] : [from.x + WIDTH, to.x - 2]
  return `<path d="M${x1} ${from.y + 17}L${x2} ${to.y + 17}"/>`
}

const encode = (text) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)

const drawAgent = ({ x, y, height, label, tools, isEntryPoint }) =>
  [
    `<rect x="${x}" y="${y}" width="${WIDTH}" height="${height}" rx="8"${isEntryPoint ? ' class="entry"' : ''}/>`,
    `<text x="${x + WIDTH / 2}" y="${y + 22}">${encode(label)}</text>`,
    ...tools.map(({ name }, index) => {
      const line = y + 22 + LINE * (index + 1)
      return `<text x="${x + WIDTH / 2}" y="${line}" class="tool">${encode(name)}</text>`
    }),
  ].join('\n')

function draw(metadata) {
  const { boxes, width, height } = placeAgents(metadata)
  const edges = metadata.edges.filter((edge) => edge.type === 'communication')
  const names = metadata.metadata.agents.join(', ')
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${encode(`Agents of "${metadata.metadata.agencyName}" and who may talk to whom: ${names}`)}</title>
<style>
rect { fill: #f6f8fa; stroke: #8c959f }
rect.entry { fill: #ddf4ff; stroke: #218bff }
path { fill: none; stroke: #7d8590; marker-end: url(#tip) }
#tip path { fill: #7d8590; stroke: none; marker-end: none }
text { font: 600 14px system-ui, sans-serif; text-anchor: middle; fill: #1f2328 }
text.tool { font: 12px ui-monospace, monospace; fill: #59636e }
</style>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8Z"/></marker>
${edges.map(({ source, target }) => drawEdge(boxes.get(source), boxes.get(target))).join('\n')}
${[...boxes.values()].map(drawAgent).join('\n')}
</svg>
`
}

const stale = []
for (const example of EXAMPLES) {
  const { agency } = await import(new URL(`../examples/${example}/agency.ts`, import.meta.url))
  const file = new URL(`../docs/pictures/${example}.svg`, import.meta.url)
  const picture = draw(agency.getMetadata())
  if (process.argv.includes('--check')) {
    if (readFileSync(file, 'utf8') !== picture) stale.push(`docs/pictures/${example}.svg`)
    continue
  }
  mkdirSync(new URL('.', file), { recursive: true })
  writeFileSync(file, picture)
}
if (stale.length > 0) {
  console.error(`${stale.join(', ')} show what was before. Run: node scripts/draw-graphs.mjs`)
  process.exitCode = 1
}
