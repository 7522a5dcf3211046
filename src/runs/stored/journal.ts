/** The journal of a stored run: what the loop records becomes rows of the store, and back. */
import { randomUUID } from 'node:crypto'
import type { JsonObject } from '../../wire/json.ts'
import type { InputItem, StoredMessage } from '../../wire/message.ts'
import type {
  ApprovalState,
  Decision,
  Journal,
  JournalChange,
  RunProgress,
  RunSnapshot,
  ThreadState,
  TranscriptRecord,
} from '../loop/journal.ts'
import type { ApprovalRecord, ConversationRecord, NewApproval, RunWork } from '../run-store.ts'
import type { LogChange } from './changes.ts'
import type { CoverageState } from './coverage.ts'
import type { StoredLog } from './log.ts'
import type { RunSteering } from './steering.ts'

/** Rows of the run as a whole, beside those of its threads. */
const RUN = '@run'
const TRANSCRIPT = '@transcript'

/** What is stored of the run as a whole at each turn boundary. */
interface RunRow {
  progress: RunProgress
  coverage: CoverageState
  /** Bytes of the run's events, about. */
  eventBytes: number
  /** What the files of the request became. */
  prepared: JsonObject | null
}

export interface JournalOptions {
  log: StoredLog
  now: () => number
  /** How long a person may take to decide, in milliseconds. */
  approvalMs: number
  /** What the files of the request became, to be stored with the first change. */
  prepared: JsonObject | null
  /** Pins the run to this process once it cannot go on elsewhere. */
  worker: string
  steering: Pick<RunSteering, 'settle'>
  /** Called before the run is pinned. */
  onPinned: () => void
  /** Called once requests for approval are stored, with the time at which they expire. */
  onApproval(expiresAt: number): void
}

export function createJournal({
  log,
  now,
  approvalMs,
  prepared,
  worker,
  steering,
  onPinned,
  onApproval,
}: JournalOptions): Journal {
  let pinned = false
  return {
    async write(change) {
      for (const scope of change.covers) log.cover(scope)
      const expiresAt = now() + approvalMs
      const approvals = change.approvals.map((request) => toApproval(request, expiresAt))
      if (approvals.length > 0)
        log.append([
          {
            kind: 'requires_action',
            approvals: approvals.map(({ approvalId, agent, tool, callId, arguments: args, expiresAt, consent }) => ({
              ...(consent == null ? {} : { consent: { server: consent.server, url: consent.url } }),
              approvalId,
              agent,
              tool,
              callId,
              arguments: args,
              expiresAt,
            })),
          },
        ])
      const steers = steering.settle(change.steers ?? [])
      const run: RunRow = {
        progress: change.progress,
        coverage: log.readCoverage(),
        eventBytes: log.bytes,
        prepared,
      }
      const pins = !change.progress.recoverable && !pinned
      if (pins) onPinned()
      pinned ||= pins
      const settled = steers.length === 0 ? {} : { steers }
      const pin = pins ? { recoverable: false, pin: worker } : {}
      const rows = { ...toRows(change, run), ...settled, approvals, ...pin }
      if (change.deferrable) return log.note(rows)
      await log.write(rows)
      if (approvals.length > 0) onApproval(Math.min(...approvals.map((approval) => approval.expiresAt)))
    },
  }
}

function toRows({ threads, items, transcript, calls, turn }: JournalChange, run: RunRow): LogChange {
  return {
    turn,
    conversations: [toRunRow(run), ...threads.map(toConversation)],
    items: [
      ...items.map(({ thread, n, item }) => ({ conversation: thread, n, item: item as JsonObject })),
      ...transcript.map((record) => ({ conversation: TRANSCRIPT, n: record.n, item: record as unknown as JsonObject })),
    ],
    calls: calls.map(({ thread, callId, state, output, value }) => ({
      conversation: thread,
      callId,
      state,
      ...(state === 'done' ? { output: { output: output ?? null, value: value ?? null } } : {}),
    })),
  }
}

const toRunRow = (run: RunRow): ConversationRecord => ({
  conversation: RUN,
  parent: null,
  agent: '',
  caller: null,
  state: run as unknown as JsonObject,
})

/** The row that says, with the first events of a new attempt, which of them are final. */
export const toCoverageRow = (work: RunWork, log: StoredLog): ConversationRecord | undefined => {
  const row = readRunRow(work)
  return row === undefined ? undefined : toRunRow({ ...row, coverage: log.readCoverage(), eventBytes: log.bytes })
}

const toConversation = (state: ThreadState): ConversationRecord => ({
  conversation: state.id,
  parent: state.parent === null ? null : { conversation: state.parent.thread, callId: state.parent.callId },
  agent: state.agent,
  caller: state.caller,
  state: state as unknown as JsonObject,
})

const toApproval = (
  { thread, callId, agent, tool, arguments: args, parentRunId, consent }: JournalChange['approvals'][number],
  expiresAt: number,
): NewApproval => ({
  ...(consent && { consent: { server: consent.server, url: consent.url, access: consent.access } }),
  approvalId: randomUUID(),
  conversation: thread,
  callId,
  agent,
  tool,
  arguments: args,
  parentRunId,
  expiresAt: consent?.expiresAt ?? expiresAt,
})

const readRunRow = ({ conversations }: RunWork): RunRow | undefined =>
  conversations.find(({ conversation }) => conversation === RUN)?.state as RunRow | undefined

/** What the files of the request became; null when they were not attached yet, or there were none. */
export const readPrepared = (work: RunWork): JsonObject | null => readRunRow(work)?.prepared ?? null

/** Bytes of the run's events up to its last turn boundary. */
export const readEventBytes = (work: RunWork): number => readRunRow(work)?.eventBytes ?? 0

export const readCoverage = (work: RunWork): CoverageState => readRunRow(work)?.coverage ?? { final: 0, covered: {} }

/** What the loop goes on from; undefined when no turn of the run was stored. */
export function toSnapshot(work: RunWork): RunSnapshot | undefined {
  const run = readRunRow(work)
  if (run === undefined) return undefined
  const items: { [thread: string]: StoredMessage[] } = {}
  const transcript: TranscriptRecord[] = []
  for (const { conversation, n, item } of work.items) {
    if (conversation === TRANSCRIPT) transcript.push(item as unknown as TranscriptRecord)
    else {
      items[conversation] ??= []
      ;(items[conversation] as StoredMessage[])[n] = item as StoredMessage
    }
  }
  return {
    progress: run.progress,
    threads: work.conversations
      .filter(({ conversation }) => conversation !== RUN)
      .map(({ state }) => state as unknown as ThreadState),
    items,
    transcript,
    calls: work.calls.map(({ conversation, callId, state, output }) => ({
      thread: conversation,
      callId,
      state,
      ...(state === 'done' ? (output as { output: InputItem['output']; value: unknown }) : {}),
    })),
    approvals: work.approvals.map(toApprovalState),
  }
}

const toApprovalState = (record: ApprovalRecord): ApprovalState => ({
  thread: record.conversation,
  callId: record.callId,
  decision: toDecision(record),
})

function toDecision({ status, arguments: args, reason }: ApprovalRecord): Decision {
  switch (status) {
    case 'approved':
      return { kind: 'approve', arguments: args }
    case 'rejected':
    case 'cancelled':
      return { kind: 'reject', reason: reason ?? undefined }
    case 'expired':
      return { kind: 'expired' }
    case 'pending':
      return { kind: 'pending' }
    default:
      return status satisfies never
  }
}
