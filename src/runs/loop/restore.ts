/** Rebuilds the agent threads of a run from its snapshot. */
import { inTurns } from '../../base/async.ts'
import { weigh } from '../../base/budget.ts'
import { agencyChanged } from '../../base/run-errors.ts'
import { createHistoryReader } from '../../messages/items.ts'
import { searchNotes } from '../../messages/search-notes.ts'
import type { StoredMessage } from '../../wire/message.ts'
import { type AgentThread, createContext, createSpeaker, type RestoredCall, type RunState } from './agent-thread.ts'
import { isKnown } from './call-kinds.ts'
import type { RunSnapshot, ThreadState } from './journal.ts'
import { startWork } from './receipt.ts'
import { findServerTools } from './tools-for-turn.ts'
import { Transcript } from './transcript.ts'
import { restoreCalls, toOutputItem } from './turn-state.ts'

/**
 * Restores the transcript and gives the user's thread, to which the threads of sub-agents hang; undefined when nothing was
 * recorded yet.
 * @throws AGENCY_CHANGED, MCP_FAILED
 */
export async function restoreThreads(
  run: RunState,
  snapshot: RunSnapshot,
  lost: boolean,
): Promise<AgentThread | undefined> {
  const edited = { ...snapshot, items: applyEdits(snapshot) }
  for (const { thread, callId } of snapshot.calls) {
    run.callIds ??= new Map()
    if (!run.callIds.has(callId)) run.callIds.set(callId, thread)
  }
  const ended = new Set<string>()
  for (const record of snapshot.transcript) {
    if ('thread' in record) ended.add(record.thread)
    const messages = 'thread' in record ? withNotes(edited.items[record.thread] ?? []) : record.messages
    run.transcript.restore({ n: record.n, messages, thread: 'thread' in record ? record.thread : undefined })
  }
  const main = snapshot.threads.find(({ parent }) => parent === null)
  if (main === undefined) return undefined
  return restoreThread(run, { snapshot: edited, ended, lost }, main)
}

/** The messages that a run has added, as its callers would get them if it ended now. */
export function messagesOfSnapshot(snapshot: RunSnapshot, history: readonly StoredMessage[]): StoredMessage[] {
  const items = applyEdits(snapshot)
  const transcript = new Transcript(history)
  const ended = new Set<string>()
  for (const record of snapshot.transcript) {
    if ('thread' in record) ended.add(record.thread)
    const messages = 'thread' in record ? withNotes(items[record.thread] ?? []) : record.messages
    transcript.restore({ n: record.n, messages, thread: 'thread' in record ? record.thread : undefined })
  }
  const open = snapshot.threads.filter(({ id }) => !ended.has(id)).reverse()
  const pending = open.flatMap((state) => [...(items[state.id] ?? []), ...outputsOf(snapshot, state)])
  return transcript.all(pending).slice(history.length)
}

/** The outputs of the calls of an open turn that have one. */
function outputsOf({ items, calls }: RunSnapshot, { id, turn }: ThreadState): StoredMessage[] {
  if (turn === null) return []
  return restoreCalls((items[id] ?? []).slice(turn.from), turn).flatMap((call) => {
    const done = calls.find(({ thread, callId, state }) => thread === id && callId === call.callId && state === 'done')
    if (done === undefined) return []
    const output = toOutputItem({ call, answer: { output: done.output ?? '', value: done.value } })
    const about = MESSAGE_FACTS.flatMap((name) => (call.item[name] === undefined ? [] : [[name, call.item[name]]]))
    return { ...output, ...Object.fromEntries(about) } as StoredMessage
  })
}

/** What a stored message says of itself beside its item. */
const MESSAGE_FACTS = [
  'agent',
  'callerAgent',
  'agent_run_id',
  'parent_run_id',
  'run_trace_id',
  'history_protocol',
  'timestamp',
]

const withNotes = (items: readonly StoredMessage[]) => [...items, ...searchNotes(items)]

/** The items with the arguments that persons edited: what ran is what the model reads. */
function applyEdits({ items, approvals }: RunSnapshot): RunSnapshot['items'] {
  const edited = { ...items }
  for (const { thread, callId, decision } of approvals) {
    if (decision.kind !== 'approve' || decision.arguments === undefined) continue
    const json = JSON.stringify(decision.arguments)
    edited[thread] = (edited[thread] ?? []).map((item) =>
      item.type === 'function_call' && item.call_id === callId && !isSameJson(item.arguments, json)
        ? { ...item, arguments: json }
        : item,
    )
  }
  return edited
}

