/** What a run has stored of its work, for the worker that takes it up. */
import type { RunWork } from '../../runs/run-store.ts'
import type { StoredMessage } from '../../wire/message.ts'
import { first, type Sql, select } from './database.ts'
import { type RunRow, readConversations } from './rows.ts'

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
  const messages =
    run.thread === null
      ? []
      : await select<{ number: number; run_id: string | null; message: string }>(
          sql,
          'SELECT number, run_id, message FROM messages WHERE thread = ? ORDER BY number',
          run.thread,
        )
  const parse = (rows: typeof messages): StoredMessage[] => rows.map(({ message }) => JSON.parse(message))
  return {
    plan: plan === undefined ? {} : JSON.parse(plan.plan),
    sealed: plan?.sealed ?? null,
    history: parse(messages.filter(({ number }) => number < from)),
    messages: parse(messages.filter(({ run_id }) => run_id === run.run_id)),
    ...(isNew ? NOTHING : await readConversations(sql, run.number)),
  }
}
