/** What the store keeps of webhooks. */
import type { WebhookEvent } from '../../wire/webhooks.ts'

/** An endpoint that gets the webhooks of a run. */
export interface WebhookTarget {
  url: string
  /** Null: all. */
  events: readonly WebhookEvent[] | null
  /** Named by the request of the run, or in the options of the server. */
  from: 'request' | 'server'
  /** The secret of the request, encrypted; null without one. */
  sealed: string | null
}

export type WebhookStatus = 'waiting' | 'delivered' | 'dead'

/** One event for one endpoint, with the state of its delivery. */
export interface WebhookRecord {
  webhookId: string
  agency: string
  owner: string
  runId: string
  event: WebhookEvent
  url: string
  status: WebhookStatus
  /** Attempts since it was made, or redriven. */
  attempts: number
  /** When it is due next; null unless it waits. */
  nextAt: number | null
  /** Why the last attempt failed. */
  error: string | null
  createdAt: number
  endedAt: number | null
}

/** A webhook that this process is to send now. */
export interface ClaimedWebhook extends WebhookRecord {
  target: WebhookTarget
  /** The body, the same in every attempt. */
  payload: string
}

export type WebhookOutcome =
  | { kind: 'delivered' }
  | { kind: 'retry'; at: number; error: string }
  | { kind: 'dead'; error: string }
