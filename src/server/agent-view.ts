/** An agent as its model gets it, for the playground: instructions, tools with their schemas, settings. */
import { type AgencyGraph, type Role, toSchema } from '../agency/agency.ts'
import { copyContext, RunContext } from '../agency/context.ts'
import { composeInstructions } from '../agency/instructions.ts'
import { within } from '../base/async.ts'
import { errorText } from '../base/errors.ts'
import { describeModel } from '../models/spec.ts'
import { findServerTools } from '../runs/loop/tools-for-turn.ts'
import type { FunctionTool } from '../tools/tool.ts'
import type { JsonObject } from '../wire/json.ts'
import type { AgentAnswer, AgentToolView } from '../wire/playground.ts'
import { withoutKeys } from '../wire/redact.ts'

interface Viewing {
  /** How long instructions and MCP servers may take, in milliseconds. */
  callbackMs: number
  /** Masks known secrets. */
  redact(text: string): string
}

/** @throws UNKNOWN_AGENT */
export async function viewAgent(agency: AgencyGraph, name: string, viewing: Viewing): Promise<AgentAnswer> {
  const role = agency.role(name)
  const { agent } = role
  const problems: string[] = []
  const note = (error: unknown) => {
    problems.push(errorText(error))
    return undefined
  }
  const [instructions, found] = await Promise.all([
    readInstructions(agency, role, viewing).catch(note),
    findTools(role, viewing).catch(note),
  ])
  const answer: AgentAnswer = {
    agent: agent.name,
    description: agent.description,
    instructions: instructions ?? null,
    dynamic: typeof agent.instructions === 'function',
    model: describeModel(agent.model),
    settings: withoutKeys(agent.modelSettings),
    tools: listTools(role, found ?? new Map()),
    hosted_tools: role.hosted.map(({ definition }) => withoutKeys(definition)),
    output_schema: role.outputSchema?.schema ?? null,
    reached_from: [...new Set(agency.edges.filter(({ to }) => to === agent).map(({ from }) => from.name))],
    problems,
  }
  return mask(answer, viewing.redact)
}

const readInstructions = (agency: AgencyGraph, { agent }: Role, { callbackMs }: Viewing) =>
  within(
    callbackMs,
    'the instructions',
    composeInstructions(
      agency.sharedInstructions,
      agent,
      '',
      new RunContext(copyContext(agency.userContext), agent.name),
    ),
  )

/** The tools of an agent's MCP servers, by name. @throws MCP_FAILED, and an error when the servers take too long */
export async function findTools(
  role: Role,
  { callbackMs }: Pick<Viewing, 'callbackMs'>,
): Promise<ReadonlyMap<string, FunctionTool>> {
  if (role.mcpSources.length === 0) return new Map()
  const leaving = new AbortController()
  const finding = findServerTools({ signal: leaving.signal, logins: undefined }, role)
  return within(callbackMs, 'the MCP servers', finding).finally(() => leaving.abort())
}

function listTools(role: Role, found: ReadonlyMap<string, FunctionTool>): AgentToolView[] {
  const own = role.schemas.map((schema): AgentToolView => {
    const { name, description, parameters, strict } = schema
    const tool = role.tools.get(name)
    const sends = role.sends.get(name)
    const handoff = role.handoffs.get(name)
    return {
      name,
      description,
      parameters,
      strict,
      from: sends !== undefined ? 'message' : handoff !== undefined ? 'handoff' : 'own',
      needs_approval: Boolean(tool?.needsApproval),
      runs: tool !== undefined,
      reaches: sends !== undefined ? [...sends.recipients.keys()] : handoff === undefined ? [] : [handoff.target.name],
    }
  })
  const served = [...found.values()].map((tool): AgentToolView => {
    const { name, description, parameters, strict } = toSchema(tool)
    const needs_approval = Boolean(tool.needsApproval)
    return {
      name,
      description,
      parameters,
      strict,
      from: tool.mcpServer ?? 'MCP',
      needs_approval,
      runs: true,
      reaches: [],
    }
  })
  return [...own, ...served]
}

const mask = <Value>(value: Value, redact: Viewing['redact']): Value =>
  JSON.parse(JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? redact(part) : part))) as Value &
    JsonObject
