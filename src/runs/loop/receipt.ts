/** The receipt of a cancel: what was open, and how each part of it ended. */

/** One thing that a run did or was doing. */
export interface Work {
  readonly kind: 'agent' | 'model' | 'tool'
  name: string
  readonly callId: string | undefined
  /** Whether it settled before the run was aborted or after; undefined while it goes on. */
  settled: 'before' | 'after' | undefined
  /** From the abort to its end, in milliseconds. */
  msAfterAbort: number
  /** It waits for a person's decision. */
  waits: boolean
  /** Of a model call: what it has produced, in tokens. */
  outputTokens: number | undefined
  estimated: boolean
  /** Of an agent: the model call and the calls of its newest turn. */
  calls: Work[]
}

/** How a part of a cancelled run ended. `abandoned`: it ignores its signal, and is not waited for. */
export type ReceiptState = 'stopped' | 'finished_first' | 'abandoned' | 'never_started'

/** The receipt of one agent; the wire's names. */
export interface AgentReceipt {
  agent: string
  state: ReceiptState
  calls: CallReceipt[]
}

export type CallReceipt =
  | { kind: 'agent'; name: string; call_id: string; state: ReceiptState; calls: CallReceipt[] }
  | { kind: 'tool'; name: string; call_id: string; state: ReceiptState }
  | {
      kind: 'model'
      name: string
      state: ReceiptState
      /** From the cancel to the end of the call, in milliseconds; 0 for a call that ended first. */
      ms: number
      output_tokens: number
      estimated: boolean
    }

export const startWork = (kind: Work['kind'], name: string, callId?: string): Work => ({
  kind,
  name,
  callId,
  settled: undefined,
  msAfterAbort: 0,
  waits: false,
  outputTokens: undefined,
  estimated: false,
  calls: [],
})

/** Notes that work has ended. @param abortedAt when the run was aborted, if it was */
export function settleWork(work: Work, now: () => number, abortedAt: number | undefined): void {
  if (work.settled !== undefined) return
  work.settled = abortedAt === undefined ? 'before' : 'after'
  work.msAfterAbort = abortedAt === undefined ? 0 : Math.max(0, Math.round(now() - abortedAt))
}

/**
 * What a cancel stopped: of each agent that was at work, its newest turn. Read it once the loop has ended, and give tools that
 * obey their signal a moment (`setImmediate`) to settle.
 *
 * @param recipient names the agent of a run that never started
 */
export function receiptOf({ work }: { readonly work?: Work | undefined }, recipient: string): AgentReceipt {
  if (work === undefined) return { agent: recipient, state: 'never_started', calls: [] }
  return { agent: work.name, state: stateOf(work), calls: work.calls.map(describe) }
}

function describe(work: Work): CallReceipt {
  const { kind, name, callId: call_id = '' } = work
  const state = stateOf(work)
  if (kind === 'tool') return { kind, name, call_id, state }
  // The turns of an agent that has answered are over.
  if (kind === 'agent')
    return { kind, name, call_id, state, calls: state === 'stopped' ? work.calls.map(describe) : [] }
  const { msAfterAbort: ms, outputTokens: output_tokens = 0, estimated } = work
  return { kind, name, state, ms, output_tokens, estimated }
}

function stateOf({ kind, settled, waits }: Work): ReceiptState {
  if (settled === 'before') return 'finished_first'
  if (waits) return 'never_started'
  return settled === 'after' || kind === 'agent' ? 'stopped' : 'abandoned'
}
