/** Runs agent threads from their opening to their answer: guardrails, turns, hooks, and the way back after a restart. */
import { latestUserTexts, tripped } from '../../agency/guardrails.ts'
import { recipientReminder } from '../../agency/reminders.ts'
import { inTurns, orAbort } from '../../base/async.ts'
import { weigh } from '../../base/budget.ts'
import { emptyMessage, guardrailTripped } from '../../base/run-errors.ts'
import { createHistoryReader } from '../../messages/items.ts'
import { searchNotes } from '../../messages/search-notes.ts'
import type { InputItem, StoredMessage } from '../../wire/message.ts'
import { inside } from '../span.ts'
import {
  type AgentThread,
  type Ask,
  BYTES_PER_EVENT,
  createContext,
  createItemEvent,
  createNote,
  describeEnding,
  nextSpeaker,
  notify,
  type RunState,
  type ThreadResult,
  toStored,
} from './agent-thread.ts'
import { applyContext, watchContext } from './context-watch.ts'
import type { RunSnapshot } from './journal.ts'
import { settleWork, startWork } from './receipt.ts'
import { recordThread } from './record.ts'
import { restoreThreads } from './restore.ts'
import { takeSteers, waitWhilePaused } from './steering.ts'
import { step } from './turn.ts'

/** The id of the user's thread. */
export const MAIN = 'main'

/**
 * Runs the plan's thread with the user to its end. The result is `paused` only for a run with a journal.
 * @throws EMPTY_MESSAGE, MODEL_FAILED, UNKNOWN_TOOL, INVALID_OUTPUT, TURN_LIMIT, GUARDRAIL_TRIPPED; what a hook threw; the
 *   signal's reason when the run was aborted; what the journal threw. What was finished until then is in the transcript in
 *   every case.
 */
export async function runLoop(run: RunState): Promise<ThreadResult> {
  const { recipient, input, additionalInstructions } = run.plan
  if (input.length === 0) {
    run.uncounted = true
    throw emptyMessage()
  }
  if (run.journal !== undefined) run.contextWatch = watchContext(run.plan.userContext)
  const ask = { id: MAIN, parent: null, agent: recipient, caller: null, input, additionalInstructions, depth: 0 }
  return watchAbort(run, async () => converse(run, await open(run, { ...ask, span: run.span })))
}

/**
 * Goes on with a run from what its journal recorded, in this process or another. Calls that are `done` keep their answers;
 * sub-agents go on in their own threads; any other call that had begun runs again when its tool is `safeToRetry`, and is
 * otherwise reported to the model as interrupted. A turn that was cut off is asked again as a whole.
 *
 * @param run new and empty, with the plan of the first attempt
 * @param lost true when the attempt before died: model calls that were under way are then counted as estimates
 * @throws AGENCY_CHANGED when an agent or tool of the snapshot is gone; what `runLoop` throws
 */
export async function resumeLoop(run: RunState, snapshot: RunSnapshot, lost = false): Promise<ThreadResult> {
  const { turns, usage, uncounted, context } = snapshot.progress
  if (run.journal !== undefined) run.contextWatch = watchContext(run.plan.userContext)
  applyContext(run.plan.userContext, context)
  Object.assign(run, { turns, usage: { ...usage }, uncounted })
  const main = await restoreThreads(run, snapshot, lost)
  if (main === undefined) return runLoop(run)
  return watchAbort(run, () => converse(run, main))
}

/** Notes when the run is aborted, for the receipt. */
async function watchAbort(run: RunState, work: () => Promise<ThreadResult>): Promise<ThreadResult> {
  const note = () => {
    run.abortedAt ??= run.plan.now()
  }
  if (run.signal.aborted) note()
  run.signal.addEventListener('abort', note, { once: true })
  try {
    return await work()
  } finally {
    run.signal.removeEventListener('abort', note)
  }
}

/** Opens a thread, or goes on with one after a restart, and runs it. */
const openAndConverse = async (run: RunState, ask: Ask | AgentThread): Promise<ThreadResult> =>
  converse(run, 'ask' in ask ? ask : await open(run, ask))

async function converse(run: RunState, thread: AgentThread): Promise<ThreadResult> {
  run.open.add(thread)
  try {
    const result = await inside(thread.span, () => hold(run, thread))
    thread.span?.end({ output: result.kind === 'answered' ? result.output : undefined })
    return result
  } catch (error) {
    thread.span?.end(describeEnding(run, error))
    throw error
  }
}

async function hold(run: RunState, thread: AgentThread): Promise<ThreadResult> {
  let ending: ThreadResult['kind'] | 'failed' = 'failed'
  if (thread.ask.depth === 0) await run.save()
  try {
    const result = await takeTurns(run, thread)
    ending = result.kind
    return result
  } finally {
    if (ending === 'answered' || ending === 'handed_back' || (ending === 'failed' && !run.signal.aborted))
      settleWork(thread.work, run.plan.now, run.abortedAt)
    if (ending !== 'paused') close(run, thread)
  }
}

