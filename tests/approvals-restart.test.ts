/** Approvals over a stop or a crash of the server: nothing runs twice, and no decision is lost. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { callThenTell, clientOf, createRefund, openShop, openStore, refundCall } from './support/approval-shop.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { startProcess } from './support/process.ts'

const slowCall = { name: 'slow', arguments: {}, id: 'slow_1' }

test('a paused run is decided after a restart, and goes on in its attempt', async () => {
  promise('J6')
  await useUpstream(callThenTell(refundCall(17)))
  const folder = useFolder()
  const { refund, refunds } = createRefund()
  const before = await openShop({ store: openStore('sqlite', folder), tools: [refund] })
  const { run_id } = await before.start({ thread_id: 't' })
  await before.wait(run_id)
  const [approval] = await before.inbox()
  await before.close()
  const after = await openShop({ store: openStore('sqlite', folder), tools: [refund] })
  expect(await after.inbox()).toEqual([approval])
  expect(await after.wait(run_id)).toMatchObject({ status: 'requires_action' })
  expect(refunds).toEqual([])
  await after.decide(approval, { decision: 'approve', arguments: { order: 18 } })
  expect(await after.until(run_id, 'completed')).toMatchObject({ attempt: 1, response: 'refunded 18' })
  expect(refunds).toEqual([{ order: 18 }])
  expect((await after.allEvents(run_id)).map(({ event }) => event)).not.toContain('attempt')
})

test('an approval that expires while the server is down frees its run', async () => {
  promise('J4')
  await useUpstream(callThenTell(refundCall(17)))
  const folder = useFolder()
  const { refund, refunds } = createRefund()
  const limits = { approvalMs: 300 }
  const before = await openShop({ store: openStore('sqlite', folder), tools: [refund], limits })
  const { run_id } = await before.start()
  await before.wait(run_id)
  const [approval] = await before.inbox()
  await before.close()
  await new Promise((resolve) => setTimeout(resolve, Date.parse(approval.expires_at) - Date.now() + 1))
  const after = await openShop({ store: openStore('sqlite', folder), tools: [refund], limits })
  expect((await after.until(run_id, 'completed')).response).toContain('nobody approved the call of "refund" in time')
  expect(refunds).toEqual([])
})

test('an approval of an earlier process expires at its time', async () => {
  await useUpstream(callThenTell(refundCall(17)))
  const folder = useFolder()
  const { refund } = createRefund()
  const limits = { approvalMs: 1_500 }
  const before = await openShop({ store: openStore('sqlite', folder), tools: [refund], limits })
  const { run_id } = await before.start()
  await before.wait(run_id)
  const [approval] = await before.inbox()
  await before.close()
  const after = await openShop({ store: openStore('sqlite', folder), tools: [refund] })
  expect(await after.get(`/runs/${run_id}`)).toMatchObject({ status: 'requires_action' })
  const run = await after.until(run_id, 'completed')
  expect(Date.parse(run.ended_at)).toBeGreaterThanOrEqual(Date.parse(approval.expires_at))
})

test('a decision made while calls ran counts after the server has stopped', async () => {
  await useUpstream(callThenTell(refundCall(17), slowCall))
  const folder = useFolder()
  const { refund, refunds } = createRefund()
  const hanging = tool({ name: 'slow', execute: () => new Promise(() => {}) })
  const limits = { drainMs: 50 }
  const before = await openShop({ store: openStore('sqlite', folder), tools: [refund, hanging], limits })
  const { run_id } = await before.start()
  const [approval] = await before.waiting(1)
  await before.decide(approval, { decision: 'approve' })
  await before.close()
  expect(refunds).toEqual([])
  const after = await openShop({ store: openStore('sqlite', folder), tools: [refund, hanging], limits })
  const { response, attempt } = await after.until(run_id, 'completed')
  expect(response).toMatch(/^refunded 17 \| Error: the tool "slow" was interrupted by a restart/)
  expect([refunds, attempt]).toEqual([[{ order: 17 }], 2])
})

/** The shop as a process that is killed; a new one opens the same store. */
async function openKillableShop() {
  const upstream = await useUpstream(callThenTell(refundCall(17), slowCall))
  const folder = useFolder()
  const ledger = join(folder, 'ledger.txt')
  writeFileSync(ledger, '')
  const start = async (env: Record<string, string> = {}) => {
    const server = await startProcess('tests/support/approval-server.ts', {
      STORE: join(folder, 'agency.db'),
      LEDGER: ledger,
      OPENAI_BASE_URL: upstream.baseURL,
      OPENAI_API_KEY: 'sk-test',
      ...env,
    })
    const kill = async () => {
      server.child.kill('SIGKILL')
      await server.exit
    }
    return { ...clientOf(`${server.url}/shop`), kill }
  }
  return { start, refunds: () => readFileSync(ledger, 'utf8') }
}

test('a paused run is decided after the process was killed', { timeout: 90_000 }, async () => {
  const { start, refunds } = await openKillableShop()
  const before = await start()
  const { run_id } = await before.start()
  expect(await before.wait(run_id)).toMatchObject({ status: 'requires_action' })
  await before.kill()
  const after = await start()
  const [approval] = await after.inbox()
  expect(refunds()).toBe('')
  await after.decide(approval, { decision: 'approve' })
  expect(await after.until(run_id, 'completed')).toMatchObject({ attempt: 1, response: 'refunded 17 | slow is done' })
  expect(refunds()).toBe('17\n')
})

test('a decision made before the process was killed counts after it', { timeout: 90_000 }, async () => {
  promise('J6')
  const { start, refunds } = await openKillableShop()
  const before = await start({ HANG: 'yes' })
  const { run_id } = await before.start()
  const [approval] = await before.waiting(1)
  expect((await before.decide(approval, { decision: 'approve' })).status).toBe(200)
  await before.kill()
  expect(refunds()).toBe('')
  const after = await start()
  expect(await after.until(run_id, 'completed')).toMatchObject({ attempt: 2, response: 'refunded 17 | slow is done' })
  expect(refunds()).toBe('17\n')
  const told = (await after.allEvents(run_id)).filter(({ event }) => event === 'requires_action')
  expect(told.map(({ data }) => data.approvals[0].approval_id)).toContain(approval.approval_id)
})

test('a call that waited when the process was killed still waits', { timeout: 90_000 }, async () => {
  const { start, refunds } = await openKillableShop()
  const before = await start({ HANG: 'yes' })
  const { run_id } = await before.start()
  const [approval] = await before.waiting(1)
  await before.kill()
  const after = await start()
  expect(await after.until(run_id, 'requires_action')).toMatchObject({ attempt: 2 })
  expect(await after.inbox()).toEqual([approval])
  await after.decide(approval, { decision: 'reject' })
  expect((await after.until(run_id, 'completed')).response).toMatch(/rejected the call of "refund".* \| slow is done$/)
  expect(refunds()).toBe('')
})
