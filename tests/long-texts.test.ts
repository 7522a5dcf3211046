import { afterAll, beforeAll, expect, test } from 'vitest'
import { LONG, startTurns } from './support/turns.ts'

/** MiB of text. */
const SHORT = 5
const LARGE = 20
/** What a garbage collection may add to a turn, in milliseconds. */
const SLACK_MS = 40

const servers: { [mib: number]: Awaited<ReturnType<typeof startTurns>> } = {}
beforeAll(async () => {
  for (const mib of [SHORT, LARGE]) servers[mib] = await startTurns(mib)
}, 60_000)
afterAll(() => {
  for (const server of Object.values(servers)) server.stop()
})

/** The longest turn, the least of a few tries. */
async function longest(mib: number, make: (mib: number) => [path: string, body: unknown]): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let count = 0; count < 3; count++) {
    const { status, turns } = (await servers[mib]?.measure(...make(mib))) ?? { status: 0, turns: [] }
    expect([200, 422]).toContain(status)
    least = Math.min(least, turns[0] ?? 0)
  }
  return least
}

test.each(Object.entries(LONG))(
  '%s: four times the length takes more turns, not longer ones',
  async (_name, make) => {
    const most = 1.5 * (await longest(SHORT, make)) + SLACK_MS
    let long = Number.POSITIVE_INFINITY
    for (let tries = 0; tries < 3 && long > most; tries++) long = await longest(LARGE, make)
    expect(long).toBeLessThan(most)
  },
  60_000,
)
