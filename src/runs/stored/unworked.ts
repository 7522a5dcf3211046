/** Stops a run that nobody works on: what its callers get is read from what is stored of it. */
import type { JsonObject } from '../../wire/json.ts'
import type { RunSummary } from '../events.ts'
import type { RunSnapshot, ThreadState } from '../loop/journal.ts'
import type { AgentReceipt, CallReceipt } from '../loop/receipt.ts'
import { messagesOfSnapshot } from '../loop/restore.ts'
import { readCall } from '../loop/turn-state.ts'
import type { DescribeStop, RunWork } from '../run-store.ts'
import { createEncoder } from './events.ts'
import { toSnapshot } from './journal.ts'
import { emptySummary, toOutcome } from './outcome.ts'

/** What callers of a queued or paused run get when it is stopped. */
export const describeStop: DescribeStop = ({ runId, recipient, status }, work) => {
  const summary = { ...describeWork(work, recipient), cancelled: true }
  return {
    outcome: toOutcome(summary),
    receipt: summary.receipt as unknown as JsonObject,
    messages: summary.newMessages,
    events: [createEncoder()({ kind: 'ended', runId, summary, waited: status === 'requires_action' }, undefined)],
  }
}

/** The summary of a run as its last turn boundary left it. */
export function describeWork(work: RunWork, recipient: string): RunSummary & { receipt: AgentReceipt } {
  const snapshot = toSnapshot(work)
  return {
    ...emptySummary({
      newMessages: snapshot === undefined ? [] : messagesOfSnapshot(snapshot, work.history),
      usage: snapshot?.progress.usage,
    }),
    receipt: snapshot === undefined ? neverStarted(recipient) : toReceipt(snapshot, recipient),
  }
}

const neverStarted = (agent: string): AgentReceipt => ({ agent, state: 'never_started', calls: [] })

/** The open turns of a paused run: a call is done, or waits for a person, or has not begun. */
function toReceipt(snapshot: RunSnapshot, recipient: string): AgentReceipt {
  const main = snapshot.threads.find(({ parent }) => parent === null)
  if (main === undefined) return neverStarted(recipient)
  return { agent: main.agent, state: 'stopped', calls: toCalls(snapshot, main) }
}

function toCalls(snapshot: RunSnapshot, { id, turn }: ThreadState): CallReceipt[] {
  const items = snapshot.items[id] ?? []
  return (turn?.calls ?? []).map(({ callId }) => {
    const name = items.map(readCall).find((call) => call?.callId === callId)?.name ?? ''
    const done = snapshot.calls.some((call) => call.thread === id && call.callId === callId && call.state === 'done')
    const child = snapshot.threads.find(({ parent }) => parent?.thread === id && parent.callId === callId)
    const state = done ? 'finished_first' : child === undefined ? 'never_started' : 'stopped'
    if (child === undefined) return { kind: 'tool', name, call_id: callId, state }
    return { kind: 'agent', name: child.agent, call_id: callId, state, calls: done ? [] : toCalls(snapshot, child) }
  })
}
