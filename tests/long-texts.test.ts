import { afterAll, beforeAll, expect, test } from 'vitest'
import { LONG_REQUESTS, startTurns } from './support/turns.ts'

/** MiB of text. Work that is done in one piece takes 13 ms or more for the short text, and four times as long for the long one. */
const SHORT = 3
const LONG = 12
/** What a garbage collection may add to a turn, in milliseconds. */
const SLACK_MS = 20
/** The least of some tries counts: a collection of garbage does not fall into each of them. */
const TRIES = 6

const servers: { [mib: number]: Awaited<ReturnType<typeof startTurns>> } = {}
beforeAll(async () => {
  for (const mib of [SHORT, LONG]) servers[mib] = await startTurns(mib)
}, 60_000)
afterAll(() => {
  for (const server of Object.values(servers)) server.stop()
})

/** The longest turn of one request, in milliseconds. */
async function longestTurn(mib: number, make: (mib: number) => [path: string, body: unknown]): Promise<number> {
  const { status, turns } = (await servers[mib]?.measure(...make(mib))) ?? { status: 0, turns: [] }
  expect([200, 422]).toContain(status)
  return turns[0] ?? 0
}

test.each(Object.entries(LONG_REQUESTS))(
  '%s: four times the length takes more turns, not longer ones',
  async (_name, make) => {
    const most = 1.5 * Math.min(await longestTurn(SHORT, make), await longestTurn(SHORT, make)) + SLACK_MS
    let least = Number.POSITIVE_INFINITY
    for (let tries = 0; tries < TRIES && least > most; tries++) least = Math.min(least, await longestTurn(LONG, make))
    expect(least).toBeLessThan(most)
  },
  60_000,
)
