/** Webhooks that wait to be sent, or were: written with the change that they tell. */
import { randomUUID } from 'node:crypto'
import { notFound } from '../../base/errors.ts'
import type { Writes } from '../../runs/run-store.ts'
import type { ClaimedWebhook, WebhookRecord, WebhookStatus, WebhookTarget } from '../../runs/webhooks/records.ts'
import type { WebhookEvent, WebhookPayload } from '../../wire/webhooks.ts'
import { decode, first, nextNumber, type Sql, select, type Transaction } from './database.ts'
import type { ApprovalRow, RunRow } from './rows.ts'

export interface WebhookRow {
  number: number
  webhook_id: string
  run: number
  run_id: string
  agency: string
  owner: string
  event: WebhookEvent
  target: string
  payload: string
  status: WebhookStatus
  attempts: number
  next_at: number
  error: string | null
  created_at: number
  ended_at: number | null
}

export function toDelivery(row: WebhookRow): WebhookRecord {
  const { url } = JSON.parse(row.target) as WebhookTarget
  return {
    webhookId: row.webhook_id,
    runId: row.run_id,
    agency: row.agency,
    owner: row.owner,
    event: row.event,
    url,
    status: row.status,
    attempts: row.attempts,
    nextAt: row.status === 'waiting' ? row.next_at : null,
    error: row.error,
    createdAt: row.created_at,
    endedAt: row.ended_at,
  }
}

/** Tells the targets of a run that it has ended, or waits for a person. */
export async function addWebhooks(tx: Transaction, run: RunRow, now: number): Promise<void> {
  const event = `run.${run.status}` as WebhookEvent
  const targets = (decode<WebhookTarget[]>(run.webhooks) ?? []).filter(
    ({ events }) => events === null || events.includes(event),
  )
  if (targets.length === 0) return
  const payload = JSON.stringify(await describe(tx, run, { event, now }))
  for (const target of targets) {
    const webhookId = `msg_${randomUUID().replaceAll('-', '')}`
    tx.webhooks.add(webhookId)
    await tx.insert('webhooks', [
      {
        number: await nextNumber(tx, 'webhooks'),
        webhook_id: webhookId,
        run: run.number,
        run_id: run.run_id,
        agency: run.agency,
        owner: run.owner,
        event,
        target: JSON.stringify(target),
        payload,
        status: 'waiting',
        attempts: 0,
        next_at: now,
        created_at: now,
      },
    ])
  }
}

const toTime = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

async function describe(
  sql: Sql,
  run: RunRow,
  { event, now }: { event: WebhookEvent; now: number },
): Promise<WebhookPayload> {
  const pending = await select<ApprovalRow>(
    sql,
    `SELECT * FROM approvals WHERE run = ? AND status = 'pending' ORDER BY number`,
    run.number,
  )
  return {
    type: event,
    timestamp: new Date(now).toISOString(),
    data: {
      run_id: run.run_id,
      agency: run.agency,
      thread_id: run.thread_id,
      status: run.status,
      created_at: new Date(run.created_at).toISOString(),
      started_at: toTime(run.started_at),
      ended_at: toTime(run.ended_at),
      error: decode(run.error),
      metadata: JSON.parse(run.metadata),
      approvals: pending.map(({ approval_id, agent, tool, expires_at }) => ({
        approval_id,
        agent,
        tool,
        expires_at: new Date(expires_at).toISOString(),
      })),
    },
  }
}

/** An attempt that dies is made again after its lease: that is when the webhook is due next. */
export async function claimWebhooks(
  tx: Transaction,
  { now, leaseMs, limit }: Writes['claimWebhooks']['change'],
): Promise<Writes['claimWebhooks']['answer']> {
  const due = `status = 'waiting' AND next_at <= ?`
  const lock = tx.lock && `${tx.lock} SKIP LOCKED` // two processes take different ones, and wait for nobody
  const rows = await select<WebhookRow>(
    tx,
    `UPDATE webhooks SET attempts = attempts + 1, next_at = ? WHERE ${due} AND number IN
      (SELECT number FROM webhooks WHERE ${due} ORDER BY next_at LIMIT ?${lock}) RETURNING *`,
    now + leaseMs,
    now,
    now,
    limit,
  )
  const next = await first<{ next: number | null }>(
    tx,
    `SELECT min(next_at) AS next FROM webhooks WHERE status = 'waiting'`,
  )
  return { claimed: rows.map(toClaimed), nextAt: next?.next ?? null }
}

const toClaimed = (row: WebhookRow): ClaimedWebhook => ({
  ...toDelivery(row),
  target: JSON.parse(row.target),
  payload: row.payload,
})

export async function settleWebhook(
  tx: Transaction,
  { webhookId, attempt, now, outcome }: Writes['settleWebhook']['change'],
): Promise<undefined> {
  const retried = outcome.kind === 'retry'
  await tx.all(
    `UPDATE webhooks SET status = ?, next_at = ?, error = ?, ended_at = ?
      WHERE webhook_id = ? AND attempts = ? AND status = 'waiting'`,
    retried ? 'waiting' : outcome.kind,
    retried ? outcome.at : now,
    outcome.kind === 'delivered' ? null : outcome.error,
    retried ? null : now,
    webhookId,
    attempt,
  )
}

export async function redriveWebhook(
  tx: Transaction,
  { agency, owner, webhookId, now }: Writes['redriveWebhook']['change'],
): Promise<WebhookRecord> {
  const row = await first<WebhookRow>(
    tx,
    `UPDATE webhooks SET status = 'waiting', attempts = 0, next_at = ?, error = NULL, ended_at = NULL
      WHERE webhook_id = ? AND agency = ? AND owner = ? RETURNING *`,
    now,
    webhookId,
    agency,
    owner,
  )
  if (row === undefined) throw notFound('webhook')
  return toDelivery(row)
}
