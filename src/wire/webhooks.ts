/** Webhooks over HTTP: what a request may ask for, what is sent, and what the server says of its deliveries. */
import { z } from 'zod'

export const WEBHOOK_EVENTS = [
  'run.completed',
  'run.failed',
  'run.cancelled',
  'run.incomplete',
  'run.requires_action',
] as const
const event = z.enum(WEBHOOK_EVENTS)
export type WebhookEvent = z.infer<typeof event>
const WEBHOOK_STATUSES = ['waiting', 'delivered', 'dead'] as const
export const webhookStatus = z.enum(WEBHOOK_STATUSES)
const time = z.string().meta({ description: 'ISO 8601, UTC.', format: 'date-time' })

const MAX_URL_CHARS = 2_048
const [MIN_SECRET_BYTES, MAX_SECRET_BYTES] = [24, 64]

/** True for `whsec_` and the Base64 of 24 to 64 bytes (Standard Webhooks 1.0.0, "Signature scheme"). */
export function isWebhookSecret(text: string): boolean {
  const [, digits, padding = ''] = /^whsec_([A-Za-z0-9+/]+)(={0,2})$/.exec(text) ?? []
  if (digits === undefined || (digits.length + padding.length) % 4 !== 0) return false
  const bytes = Math.floor((digits.length * 3) / 4)
  return bytes >= MIN_SECRET_BYTES && bytes <= MAX_SECRET_BYTES
}

/** True for an http or https address without a user name. */
export function isWebhookUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
}

/** The webhook that a request asks for. */
export const webhookRequest = z.object({
  url: z
    .string()
    .max(MAX_URL_CHARS)
    .refine(isWebhookUrl, 'url has to be an http or https address')
    .describe('Where the webhook is sent: an address on the public internet, or one that the operator allows.'),
  events: z.array(event).min(1).nullish().describe('What it is sent for. Default: all.'),
  secret: z
    .string()
    .refine(isWebhookSecret, 'secret has to be whsec_ and the Base64 of 24 to 64 bytes')
    .nullish()
    .describe('Signs the webhook. Kept encrypted until the run is forgotten. Default: it is not signed.'),
})
export type WebhookRequest = z.infer<typeof webhookRequest>

/** The body of a webhook. */
export const webhookPayload = z
  .object({
    type: event,
    timestamp: time.describe('When it happened.'),
    data: z.object({
      run_id: z.string(),
      agency: z.string(),
      thread_id: z.string().nullable(),
      status: z.string(),
      created_at: time,
      started_at: time.nullable(),
      ended_at: time.nullable(),
      error: z.object({ code: z.string(), message: z.string() }).nullable(),
      metadata: z.record(z.string(), z.string()),
      approvals: z
        .array(z.object({ approval_id: z.string(), agent: z.string(), tool: z.string(), expires_at: time }))
        .describe('The calls that wait for a person.'),
    }),
  })
  .meta({ id: 'WebhookPayload', description: 'The body that is sent to the url of a webhook.' })
export type WebhookPayload = z.infer<typeof webhookPayload>

/** A webhook that waits to be sent, was sent, or was given up. */
export const webhook = z
  .object({
    webhook_id: z.string().describe('The header webhook-id, the same in every attempt.'),
    run_id: z.string(),
    event,
    url: z.string(),
    status: webhookStatus.describe('dead: given up after the last attempt.'),
    attempts: z.int(),
    next_attempt_at: time.nullable(),
    error: z.string().nullable().describe('Why the last attempt failed.'),
    created_at: time,
    ended_at: time.nullable(),
  })
  .meta({ id: 'Webhook' })
export type WebhookAnswer = z.infer<typeof webhook>
