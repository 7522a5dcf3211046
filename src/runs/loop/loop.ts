import type { Role } from '../../agency/agency.ts'
import { latestUserTexts, tripped } from '../../agency/guardrails.ts'
import { handoffReminder } from '../../agency/instructions.ts'
import { recipientReminder } from '../../agency/reminders.ts'
import { finalToolOutput } from '../../agency/tool-use.ts'
import { inTurns, orAbort } from '../../base/async.ts'
import { weigh } from '../../base/budget.ts'
import {
  answerCut,
  emptyMessage,
  errorText,
  guardrailTripped,
  invalidOutput,
  MAX_CALLS,
  modelRefused,
  tooManyCalls,
  turnLimit,
  unknownTool,
} from '../../base/errors.ts'
import { messageText, refusalOf, toModelItem } from '../../messages/items.ts'
import { readJsonAnswer } from '../../messages/json-answer.ts'
import { isHostedCall, searchNotes } from '../../messages/search-notes.ts'
import type { ToolAnswer } from '../../tools/output.ts'
import type { InputItem, StoredMessage } from '../../wire/message.ts'
import type { RunEvent } from '../events.ts'
import { newAgentRunId } from '../plan.ts'
import { inside } from '../span.ts'
import {
  type Answer,
  type Ask,
  BYTES_PER_EVENT,
  type Conversation,
  contextOf,
  endingOf,
  itemEvent,
  keep,
  notify,
  progressOf,
  type RunState,
  speaker,
  stored,
  toolNamed,
} from './agent-thread.ts'
import { answerCall } from './calls.ts'
import { askModel, type ModelAnswer } from './model-turn.ts'
import { type CallAnswer, toolOutputEvent } from './tool-facts.ts'

type Outcome = { kind: 'next' } | { kind: 'final'; output: unknown; items: InputItem[]; cut?: string | undefined }

/**
 * Runs the plan's conversation to its end and gives its answer; undefined when a stop after the turn came first.
 * @throws EMPTY_MESSAGE, MODEL_FAILED, UNKNOWN_TOOL, INVALID_OUTPUT, TURN_LIMIT, GUARDRAIL_TRIPPED; what a hook threw; the
 *   signal's reason when the run was aborted. What was finished until then is in the store in every case.
 */
export async function runLoop(run: RunState): Promise<Answer | undefined> {
  const { recipient, input, additionalInstructions } = run.plan
  if (input.length === 0) {
    run.uncounted = true
    throw emptyMessage()
  }
  const ask = { agent: recipient, caller: null, parentRunId: undefined, input, additionalInstructions, depth: 0 }
  return converse(run, { ...ask, span: run.span })
}

async function converse(run: RunState, ask: Ask): Promise<Answer | undefined> {
  const conversation = await open(run, ask)
  run.open.add(conversation)
  try {
    const answer = await inside(conversation.span, () => hold(run, conversation))
    conversation.span?.end({ output: answer?.output })
    return answer
  } catch (error) {
    conversation.span?.end(endingOf(run, error))
    throw error
  }
}

async function hold(run: RunState, conversation: Conversation): Promise<Answer | undefined> {
  const { ask } = conversation
  if (ask.depth === 0) await run.save()
  try {
    await notify(run, conversation, 'onAgentStart')
    const refusal = await guardInput(run, conversation)
    if (refusal !== undefined) return { output: refusal, cut: undefined }
    for (;;) {
      const outcome = await inside(conversation.span, () => step(run, conversation)) // a handoff changes the span
      if (outcome.kind === 'final' && (await accept(run, conversation, outcome)))
        return { output: outcome.output, cut: outcome.cut }
      if (ask.depth === 0 && run.stopAfterTurn()) return undefined
    }
  } finally {
    run.open.delete(conversation)
    run.store.add(...conversation.own, ...searchNotes(conversation.own))
  }
}

async function open(run: RunState, ask: Ask): Promise<Conversation> {
  const role = run.plan.agency.role(ask.agent)
  const first = speaker(role, ask, newAgentRunId())
  const thread = run.store.thread(ask.agent, ask.caller)
  const reminder = ask.depth === 0 ? recipientReminder(thread, role.agent) : undefined
  const notes: InputItem[] =
    reminder === undefined ? [] : [{ role: 'system', content: reminder, message_origin: 'recipient_reminder' }]
  const incoming = [...notes, ...ask.input].map((item) => stored(run, first, { ...item, type: typeOf(item) }))
  run.store.add(...incoming)
  const who = run.plan.streaming ? speaker(role, ask, newAgentRunId()) : first
  run.emit([{ kind: 'agent', who }], BYTES_PER_EVENT)
  const base = await inTurns([...thread, ...incoming], toModelItem)
  const weights = await inTurns(base, weigh)
  return {
    role,
    who,
    span: ask.span?.child('agent', { who }),
    context: contextOf(run, role),
    ask,
    base,
    baseBytes: weights.reduce((sum, bytes) => sum + bytes, 0),
    own: [],
    ownBytes: 0,
    lastDirect: incoming.at(-1) as StoredMessage,
    newUserMessage: ask.depth === 0,
    progress: new Map(),
    found: new Map(),
    rejected: 0,
  }
}

