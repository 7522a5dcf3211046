/** Signs webhooks as the Standard Webhooks specification 1.0.0 says. */
import { createHmac } from 'node:crypto'

export interface Signed {
  id: string
  /** Seconds since the epoch: when this attempt is made. */
  timestamp: number
  payload: string
}

/** The headers of one attempt. Several secrets sign while one replaces another; without any there is no signature. */
export function webhookHeaders(message: Signed, secrets: readonly string[]): { [name: string]: string } {
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestamp),
    ...(secrets.length === 0
      ? {}
      : { 'webhook-signature': secrets.map((secret) => signWebhook(message, secret)).join(' ') }),
  }
}

/** @param secret `whsec_` and Base64 */
export function signWebhook({ id, timestamp, payload }: Signed, secret: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${payload}`).digest('base64')}`
}
