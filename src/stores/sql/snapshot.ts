/** What a run has stored of its work, for the worker that takes it up. */
import type { RunWork, ThreadMessage } from '../../runs/run-store.ts'
import { first, type Sql, select } from './database.ts'
import { getJson } from './long-texts.ts'
import { type RunRow, readConversations } from './rows.ts'

/** Reading so many takes a few milliseconds, whatever is in them. */
const MESSAGES_PER_READ = 32

/** What the first claim of a run finds. */
const NOTHING = { conversations: [], items: [], calls: [], approvals: [] }

/** @param isNew nobody has worked on it yet */
export async function readWork(sql: Sql, run: RunRow, isNew = false): Promise<RunWork> {
  const plan = await first<{ plan: string; sealed: string | null }>(
    sql,
    'SELECT * FROM plans WHERE run = ?',
    run.number,
  )
  const from = run.first_message ?? Number.MAX_SAFE_INTEGER
  const messages = run.thread === null ? [] : await readMessages(sql, run.thread)
  return {
    plan: plan === undefined ? {} : await getJson(sql, plan.plan),
    sealed: plan?.sealed ?? null,
    history: messages.filter(({ number }) => number < from).map(({ message }) => message),
    messages: messages.filter(({ runId }) => runId === run.run_id).map(({ message }) => message),
    ...(isNew ? NOTHING : await readConversations(sql, run.number)),
  }
}

/** All messages of a thread, read in turns with other work. */
async function readMessages(sql: Sql, thread: number): Promise<ThreadMessage[]> {
  const messages: ThreadMessage[] = []
  for (let more = true; more; ) {
    const rows = await select<{ number: number; run_id: string | null; message: string }>(
      sql,
      'SELECT number, run_id, message FROM messages WHERE thread = ? AND number > ? ORDER BY number LIMIT ?',
      thread,
      messages.at(-1)?.number ?? 0,
      MESSAGES_PER_READ,
    )
    for (const { number, run_id: runId, message } of rows)
      messages.push({ number, runId, message: await getJson(sql, message) })
    more = rows.length === MESSAGES_PER_READ
  }
  return messages
}
