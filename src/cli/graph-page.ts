/** The HTML page of `graph`. */
import type { AgencyMetadata, AgentNode } from '../client/index.ts'

const CARD = { width: 200, gap: 60, head: 64, line: 20, pad: 12, tools: 6 }
const ROW_GAP = 90
const MARGIN = 50

interface Card {
  agent: AgentNode
  row: number
  x: number
  y: number
  height: number
  tools: string[]
}

/** Agencies as one HTML page: each as a drawing and as text. The page loads nothing from other hosts. */
export function drawPage(agencies: readonly { name: string; graph: AgencyMetadata }[]): string {
  const title = agencies.map(({ name }) => name).join(', ')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${html(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${agencies.map(({ name, graph }) => section(name, graph)).join('\n')}
</main>
</body>
</html>
`
}

function section(name: string, graph: AgencyMetadata): string {
  const cards = place(graph)
  const { totalAgents, totalTools } = graph.metadata
  return `<section>
<h1>${html(name)}</h1>
<p>${count(totalAgents, 'agent')}, ${count(totalTools, 'tool')}. An arrow points from an agent to one that it can send messages to; entry agents have a frame.</p>
${draw(name, graph, cards)}
<dl>
${cards.map(({ agent }) => describe(agent)).join('\n')}
</dl>
</section>`
}

/** The positions of the server, spread out for cards of any height: columns keep their distance, rows their order. */
function place({ nodes }: AgencyMetadata): Card[] {
  const agents = nodes.filter((node) => node.type === 'agent')
  const rows = [...new Set(agents.map((agent) => agent.position.y))].sort((a, b) => a - b)
  const left = Math.min(...agents.map((agent) => agent.position.x))
  const cards = agents.map((agent) => {
    const names = agent.data.tools.map((tool) => tool.name)
    const more = names.length - CARD.tools
    const tools = more > 0 ? [...names.slice(0, CARD.tools), `${more} more`] : names
    return {
      agent,
      tools,
      row: rows.indexOf(agent.position.y),
      x: MARGIN + ((agent.position.x - left) / 240) * (CARD.width + CARD.gap),
      y: 0,
      height: CARD.head + (tools.length === 0 ? 0 : tools.length * CARD.line + CARD.pad),
    }
  })
  let y = MARGIN
  for (const index of rows.keys()) {
    const row = cards.filter((card) => card.row === index)
    for (const card of row) card.y = y
    y += Math.max(...row.map((card) => card.height)) + ROW_GAP
  }
  return cards
}

function draw(name: string, { edges }: AgencyMetadata, cards: readonly Card[]): string {
  const byId = new Map(cards.map((card) => [card.agent.id, card]))
  const width = Math.max(0, ...cards.map((card) => card.x)) + CARD.width + MARGIN
  const height = Math.max(0, ...cards.map((card) => card.y + card.height)) + MARGIN
  const arrows = edges.flatMap(({ type, source, target }) => {
    const [from, to] = [byId.get(source), byId.get(target)]
    if (type !== 'communication' || from === undefined || to === undefined) return []
    return [
      `<path class="flow" d="${curve(from, to)}" marker-end="url(#tip)"><title>${html(`${source} to ${target}`)}</title></path>`,
    ]
  })
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="${html(`${name} as a graph`)}">
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 10 5 0 10z"/></marker></defs>
${arrows.join('\n')}
${cards.map(drawCard).join('\n')}
</svg>`
}

/** The path of an arrow: down to a lower row, up to a higher row with an offset, or over the top within a row. */
function curve(from: Card, to: Card): string {
  const middle = (card: Card) => card.x + CARD.width / 2
  if (to.row > from.row) {
    const [start, end] = [from.y + from.height, to.y]
    const bend = (start + end) / 2
    return `M${middle(from)} ${start} C${middle(from)} ${bend} ${middle(to)} ${bend} ${middle(to)} ${end}`
  }
  if (to.row < from.row) {
    const [x1, x2, start, end] = [middle(from) + 30, middle(to) + 30, from.y, to.y + to.height]
    const bend = (start + end) / 2
    return `M${x1} ${start} C${x1} ${bend} ${x2} ${bend} ${x2} ${end}`
  }
  const side = to.x > from.x ? 20 : -20 // the two directions are separate arcs
  const top = from.y - 40 + side / 2
  return `M${middle(from) + side} ${from.y} C${middle(from) + side} ${top} ${middle(to) + side} ${top} ${middle(to) + side} ${to.y}`
}

function drawCard({ agent, x, y, height, tools }: Card): string {
  const { label, description, model, isEntryPoint } = agent.data
  const inside = x + CARD.pad
  const lines = tools.map(
    (tool, index) =>
      `<text class="tool" x="${inside}" y="${y + CARD.head + CARD.line * (index + 0.6)}">${html(cut(tool, 24))}</text>`,
  )
  return `<g${isEntryPoint ? ' class="entry"' : ''}><title>${html(description === '' ? label : `${label}: ${description}`)}</title>
<rect x="${x}" y="${y}" width="${CARD.width}" height="${height}" rx="10"/>
<text class="name" x="${inside}" y="${y + 27}">${html(cut(label, 18))}</text>
<text class="model" x="${inside}" y="${y + 48}">${html(cut(model, 26))}</text>
${lines.join('\n')}</g>`
}

function describe({ data: { label, description, model, isEntryPoint, tools } }: AgentNode): string {
  const list = tools.map((tool) => `<li><b>${html(tool.name)}</b> ${html(tool.description)}</li>`)
  return `<dt>${html(label)}${isEntryPoint ? ' <small>entry</small>' : ''}</dt>
<dd>${html(description)} <small>${html(model)}</small>${list.length === 0 ? '' : `<ul>${list.join('')}</ul>`}</dd>`
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`
const cut = (text: string, length: number) => (text.length > length ? `${text.slice(0, length - 1)}…` : text)
const ENTITIES: { [char: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const html = (text: string) => String(text).replace(/[&<>"']/g, (char) => ENTITIES[char] as string)

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c2330, #e6e9ef); --soft: light-dark(#5b6576, #9aa4b5); --card: light-dark(#fff, #1e2530);
  --ground: light-dark(#f5f6f8, #12161d); --line: light-dark(#b8c0cc, #465064); --mark: light-dark(#2557d6, #7ea6ff); }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1100px; margin: 0 auto; padding: 24px 16px; }
h1 { font-size: 22px; margin: 0; } p, small, dd { color: var(--soft); } svg { display: block; max-width: 100%; height: auto; }
rect { fill: var(--card); stroke: var(--line); } .entry rect { stroke: var(--mark); stroke-width: 2.5; }
text { fill: var(--soft); font-size: 13px; } .name { fill: var(--ink); font-size: 16px; font-weight: 600; }
.flow { fill: none; stroke: var(--soft); stroke-width: 1.5; } marker path { fill: var(--soft); }
dt { font-weight: 600; margin-top: 12px; } dd { margin: 0; } ul { margin: 4px 0; padding-left: 20px; } b { color: var(--ink); font-weight: 500; }
`
