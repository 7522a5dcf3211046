/** Answers the calls of one turn: runs tools, asks other agents, waits for approvals. */
import { orAbort } from '../../base/async.ts'
import { VALUE_BYTES } from '../../base/budget.ts'
import { errorText } from '../../base/errors.ts'
import { type ToolAnswer, toAnswer } from '../../tools/output.ts'
import { runTool } from '../../tools/run.ts'
import { countInnerValues } from '../../wire/json.ts'
import { type Ending, inside } from '../span.ts'
import { type AgentThread, describeEnding, findTool, notify, type RunState } from './agent-thread.ts'
import { decideHosted, describeRejection } from './approvals.ts'
import { askAgent, type Call, type Converse } from './ask-agent.ts'
import { toolOf } from './call-kinds.ts'
import { settleWork, startWork, type Work } from './receipt.ts'
import { recordAnswer, recordBegun } from './record.ts'
import { createToolContext, openToolEvents } from './tool-context.ts'
import type { CallOutcome, TurnCall } from './turn-state.ts'

/**
 * Answers calls side by side, in the order of the calls; `paused` when one of them waits for a person, here or in a sub-agent.
 * The others have finished then.
 * @throws what ends the whole run
 */
export async function answerCalls(
  run: RunState,
  thread: AgentThread,
  calls: readonly TurnCall[],
  converse: Converse,
): Promise<CallOutcome[] | 'paused'> {
  const works = calls.map((call) => startCallWork(thread, call))
  thread.work.calls = works
  const answers = calls.map((call, index) => settleCall({ run, thread, call, work: works[index] as Work, converse }))
  const settled = await Promise.allSettled(answers)
  run.signal.throwIfAborted()
  const outcomes: CallOutcome[] = []
  let paused = false
  for (const [index, result] of settled.entries()) {
    if (result.status === 'rejected') throw result.reason
    if (result.value === 'paused') paused = true
    else outcomes.push({ call: calls[index] as TurnCall, answer: result.value })
  }
  return paused ? 'paused' : outcomes
}

function startCallWork(thread: AgentThread, { name, callId, hosted }: TurnCall): Work {
  const isAgent = !hosted && thread.role.sends.has(name)
  const work = thread.restored?.threads.get(callId)?.work ?? startWork(isAgent ? 'agent' : 'tool', name, callId)
  work.waits = work.calls.length === 0 // until it starts
  return work
}

type Unsettled = Pick<Call, 'run' | 'thread' | 'call' | 'work' | 'converse'>

/** Answers a call, or takes its answer from before a restart. */
async function settleCall(given: Unsettled): Promise<ToolAnswer | 'paused'> {
  const { run, thread, call } = given
  const { callId, name } = call
  const restored = thread.restored?.calls.get(callId)
  if (restored?.state === 'done') return { output: restored.output ?? '', value: restored.value }
  if (call.hosted) {
    const decision = decideHosted(call, restored?.decision ?? { kind: 'pending' })
    return decision === undefined ? 'paused' : reply(given, { output: '', value: decision })
  }
  const tool = toolOf(thread, call)
  if (tool !== undefined && restored?.state === 'begun' && tool.safeToRetry !== true) {
    const text = `Error: the tool "${name}" was interrupted by a restart. It may have taken effect; check before you call it again.`
    return reply(given, toAnswer(text))
  }
  if (tool !== undefined && call.needsApproval && restored?.state !== 'begun') {
    const decision = restored?.decision ?? { kind: 'pending' }
    if (decision.kind === 'pending') return 'paused'
    if (decision.kind !== 'approve') return reply(given, toAnswer(describeRejection(name, decision)))
    await recordBegun(run, thread, [callId])
  }
  return answerCall(given)
}

/** Records an answer that no restart shall ask for again. */
async function reply({ run, thread, call }: Unsettled, { output, value }: ToolAnswer): Promise<ToolAnswer> {
  await recordAnswer(run, thread, { callId: call.callId, output, value })
  return { output, value }
}