/** Its type; a request may name none, or what is no name. */
const typeOf = ({ type }: InputItem) => (typeof type === 'string' ? type : 'message')

/** Gives the guidance that answers for the agent when an input guardrail trips; undefined when none does. */
async function guardInput(run: RunState, conversation: Conversation): Promise<string | undefined> {
  const { role, who, base, own, context, ask } = conversation
  const { agent } = role
  const texts = agent.inputGuardrails.length === 0 ? undefined : latestUserTexts(base)
  if (texts === undefined) return undefined
  const guidance = await orAbort(tripped(agent.inputGuardrails, texts, context, agent), run.signal)
  if (guidance === undefined) return undefined
  const asked = conversation.lastDirect.agent_run_id // guidance belongs to the message, as in the original
  if (agent.raiseInputGuardrailError) {
    own.push(stored(run, who, note('system', guidance, 'input_guardrail_error'), asked))
    if (ask.depth === 0) run.emit([{ kind: 'error', who: undefined, content: guidance }], guidance.length)
    throw guardrailTripped('InputGuardrail', guidance)
  }
  own.push(stored(run, who, note('assistant', guidance, 'input_guardrail_message'), asked))
  const content = [{ type: 'output_text', text: guidance, annotations: [] }]
  const raw = { id: 'msg_input_guardrail_guidance', type: 'message', role: 'assistant', status: 'completed', content }
  const shown = ask.depth === 0 ? { who, anonymous: true as const } : { who: { ...who, agentRunId: '' } } // no agent has run
  const item = { ...itemEvent(who, 'message_output_created', 'message_output_item', raw), ...shown }
  run.emit([item], guidance.length)
  return guidance
}

const note = (role: string, content: string, message_origin: string): InputItem => ({
  role,
  content,
  message_origin,
  type: 'message',
})

/** One turn: ask the model, then either the final answer or the outputs of its calls. */
async function step(run: RunState, conversation: Conversation): Promise<Outcome> {
  const { maxTurns } = run.plan
  if (maxTurns !== null && run.turns >= maxTurns) throw turnLimit(maxTurns)
  run.turns++
  const { who, role, own } = conversation
  const { items, problems, cut } = await askModel(run, conversation)
  // A name can be cut too: such a call cannot be answered.
  const output = items.filter((item) => problems.get(item)?.half !== true || knows(conversation, String(item.name)))
  if (output.length < items.length && output.length === 0) throw answerCut(who.agent, cut ?? 'unknown')
  const calls = output.filter((item) => item.type === 'function_call')
  progressOf(conversation).toolCalls += output.filter(isHostedCall).length
  if (calls.length > MAX_CALLS) throw tooManyCalls()
  const stray = calls.find((call) => !knows(conversation, String(call.name)))
  if (stray !== undefined) throw unknownTool(String(stray.name), who.agent)
  if (calls.length === 0) return { kind: 'final', output: await finalOutput(output, role, cut), items: output, cut }
  const transfers = calls.filter((call) => role.handoffs.has(String(call.name)) && problems.get(call)?.half !== true)
  own.push(...output.map((item) => stored(run, who, item)))
  announce(run, [
    ...transfers.map((raw) => itemEvent(who, 'handoff_requested', 'handoff_call_item', raw)),
    ...messages(conversation, output),
  ])
  const winner = transfers[0]
  const running = calls.filter((call) => call !== winner)
  const answers = await answerCalls(run, conversation, running, problems)
  const outputs = answers.map(({ raw }) => raw)
  keep(run, conversation, outputs)
  own.push(...outputs.map((item) => stored(run, who, item)))
  const told = answers.map((answer) => toolOutputEvent(conversation, answer)) // before a transfer changes who speaks
  if (winner !== undefined) progressOf(conversation).usedTools = true
  const handedOver = winner === undefined ? [] : await transfer(run, conversation, winner)
  await run.save() // before the turn's end is seen
  if (told.length > 0) run.emit(told, 2 * JSON.stringify(outputs).length + told.length * BYTES_PER_EVENT)
  announce(run, handedOver)
  if (winner !== undefined) {
    await notify(run, conversation, 'onAgentStart')
    return { kind: 'next' }
  }
  // A call that did not run has no result that could be the answer.
  const results = running.flatMap((call, index) => {
    if (problems.has(call)) return []
    return [{ name: String(call.name), callId: String(call.call_id), output: answers[index]?.raw.output ?? '' }]
  })
  const verdict = finalToolOutput(role.agent.toolUseBehavior, conversation.context, results)
  const final = await orAbort(verdict, run.signal)
  return final === undefined
    ? { kind: 'next' }
    : { kind: 'final', output: await parseOutput(final.output, role), items: [] }
}

