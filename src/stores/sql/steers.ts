/** Messages to agents of runs: what became of them. */
import type { StoreEvent } from '../../runs/run-store.ts'
import type { SteerChange, SteerRecord, SteerStatus } from '../../runs/steering.ts'
import { first, type Sql, select, type Transaction } from './database.ts'
import { addEvents } from './events.ts'
import type { RunRow } from './rows.ts'

export interface SteerRow {
  n: number
  steer_id: string
  conversation: string
  call_id: string | null
  agent: string
  /** JSON, which has no NUL: PostgreSQL takes none. */
  text: string
  status: SteerStatus
  reason: SteerRecord['reason']
  announced: number
  created_at: number
  settled_at: number | null
}

/** Messages that are read at once; limits.steers bounds those that wait. */
const MOST_LISTED = 100

/** What a worker says of a message. */
export async function settleSteer(tx: Transaction, run: RunRow, steer: SteerChange, now: number): Promise<void> {
  const { steerId, status, agent, reason = null } = steer
  await tx.all(
    `UPDATE steers SET announced = 1, status = ?, agent = ?, reason = ?, settled_at = ?
      WHERE run = ? AND steer_id = ? AND status = 'waiting'`,
    status,
    agent,
    reason,
    status === 'waiting' ? null : now,
    run.number,
    steerId,
  )
}

/** Adds an event for each message that has none yet. Not while a worker has the run: then the worker numbers its events. */
export async function announceSteers(tx: Transaction, run: RunRow): Promise<void> {
  if (run.steers === 0) return
  const fresh = (await listSteers(tx, run.number, 'waiting')).filter(({ announced }) => !announced)
  if (fresh.length === 0) return
  await addEvents(
    tx,
    run,
    fresh.map((steer) => steerEvent(steer, 'accepted')),
  )
  await tx.all('UPDATE steers SET announced = 1 WHERE run = ? AND announced = 0', run.number)
}

/** Messages of a run that ends can no longer be taken; gives their events. */
export async function dropSteers(tx: Transaction, run: RunRow, now: number): Promise<string[]> {
  if (run.steers === 0) return []
  const left = await listSteers(tx, run.number, 'waiting')
  if (left.length === 0) return []
  await tx.all(
    `UPDATE steers SET announced = 1, status = 'not_taken', reason = 'run_ended', settled_at = ? WHERE run = ? AND status = 'waiting'`,
    now,
    run.number,
  )
  return left.map((steer) => steerEvent(steer, 'not_taken'))
}

function steerEvent({ steerId, conversation, agent, callId, text }: SteerRecord, status: 'accepted' | 'not_taken') {
  const about = status === 'accepted' ? { text } : { reason: 'run_ended' as const }
  const event: StoreEvent = { kind: 'steer', steerId, status, conversation, agent, callId, ...about }
  return JSON.stringify(event)
}

export const findSteer = (sql: Sql, run: RunRow, steerId: string): Promise<SteerRow | undefined> =>
  first<SteerRow>(sql, 'SELECT * FROM steers WHERE run = ? AND steer_id = ?', run.number, steerId)

/** The newest ones, oldest first. */
export async function listSteers(sql: Sql, run: number, status?: SteerStatus): Promise<SteerRecord[]> {
  const order = `ORDER BY n DESC LIMIT ${MOST_LISTED}`
  const rows = await (status === undefined
    ? select<SteerRow>(sql, `SELECT * FROM steers WHERE run = ? ${order}`, run)
    : select<SteerRow>(sql, `SELECT * FROM steers WHERE run = ? AND status = ? ${order}`, run, status))
  return rows.reverse().map(toSteer)
}

export const toSteer = (row: SteerRow): SteerRecord => ({
  steerId: row.steer_id,
  conversation: row.conversation,
  agent: row.agent,
  callId: row.call_id,
  text: JSON.parse(row.text),
  status: row.status,
  reason: row.reason,
  announced: row.announced === 1,
  createdAt: row.created_at,
  settledAt: row.settled_at,
})
