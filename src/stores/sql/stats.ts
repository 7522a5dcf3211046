/** Figures of the whole store, for metrics. */
import type { StoreStats } from '../../runs/run-store.ts'
import { first, type Sql } from './database.ts'

/** Counts use the partial indexes of live runs and of webhooks that are not delivered. */
export async function readStats(sql: Sql): Promise<StoreStats> {
  const runs = await first<{ [name: string]: number | null }>(
    sql,
    `SELECT
      coalesce(sum(CASE WHEN status = 'queued' AND scheduled = 0 THEN 1 ELSE 0 END), 0) AS queued,
      coalesce(sum(scheduled), 0) AS scheduled,
      coalesce(sum(CASE WHEN status = 'in_progress' THEN 1 ELSE 0 END), 0) AS working,
      coalesce(sum(CASE WHEN status = 'requires_action' THEN 1 ELSE 0 END), 0) AS paused,
      min(CASE WHEN status = 'queued' AND scheduled = 0 THEN coalesce(start_at, created_at) END) AS oldest
    FROM runs WHERE ended_at IS NULL`,
  )
  const count = async (status: string) => {
    const statement = `SELECT count(*) AS count, min(created_at) AS oldest FROM webhooks WHERE status = '${status}'`
    return (await first<{ count: number; oldest: number | null }>(sql, statement)) ?? { count: 0, oldest: null }
  }
  const waiting = await count('waiting')
  return {
    queued: Number(runs?.queued ?? 0),
    scheduled: Number(runs?.scheduled ?? 0),
    inProgress: Number(runs?.working ?? 0),
    requiresAction: Number(runs?.paused ?? 0),
    oldestQueuedAt: runs?.oldest ?? null,
    webhooksWaiting: Number(waiting.count),
    webhooksDead: Number((await count('dead')).count),
    oldestWebhookAt: waiting.oldest,
  }
}
