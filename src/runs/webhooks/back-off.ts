/** When a webhook that failed is sent again. */
const FIRST_MS = 5_000
const FACTOR = 6
const LAST_MS = 12 * 3_600_000

/**
 * Milliseconds to the next attempt: 5 s, 30 s, 3 min, 18 min, 1.8 h, 10.8 h, then 12 h, each half to one and a half times that, so that
 * webhooks that failed together do not come back together.
 * @param attempt number of the one that failed, from 1
 * @param random from 0 to 1
 * @param retryAfter the header of the answer, which may ask for more (RFC 9110, section 10.2.3)
 */
export function backOff(
  attempt: number,
  { random, retryAfter, now }: { random: number; retryAfter?: string | undefined; now: number },
): number {
  const wait = Math.min(LAST_MS, FIRST_MS * FACTOR ** (attempt - 1)) * (0.5 + random)
  return Math.round(Math.max(wait, Math.min(LAST_MS, readRetryAfter(retryAfter, now))))
}

function readRetryAfter(text: string | undefined, now: number): number {
  if (text === undefined) return 0
  if (/^\d{1,9}$/.test(text)) return 1000 * Number(text)
  return Math.max(0, Date.parse(text) - now) || 0
}