/** Runs calls side by side and gives their output items with what the tools returned, in the order of the calls. */
async function answerCalls(
  run: RunState,
  conversation: Conversation,
  calls: readonly InputItem[],
  problems: ModelAnswer['problems'],
): Promise<CallAnswer[]> {
  const answers = calls.map((item) =>
    answerCall(run, conversation, { item, problem: problems.get(item)?.told }, (ask) => converse(run, ask)),
  )
  const settled = await Promise.allSettled(answers)
  run.signal.throwIfAborted()
  const failed = settled.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return settled.map((result, index) => {
    const { output, value } = (result as PromiseFulfilledResult<ToolAnswer>).value
    const { name, call_id } = calls[index] as InputItem
    return { name, raw: { call_id: call_id as string, output, type: 'function_call_output' }, value }
  })
}

/** Takes the final answer, or turns it back to the agent with an output guardrail's guidance. */
async function accept(
  run: RunState,
  conversation: Conversation,
  { output, items }: Outcome & { kind: 'final' },
): Promise<boolean> {
  const { who, role, own, context, ask } = conversation
  const { agent } = role
  const answer = items.map((item) => stored(run, who, item))
  const guidance =
    agent.outputGuardrails.length === 0
      ? undefined
      : await orAbort(tripped(agent.outputGuardrails, output, context, agent), run.signal)
  if (guidance === undefined) {
    own.push(...answer)
    await run.save()
    announce(run, messages(conversation, items))
    await notify(run, conversation, 'onAgentEnd', output)
    return true
  }
  if (conversation.rejected >= agent.validationAttempts) throw guardrailTripped('OutputGuardrail', guidance)
  conversation.rejected++
  // A stream's reader has seen only parts of the draft; the original keeps it in plain runs alone.
  if (!run.plan.streaming) own.push(...answer)
  own.push(stored(run, who, note('system', guidance, 'output_guardrail_error')))
  if (run.plan.streaming) conversation.who = speaker(role, ask, newAgentRunId())
  announce(run, [{ kind: 'agent', who: conversation.who }])
  return false
}

const messages = ({ who }: Conversation, items: readonly InputItem[]): RunEvent[] =>
  items
    .filter((item) => item.type === 'message')
    .map((raw) => itemEvent(who, 'message_output_created', 'message_output_item', raw))

function announce(run: RunState, events: readonly RunEvent[]): void {
  if (events.length > 0) run.emit(events, events.length * BYTES_PER_EVENT)
}

const knows = (conversation: Conversation, name: string) =>
  toolNamed(conversation, name) !== undefined ||
  conversation.role.sends.has(name) ||
  conversation.role.handoffs.has(name)

async function finalOutput(output: readonly InputItem[], role: Role, cut: string | undefined): Promise<unknown> {
  const last = output.findLast((item) => item.type === 'message') ?? {}
  const text = messageText(last)
  const refusal = text === '' ? refusalOf(last) : undefined
  if (refusal !== undefined) throw modelRefused(refusal)
  return parseOutput(text, role, cut)
}

async function parseOutput(output: unknown, { agent }: Role, cut?: string): Promise<unknown> {
  if (agent.outputType === undefined) return output
  try {
    return await agent.outputType.parseAsync(typeof output === 'string' ? readJsonAnswer(output) : output)
  } catch (error) {
    throw cut === undefined ? invalidOutput(agent.name, errorText(error)) : answerCut(agent.name, cut)
  }
}

/** Hands the conversation to another agent of the agency: reminder, output of the call, new speaker; gives what is to be told of it. */
async function transfer(run: RunState, conversation: Conversation, call: InputItem): Promise<RunEvent[]> {
  const { who: source, role, ask } = conversation
  const handoff = role.handoffs.get(String(call.name))
  if (handoff === undefined) return []
  const { target, via } = handoff
  await notify(run, conversation, 'onHandoff', target)
  if (via.addReminder) {
    const { agent, callerAgent, agent_run_id, parent_run_id, run_trace_id, history_protocol, timestamp } =
      conversation.lastDirect
    const reminder = { role: 'system', content: handoffReminder(target), message_origin: 'handoff_reminder' }
    const metadata = { agent, callerAgent, agent_run_id, run_trace_id, history_protocol, timestamp: timestamp + 1 }
    conversation.lastDirect = {
      ...reminder,
      ...metadata,
      ...(parent_run_id === undefined ? {} : { parent_run_id }),
    } as StoredMessage
    run.store.add(conversation.lastDirect)
    conversation.base.push(toModelItem(conversation.lastDirect))
  }
  const next = run.plan.agency.role(target.name)
  const mint = () => (run.plan.streaming ? newAgentRunId() : source.agentRunId)
  const between = speaker(next, ask, mint())
  const raw = {
    call_id: call.call_id as string,
    output: `{"assistant": ${JSON.stringify(target.name)}}`,
    type: 'function_call_output',
  }
  conversation.own.push(stored(run, source, raw, between.agentRunId))
  conversation.role = next
  conversation.who = speaker(next, ask, mint())
  conversation.span?.end({ handedOverTo: target.name })
  conversation.span = ask.span?.child('agent', { who: conversation.who })
  conversation.context = contextOf(run, next)
  conversation.rejected = 0
  return [
    { kind: 'item', who: between, name: 'handoff_occured', type: 'handoff_output_item', raw, source, target: between },
    { kind: 'agent', who: conversation.who },
  ]
}