/** One call -> what the model reads. Rejects only when the whole run has to end. */
async function answerCall(given: Unsettled): Promise<ToolAnswer | 'paused'> {
  const { run, thread, call, work } = given
  const { name, callId, argumentsJson } = call
  const seen = { name, callId, argumentsJson }
  const span = thread.span?.child('tool', { call: seen, tool: findTool(thread, name), agent: thread.who.agent })
  let ending: Ending = {}
  const note = (error: unknown) => {
    ending = describeEnding(run, error)
  }
  try {
    const answer = await inside(span, () => admit({ ...given, seen, span, note }))
    span?.end(answer === 'paused' ? {} : { ...ending, output: answer.output })
    if (!run.signal.aborted && answer !== 'paused') settleWork(work, run.plan.now, undefined)
    return answer
  } catch (error) {
    span?.end(describeEnding(run, error))
    throw error
  }
}

/** A tool that has to be called alone lets no other call of its agent run beside it. */
async function admit(given: Call): Promise<ToolAnswer | 'paused'> {
  const { run, thread, call } = given
  if (call.problem !== undefined) {
    given.note(new Error(call.problem))
    return toAnswer(call.problem)
  }
  const { role } = thread
  const { name } = call
  const lane = run.lanes.get(role.agent.name) ?? { running: 0, alone: undefined }
  if (lane.alone !== undefined)
    return reply(
      given,
      toAnswer(
        `Error: the tool "${lane.alone}" is running and lets no other call run beside it. Call again when it has answered.`,
      ),
    )
  const alone = findTool(thread, name)?.oneCallAtATime === true
  if (alone && lane.running > 0)
    return reply(
      given,
      toAnswer(
        `Error: the tool "${name}" has to be called alone, and another call is running. Call it again by itself.`,
      ),
    )
  run.lanes.set(role.agent.name, lane)
  lane.running++
  if (alone) lane.alone = name
  try {
    return await perform(given)
  } finally {
    lane.running--
    if (alone) lane.alone = undefined
  }
}

async function perform(given: Call): Promise<ToolAnswer | 'paused'> {
  const { run, thread, call, seen } = given
  if (thread.restored?.threads.get(call.callId) === undefined) await notify(run, thread, 'onToolStart', seen)
  const route = thread.role.sends.get(call.name)
  const answer = route === undefined ? await callTool(given) : await askAgent(given, route)
  if (answer === 'paused') return answer
  await reply(given, answer)
  await notify(run, thread, 'onToolEnd', seen, answer.output)
  return answer
}

async function callTool({ run, thread, call, work, note }: Call): Promise<ToolAnswer> {
  const { name, callId, argumentsJson, key } = call
  const tool = findTool(thread, name)
  if (tool === undefined) return toAnswer('Error: only the first transfer of a turn counts; this one was ignored.')
  const events = openToolEvents(run, thread, callId)
  const { emit, sendState: onState } = events
  const context = createToolContext(run, thread, { toolCallId: callId, idempotencyKey: key, emit, onState })
  const held = run.budget.part()
  try {
    const enabled = tool.isEnabled?.(context, thread.role.agent) ?? true
    if (enabled !== true && !(await orAbort(Promise.resolve(enabled), run.signal)))
      return toAnswer(`Error: the tool "${name}" is not available now.`)
    run.hold(argumentsJson.length + VALUE_BYTES * countInnerValues(argumentsJson), held)
    work.waits = false
    const running = runTool(tool, argumentsJson, context, { redact: run.redact, note })
    const settle = () => settleWork(work, run.plan.now, run.abortedAt)
    running.then(settle, settle)
    // A tool that ignores its signal is abandoned: the run does not wait for it.
    const answer = await orAbort(running, run.signal)
    try {
      events.sendState()
    } catch (error) {
      run.warn?.(`The state after a call of "${name}" could not be sent: ${errorText(error)}`)
    }
    return answer
  } finally {
    held.close()
    events.close()
  }
}
