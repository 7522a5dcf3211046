/** Sealed values that outlive runs, by name. */
import type { Reads, Writes } from '../../runs/run-store.ts'
import { first, type Sql, type Transaction } from './database.ts'

export async function readSecret(sql: Sql, { name, now }: Reads['secret']['query']): Promise<string | null> {
  const statement = 'SELECT sealed FROM secrets WHERE name = ? AND (expires_at IS NULL OR expires_at > ?)'
  return (await first<{ sealed: string }>(sql, statement, name, now))?.sealed ?? null
}

export async function swapSecret(
  tx: Transaction,
  { name, sealed, expiresAt, now }: Writes['swapSecret']['change'],
): Promise<string | null> {
  const removed = await first<{ sealed: string; expires_at: number | null }>(
    tx,
    'DELETE FROM secrets WHERE name = ? RETURNING sealed, expires_at',
    name,
  )
  if (sealed !== null)
    await tx.insert(
      'secrets',
      [{ name, sealed, expires_at: expiresAt }],
      'ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at',
    )
  const isOver = removed?.expires_at != null && removed.expires_at <= now
  return removed === undefined || isOver ? null : removed.sealed
}

/** Removes those past their time; true when some may be left. */
export async function removeSecrets(sql: Sql, now: number, limit: number): Promise<boolean> {
  const removed = await sql.all(
    'DELETE FROM secrets WHERE name IN (SELECT name FROM secrets WHERE expires_at <= ? LIMIT ?) RETURNING 1',
    now,
    limit,
  )
  return removed.length === limit
}
