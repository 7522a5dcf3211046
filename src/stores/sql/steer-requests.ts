/** What callers ask of a run that goes on: messages to its agents, and pauses. */
import { runEnded, runPaused, steerLimit } from '../../base/errors.ts'
import type { Admitted, RunId, Writes } from '../../runs/run-store.ts'
import type { BranchPause } from '../../runs/steering.ts'
import { answer, replay, useKey } from './admit.ts'
import { decode, first, type Sql, type Transaction } from './database.ts'
import { type RunRow, readBranches, toRun } from './rows.ts'
import { change, findRun } from './runs.ts'
import { announceSteers, findSteer, type SteerRow, toSteer } from './steers.ts'

/** Pauses of one run at a time. */
const MOST_PAUSES = 100
export async function steer(tx: Transaction, request: Writes['steer']['change']): Promise<Writes['steer']['answer']> {
  const { steerId, text, now } = request
  const earlier = await useKey(tx, request, steerId)
  const run = earlier === undefined ? await findLiveRun(tx, request) : await findRun(tx, request)
  const known = await findSteer(tx, run, earlier ?? steerId)
  if (known !== undefined) return { steer: toSteer(known), run: await toRun(tx, run), replayed: earlier !== undefined }
  const branch = request.findBranch(await toRun(tx, run), await readBranches(tx, run.number))
  if (branch === null) throw new TypeError('A message is for one agent.')
  const bytes = Buffer.byteLength(text)
  await checkRoom(tx, run, bytes, request.limits)
  const n = run.steers + 1
  const { conversation, agent, callId } = branch
  const row = { n, steer_id: steerId, conversation, call_id: callId, agent, text: JSON.stringify(text), reason: null }
  const added: SteerRow = { ...row, status: 'waiting', announced: 0, created_at: now, settled_at: null }
  await tx.insert('steers', [{ ...added, bytes, run: run.number }])
  await change(tx, run, { steers: n })
  if (run.worker === null) await announceSteers(tx, run)
  return { steer: toSteer(added), run: await toRun(tx, run), replayed: false }
}

/** @throws STEER_LIMIT */
async function checkRoom(sql: Sql, run: RunRow, bytes: number, limits: Writes['steer']['change']['limits']) {
  const statement = `SELECT count(*) AS count, coalesce(sum(bytes), 0) AS bytes FROM steers WHERE run = ? AND status = 'waiting'`
  const waiting = await first<{ count: number; bytes: number }>(sql, statement, run.number)
  if (Number(waiting?.count) >= limits.steers) throw steerLimit(`${limits.steers} waiting messages`)
  if (Number(waiting?.bytes) + bytes > limits.steerBytes)
    throw steerLimit(`${limits.steerBytes} bytes of waiting messages`)
}

export async function pause(tx: Transaction, request: Writes['pause']['change']): Promise<Admitted> {
  const earlier = await useKey(tx, request, request.runId)
  if (earlier !== undefined) return replay(tx, request, earlier)
  const run = await findLiveRun(tx, request)
  const branch = request.findBranch(await toRun(tx, run), await readBranches(tx, run.number))
  const { conversation = null, agent = null, callId = null } = branch ?? {}
  const others = pausesOf(run, request.now).filter((other) => other.conversation !== conversation)
  if (others.length >= MOST_PAUSES) throw steerLimit(`${MOST_PAUSES} paused branches`)
  await setPauses(tx, run, [...others, { conversation, agent, callId, expiresAt: request.until }])
  return answer(tx, run)
}

export async function continueRun(tx: Transaction, request: Writes['continue']['change']): Promise<Admitted> {
  const earlier = await useKey(tx, request, request.runId)
  if (earlier !== undefined) return replay(tx, request, earlier)
  const run = await findLiveRun(tx, request)
  const branch = request.findBranch(await toRun(tx, run), await readBranches(tx, run.number))
  const pauses = pausesOf(run, request.now)
  if (branch !== null && pauses.some(({ conversation }) => conversation === null)) throw runPaused()
  const left = branch === null ? [] : pauses.filter(({ conversation }) => conversation !== branch.conversation)
  await setPauses(tx, run, left)
  return answer(tx, run)
}

/** @throws NOT_FOUND, RUN_ENDED */
async function findLiveRun(tx: Transaction, id: RunId): Promise<RunRow> {
  const run = await findRun(tx, id)
  if (run.ended_at !== null) throw runEnded(run.status)
  return run
}

/** Those that have not expired. */
const pausesOf = ({ pauses }: RunRow, now: number): BranchPause[] =>
  (decode<BranchPause[]>(pauses) ?? []).filter(({ expiresAt }) => expiresAt > now)

const setPauses = (tx: Transaction, run: RunRow, pauses: readonly BranchPause[]): Promise<void> =>
  change(tx, run, { pauses: pauses.length === 0 ? null : JSON.stringify(pauses) })
