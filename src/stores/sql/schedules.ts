/** How far the schedules of runs have come. */
import type { Writes } from '../../runs/run-store.ts'
import { first, type Transaction } from './database.ts'

export async function openSchedule(
  tx: Transaction,
  { agency, owner, name, since, doneUntil }: Writes['schedule']['change'],
): Promise<Writes['schedule']['answer']> {
  await tx.insert('schedules', [{ agency, owner, name, done_until: since }], 'ON CONFLICT DO NOTHING')
  if (doneUntil !== undefined) await advanceSchedule(tx, { agency, owner, name, dueAt: doneUntil })
  const row = await first<{ done_until: number }>(
    tx,
    'SELECT done_until FROM schedules WHERE agency = ? AND owner = ? AND name = ?',
    agency,
    owner,
    name,
  )
  return { doneUntil: row?.done_until ?? since }
}

/** A due time has had its run; times before it will not get one. */
export const advanceSchedule = (
  tx: Transaction,
  { agency, owner, name, dueAt }: { agency: string; owner: string; name: string; dueAt: number },
) =>
  tx.insert(
    'schedules',
    [{ agency, owner, name, done_until: dueAt }],
    `ON CONFLICT (agency, owner, name) DO UPDATE SET done_until = excluded.done_until
      WHERE schedules.done_until < excluded.done_until`,
  )
