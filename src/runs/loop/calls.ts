import type { SendRoute } from '../../agency/agency.ts'
import type { Agent } from '../../agency/agent.ts'
import type { ToolCall } from '../../agency/hooks.ts'
import { orAbort } from '../../base/async.ts'
import { VALUE_BYTES } from '../../base/budget.ts'
import { AgencyError, depthLimit, guardrailError } from '../../base/errors.ts'
import { createCheck } from '../../tools/check.ts'
import { schemaOf } from '../../tools/define.ts'
import { type ToolAnswer, toAnswer } from '../../tools/output.ts'
import { misfit, runTool } from '../../tools/run.ts'
import { countInnerValues, isObject, type JsonObject, parseInnerJson } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import type { Speaker } from '../events.ts'
import { type Ending, inside, type Span } from '../span.ts'
import {
  type Answer,
  type Ask,
  BYTES_PER_EVENT,
  type Conversation,
  endingOf,
  notify,
  progressOf,
  type RunState,
  toolContextOf,
  toolNamed,
} from './agent-thread.ts'

/** Holds one more conversation of the same run and gives its answer. */
export type Converse = (ask: Ask) => Promise<Answer | undefined>

/** One call of a tool, under way. */
interface Call {
  run: RunState
  conversation: Conversation
  seen: ToolCall
  /** What the model reads of a call that must not run. */
  problem: string | undefined
  converse: Converse
  span: Span<'tool'> | undefined
  /** Notes for listeners what went wrong, although the run goes on: the model is told in words. */
  note: (error: unknown) => void
}

/**
 * One call -> what the model reads. Rejects only when the whole run has to end.
 *
 * @param problem why the call must not run: that is what the model reads then
 */
export async function answerCall(
  run: RunState,
  conversation: Conversation,
  { item, problem }: { item: InputItem; problem: string | undefined },
  converse: Converse,
): Promise<ToolAnswer> {
  const seen = { name: String(item.name), callId: String(item.call_id), argumentsJson: textOf(item.arguments) }
  const agent = conversation.who.agent
  const span = conversation.span?.child('tool', { call: seen, tool: toolNamed(conversation, seen.name), agent })
  let ending: Ending = {}
  const note = (error: unknown) => {
    ending = endingOf(run, error)
  }
  try {
    const answer = await inside(span, () => admit({ run, conversation, seen, problem, converse, span, note }))
    span?.end({ ...ending, output: answer.output })
    return answer
  } catch (error) {
    span?.end(endingOf(run, error))
    throw error
  }
}

/** Arguments that are no text are none. */
const textOf = (value: unknown) => (typeof value === 'string' ? value : '')

/** A tool that has to be called alone lets no other call of its agent run beside it. */
async function admit(call: Call): Promise<ToolAnswer> {
  const { run, conversation, seen } = call
  const progress = progressOf(conversation)
  progress.toolCalls++
  progress.usedTools = true
  if (call.problem !== undefined) {
    call.note(new Error(call.problem))
    return toAnswer(call.problem)
  }
  const { role } = conversation
  const { name } = seen
  const lane = run.lanes.get(role.agent.name) ?? { running: 0, alone: undefined }
  if (lane.alone !== undefined)
    return toAnswer(
      `Error: the tool "${lane.alone}" is running and lets no other call run beside it. Call again when it has answered.`,
    )
  const alone = toolNamed(conversation, name)?.oneCallAtATime === true
  if (alone && lane.running > 0)
    return toAnswer(
      `Error: the tool "${name}" has to be called alone, and another call is running. Call it again by itself.`,
    )
  run.lanes.set(role.agent.name, lane)
  lane.running++
  if (alone) lane.alone = name
  try {
    return await perform(call)
  } finally {
    lane.running--
    if (alone) lane.alone = undefined
  }
}

async function perform(call: Call): Promise<ToolAnswer> {
  const { run, conversation, seen } = call
  await notify(run, conversation, 'onToolStart', seen)
  const given = await answer(call)
  await notify(run, conversation, 'onToolEnd', seen, given.output)
  return given
}

async function answer(call: Call): Promise<ToolAnswer> {
  const { run, conversation, seen, note } = call
  const { role } = conversation
  const { name, callId, argumentsJson } = seen
  const route = role.sends.get(name)
  if (route !== undefined) return toAnswer(await askAgent(call, route))
  const tool = toolNamed(conversation, name)
  if (tool === undefined) return toAnswer('Error: only the first transfer of a turn counts; this one was ignored.')
  const context = toolContextOf(run, conversation, callId)
  const enabled = tool.isEnabled?.(context, role.agent) ?? true
  if (enabled !== true && !(await orAbort(Promise.resolve(enabled), run.signal)))
    return toAnswer(`Error: the tool "${name}" is not available now.`)
  const held = run.budget.part()
  try {
    run.hold(argumentsJson.length + VALUE_BYTES * countInnerValues(argumentsJson), held)
    // A tool that ignores its signal is abandoned: the run does not wait for it.
    return await orAbort(runTool(tool, argumentsJson, context, { redact: run.redact, note }), run.signal)
  } finally {
    held.close()
  }
}

async function askAgent({ run, conversation, seen, converse, span, note }: Call, route: SendRoute): Promise<string> {
  const { who, ask } = conversation
  const { callId } = seen
  const request = await readAsk(route, seen.argumentsJson)
  if (typeof request === 'string') return request
  const { recipient, message, additional } = request
  if (ask.depth + 1 > run.plan.maxDepth) throw depthLimit(run.plan.maxDepth)
  const pair = JSON.stringify([who.agent, recipient])
  if (run.busy.has(pair))
    return `Error: "${recipient}" is still working on your previous message. Wait for that answer before you send another.`
  run.busy.add(pair)
  try {
    const input = [{ role: 'user', content: message }]
    const answer = await converse({
      agent: recipient,
      caller: who.agent,
      parentRunId: callId,
      input,
      additionalInstructions: additional,
      depth: ask.depth + 1,
      span,
    })
    const output = answer?.output ?? ''
    const text = typeof output === 'string' ? output : JSON.stringify(output)
    return answer?.cut === undefined ? text : `${text}\n\n(The answer was cut off here: ${answer.cut}.)`
  } catch (error) {
    run.signal.throwIfAborted()
    if (AgencyError.isInstance(error) && /^(TURN|DEPTH)_LIMIT$/.test(error.code)) throw error
    note(error)
    const reason = guardrailError(error)?.guidance ?? run.explain(error, recipient)
    const child: Speaker = {
      agent: recipient,
      description: '',
      callerAgent: who.agent,
      agentRunId: '',
      parentRunId: callId,
    }
    run.emit([{ kind: 'error', who: child, content: reason }], BYTES_PER_EVENT)
    return `Error: the agent "${recipient}" could not answer. ${reason}`
  } finally {
    run.busy.delete(pair)
  }
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
