/** What a paused run tells of decisions, and what is left of it when it is cancelled. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { tool } from '../src/index.ts'
import {
  callThenTell,
  createRefund,
  openScriptedShop,
  openStore,
  refundCall,
  STORES,
  type StoredFrame,
} from './support/approval-shop.ts'

const decisionsIn = (frames: readonly StoredFrame[]) =>
  frames.filter(({ event }) => event === 'approval_decided').map(({ data }) => [data.call_id, data.status, data.reason])

describe.each(STORES)('with %s', (name) => {
  test('readers of a paused run learn of each decision at once', async () => {
    const { refund } = createRefund()
    const script = callThenTell(refundCall(1), refundCall(2))
    const shop = await openScriptedShop(script, { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start()
    await shop.wait(run_id)
    const [one, two] = await shop.inbox()
    const seen: unknown[] = []
    for await (const { event, data } of shop.events(run_id)) {
      if (event === 'requires_action') await shop.decide(one, { decision: 'reject', reason: 'Too late' })
      if (event !== 'approval_decided') continue
      seen.push(data)
      if (seen.length === 1) {
        expect(await shop.get(`/runs/${run_id}`)).toMatchObject({ status: 'requires_action' })
        await shop.decide(two, { decision: 'approve' })
      }
    }
    expect(seen).toEqual([
      { approval_id: one.approval_id, call_id: 'call_1', status: 'rejected', reason: 'Too late' },
      { approval_id: two.approval_id, call_id: 'call_2', status: 'approved', reason: null },
    ])
  })

  test('a decision while other calls work is sent before the run goes on', async () => {
    const { refund } = createRefund()
    const { promise: released, resolve: release } = Promise.withResolvers<string>()
    const slow = tool({ name: 'slow', parameters: z.object({}), execute: () => released })
    const script = callThenTell(refundCall(17), { name: 'slow', arguments: {}, id: 'slow_1' })
    const shop = await openScriptedShop(script, { store: openStore(name), tools: [refund, slow] })
    const { run_id } = await shop.start()
    const [approval] = await shop.waiting(1)
    await shop.decide(approval, { decision: 'approve' })
    release('slow is done')
    await shop.until(run_id, 'completed')
    const frames = await shop.allEvents(run_id)
    expect(decisionsIn(frames)).toEqual([['call_17', 'approved', null]])
    expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1))
  })

  test('an approval that expires is sent, too', async () => {
    const { refund } = createRefund()
    const limits = { approvalMs: 100 }
    const shop = await openScriptedShop(callThenTell(refundCall(17)), {
      store: openStore(name),
      tools: [refund],
      limits,
    })
    const { run_id } = await shop.start()
    await shop.until(run_id, 'completed')
    expect(decisionsIn(await shop.allEvents(run_id))).toEqual([['call_17', 'expired', null]])
  })

  test('a cancel of a paused run keeps what its other calls have done', async () => {
    const { refund } = createRefund()
    const quick = tool({ name: 'quick', parameters: z.object({}), execute: () => 'quick is done' })
    const script = callThenTell(refundCall(17), { name: 'quick', arguments: {}, id: 'quick_1' })
    const shop = await openScriptedShop(script, { store: openStore(name), tools: [refund, quick] })
    const { run_id } = await shop.start({ thread_id: 't' })
    await shop.wait(run_id)
    const { new_messages } = await shop.cancel(run_id)
    const kept = [
      { role: 'user', content: 'Go' },
      { type: 'function_call', call_id: 'quick_1' },
      { type: 'function_call_output', call_id: 'quick_1', output: 'quick is done', agent: 'Clerk' },
    ]
    expect(new_messages).toMatchObject(kept)
    expect((await shop.get('/threads/t/messages')).data).toMatchObject(kept)
  })
})
