/** Threads, and the messages that belong to them. */
import { metadataFull, notFound, runActive, threadExists } from '../../base/errors.ts'
import { type RunChange, type ThreadId, type ThreadRecord, threadScope, type Writes } from '../../runs/run-store.ts'
import type { StoredMessage } from '../../wire/message.ts'
import { first, nextNumber, type Row, type Sql, select, type Transaction } from './database.ts'
import { longMessages, MESSAGES, mapInTurns, removeColumns, toColumn } from './long-texts.ts'
import { type RunRow, type ThreadRow, toThread } from './rows.ts'
import { findLive, forgetRun } from './runs.ts'

/** The thread of that owner, locked; undefined when there is none. */
export const findThread = (sql: Sql, { agency, owner, threadId }: ThreadId): Promise<ThreadRow | undefined> =>
  first<ThreadRow>(
    sql,
    `SELECT * FROM threads WHERE agency = ? AND owner = ? AND thread_id = ?${sql.lock}`,
    agency,
    owner,
    threadId,
  )

/** @throws NOT_FOUND */
export async function getThread(sql: Sql, id: ThreadId): Promise<ThreadRow> {
  const thread = await findThread(sql, id)
  if (thread === undefined) throw notFound('thread')
  return thread
}

/** The thread with the run that is active on it. */
export async function describeThread(sql: Sql, row: ThreadRow): Promise<ThreadRecord> {
  const active = await first<RunRow>(
    sql,
    'SELECT run_id, status FROM runs WHERE thread = ? AND ended_at IS NULL AND scheduled = 0 AND place IS NULL LIMIT 1',
    row.number,
  )
  return toThread(row, active)
}

type NewThread = Omit<Writes['createThread']['change'], 'idempotency'>

/** Makes a thread. @throws THREAD_EXISTS */
export async function addThread(tx: Transaction, request: NewThread): Promise<ThreadRow> {
  const { thread, added } = await insertThread(tx, request)
  if (!added) throw threadExists()
  return thread
}

/** Makes a thread, or finds the one that another transaction has made meanwhile. */
export async function insertThread(
  tx: Transaction,
  { agency, owner, threadId, messages, metadata, now }: NewThread,
): Promise<{ thread: ThreadRow; added: boolean }> {
  const row: ThreadRow = {
    number: await nextNumber(tx, 'threads'),
    agency,
    owner,
    thread_id: threadId,
    next_message: messages.length + 1,
    message_count: messages.length,
    metadata: JSON.stringify(metadata),
    created_at: now,
    updated_at: now,
    idle_since: now,
  }
  await tx.insert('threads', [{ ...row }], 'ON CONFLICT DO NOTHING')
  const thread = await getThread(tx, { agency, owner, threadId })
  if (thread.number !== row.number) return { thread, added: false }
  await tx.insert('messages', await toMessageRows(tx, messages, { thread: row.number, runId: null, start: 1 }))
  return { thread, added: true }
}

/** Messages as rows, with the numbers from `start` on. */
export const toMessageRows = (
  tx: Transaction,
  messages: readonly StoredMessage[],
  { thread, runId, start }: { thread: number; runId: string | null; start: number },
): Promise<Row[]> =>
  mapInTurns(messages, async (message, index) => ({
    thread,
    number: start + index,
    run_id: runId,
    message: await toColumn(tx, MESSAGES, message),
  }))

/** Entries of a thread's metadata. */
const MAX_METADATA = 16

/** Sets entries of the metadata; null removes one. @throws INVALID_REQUEST */
export async function changeMetadata(
  tx: Transaction,
  thread: ThreadRow,
  changes: { readonly [key: string]: string | null },
): Promise<ThreadRow> {
  const entries = Object.entries({ ...(JSON.parse(thread.metadata) as object), ...changes })
  const kept = entries.filter(([, value]) => value !== null)
  if (kept.length > MAX_METADATA) throw metadataFull(MAX_METADATA)
  const metadata = JSON.stringify(Object.fromEntries(kept))
  await tx.all('UPDATE threads SET metadata = ? WHERE number = ?', metadata, thread.number)
  return { ...thread, metadata }
}

/** Forgets a thread with its runs. @throws RUN_ACTIVE */
export async function removeThread(tx: Transaction, thread: ThreadRow): Promise<undefined> {
  const live = await findLive(tx, thread.number)
  if (live !== undefined) throw runActive('thread', live.run_id)
  const runs = await select<RunRow>(tx, 'SELECT number, run_id FROM runs WHERE thread = ?', thread.number)
  for (const run of runs) await forgetRun(tx, run)
  await removeColumns(tx, await longMessages(tx, thread.number))
  await tx.all('DELETE FROM messages WHERE thread = ?', thread.number)
  await tx.all('DELETE FROM threads WHERE number = ?', thread.number)
  await tx.all('DELETE FROM costs WHERE scope = ?', threadScope({ ...thread, threadId: thread.thread_id }))
}

/** Takes what a run added to its thread out again, from the place `from` on. */
export async function removeMessages(tx: Transaction, run: RunRow, from: number): Promise<void> {
  if (run.thread === null || run.first_message === null) return
  const removed = await select<{ message: string }>(
    tx,
    'DELETE FROM messages WHERE thread = ? AND number >= ? AND run_id = ? RETURNING message',
    run.thread,
    run.first_message + from,
    run.run_id,
  )
  await removeColumns(
    tx,
    removed.map(({ message }) => message),
  )
  if (removed.length > 0)
    await tx.all('UPDATE threads SET message_count = message_count - ? WHERE number = ?', removed.length, run.thread)
}

/** Replaces what a run added to its thread, from the place `from` on. */
export async function putMessages(
  tx: Transaction,
  run: RunRow,
  { from, list }: NonNullable<RunChange['messages']>,
  now: number,
): Promise<void> {
  if (run.thread === null || run.first_message === null)
    throw new TypeError('A run without a thread has no messages in one.')
  await removeMessages(tx, run, from)
  const start = run.first_message + from
  await tx.insert('messages', await toMessageRows(tx, list, { thread: run.thread, runId: run.run_id, start }))
  await tx.all(
    `UPDATE threads SET message_count = message_count + ?, updated_at = ?,
      next_message = CASE WHEN next_message < ? THEN ? ELSE next_message END WHERE number = ?`,
    list.length,
    now,
    start + list.length,
    start + list.length,
    run.thread,
  )
}