/** Arguments that nobody changed keep the model's own text. */
const isSameJson = (text: unknown, json: string) => JSON.stringify(JSON.parse(String(text))) === json

interface Source {
  snapshot: RunSnapshot
  /** Threads that are over. */
  ended: ReadonlySet<string>
  lost: boolean
}

/** One thread with the threads that its open calls had asked for. */
async function restoreThread(run: RunState, source: Source, state: ThreadState): Promise<AgentThread> {
  const { snapshot, ended, lost } = source
  const between = state.turn === null && state.answer === null
  const threads = new Map<string, AgentThread>()
  const restored = { calls: readCalls(snapshot, state.id), threads, lostModelCall: lost && between }
  const thread: AgentThread = { ...(await rebuildThread(run, snapshot, state)), restored }
  if (state.turn === null) return thread
  const children = snapshot.threads.filter(({ id, parent }) => parent?.thread === state.id && !ended.has(id))
  for (const child of await Promise.all(children.map((child) => restoreThread(run, source, child))))
    threads.set(child.ask.parent?.callId ?? '', child)
  await restoreTurn(run, thread, state)
  return thread
}

/** A thread as it was between two turns. */
async function rebuildThread(run: RunState, snapshot: RunSnapshot, state: ThreadState): Promise<AgentThread> {
  const { id, parent, recipient, caller, additionalInstructions, depth, openedAt, newUserMessage, rejected, started } =
    state
  const { agency } = run.plan
  for (const name of [recipient, state.agent])
    if (!agency.agentNames.includes(name)) throw agencyChanged(`agent "${name}"`)
  const role = agency.role(state.agent)
  const direct = run.transcript.messagesOf(state.direct)
  const history = [...run.transcript.thread(recipient, caller, openedAt), ...direct]
  const base = (await inTurns(history, createHistoryReader())).flat()
  const weights = await inTurns(base, weigh)
  const items = [...(snapshot.items[id] ?? [])]
  const itemBytes = weigh(items)
  run.hold(itemBytes)
  const ask = { id, parent, agent: recipient, caller, input: [], additionalInstructions, depth, span: run.span }
  const who = createSpeaker(role, ask, state.agentRunId)
  const work = startWork('agent', recipient, parent?.callId)
  if (parent === null) run.work = work
  return {
    role,
    who,
    span: run.span?.child('agent', { who }),
    context: createContext(run, role),
    ask,
    base,
    baseBytes: weights.reduce((sum, bytes) => sum + bytes, 0),
    items,
    itemBytes,
    lastDirect: direct.at(-1) as StoredMessage,
    openedAt,
    direct: [...state.direct],
    newUserMessage,
    progress: new Map(Object.entries(state.progress).map(([agent, done]) => [agent, { ...done }])),
    found: new Map(),
    rejected,
    started,
    turn: undefined,
    answer:
      state.answer === null
        ? undefined
        : { kind: 'answered', output: state.answer.output, cut: state.answer.cut ?? undefined },
    work,
    recorded: { items: items.length, entries: [] },
  }
}

function readCalls({ calls, approvals }: RunSnapshot, id: string): Map<string, RestoredCall> {
  const known = new Map<string, RestoredCall>()
  for (const { thread, callId, state, output, value } of calls)
    if (thread === id) known.set(callId, { state, output, value, decision: undefined })
  for (const { thread, callId, decision } of approvals)
    if (thread === id) {
      const call = known.get(callId) ?? { state: undefined, output: undefined, value: undefined }
      known.set(callId, { ...call, decision })
    }
  return known
}

/** @throws AGENCY_CHANGED when a tool, a recipient or a handoff of a call without an answer is gone */
async function restoreTurn(run: RunState, thread: AgentThread, { turn }: ThreadState): Promise<void> {
  if (turn === null) return
  const calls = restoreCalls(thread.items.slice(turn.from), turn)
  thread.turn = { from: turn.from, calls }
  const open = calls.filter(({ callId, hosted }) => !hosted && thread.restored?.calls.get(callId)?.state !== 'done')
  if (open.some(({ name }) => !isKnown(run, thread, name)))
    thread.found = await findServerTools({ signal: run.signal, logins: run.plan.logins }, thread.role)
  const gone = open.find(({ name }) => !isKnown(run, thread, name))
  if (gone !== undefined) throw agencyChanged(`tool "${gone.name}" of agent "${thread.who.agent}"`)
}
