/** One turn of an agent thread: the model's answer, its calls, a handoff, or the final answer. */
import type { Role } from '../../agency/agency.ts'
import type { Agent } from '../../agency/agent.ts'
import type { HandoffClass } from '../../agency/flows.ts'
import { tripped } from '../../agency/guardrails.ts'
import { handoffReminder } from '../../agency/instructions.ts'
import { finalToolOutput } from '../../agency/tool-use.ts'
import { orAbort } from '../../base/async.ts'
import { weigh } from '../../base/budget.ts'
import { errorText } from '../../base/errors.ts'
import { ANSWER_LIMITS } from '../../base/limits.ts'
import { answerCut, modelRefused, tooManyCalls } from '../../base/model-errors.ts'
import { guardrailTripped, invalidOutput, turnLimit, unknownTool } from '../../base/run-errors.ts'
import { messageText, refusalOf, toModelItem } from '../../messages/items.ts'
import { readJsonAnswer } from '../../messages/json-answer.ts'
import { toNativeNote } from '../../messages/native-calls.ts'
import { isHostedCall } from '../../messages/search-notes.ts'
import { schemaOf } from '../../tools/define.ts'
import { restoreNames } from '../../tools/property-names.ts'
import type { InputItem, StoredMessage } from '../../wire/message.ts'
import type { ItemName, RunEvent } from '../events.ts'
import {
  type AgentThread,
  BYTES_PER_EVENT,
  createContext,
  createItemEvent,
  createNote,
  keep,
  nextSpeaker,
  notify,
  type RunState,
  readProgress,
  type ThreadResult,
  toStored,
} from './agent-thread.ts'
import { needsApproval, toolNameOf } from './approvals.ts'
import type { Converse } from './ask-agent.ts'
import { clientCallsOf, createKey, handoffOf, isKnown, isTransfer, toolOf } from './call-kinds.ts'
import { answerCalls } from './calls.ts'
import { askModel } from './model-turn.ts'
import { recordThread } from './record.ts'
import { isSteered } from './steering.ts'
import { toolOutputEvent } from './tool-facts.ts'
import { type FunctionCall, type Turn, type TurnCall, toOutputItem } from './turn-state.ts'

/** The final answer of an agent that no guardrail has seen yet. */
interface Draft {
  output: unknown
  /** The items that make the answer; empty for the output of a tool. */
  items: readonly InputItem[]
  cut: string | undefined
}

type HandedBack = ThreadResult & { kind: 'handed_back' }

/**
 * One turn, or the rest of one that a restart cut off: asks the model, then takes its final answer (`thread.answer`), or answers
 * its calls. `paused`: calls wait for a person's decision. A result: the client has calls to answer.
 */
export async function step(
  run: RunState,
  thread: AgentThread,
  converse: Converse,
): Promise<'on' | 'paused' | HandedBack> {
  const draft = thread.turn === undefined ? await beginTurn(run, thread) : undefined
  const final = draft ?? (await endTurn(run, thread, converse))
  if (final === 'paused' || final === undefined) return final ?? 'on'
  if ('kind' in final) return final
  await acceptAnswer(run, thread, final)
  return 'on'
}

/** Asks the model. Gives its final answer, or leaves its calls in `thread.turn`, recorded and not yet run. */
async function beginTurn(run: RunState, thread: AgentThread): Promise<Draft | undefined> {
  const { maxTurns } = run.plan
  if (maxTurns !== null && run.turns >= maxTurns) throw turnLimit(maxTurns)
  run.turns++
  const { who, role, items } = thread
  const answer = await askModel(run, thread)
  const { cut } = answer
  // A name can be cut too: such a call cannot be answered.
  const lost = answer.calls.filter((call) => call.half && !isKnown(run, thread, call.name))
  const output =
    lost.length === 0 ? answer.items : answer.items.filter((item) => !lost.some((call) => call.item === item))
  if (lost.length > 0 && output.length === 0) throw answerCut(who.agent, cut ?? 'unknown')
  const calls = answer.calls.filter((call) => !lost.includes(call))
  const progress = readProgress(thread)
  progress.toolCalls += output.filter(isHostedCall).length
  if (calls.length > ANSWER_LIMITS.calls) throw tooManyCalls(ANSWER_LIMITS.calls)
  const stray = calls.find((call) => !call.hosted && !isKnown(run, thread, call.name))
  if (stray !== undefined) throw unknownTool(stray.name, who.agent)
  if (calls.length === 0) return { output: await readFinalOutput(output, role, cut), items: output, cut }
  const from = items.length
  items.push(...output.map((item) => toStored(run, who, item)))
  const transfers = calls.filter((call) => isTransfer(role, call))
  announce(run, thread, [
    ...transfers.map(({ item }) => createItemEvent(who, 'handoff_requested', 'handoff_call_item', item)),
    ...createMessageEvents(thread, output),
  ])
  const own = calls.filter((call) => !call.hosted)
  progress.toolCalls += own.length - (transfers.length > 0 ? 1 : 0) // the handoff itself is not counted
  progress.usedTools = true
  thread.turn = { from, calls: await prepareCalls(run, thread, calls) }
  await recordTurn(run, thread, thread.turn)
  return undefined
}

