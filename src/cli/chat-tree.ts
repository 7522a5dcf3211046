/** The agents of an agency as a tree: whom each can reach, and its tools. */
import type { AgencyMetadata } from '../client/index.ts'
import { oneLine } from './terminal.ts'

/** Lines of the tree, from the entry agents on. An agent that was drawn before is named only. */
export function drawAgents({ nodes, edges, metadata }: AgencyMetadata): string[] {
  const drawn = new Set<string>()
  const draw = (name: string, first: string, rest: string): string[] => {
    const isKnown = drawn.has(name)
    drawn.add(name)
    const tools = nodes.flatMap((node) =>
      node.type === 'tool' && node.data.parentAgent === name ? [node.data.label] : [],
    )
    const note = isKnown ? ' (above)' : tools.length === 0 ? '' : ` [${tools.join(', ')}]`
    const line = `${first}${oneLine(`${name}${note}`, 200)}`
    if (isKnown) return [line]
    const reached = edges.filter(({ type, source }) => type === 'communication' && source === name)
    return [
      line,
      ...reached.flatMap(({ target }, index) =>
        index === reached.length - 1
          ? draw(target, `${rest}└─ `, `${rest}   `)
          : draw(target, `${rest}├─ `, `${rest}│  `),
      ),
    ]
  }
  const { agents, entryPoints } = metadata
  const reached = entryPoints.flatMap((name) => draw(name, '', ''))
  return [...reached, ...agents.flatMap((name) => (drawn.has(name) ? [] : draw(name, '', '')))]
}
