/** The tools and settings of one model call. */
import { type Role, toSchema } from '../../agency/agency.ts'
import { orAbort } from '../../base/async.ts'
import type { Model, ModelSettings, ToolSchema, TurnRequest } from '../../models/model.ts'
import { stubFor } from '../../tools/hosted.ts'
import { nameServerTools } from '../../tools/mcp/tool-names.ts'
import type { FunctionTool, HostedTool } from '../../tools/tool.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { type AgentThread, type RunState, readProgress } from './agent-thread.ts'
import { createToolContext } from './tool-context.ts'

/**
 * The tools and settings of a model call: the tools that are enabled, those of MCP servers, the provider's own where the model
 * reaches them, those of the client for the agent that talks to the user, and the settings with or without a choice among them.
 * @throws MCP_FAILED; what an `isEnabled` threw; the signal's reason when the run was aborted
 */
export async function collectTools(
  run: RunState,
  thread: AgentThread,
  model: Model,
): Promise<Pick<TurnRequest, 'tools' | 'hostedTools' | 'include' | 'settings'>> {
  const { tools, ...rest } = await collectOwn(run, thread, model)
  const { client } = run.plan
  if (thread.ask.depth > 0 || client.tools.length === 0) return { tools, ...rest }
  const taken = new Set(tools.map(({ name }) => name))
  const { settings } = rest
  const forced =
    client.toolChoice === undefined || readProgress(thread).usedTools ? {} : { toolChoice: client.toolChoice }
  return {
    ...rest,
    tools: [...tools, ...client.tools.filter(({ name }) => !taken.has(name))],
    settings: { ...settings, ...forced },
  }
}

async function collectOwn(
  run: RunState,
  thread: AgentThread,
  model: Model,
): Promise<Pick<TurnRequest, 'tools' | 'hostedTools' | 'include' | 'settings'>> {
  const { role, ask } = thread
  // What the request brings belongs to the thread with the user.
  const added = ask.depth === 0 ? run.plan.hostedTools : []
  const runsHosted = model.runsHostedTools === true
  thread.found = await discover(run, role, runsHosted ? [] : added)
  const own = role.conditional ? await enabledSchemas(run, thread) : role.schemas
  const tools = thread.found.size === 0 ? own : [...own, ...[...thread.found.values()].map(toSchema)]
  const hosted = added.length === 0 ? role.hosted.map((tool) => tool.definition) : joinHosted(role.hosted, added)
  const settings = readSettings(thread)
  const callable = runsHosted ? tools : tools.map(asFunction)
  if (hosted.length === 0) return { tools: callable, settings }
  if (runsHosted) return { tools, settings, hostedTools: hosted, include: role.include }
  return { tools: [...callable, ...[...role.stubs.values()].map(toSchema)], settings }
}

/** The tool for an API, or an address, without a call type of its own for it. */
function asFunction(schema: ToolSchema): ToolSchema {
  if (schema.native === undefined) return schema
  const { native: _, ...plain } = schema
  return plain
}

/** The tools of the agent's MCP servers as they are now. @throws MCP_FAILED; the signal's reason */
export const findServerTools = (run: Pick<RunState, 'signal'>, role: Role) => discover(run, role, [])

const NOTHING_FOUND: ReadonlyMap<string, FunctionTool> = new Map()

/** The agent's hosted tools and the request's. Of one kind there can be one only: an agent's code interpreter gets the request's files too. */
function joinHosted(own: readonly HostedTool[], added: readonly HostedTool[]): JsonObject[] {
  const ownNames = new Set(own.map(({ name }) => name))
  const rest = added.filter(({ name }) => !ownNames.has(name)).map(({ definition }) => definition)
  const joined = own.map(({ name, definition }) => {
    const { container } = added.find((tool) => tool.name === name)?.definition ?? {}
    if (!isObject(container) || !isObject(definition.container)) return definition // a container with an id has its own files
    const ids = [definition.container, container].flatMap(({ file_ids }) => (Array.isArray(file_ids) ? file_ids : []))
    return { ...definition, container: { ...definition.container, file_ids: [...new Set(ids)] } }
  })
  return [...joined, ...rest]
}

/**
 * The tools of the agent's MCP servers, and what stands for hosted tools of the request that cannot run. A stand-in whose name
 * the agent uses already is left out.
 */
async function discover(
  run: Pick<RunState, 'signal'>,
  { mcpSources, schemas, stubs }: Role,
  unavailable: readonly HostedTool[],
): Promise<ReadonlyMap<string, FunctionTool>> {
  if (mcpSources.length + unavailable.length === 0) return NOTHING_FOUND
  const listing = mcpSources.map(async (source) => ({ label: source.label, tools: await source.tools() }))
  const servers = await orAbort(Promise.all(listing), run.signal)
  const taken = new Set([...schemas.map(({ name }) => name), ...stubs.keys()])
  const found = new Map(unavailable.map(stubFor).flatMap((stub) => (taken.has(stub.name) ? [] : [[stub.name, stub]])))
  for (const tool of nameServerTools(servers, new Set([...taken, ...found.keys()]))) found.set(tool.name, tool)
  return found
}

async function enabledSchemas(run: RunState, thread: AgentThread): Promise<ToolSchema[]> {
  const { schemas, tools, agent } = thread.role
  const context = createToolContext(run, thread)
  const asked = schemas.map(({ name }) => tools.get(name)?.isEnabled?.(context, agent) ?? true)
  const enabled = await orAbort(Promise.all(asked), run.signal)
  return schemas.filter((_, index) => enabled[index])
}

/** A tool choice that was obeyed no longer holds: `required` would never end. */
function readSettings(thread: AgentThread): ModelSettings {
  const { modelSettings, resetToolChoice } = thread.role.agent
  if (!resetToolChoice || !readProgress(thread).usedTools) return modelSettings
  const { toolChoice: _, ...settings } = modelSettings
  return settings
}