async function prepareCalls(run: RunState, thread: AgentThread, calls: readonly FunctionCall[]): Promise<TurnCall[]> {
  const toApprove = await needsApproval(run, thread, calls)
  return calls.map((call) => {
    const approval = toApprove.get(call)
    const key = createKey(run, thread, call.callId)
    return {
      ...call,
      problem: approval?.problem ?? call.problem,
      key,
      needsApproval: approval?.problem === undefined && approval !== undefined,
      consent: approval?.consent,
    }
  })
}

/** Records the model's answer, with `begun` for each call that runs now and a request for each that waits for a person. */
function recordTurn(run: RunState, thread: AgentThread, turn: Turn): Promise<void> | undefined {
  if (run.journal === undefined) return undefined
  const { id, parent } = thread.ask
  const waiting = turn.calls.filter((call) => call.needsApproval)
  const running = turn.calls.filter((call) => !call.needsApproval && toolOf(thread, call) !== undefined)
  return recordThread(run, thread, {
    turn: true,
    calls: running.map(({ callId }) => ({ thread: id, callId, state: 'begun' })),
    approvals: waiting.map((call) => ({
      thread: id,
      callId: call.callId,
      agent: thread.who.agent,
      tool: toolNameOf(call),
      arguments: readJson(call.argumentsJson),
      parentRunId: parent?.callId ?? null,
      consent: call.consent,
    })),
  })
}

/** The arguments of a hosted call were not checked, so they may not be JSON. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/**
 * Answers the calls of the open turn. Gives the final answer where a tool's output is it, or the calls that the client answers;
 * beside these nothing is handed over.
 */
async function endTurn(
  run: RunState,
  thread: AgentThread,
  converse: Converse,
): Promise<Draft | HandedBack | 'paused' | undefined> {
  const turn = thread.turn as Turn
  const toClient = clientCallsOf(run, thread, turn)
  const handoff = toClient.length > 0 ? undefined : handoffOf(thread, turn)
  const running = turn.calls.filter((call) => call !== handoff?.call && !toClient.includes(call))
  const outcomes = await answerCalls(run, thread, running, converse)
  if (outcomes === 'paused') return 'paused'
  const { who, items, context, role } = thread
  const outputs = outcomes.map(toOutputItem)
  keep(run, thread, outputs)
  const notes = outcomes.flatMap(({ call, answer }) => toNativeNote(call.item, answer) ?? [])
  const added = [...outputs, ...notes.map((text) => createNote('system', text, 'tool_error'))]
  items.push(...added.map((item) => toStored(run, who, item)))
  const events = outcomes.flatMap((outcome, index) =>
    outcome.call.hosted ? [] : [toolOutputEvent(thread, outcome, outputs[index] as InputItem)],
  )
  const handoffEvents = handoff === undefined ? [] : await transfer(run, thread, handoff)
  await run.save() // before the turn's end is seen
  const bytes = events.length === 0 ? 0 : 2 * weigh(outputs) + events.length * BYTES_PER_EVENT
  if (events.length > 0) run.emit(events, bytes, thread.ask.id)
  announce(run, thread, handoffEvents)
  thread.turn = undefined
  if (toClient.length > 0) return { kind: 'handed_back', calls: toClient.map(({ item }) => item) }
  if (handoff !== undefined) {
    await recordThread(run, thread) // messages find the agent that speaks now
    await notify(run, thread, 'onAgentStart')
    return undefined
  }
  // A call that did not run has no result that could be the answer.
  const results = outcomes
    .filter(({ call }) => call.problem === undefined && !call.hosted)
    .map(({ call: { name, callId }, answer: { output } }) => ({ name, callId, output }))
  const final = await orAbort(finalToolOutput(role.agent.toolUseBehavior, context, results), run.signal)
  return final === undefined ? undefined : { output: await parseOutput(final.output, role), items: [], cut: undefined }
}

