/** Calls that need a person's approval: which they are, and what the model reads about a decision. */
import type { AgencyGraph } from '../../agency/agency.ts'
import { orAbort } from '../../base/async.ts'
import { agencyChanged } from '../../base/run-errors.ts'
import type { OwnerLogins } from '../../tools/mcp/oauth/desk.ts'
import type { ConsentRequest } from '../../tools/mcp/oauth/login.ts'
import { readCallArguments, toolFailure } from '../../tools/run.ts'
import { isObject } from '../../wire/json.ts'
import { type ValidationDetail, valueError } from '../../wire/validation.ts'
import { type AgentThread, BYTES_PER_EVENT, type RunState } from './agent-thread.ts'
import { toolOf } from './call-kinds.ts'
import type { Decision } from './journal.ts'
import { createToolContext } from './tool-context.ts'
import { findServerTools } from './tools-for-turn.ts'
import type { FunctionCall, HostedDecision, TurnCall } from './turn-state.ts'

/** What a call needs from a person. */
export interface Needed {
  /** What the model reads of a call that cannot wait: the run has no journal, or the tool's own check failed. */
  problem: string | undefined
  /** What a person gives instead of an approval. */
  consent?: ConsentRequest | undefined
}

const NONE: ReadonlyMap<FunctionCall, Needed> = new Map()

/** The calls that need an approval, or a consent. */
export async function needsApproval(
  run: RunState,
  thread: AgentThread,
  calls: readonly FunctionCall[],
): Promise<ReadonlyMap<FunctionCall, Needed>> {
  if (calls.every((call) => !call.hosted && !toolOf(thread, call)?.needsApproval)) return NONE
  const checked = await Promise.all(calls.map(async (call) => ({ call, approval: await check(run, thread, call) })))
  return new Map(checked.flatMap(({ call, approval }) => (approval === undefined ? [] : [[call, approval]])))
}

async function check(run: RunState, thread: AgentThread, call: FunctionCall): Promise<Needed | undefined> {
  if (call.hosted) return run.journal === undefined ? refuse(run, thread, toolNameOf(call)) : { problem: undefined }
  const tool = toolOf(thread, call)
  if (!tool?.needsApproval) return undefined
  if (tool.consent !== undefined) return askConsent(run, thread, call, tool.consent)
  const input = await readCallArguments(tool, call.argumentsJson)
  if (typeof input === 'string') return undefined // the call will say what is wrong
  const { needsApproval: ask } = tool
  if (typeof ask === 'function') {
    const context = createToolContext(run, thread, { toolCallId: call.callId })
    try {
      if (!(await orAbort(Promise.resolve(ask(input.value, context)), run.signal))) return undefined
    } catch (error) {
      run.signal.throwIfAborted()
      return { problem: run.redact(toolFailure(tool.name, error)) }
    }
  }
  return run.journal === undefined ? refuse(run, thread, tool.name) : { problem: undefined }
}

/** Prepares a consent, and tells the readers of the run where a person gives it. */
async function askConsent(
  run: RunState,
  { who, ask: { id } }: AgentThread,
  { callId, name }: FunctionCall,
  prepare: () => Promise<ConsentRequest>,
): Promise<Needed> {
  try {
    const consent = await orAbort(prepare(), run.signal)
    const { server, url, expiresAt } = consent
    const value = { server, url, expires_at: new Date(expiresAt).toISOString() }
    run.emit([{ kind: 'custom', who, callId, name: CONSENT_EVENT, value }], url.length + BYTES_PER_EVENT, id)
    if (run.journal !== undefined) return { problem: undefined, consent }
    return {
      problem: `Error: the tools of "${server}" need the user's consent. Ask the user to open ${url} and to send the request again afterwards.`,
    }
  } catch (error) {
    run.signal.throwIfAborted()
    return { problem: run.redact(toolFailure(name, error)) }
  }
}

/** The name of the event that gives readers the address of a consent. */
const CONSENT_EVENT = 'mcp_consent'

/** A run without a journal cannot wait. */
function refuse(run: RunState, { who }: AgentThread, tool: string): { problem: string } {
  run.warn?.(
    `The tool "${tool}" of agent "${who.agent}" needs approval, which only stored runs can wait for. The call was refused.`,
  )
  return {
    problem: `Error: the call of "${tool}" needs a person's approval, which is not available here. It was not run.`,
  }
}

/** What a person reads as the tool's name: for a hosted MCP server, with its label, which no own tool can have in its name. */
export const toolNameOf = ({ name, hosted, item }: FunctionCall): string =>
  hosted ? `${item.server_label}.${name}` : name

/** What the provider gets for a request of a hosted MCP server. */
export function decideHosted(call: TurnCall, decision: Decision): HostedDecision | undefined {
  if (call.problem !== undefined) return { approve: false, reason: call.problem }
  if (decision.kind === 'pending') return undefined
  if (decision.kind === 'approve') return { approve: true }
  return { approve: false, reason: describeRejection(toolNameOf(call), decision) }
}

/** What the model reads of a call that was not approved. */
export function describeRejection(tool: string, decision: Decision & { kind: 'reject' | 'expired' }): string {
  if (decision.kind === 'expired') return `Error: nobody approved the call of "${tool}" in time. It was not run.`
  const reason = decision.reason === undefined || decision.reason === '' ? '' : ` Reason: ${decision.reason}`
  return `Error: a person rejected the call of "${tool}". It was not run.${reason}`
}

/**
 * What is wrong with arguments that a person edited. They are checked as those of a model are; a field that the tool does not
 * have is wrong too, because it would be dropped.
 * @throws MCP_FAILED; the signal's reason
 */
export async function checkEditedArguments(
  agency: AgencyGraph,
  { agent, tool: name }: { agent: string; tool: string },
  args: { readonly [name: string]: unknown },
  from: { signal: AbortSignal; logins: OwnerLogins },
): Promise<ValidationDetail[]> {
  const loc = ['body', 'arguments']
  const gone = (what: string) => [valueError(loc, agencyChanged(what).message, args)]
  if (!agency.agentNames.includes(agent)) return gone(`agent "${agent}"`)
  const role = agency.role(agent)
  if (role.hosted.some(({ definition }) => definition.type === 'mcp' && name.startsWith(`${definition.server_label}.`)))
    return [
      valueError(
        loc,
        'the provider makes this call as the model wrote it: approve it without arguments, or reject it',
        args,
      ),
    ]
  const tool = role.tools.get(name) ?? (await findServerTools(from, role)).get(name)
  if (tool === undefined) return gone(`tool "${name}" of agent "${agent}"`)
  const checked = await tool.check(args, loc, 'model')
  const { properties = {}, additionalProperties } = tool.parameters
  const unknown = Object.keys(args).filter((key) => !isObject(properties) || !Object.hasOwn(properties, key))
  return [
    ...(checked.ok ? [] : checked.details),
    ...(additionalProperties === false ? unknown : []).map((key) => ({
      type: 'extra_forbidden',
      loc: [...loc, key],
      msg: 'Extra inputs are not permitted',
      input: args[key],
    })),
  ]
}
