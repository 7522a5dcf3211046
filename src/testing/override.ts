/** A copy of an agency with other models and tools, for tests. */
import type { LoadThreads } from '../agency/agency.ts'
import type { Agent as AgentInGraph } from '../agency/agent.ts'
import { copyContext } from '../agency/context.ts'
import { Agency, type Agent } from '../agency-swarm.ts'
import { optionNames, refuseUnknown } from '../base/options.ts'
import { invalidOption } from '../base/start-errors.ts'
import type { ModelSpec } from '../models/spec.ts'
import type { FunctionTool, Tool, ToolContext } from '../tools/tool.ts'

/** What stands in for the work of a tool. Gets the checked arguments. */
export type ToolStandIn = (input: never, context: ToolContext) => unknown

/** What `override` changes. */
export interface Overrides {
  /** The model of every agent, or a function that chooses one for each; undefined keeps the agent's own. @default each its own */
  model?: ModelSpec | ((agent: string, own: ModelSpec | undefined) => ModelSpec | undefined) | undefined
  /** Tool name -> what runs in its place. Arguments are still checked, guardrails still run. @default every tool itself */
  tools?: { readonly [name: string]: ToolStandIn } | undefined
}

const OPTIONS = optionNames<Overrides>({ model: true, tools: true })

/**
 * A copy of an agency with other models or tools, and a new, empty conversation: `loadThreads` and `saveThreads` are left out.
 * The agency itself is not changed. A copy whose models are all replaced does not store the files of folders.
 * @throws INVALID_OPTION for an unknown option, and for a tool that no agent has
 */
export function override<Given extends Agency>(agency: Given, overrides: Overrides = {}): Given {
  refuseUnknown('override()', overrides, OPTIONS)
  const { model, tools: standIns = {} } = overrides
  checkNames(agency, Object.keys(standIns))
  return copyAgency(agency, (agent) => {
    const own = typeof model === 'function' ? model(agent.name, agent.model) : model
    return {
      ...(own === undefined ? {} : { model: own, filesFolder: undefined }),
      tools: toolsOf(agency, agent).map((tool) => standIn(tool, standIns)),
    }
  })
}

/** The tools of an agent with those that all agents share. */
export const toolsOf = ({ shared }: Agency, agent: AgentInGraph): Tool[] => [
  ...new Set([...agent.tools, ...shared.tools]),
]

type AgentChanges = NonNullable<Parameters<AgentInGraph['clone']>[0]>

/**
 * Copies an agency with its flows, instructions, context and hooks, but without its conversation.
 * @param change the options of an agent's copy; `tools` are all its tools, the shared ones included
 * @param loadThreads the conversation that the copy begins with. Default: an empty one, to which its runs add
 */
export function copyAgency<Given extends Agency>(
  agency: Given,
  change: (agent: AgentInGraph) => AgentChanges & { tools: readonly Tool[] },
  loadThreads?: LoadThreads,
): Given {
  const { mcpServers, folder } = agency.shared
  let keepsFolder = folder !== undefined
  const copies = new Map(
    agency.agents.map((agent) => {
      const changes = change(agent)
      if ('filesFolder' in changes) keepsFolder = false
      const servers = [...new Set([...agent.mcpServers, ...mcpServers])]
      return [agent, agent.clone({ mcpServers: servers, ...changes })]
    }),
  )
  const copyOf = (agent: AgentInGraph) => copies.get(agent) as Agent
  return new Agency(agency.entryPoints.map(copyOf), {
    name: agency.name,
    communicationFlows: agency.edges.map(({ from, to, via }) => [copyOf(from), copyOf(to), via] as const),
    sharedInstructions: agency.sharedInstructions,
    sharedFilesFolder: keepsFolder ? folder?.path : undefined,
    userContext: copyContext(agency.userContext),
    hooks: agency.hooks,
    loadThreads,
  }) as unknown as Given
}

function checkNames(agency: Agency, names: readonly string[]): void {
  const known = new Set(agency.agentNames.flatMap((name) => [...agency.role(name).tools.keys()]))
  const stray = names.find((name) => !known.has(name))
  if (stray !== undefined)
    throw invalidOption(`override() has a tool "${stray}", which no agent has. Tools: ${[...known].join(', ')}.`)
}

const standIn = (tool: Tool, standIns: { readonly [name: string]: ToolStandIn }): Tool => {
  const run = Object.hasOwn(standIns, tool.name) ? standIns[tool.name] : undefined
  if (tool.kind !== 'function' || run === undefined) return tool
  return replaceRun(tool, run)
}

/** The tool with other work; everything else stays. */
export const replaceRun = (tool: FunctionTool, run: ToolStandIn): FunctionTool =>
  Object.freeze({ ...tool, run: async (value: unknown, context: ToolContext) => run(value as never, context) })