/** Takes the final answer, or returns it to the agent with an output guardrail's guidance. */
async function acceptAnswer(run: RunState, thread: AgentThread, { output, items, cut }: Draft): Promise<void> {
  const { who, role, context, ask } = thread
  const { agent } = role
  const answer = items.map((item) => toStored(run, who, item))
  const guidance =
    agent.outputGuardrails.length === 0
      ? undefined
      : await orAbort(tripped(agent.outputGuardrails, output, context, agent), run.signal)
  if (guidance === undefined) {
    thread.items.push(...answer)
    await run.save()
    announce(run, thread, createMessageEvents(thread, items))
    // A message for the agent came while it wrote: it has one more turn.
    thread.answer = (await isSteered(run, thread)) ? undefined : { kind: 'answered', output, cut }
    await recordThread(run, thread, { turn: true, deferrable: thread.answer !== undefined })
    return
  }
  if (thread.rejected >= agent.validationAttempts) throw guardrailTripped('OutputGuardrail', guidance)
  thread.rejected++
  thread.who = nextSpeaker(run, role, ask, who)
  // The original keeps a rejected draft where the run id goes on, in plain runs; a stream's reader has seen parts of it only.
  if (thread.who === who) thread.items.push(...answer)
  thread.items.push(toStored(run, who, createNote('system', guidance, 'output_guardrail_error')))
  announce(run, thread, [{ kind: 'agent', who: thread.who }])
  await recordThread(run, thread, { turn: true })
}

/** The items that are announced when the answer is complete: their type -> the names of the event and its item. */
const ANNOUNCED_AT_END = new Map<unknown, readonly [name: ItemName, type: string]>([
  ['message', ['message_output_created', 'message_output_item']],
  ['mcp_list_tools', ['mcp_list_tools', 'mcp_list_tools_item']],
  ['mcp_approval_request', ['mcp_approval_requested', 'mcp_approval_request_item']],
])

const createMessageEvents = ({ who }: AgentThread, items: readonly InputItem[]): RunEvent[] =>
  items.flatMap((raw) => {
    const names = ANNOUNCED_AT_END.get(raw.type)
    return names === undefined ? [] : [createItemEvent(who, ...names, raw)]
  })

function announce(run: RunState, { ask }: AgentThread, events: readonly RunEvent[]): void {
  if (events.length > 0) run.emit(events, events.length * BYTES_PER_EVENT, ask.id)
}

async function readFinalOutput(output: readonly InputItem[], role: Role, cut: string | undefined): Promise<unknown> {
  const last = output.findLast((item) => item.type === 'message') ?? {}
  const text = messageText(last)
  const refusal = text === '' ? refusalOf(last) : undefined
  if (refusal !== undefined) throw modelRefused(refusal)
  return parseOutput(text, role, cut)
}

async function parseOutput(output: unknown, { agent }: Role, cut?: string): Promise<unknown> {
  if (agent.outputType === undefined) return output
  try {
    return await agent.outputType.parseAsync(
      typeof output === 'string' ? restoreNames(readJsonAnswer(output), schemaOf(agent.outputType)) : output,
    )
  } catch (error) {
    throw cut === undefined ? invalidOutput(agent.name, errorText(error)) : answerCut(agent.name, cut)
  }
}

/** Hands the thread to another agent: reminder, output of the call, new speaker. Gives its events. */
async function transfer(
  run: RunState,
  thread: AgentThread,
  { call, handoff: { target, via } }: { call: TurnCall; handoff: { target: Agent; via: HandoffClass } },
): Promise<RunEvent[]> {
  const { who: source, ask } = thread
  await notify(run, thread, 'onHandoff', target)
  if (via.addReminder) addReminder(run, thread, target)
  const role = run.plan.agency.role(target.name)
  const between = nextSpeaker(run, role, ask, source)
  const raw = {
    call_id: call.callId,
    output: `{"assistant": ${JSON.stringify(target.name)}}`,
    type: 'function_call_output',
  }
  thread.items.push(toStored(run, source, raw, between.agentRunId))
  thread.role = role
  thread.who = nextSpeaker(run, role, ask, between)
  thread.span?.end({ handedOverTo: target.name })
  thread.span = ask.span?.child('agent', { who: thread.who })
  thread.context = createContext(run, role)
  thread.rejected = 0
  return [
    { kind: 'item', who: between, name: 'handoff_occured', type: 'handoff_output_item', raw, source, target: between },
    { kind: 'agent', who: thread.who },
  ]
}

/** Stores the reminder of a handoff; its metadata is that of the message before it. */
function addReminder(run: RunState, thread: AgentThread, target: Agent): void {
  const { agent, callerAgent, agent_run_id, parent_run_id, run_trace_id, history_protocol, timestamp } =
    thread.lastDirect
  const reminder = { role: 'system', content: handoffReminder(target), message_origin: 'handoff_reminder' }
  const metadata = { agent, callerAgent, agent_run_id, run_trace_id, history_protocol, timestamp: timestamp + 1 }
  const stored = {
    ...reminder,
    ...metadata,
    ...(parent_run_id === undefined ? {} : { parent_run_id }),
  } as StoredMessage
  thread.lastDirect = stored
  thread.base.push(toModelItem(stored))
  const entry = run.transcript.add([stored])
  thread.direct.push(entry.n)
  if (run.journal !== undefined) thread.recorded.entries.push(entry)
}
