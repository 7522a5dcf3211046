/** Removes duplicates from a list of tools. */
import { isDeepStrictEqual } from 'node:util'
import { duplicateName } from '../base/start-errors.ts'
import type { Tool } from './tool.ts'

/**
 * Returns every tool once, in order. Hosted tools with equal settings count as one; hosted MCP servers share a name and differ
 * by label. `owner` is the subject of the error text.
 * @throws DUPLICATE_NAME for two different tools with one name
 */
export function onceEach<T extends Tool>(tools: readonly T[], owner: string): T[] {
  const byName = new Map<string, T>()
  for (const tool of tools) {
    const key = tool.kind === 'hosted' ? `${tool.name} ${tool.label}` : tool.name
    const first = byName.get(key) ?? tool
    if (first !== tool && tool.kind === 'function')
      throw duplicateName(
        `${owner} has two different tools "${tool.name}". Rename or remove one of them: a model could not distinguish them.`,
      )
    if (tool.kind === 'hosted' && !isDeepStrictEqual(first, tool))
      throw duplicateName(`${owner} has two tools "${tool.label}" with different settings. Keep one of them.`)
    byName.set(key, first)
  }
  return [...byName.values()]
}
