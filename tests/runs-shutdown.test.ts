/** What becomes of stored runs when their server stops at their very end. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent, sqlite } from '../src/index.ts'
import { promise } from './promises.ts'
import { startServer, useUpstream } from './support/client.ts'
import { call, startTeam } from './support/stored-team.ts'

function newStore(): () => ReturnType<typeof sqlite> {
  const folder = mkdtempSync(join(tmpdir(), 'shutdown-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return () => sqlite(join(folder, 'runs.db'))
}

test('readers of a run that ends while the server stops get its end', async () => {
  promise('H4')
  const team = await startTeam(() => ({ text: 'a b c d e f', deltas: 20, delayMs: 10 }))
  const answer = await fetch(team.base, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message: 'Please.', stream: true }),
  })
  const reading = answer.text()
  await vi.waitFor(() => expect(team.upstream.open()).toBe(1))
  await team.server.close()
  const text = await reading
  expect(text).toContain('event: messages\n')
  expect(text).toMatch(/event: end\ndata: \[DONE\]\n\n$/)
})

test('a run with its answer is completed by the server that stops', async () => {
  promise('H4')
  const openStore = newStore()
  const upstream = await useUpstream(() => ({ text: 'Done.' }))
  let ending = false
  const hang = () => {
    ending = true
    return new Promise<void>(() => {})
  }
  const serveOnce = (hooks: object) => {
    const agent = new Agent({ name: 'CEO', instructions: 'You are CEO.', model: 'gpt-4.1', hooks })
    return startServer({
      agencies: { team: new Agency(agent) },
      runs: { store: openStore() },
      limits: { drainMs: 100 },
      trustedModelOrigins: [upstream.origin],
    })
  }
  const first = await serveOnce({ onAgentEnd: hang })
  const { body } = await call(`${first.url}/team/runs`, { message: 'Please.' })
  await vi.waitFor(() => expect(ending).toBe(true))
  await first.close()
  const second = await serveOnce({})
  const run = await call(`${second.url}/team/runs/${body.run_id}`)
  expect(run.body).toMatchObject({ status: 'completed', attempt: 1, response: 'Done.' })
  expect(upstream.seen).toHaveLength(1)
})
