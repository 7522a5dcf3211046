/** What a worker writes of a run. */
import { fenced } from '../../base/errors.ts'
import type { Leaving, NewApproval, RunChange, StoredEvent, Written } from '../../runs/run-store.ts'
import { encode, nextNumber, readyOf, select, type Transaction } from './database.ts'
import { insertEvents } from './events.ts'
import { isElsewhere, mapInTurns, removeColumns, toColumn, workOf } from './long-texts.ts'
import { type RunRow, toState } from './rows.ts'
import { change, free, liveRuns, lockFenced, lockThreadOf, update } from './runs.ts'
import { announceSteers, settleSteer } from './steers.ts'
import { putMessages } from './threads.ts'
import { addTrace } from './traces.ts'
import { endRun, isPending, tellDecisions } from './transitions.ts'
import { addWebhooks } from './webhooks.ts'

export async function writeWork(tx: Transaction, request: RunChange): Promise<Written> {
  if (request.leave?.kind === 'end' || request.messages !== undefined) await lockThreadOf(tx, request.claim.runId)
  const run = await lockFenced(tx, request.claim)
  if (run.worker === null) {
    if (request.leave === undefined) throw fenced(request.claim.runId)
    await reportReady(tx, run) // the same write again: its first answer may have been lost
    return { state: toState(run), ...readyOf(tx) }
  }
  await addWork(tx, run, request)
  for (const steer of request.steers ?? []) await settleSteer(tx, run, steer, request.now)
  if (request.messages !== undefined) await putMessages(tx, run, request.messages, request.now)
  if (request.trace !== undefined) await addTrace(tx, run, request.trace)
  let notTaken: readonly StoredEvent[] = []
  if (request.leave?.kind === 'end') notTaken = await end(tx, run, request, request.leave)
  else {
    const columns = await columnsOf(tx, run, request)
    if (Object.keys(columns).length > 0) await update(tx, run, columns)
    if (request.leave !== undefined) await pauseOrRelease(tx, run, request.leave, request.now)
  }
  return { state: toState(run), ...(notTaken.length > 0 ? { notTaken } : {}), ...readyOf(tx) }
}

/** What a write changes of the row of the run. */
async function columnsOf(tx: Transaction, run: RunRow, request: RunChange): Promise<Partial<RunRow>> {
  const { events, turn, recoverable, pin, now } = request
  return {
    ...(events && { last_event: await insertEvents(tx, run, events.list, events.first), worked_at: now }),
    ...(turn && run.crashes > 0 && { crashes: 0 }),
    ...(recoverable !== undefined && { recoverable: recoverable ? 1 : 0 }),
    ...(pin !== undefined && { pin }),
  }
}

const end = (tx: Transaction, run: RunRow, { events, now }: RunChange, leaving: Leaving & { kind: 'end' }) =>
  endRun(tx, run, { ...leaving, events: events?.list, firstEvent: events?.first }, now)

/** Names what the end of a run made claimable. */
async function reportReady(tx: Transaction, run: RunRow): Promise<void> {
  const next = run.ended_at === null ? run : run.thread === null ? undefined : (await liveRuns(tx, run.thread))[0]
  if (next !== undefined && next.worker === null && next.status !== 'requires_action') tx.ready.add(next.run_id)
}

async function pauseOrRelease(
  tx: Transaction,
  run: RunRow,
  leaving: Exclude<Leaving, { kind: 'end' }>,
  now: number,
): Promise<void> {
  const pauses = leaving.kind === 'pause' && run.wish === null && (await isPending(tx, run))
  if (pauses) {
    await change(tx, run, { status: 'requires_action', worker: null })
    await addWebhooks(tx, run, now)
  } else if (leaving.kind === 'release') await change(tx, run, { worker: null })
  // The last approval was just decided, or a stop is wanted: the next claim goes on, and sees the wish.
  else await change(tx, run, { status: 'queued', resumes: 1, worker: null })
  await tellDecisions(tx, run)
  await announceSteers(tx, run)
  if (!pauses) free(tx, run)
}

async function addWork(tx: Transaction, run: RunRow, request: RunChange): Promise<void> {
  const { number } = run
  const owner = workOf(run.run_id)
  for (const { conversation, parent, agent, caller, state } of request.conversations ?? []) {
    const column = await toColumn(tx, owner, state)
    if (isElsewhere(column)) await removeState(tx, number, conversation)
    await tx.all(
      `INSERT INTO conversations (run, conversation, opened, parent, agent, caller, state)
        VALUES (?, ?, (SELECT count(*) FROM conversations WHERE run = ?), ?, ?, ?, ?)
        ON CONFLICT (run, conversation) DO UPDATE SET agent = excluded.agent, caller = excluded.caller, state = excluded.state`,
      number,
      conversation,
      number,
      encode(parent),
      agent,
      caller,
      column,
    )
  }
  await tx.insert(
    'items',
    await mapInTurns(request.items ?? [], async ({ conversation, n, item }) => ({
      run: number,
      conversation,
      n,
      item: await toColumn(tx, owner, item),
    })),
    'ON CONFLICT DO NOTHING',
  )
  await tx.insert(
    'calls',
    await mapInTurns(request.calls ?? [], async ({ conversation, callId, state, output }) => ({
      run: number,
      conversation,
      call_id: callId,
      state,
      output: state === 'done' ? await toColumn(tx, owner, output ?? null) : null,
    })),
    `ON CONFLICT (run, conversation, call_id) DO UPDATE SET state = excluded.state, output = excluded.output
      WHERE excluded.state = 'done'`,
  )
  for (const approval of request.approvals ?? []) await addApproval(tx, run, approval, request.now)
}

/** A long state replaces one that may be long, too. */
async function removeState(tx: Transaction, run: number, conversation: string): Promise<void> {
  const statement = 'SELECT state FROM conversations WHERE run = ? AND conversation = ?'
  const rows = await select<{ state: string }>(tx, statement, run, conversation)
  await removeColumns(
    tx,
    rows.map(({ state }) => state),
  )
}

async function addApproval(tx: Transaction, run: RunRow, approval: NewApproval, now: number): Promise<void> {
  const row = {
    number: await nextNumber(tx, 'approvals'),
    run: run.number,
    approval_id: approval.approvalId,
    run_id: run.run_id,
    agency: run.agency,
    owner: run.owner,
    thread_id: run.thread_id,
    conversation: approval.conversation,
    call_id: approval.callId,
    agent: approval.agent,
    tool: approval.tool,
    arguments: encode(approval.arguments),
    parent_run_id: approval.parentRunId,
    consent: encode(approval.consent),
    status: 'pending',
    created_at: now,
    expires_at: approval.expiresAt,
  }
  await tx.insert('approvals', [row], 'ON CONFLICT (run, approval_id) DO NOTHING')
}
