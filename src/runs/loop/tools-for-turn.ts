/** The tools and settings of one model call. */
import { type Role, toSchema } from '../../agency/agency.ts'
import { orAbort } from '../../base/async.ts'
import type { Model, ModelSettings, ToolSchema, TurnRequest } from '../../models/model.ts'
import { stubFor } from '../../tools/hosted.ts'
import { connectTool } from '../../tools/mcp/oauth/connect-tool.ts'
import type { OwnerLogins } from '../../tools/mcp/oauth/desk.ts'
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
  const { logins } = run.plan
  const loggedIn = await orAbort(logInHosted(role.hosted, runsHosted ? logins : undefined), run.signal)
  const offered = { unavailable: runsHosted ? [] : added, connectors: loggedIn.connectors, everyConnector: false }
  thread.found = await discover({ signal: run.signal, logins }, role, offered)
  const own = role.conditional ? await enabledSchemas(run, thread) : role.schemas
  const tools = thread.found.size === 0 ? own : [...own, ...[...thread.found.values()].map(toSchema)]
  const hosted =
    added.length === 0 ? loggedIn.hosted.map((tool) => tool.definition) : joinHosted(loggedIn.hosted, added)
  const settings = readSettings(thread)
  const callable = runsHosted ? tools : tools.map(asFunction)
  if (hosted.length === 0) return { tools: callable, settings }
  if (runsHosted) return { tools, settings, hostedTools: hosted, include: role.include }
  return { tools: [...callable, ...[...role.stubs.values()].map(toSchema)], settings }
}

/** The tool for an API, or an address, without a call type of its own for it. */
function asFunction(schema: ToolSchema): ToolSchema {
  if (schema.native === undefined && schema.deferLoading === undefined && schema.namespace === undefined) return schema
  const { native: _, deferLoading: __, namespace: ___, ...plain } = schema
  return plain
}

/** In whose name servers are asked, and how long. */
interface Asking {
  signal: AbortSignal
  logins: OwnerLogins | undefined
}

/**
 * The tools of the agent's MCP servers as they are now, and every tool that asks for access: a call of it may wait still.
 * @throws MCP_FAILED; the signal's reason
 */
export async function findServerTools(asking: Asking, role: Role): Promise<ReadonlyMap<string, FunctionTool>> {
  const connectors = role.hosted.flatMap(({ login }, index) =>
    login === undefined || asking.logins === undefined
      ? []
      : [connectTool(asking.logins.at(role.hosted[index] as HostedTool, login))],
  )
  return discover(asking, role, { unavailable: [], connectors, everyConnector: true })
}

/** The agent's hosted tools with the tokens of the run's owner, and what asks for access where there is none. */
async function logInHosted(
  hosted: readonly HostedTool[],
  logins: OwnerLogins | undefined,
): Promise<{ hosted: readonly HostedTool[]; connectors: FunctionTool[] }> {
  if (logins === undefined || hosted.every(({ login }) => login === undefined)) return { hosted, connectors: [] }
  const connectors: FunctionTool[] = []
  const loggedIn: HostedTool[] = []
  for (const tool of hosted) {
    const login = tool.login && logins.at(tool, tool.login)
    const authorization = await login?.token()
    if (login === undefined) loggedIn.push(tool)
    else if (authorization === undefined) connectors.push(connectTool(login))
    else loggedIn.push({ ...tool, definition: { ...tool.definition, authorization } })
  }
  return { hosted: loggedIn, connectors }
}

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

interface Offered {
  unavailable: readonly HostedTool[]
  /** What asks for access to hosted MCP servers. */
  connectors: readonly FunctionTool[]
  /** Give what asks for access also where there is some. */
  everyConnector: boolean
}

/**
 * The tools of the agent's MCP servers, and what stands for hosted tools of the request that cannot run. A stand-in whose name
 * the agent uses already is left out.
 */
async function discover(
  { signal, logins }: Asking,
  { mcpSources, schemas, stubs }: Role,
  { unavailable, connectors, everyConnector }: Offered,
): Promise<ReadonlyMap<string, FunctionTool>> {
  if (mcpSources.length + unavailable.length + connectors.length === 0) return NOTHING_FOUND
  const listing = mcpSources.map(async (source) => {
    const tools = await source.tools(logins)
    const connector = everyConnector && logins !== undefined ? source.connector(logins) : undefined
    const isListed = tools.some(({ name }) => name === connector?.name)
    return { label: source.label, tools: connector === undefined || isListed ? tools : [...tools, connector] }
  })
  const listed = await orAbort(Promise.all(listing), signal)
  const servers = [...listed, ...connectors.map((tool) => ({ label: tool.name, tools: [tool] }))]
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
