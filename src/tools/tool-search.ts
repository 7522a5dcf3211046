/** Search for tools in the Responses API: tools that a model loads when it looks for them, and the namespaces that it looks through. */
import { invalidTool } from '../base/start-errors.ts'
import type { JsonObject } from '../wire/json.ts'
import { asTool, type ToolLike } from './base-tool.ts'
import { hostedTool } from './hosted.ts'
import { requireToolName } from './names.ts'
import type { FunctionTool, HostedTool, Tool, ToolNamespace } from './tool.ts'

/** The type of the hosted tool that searches. */
export const TOOL_SEARCH = 'tool_search'

/** Options of `toolNamespace`. */
export interface ToolNamespaceOptions<Context extends object = never> extends ToolNamespace {
  /** Function tools; hosted tools cannot be members. */
  tools: readonly ToolLike<Context>[]
}

/**
 * Lets the model search for tools: those with `deferLoading`, and the members of namespaces. Only the Responses API knows such a
 * search; any other model gets all tools at once, and no search.
 */
export const toolSearch = (): HostedTool => hostedTool({ type: TOOL_SEARCH })

/**
 * Groups function tools for the search: `tools: [toolSearch(), ...toolNamespace({ name: 'crm', description, tools })]`. The model
 * reads name and description of the group before it loads the members that have `deferLoading`.
 * @throws INVALID_TOOL for a name that providers refuse or that a member has, an empty description, and a member that is not a function tool
 */
export function toolNamespace({ name, description, tools }: ToolNamespaceOptions): FunctionTool[] {
  requireToolName(name, 'It names a namespace.')
  if (typeof description !== 'string' || description.trim() === '')
    throw invalidTool(`The namespace "${name}" needs a description: the model reads it to decide where to search.`)
  return tools.map(asTool).map((tool) => {
    const isFunction = tool.kind === 'function' && (tool.native === undefined || tool.native.type === 'custom')
    if (!isFunction) throw invalidTool(`"${tool.name}" cannot be in the namespace "${name}": only function tools can.`)
    if (tool.name === name) throw invalidTool(`A tool of the namespace "${name}" has its name. Rename one of them.`)
    return Object.freeze<FunctionTool>({ ...tool, namespace: { name, description } })
  })
}

/**
 * Checks that an agent can find its deferred tools, and that its search has something to find.
 * @param deferredServer the name of an MCP server whose tools are deferred
 * @throws INVALID_TOOL
 */
export function checkSearch(agent: string, tools: readonly Tool[], deferredServer: string | undefined): void {
  const searches = tools.some((tool) => tool.kind === 'hosted' && tool.name === TOOL_SEARCH)
  const deferred = tools.find(isDeferred)?.name ?? deferredServer
  if (deferred !== undefined && !searches)
    throw invalidTool(
      `"${deferred}" of agent "${agent}" has deferLoading, so a model cannot see it without a search. Add toolSearch() to the tools of the agent.`,
    )
  const isNamed = (tool: Tool) => tool.kind === 'function' && tool.namespace !== undefined
  if (searches && deferred === undefined && !tools.some(isNamed))
    throw invalidTool(
      `Agent "${agent}" has toolSearch(), but no tool that it could find. Give tools deferLoading: true or a toolNamespace().`,
    )
  checkDescriptions(tools)
}

const isDeferred = (tool: Tool) =>
  tool.kind === 'function' ? tool.deferLoading === true : tool.definition.defer_loading === true

/** A namespace is sent once, with one description. @throws INVALID_TOOL */
function checkDescriptions(tools: readonly Tool[]): void {
  const known = new Map<string, string>()
  for (const tool of tools) {
    if (tool.kind !== 'function' || tool.namespace === undefined) continue
    const { name, description } = tool.namespace
    if ((known.get(name) ?? description) !== description)
      throw invalidTool(`The namespace "${name}" has two descriptions. Give both parts of it the same one.`)
    known.set(name, description)
  }
}

/** A tool's definition, and where it is found. */
interface Placed {
  readonly definition: JsonObject
  readonly namespace?: ToolNamespace | undefined
}

/** The `tools` of a request to the Responses API: the members of each namespace in one entry, where its first one stood. */
export function joinNamespaces(tools: readonly Placed[]): JsonObject[] {
  const members = new Map<string, JsonObject[]>()
  return tools.flatMap(({ definition, namespace }) => {
    if (namespace === undefined) return [definition]
    const known = members.get(namespace.name)
    known?.push(definition)
    if (known !== undefined) return []
    const own = [definition]
    members.set(namespace.name, own)
    return [{ type: 'namespace', ...namespace, tools: own }]
  })
}
