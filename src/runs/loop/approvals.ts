/** Calls that need a person's approval: which they are, and what the model reads about a decision. */
import type { AgencyGraph } from '../../agency/agency.ts'
import { orAbort } from '../../base/async.ts'
import { agencyChanged } from '../../base/errors.ts'
import { readCallArguments, toolFailure } from '../../tools/run.ts'
import type { ToolInput } from '../../tools/tool.ts'
import type { AgentThread, RunState } from './agent-thread.ts'
import { toolOf } from './call-kinds.ts'
import type { Decision } from './journal.ts'
import { createToolContext } from './tool-context.ts'
import type { FunctionCall } from './turn-state.ts'

const NONE: ReadonlyMap<FunctionCall, { problem: string | undefined }> = new Map()

/**
 * The calls that need an approval. `problem` is what the model reads of one that cannot wait for it: the run has no journal, or
 * the tool's own check failed.
 */
export async function needsApproval(
  run: RunState,
  thread: AgentThread,
  calls: readonly FunctionCall[],
): Promise<ReadonlyMap<FunctionCall, { problem: string | undefined }>> {
  if (calls.every((call) => !toolOf(thread, call)?.needsApproval)) return NONE
  const checked = await Promise.all(calls.map(async (call) => ({ call, approval: await check(run, thread, call) })))
  return new Map(checked.flatMap(({ call, approval }) => (approval === undefined ? [] : [[call, approval]])))
}

async function check(
  run: RunState,
  thread: AgentThread,
  call: FunctionCall,
): Promise<{ problem: string | undefined } | undefined> {
  const tool = toolOf(thread, call)
  if (!tool?.needsApproval) return undefined
  const input = await readCallArguments(tool, call.argumentsJson)
  if (typeof input === 'string') return undefined // the call will say what is wrong
  const { needsApproval: ask } = tool
  if (typeof ask === 'function') {
    const context = createToolContext(run, thread, { toolCallId: call.callId })
    try {
      if ((await orAbort(Promise.resolve(ask(input.value, context)), run.signal)) !== true) return undefined
    } catch (error) {
      run.signal.throwIfAborted()
      return { problem: run.redact(toolFailure(tool.name, error)) }
    }
  }
  if (run.journal !== undefined) return { problem: undefined }
  run.warn?.(
    `The tool "${tool.name}" of agent "${thread.who.agent}" needs approval, which only stored runs can wait for. The call was refused.`,
  )
  return {
    problem: `Error: the call of "${tool.name}" needs a person's approval, which is not available here. It was not run.`,
  }
}

/** What the model reads of a call that was not approved. */
export function describeRejection(tool: string, decision: Decision & { kind: 'reject' | 'expired' }): string {
  if (decision.kind === 'expired') return `Error: nobody approved the call of "${tool}" in time. It was not run.`
  const reason = decision.reason === undefined || decision.reason === '' ? '' : ` Reason: ${decision.reason}`
  return `Error: a person rejected the call of "${tool}". It was not run.${reason}`
}

/**
 * Checks arguments that a person edited, as those of a model are checked.
 * @throws AGENCY_CHANGED when the agent or its tool is gone
 */
export async function checkEditedArguments(
  agency: AgencyGraph,
  { agent, tool: name }: { agent: string; tool: string },
  args: unknown,
): Promise<ToolInput> {
  if (!agency.agentNames.includes(agent)) throw agencyChanged(`agent "${agent}"`)
  const role = agency.role(agent)
  const tool = role.tools.get(name)
  if (tool === undefined) throw agencyChanged(`tool "${name}" of agent "${agent}"`)
  return tool.check(args, [], 'model')
}
