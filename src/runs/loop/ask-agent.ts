/** Asks another agent: what a call of send_message does. */
import type { SendRoute } from '../../agency/agency.ts'
import type { Agent } from '../../agency/agent.ts'
import type { ToolCall } from '../../agency/hooks.ts'
import { AgencyError } from '../../base/errors.ts'
import { depthLimit, guardrailError } from '../../base/run-errors.ts'
import { createCheck } from '../../tools/check.ts'
import { schemaOf } from '../../tools/define.ts'
import { type ToolAnswer, toAnswer } from '../../tools/output.ts'
import { misfit } from '../../tools/run.ts'
import { isObject, type JsonObject, parseInnerJson } from '../../wire/json.ts'
import type { Speaker } from '../events.ts'
import type { Span } from '../span.ts'
import {
  type AgentThread,
  type Ask,
  BYTES_PER_EVENT,
  callScope,
  type RunState,
  type ThreadResult,
} from './agent-thread.ts'
import type { Work } from './receipt.ts'
import type { TurnCall } from './turn-state.ts'

/** Opens a thread of the same run, or takes one up again, and runs it. */
export type Converse = (run: RunState, thread: Ask | AgentThread) => Promise<ThreadResult>

/** One call that is being answered. */
export interface Call {
  run: RunState
  thread: AgentThread
  call: TurnCall
  /** The call as hooks see it. */
  seen: ToolCall
  converse: Converse
  span: Span<'tool'> | undefined
  /** Where the call notes its work, for the receipt of a cancel. */
  work: Work
  /** Records for telemetry what went wrong in a run that goes on; the model gets a sentence about it. */
  note: (error: unknown) => void
}

/** @throws TURN_LIMIT, DEPTH_LIMIT; the signal's reason when the run was aborted; what the journal threw */
export async function askAgent(given: Call, route: SendRoute): Promise<ToolAnswer | 'paused'> {
  const { run, thread, call } = given
  const next = thread.restored?.threads.get(call.callId) ?? (await createAsk(given, route))
  if (typeof next === 'string') return toAnswer(next)
  const recipient = 'ask' in next ? next.ask.agent : next.agent
  const pair = JSON.stringify([thread.who.agent, recipient])
  if (run.busy.has(pair))
    return toAnswer(
      `Error: "${recipient}" is still working on your previous message. Wait for that answer before you send another.`,
    )
  run.busy.add(pair)
  given.work.name = recipient
  given.work.waits = false
  try {
    const result = await given.converse(run, next)
    return result.kind === 'paused' ? 'paused' : toAnswer(writeAnswer(result))
  } catch (error) {
    return toAnswer(reportFailure(given, recipient, error))
  } finally {
    run.busy.delete(pair)
  }
}

/** The thread to open, or the text that tells the sender what is wrong with the call. @throws DEPTH_LIMIT */
async function createAsk({ run, thread, call, span, work }: Call, route: SendRoute): Promise<Ask | string> {
  const request = await readAsk(route, call.argumentsJson)
  if (typeof request === 'string') return request
  const depth = thread.ask.depth + 1
  if (depth > run.plan.maxDepth) throw depthLimit(run.plan.maxDepth)
  const { callId } = call
  return {
    id: callScope(thread, callId),
    parent: { thread: thread.ask.id, callId },
    agent: request.recipient,
    caller: thread.who.agent,
    input: [{ role: 'user', content: request.message }],
    additionalInstructions: request.additional,
    depth,
    work,
    span,
  }
}

function writeAnswer(result: ThreadResult): string {
  if (result.kind !== 'answered') return ''
  const output = result.output ?? ''
  const text = typeof output === 'string' ? output : JSON.stringify(output)
  return result.cut === undefined ? text : `${text}\n\n(The answer was cut off here: ${result.cut}.)`
}

/** What the sender reads of a recipient that failed. @throws what ends the whole run */
function reportFailure({ run, thread, call, note }: Call, recipient: string, error: unknown): string {
  run.signal.throwIfAborted()
  if (run.journalFailure !== undefined) throw run.journalFailure.error
  if (AgencyError.isInstance(error) && /^(TURN|DEPTH)_LIMIT$/.test(error.code)) throw error
  note(error)
  const reason = guardrailError(error)?.guidance ?? run.explain(error, recipient)
  const child: Speaker = {
    agent: recipient,
    description: '',
    callerAgent: thread.who.agent,
    agentRunId: '',
    parentRunId: call.callId,
  }
  run.emit([{ kind: 'error', who: child, content: reason }], BYTES_PER_EVENT, callScope(thread, call.callId))
  return `Error: the agent "${recipient}" could not answer. ${reason}`
}

/** The fields of a send_message call, or the text that tells the sender what is wrong with them. */
async function readAsk(
  route: SendRoute,
  argumentsJson: string,
): Promise<string | { recipient: string; message: string; additional: string }> {
  const tool = route.via.toolName
  let args: unknown
  try {
    args = parseInnerJson(argumentsJson)
  } catch {
    return `Error: the arguments for tool ${tool} are not valid JSON.`
  }
  if (!isObject(args)) return `Error: the arguments for tool ${tool} have to be an object.`
  for (const name of ['recipient_agent', 'message'])
    if (typeof args[name] !== 'string' || args[name] === '') return `Error: tool ${tool} needs the parameter '${name}'.`
  const recipient = findRecipient(route, String(args.recipient_agent))
  const known = [...route.recipients.values()].map((agent) => agent.name).join(', ')
  if (recipient === undefined)
    return `Error: there is no recipient agent '${args.recipient_agent}'. You can reach: ${known}`
  const objection = await objectionToExtras(route, args)
  if (objection !== undefined) return objection
  return {
    recipient: recipient.name,
    message: String(args.message),
    additional: String(args.additional_instructions ?? ''),
  }
}

/** The recipient of that name; a model may write it in another case. */
function findRecipient({ recipients }: SendRoute, name: string): Agent | undefined {
  const wanted = name.toLowerCase()
  return recipients.get(name) ?? [...recipients.values()].find((agent) => agent.name.toLowerCase() === wanted)
}

/** What is wrong with the extra fields of a send_message class, for the sender. */
async function objectionToExtras(
  { via: { extraParams, toolName } }: SendRoute,
  args: JsonObject,
): Promise<string | undefined> {
  if (extraParams === undefined) return undefined
  const checked = await createCheck(schemaOf(extraParams), extraParams, 'ignore')(args, [], 'model')
  return checked.ok ? undefined : misfit(toolName, checked.details)
}
