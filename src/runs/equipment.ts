import { type Role, toSchema } from '../agency/agency.ts'
import type { Model, ModelSettings, ToolSchema, TurnRequest } from '../models/model.ts'
import type { FunctionTool } from '../tools/tool.ts'
import { orAbort } from './calls.ts'
import { type Conversation, progressOf, type RunState, toolContextOf } from './conversation.ts'

/**
 * What a model call is equipped with: the tools that are enabled, those of MCP servers, the provider's own where the model
 * reaches them, and the settings with or without a choice among them.
 * @throws MCP_FAILED; what an `isEnabled` threw; the signal's reason when the run was aborted
 */
export async function equip(
  run: RunState,
  conversation: Conversation,
  model: Model,
): Promise<Pick<TurnRequest, 'tools' | 'hostedTools' | 'include' | 'settings'>> {
  const { role } = conversation
  conversation.found = await discover(run, role)
  const own = role.conditional ? await enabledSchemas(run, conversation) : role.schemas
  const tools = conversation.found.size === 0 ? own : [...own, ...[...conversation.found.values()].map(toSchema)]
  const hosted = role.hosted.map((tool) => tool.definition)
  const settings = settingsOf(conversation)
  if (hosted.length === 0) return { tools, settings }
  if (model.runsHostedTools === true) return { tools, settings, hostedTools: hosted, include: role.include }
  return { tools: [...tools, ...[...role.stubs.values()].map(toSchema)], settings }
}

const NOTHING_FOUND: ReadonlyMap<string, FunctionTool> = new Map()

/** The tools of the agent's MCP servers; a name that is taken already stays with its owner. */
async function discover(run: RunState, { agent, schemas, stubs }: Role): Promise<ReadonlyMap<string, FunctionTool>> {
  if (agent.mcpSources.length === 0) return NOTHING_FOUND
  const lists = await orAbort(Promise.all(agent.mcpSources.map((source) => source.tools())), run.signal)
  const taken = new Set([...schemas.map(({ name }) => name), ...stubs.keys()])
  return new Map(lists.flat().flatMap((tool) => (taken.has(tool.name) ? [] : [[tool.name, tool]])))
}

async function enabledSchemas(run: RunState, conversation: Conversation): Promise<ToolSchema[]> {
  const { schemas, tools, agent } = conversation.role
  const context = toolContextOf(run, conversation)
  const enabled = await Promise.all(schemas.map(({ name }) => tools.get(name)?.isEnabled?.(context, agent) ?? true))
  return schemas.filter((_, index) => enabled[index])
}

/** A tool choice that was obeyed no longer holds: `required` would never end. */
function settingsOf(conversation: Conversation): ModelSettings {
  const { modelSettings, resetToolChoice } = conversation.role.agent
  if (!resetToolChoice || !progressOf(conversation).usedTools) return modelSettings
  const { toolChoice: _, ...settings } = modelSettings
  return settings
}
