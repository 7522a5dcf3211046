/** Names of the tools of MCP servers. */
import { isObject } from '../../wire/json.ts'
import { toToolNames } from '../names.ts'
import type { FunctionTool } from '../tool.ts'

/** The tools of one server, under the server's own names. */
export interface ServerTools {
  /** Distinguishes the server from the agent's other servers. */
  label: string
  tools: readonly FunctionTool[]
}

/**
 * Gives the tools of all servers names that a model can call, none of them in `taken`. A tool whose name another server or the
 * agent itself uses gets its server's label as a prefix; all others keep their names.
 */
export function nameServerTools(servers: readonly ServerTools[], taken: ReadonlySet<string>): FunctionTool[] {
  const once = servers.flatMap(({ label, tools }) =>
    [...new Map(tools.map((tool) => [tool.name, tool])).values()].map((tool) => ({ label, tool })),
  )
  const offers = Map.groupBy(once, ({ tool }) => tool.name)
  const texts = once.map(({ label, tool: { name } }) =>
    taken.has(name) || (offers.get(name)?.length ?? 0) > 1 ? `${label}_${name}` : name,
  )
  const names = toToolNames(texts, { taken })
  return once.map(({ tool }, index) => Object.freeze({ ...tool, name: names[index] as string }))
}

/** A tool's display name; undefined when the server sent none. */
export function titleOf({ title, annotations }: { [key: string]: unknown }): string | undefined {
  const shown = typeof title === 'string' || !isObject(annotations) ? title : annotations.title
  return typeof shown === 'string' ? shown : undefined
}
