/** Writes the progress of agent threads to the run's journal. */
import type { AgentThread, RunState } from './agent-thread.ts'
import { watchContext } from './context-watch.ts'
import type { CallState, JournalChange, RunProgress, SteerOutcome, ThreadState, TranscriptRecord } from './journal.ts'
import type { TranscriptEntry } from './transcript.ts'
import { toTurnState } from './turn-state.ts'

/**
 * Records a thread at a turn boundary, with what belongs to the same moment; events that were emitted in it so far are final.
 * Without a journal nothing happens.
 * @throws what the journal throws: the whole run then ends with it
 */
export function recordThread(
  run: RunState,
  thread: AgentThread,
  change: Partial<JournalChange> = {},
): Promise<void> | undefined {
  if (run.journal === undefined) return undefined
  return write(run, { ...takeChanges(thread), covers: [thread.ask.id], ...change })
}

/** Records the answer of a call; what was emitted in its scope is final, and a thread that it had opened is over. */
export function recordAnswer(
  run: RunState,
  { ask: { id } }: AgentThread,
  { callId, output, value }: Pick<CallState, 'callId' | 'output' | 'value'>,
): Promise<void> | undefined {
  if (run.journal === undefined) return undefined
  const scope = `${id}/${callId}`
  const ended = run.ended?.get(scope)
  run.ended?.delete(scope)
  const calls: CallState[] = [{ thread: id, callId, state: 'done', output, value }]
  const change = ended === undefined ? {} : { ...takeChanges(ended), steers: leftOvers(run, ended) }
  return write(run, { ...change, calls, covers: [scope] })
}

/** Messages that a thread which has ended cannot take any more. */
const leftOvers = ({ steering }: RunState, { ask, who }: AgentThread): SteerOutcome[] =>
  (steering?.knownFor(ask.id) ?? []).map(({ steerId, text }) => ({
    ...{ steerId, text, thread: ask.id, agent: who.agent },
    status: 'not_taken',
    reason: 'agent_ended',
  }))

/** Records that calls start to run. */
export function recordBegun(run: RunState, { ask: { id } }: AgentThread, callIds: readonly string[]) {
  if (run.journal === undefined || callIds.length === 0) return undefined
  return write(run, { calls: callIds.map((callId) => ({ thread: id, callId, state: 'begun' })) })
}

async function write(run: RunState, change: Partial<JournalChange>): Promise<void> {
  if (run.journalFailure !== undefined) throw run.journalFailure.error
  try {
    await run.journal?.write({
      threads: [],
      items: [],
      transcript: [],
      calls: [],
      approvals: [],
      covers: [],
      turn: false,
      deferrable: false,
      ...change,
      progress: readRunProgress(run),
    })
  } catch (error) {
    run.journalFailure = { error }
    throw error
  }
}

function readRunProgress(run: RunState): RunProgress {
  run.contextWatch ??= watchContext(run.plan.userContext)
  const { turns, usage, uncounted } = run
  return { turns, usage, uncounted, ...run.contextWatch.read() }
}

/** The state of a thread and what was added since it was last recorded. */
function takeChanges(thread: AgentThread): Pick<JournalChange, 'threads' | 'items' | 'transcript'> {
  const { items, ask, recorded } = thread
  const from = recorded.items
  const entries = recorded.entries.splice(0)
  recorded.items = items.length
  return {
    threads: [toThreadState(thread)],
    items: items.slice(from).map((item, index) => ({ thread: ask.id, n: from + index, item })),
    transcript: entries.map(toRecord),
  }
}

const toRecord = ({ n, messages, thread }: TranscriptEntry): TranscriptRecord =>
  thread === undefined ? { n, messages } : { n, thread }

export function toThreadState(thread: AgentThread): ThreadState {
  const { ask, who, openedAt, direct, started, newUserMessage, rejected, progress, turn, answer } = thread
  return {
    id: ask.id,
    parent: ask.parent,
    recipient: ask.agent,
    caller: ask.caller,
    agent: who.agent,
    agentRunId: who.agentRunId,
    depth: ask.depth,
    additionalInstructions: ask.additionalInstructions,
    openedAt,
    direct: [...direct],
    started,
    newUserMessage,
    rejected,
    progress: Object.fromEntries([...progress].map(([agent, done]) => [agent, { ...done }])),
    turn: turn === undefined ? null : toTurnState(turn),
    answer: answer === undefined ? null : { output: answer.output ?? null, cut: answer.cut ?? null },
  }
}