function close(run: RunState, thread: AgentThread): void {
  const { items, ask } = thread
  run.open.delete(thread)
  const entry = run.transcript.add([...items, ...searchNotes(items)], ask.id)
  if (run.journal === undefined) return
  thread.recorded.entries.push(entry)
  run.ended ??= new Map()
  run.ended.set(ask.id, thread)
}

async function takeTurns(run: RunState, thread: AgentThread): Promise<ThreadResult> {
  if (thread.answer === undefined && !thread.started) {
    await notify(run, thread, 'onAgentStart')
    const refusal = await guardInput(run, thread)
    if (refusal !== undefined) return refusal
    thread.started = true
  }
  for (;;) {
    if (thread.answer !== undefined) {
      if (thread.ask.depth === 0) run.answer = thread.answer
      await notify(run, thread, 'onAgentEnd', thread.answer.output)
      return thread.answer
    }
    if (run.leaving?.() === true && run.journal !== undefined) return { kind: 'paused' }
    if (thread.turn === undefined && (await waitWhilePaused(run, thread))) {
      if (thread.ask.depth === 0 && run.stopAfterTurn()) return { kind: 'stopped' }
      continue // a pause may have come meanwhile, or the run shall leave this process
    }
    await takeSteers(run, thread)
    const going = await inside(thread.span, () => step(run, thread, openAndConverse)) // a handoff changes the span
    if (going === 'paused') return { kind: 'paused' }
    if (going !== 'on') return going
    if (thread.answer === undefined && thread.ask.depth === 0 && run.stopAfterTurn()) return { kind: 'stopped' }
  }
}

async function open(run: RunState, ask: Ask): Promise<AgentThread> {
  const role = run.plan.agency.role(ask.agent)
  const { transcript } = run
  const first = nextSpeaker(run, role, ask)
  const openedAt = transcript.next
  const before = transcript.thread(ask.agent, ask.caller)
  const reminder = ask.depth === 0 ? recipientReminder(before, role.agent) : undefined
  const notes: InputItem[] =
    reminder === undefined ? [] : [{ role: 'system', content: reminder, message_origin: 'recipient_reminder' }]
  const incoming = [...notes, ...ask.input].map((item) => toStored(run, first, { ...item, type: readType(item) }))
  const entry = transcript.add(incoming)
  const who = nextSpeaker(run, role, ask, first)
  run.emit([{ kind: 'agent', who }], BYTES_PER_EVENT, ask.id)
  const base = (await inTurns([...before, ...incoming], createHistoryReader())).flat()
  const weights = await inTurns(base, weigh)
  const work = ask.work ?? startWork('agent', ask.agent)
  if (ask.depth === 0) run.work = work
  const thread: AgentThread = {
    role,
    who,
    span: ask.span?.child('agent', { who }),
    context: createContext(run, role),
    ask,
    base,
    baseBytes: weights.reduce((sum, bytes) => sum + bytes, 0),
    items: [],
    itemBytes: 0,
    lastDirect: incoming.at(-1) as StoredMessage,
    openedAt,
    direct: [entry.n],
    newUserMessage: ask.depth === 0,
    progress: new Map(),
    found: new Map(),
    rejected: 0,
    started: false,
    turn: undefined,
    answer: undefined,
    work,
    recorded: { items: 0, entries: [entry] },
  }
  await recordThread(run, thread, { deferrable: true })
  return thread
}

/** The item's type; 'message' when absent or not a string. */
const readType = ({ type }: InputItem) => (typeof type === 'string' ? type : 'message')

/** The guidance that answers for the agent when an input guardrail trips; undefined when none does. */
async function guardInput(run: RunState, thread: AgentThread): Promise<ThreadResult | undefined> {
  const { role, who, base, items, context, ask } = thread
  const { agent } = role
  const texts = agent.inputGuardrails.length === 0 ? undefined : latestUserTexts(base)
  if (texts === undefined) return undefined
  const guidance = await orAbort(tripped(agent.inputGuardrails, texts, context, agent), run.signal)
  if (guidance === undefined) return undefined
  const runId = thread.lastDirect.agent_run_id // guidance belongs to the message, as in the original
  if (agent.raiseInputGuardrailError) {
    items.push(toStored(run, who, createNote('system', guidance, 'input_guardrail_error'), runId))
    if (ask.depth === 0) run.emit([{ kind: 'error', who: undefined, content: guidance }], guidance.length, ask.id)
    throw guardrailTripped('InputGuardrail', guidance)
  }
  items.push(toStored(run, who, createNote('assistant', guidance, 'input_guardrail_message'), runId))
  const content = [{ type: 'output_text', text: guidance, annotations: [] }]
  const raw = { id: 'msg_input_guardrail_guidance', type: 'message', role: 'assistant', status: 'completed', content }
  const shown = ask.depth === 0 ? { who, anonymous: true as const } : { who: { ...who, agentRunId: '' } } // no agent has run
  const event = { ...createItemEvent(who, 'message_output_created', 'message_output_item', raw), ...shown }
  run.emit([event], guidance.length, ask.id)
  return { kind: 'answered', output: guidance, cut: undefined }
}
