/** Approvals of stored runs over HTTP: the inbox, decisions, and what the model and the messages show. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import {
  callsOf,
  callThenTell,
  clientOf,
  createRefund,
  type Json,
  openScriptedShop,
  openStore,
  outputsIn,
  refundCall,
  STORES,
} from './support/approval-shop.ts'

describe.each(STORES)('with %s', (name) => {
  test('a call that needs approval waits in the inbox, and its run pauses', async () => {
    promise('J1')
    const { refund, refunds } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start({ thread_id: 't-1' })
    const run = await shop.wait(run_id)
    const [approval] = await shop.inbox()
    expect(approval).toMatchObject({
      run_id,
      thread_id: 't-1',
      agent: 'Clerk',
      tool: 'refund',
      call_id: 'call_17',
      parent_run_id: null,
      arguments: { order: 17 },
      status: 'pending',
      decided_at: null,
    })
    expect(Date.parse(approval.expires_at) - Date.parse(approval.created_at)).toBeGreaterThan(80_000_000)
    expect(run).toMatchObject({ status: 'requires_action', required_action: { approvals: [approval] } })
    expect(await shop.get('/threads/t-1')).toMatchObject({ status: 'requires_action', active_run_id: run_id })
    expect(refunds).toEqual([])
  })

  test('an approved call runs, and the run goes on in the same attempt', async () => {
    promise('J3')
    const { refund, refunds } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start()
    await shop.wait(run_id)
    const [approval] = await shop.inbox()
    const { status, body } = await shop.decide(approval, { decision: 'approve' })
    expect([status, body.run_id]).toEqual([200, run_id])
    const run = await shop.until(run_id, 'completed')
    expect(run).toMatchObject({ attempt: 1, response: 'refunded 17', required_action: null })
    expect(refunds).toEqual([{ order: 17 }])
    expect(await shop.inbox('?status=approved')).toMatchObject([{ approval_id: approval.approval_id }])
    const frames = await shop.allEvents(run_id)
    expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1))
    const events = frames.map(({ event }) => event)
    expect(events.filter((event) => event === 'requires_action')).toHaveLength(1)
    expect(events).not.toContain('attempt')
    expect(events.slice(-2)).toEqual(['messages', 'end'])
  })

  test('the requires_action frame names the call', async () => {
    promise('J2')
    const { refund } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start()
    for await (const { event, data } of shop.events(run_id)) {
      if (event !== 'requires_action') continue
      const [{ approval_id, expires_at }] = await shop.inbox()
      const approvals = [
        { approval_id, agent: 'Clerk', tool: 'refund', call_id: 'call_17', arguments: { order: 17 }, expires_at },
      ]
      expect(data).toEqual({ approvals })
      break
    }
  })

  test('an approval without changes keeps the text of the arguments', async () => {
    const { refund, refunds } = createRefund()
    const odd = '{ "order":17.0,  "amount": 2e1 }'
    const item = {
      id: 'fc_1',
      type: 'function_call',
      status: 'completed',
      call_id: 'c1',
      name: 'refund',
      arguments: odd,
    }
    const shop = await openScriptedShop(
      (body) => (outputsIn(body).length === 0 ? { output: [item] } : { text: 'ok' }),
      { store: openStore(name), tools: [refund] },
    )
    const { run_id } = await shop.start()
    await shop.wait(run_id)
    const [approval] = await shop.inbox()
    await shop.decide(approval, { decision: 'approve' })
    const run = await shop.until(run_id, 'completed')
    expect(refunds).toEqual([{ order: 17, amount: 20 }])
    expect(callsOf(run.new_messages)).toEqual([['refund', odd]])
    expect(callsOf(shop.seen.at(-1)?.body.input as Json[])).toEqual([['refund', odd]])
  })

  test('edited arguments run, and the model and the messages show them', async () => {
    promise('J3')
    const { refund, refunds } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start({ thread_id: 't' })
    await shop.wait(run_id)
    const [approval] = await shop.inbox()
    await shop.decide(approval, { decision: 'approve', arguments: { order: 18, amount: 5 } })
    const run = await shop.until(run_id, 'completed')
    const edited = [['refund', '{"order":18,"amount":5}']]
    expect(refunds).toEqual([{ order: 18, amount: 5 }])
    expect(callsOf(run.new_messages)).toEqual(edited)
    expect(callsOf(shop.seen.at(-1)?.body.input as Json[])).toEqual(edited)
    expect(callsOf((await shop.get('/threads/t/messages')).data)).toEqual(edited)
    expect(await shop.inbox('?status=approved')).toMatchObject([{ arguments: { order: 18, amount: 5 } }])
  })

  test('edited arguments that do not fit are refused, and the call still waits', async () => {
    promise('J3')
    const { refund, refunds } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start()
    await shop.wait(run_id)
    const [approval] = await shop.inbox()
    const edit = async (args: unknown) => {
      const { status, body } = await shop.decide(approval, { decision: 'approve', arguments: args })
      return [status, body.detail.map(({ loc }: { loc: unknown }) => loc)]
    }
    expect(await edit({ order: 'many' })).toEqual([422, [['body', 'arguments', 'order']]])
    expect(await edit({})).toEqual([422, [['body', 'arguments', 'order']]])
    expect(await edit({ order: 1, ammount: 2 })).toEqual([422, [['body', 'arguments', 'ammount']]])
    expect(await edit('order 1')).toEqual([422, [['body', 'arguments']]])
    expect(await shop.inbox()).toMatchObject([{ status: 'pending', arguments: { order: 17 } }])
    expect(refunds).toEqual([])
  })

  test('the model reads the reason of a rejection', async () => {
    promise('J3')
    const { refund, refunds } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start()
    await shop.wait(run_id)
    const [approval] = await shop.inbox()
    await shop.decide(approval, { decision: 'reject', reason: 'Not this one' })
    const { response } = await shop.until(run_id, 'completed')
    expect(response).toBe('Error: a person rejected the call of "refund". It was not run. Reason: Not this one')
    expect(refunds).toEqual([])
    expect(await shop.inbox('?status=rejected')).toMatchObject([{ reason: 'Not this one' }])
  })

  test('of two people who decide at once, one is refused', async () => {
    promise('J3')
    const { refund, refunds } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start()
    await shop.wait(run_id)
    const [approval] = await shop.inbox()
    const answers = await Promise.all([
      shop.decide(approval, { decision: 'approve' }),
      shop.decide(approval, { decision: 'reject', reason: 'no' }),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    const late = answers.find(({ status }) => status === 409)
    expect(late?.body).toMatchObject({ code: 'APPROVAL_DECIDED', status: expect.stringMatching(/approved|rejected/) })
    await shop.until(run_id, 'completed')
    expect(refunds).toHaveLength(late?.body.status === 'approved' ? 1 : 0)
  })

  test('a decision sent twice with one Idempotency-Key counts once', async () => {
    const { refund, refunds } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start()
    await shop.wait(run_id)
    const [approval] = await shop.inbox()
    const key = { 'idempotency-key': 'k-1' }
    const decision = { decision: 'approve', arguments: { order: 18 } }
    expect((await shop.decide(approval, decision, key)).status).toBe(200)
    await shop.until(run_id, 'completed')
    expect(await shop.decide(approval, decision, key)).toMatchObject({ status: 200, body: { status: 'completed' } })
    expect(refunds).toEqual([{ order: 18 }])
  })

  test('the inbox has a call while other calls of its turn still run', async () => {
    const { refund, refunds } = createRefund()
    const { promise: released, resolve: release } = Promise.withResolvers<string>()
    const slow = tool({ name: 'slow', parameters: z.object({}), execute: () => released })
    const script = callThenTell(refundCall(17), { name: 'slow', arguments: {}, id: 'slow_1' })
    const shop = await openScriptedShop(script, { store: openStore(name), tools: [refund, slow] })
    const { run_id } = await shop.start()
    for await (const { event } of shop.events(run_id)) if (event === 'requires_action') break
    expect(await shop.inbox()).toMatchObject([{ tool: 'refund', status: 'pending' }])
    expect(await shop.get(`/runs/${run_id}`)).toMatchObject({ status: 'in_progress', required_action: null })
    release('slow is done')
    expect(await shop.wait(run_id)).toMatchObject({ status: 'requires_action' })
    const [approval] = await shop.inbox()
    await shop.decide(approval, { decision: 'approve' })
    expect((await shop.until(run_id, 'completed')).response).toBe('refunded 17 | slow is done')
    expect(refunds).toHaveLength(1)
  })

  test('a decision counts while other calls of the turn still run', async () => {
    const { refund, refunds } = createRefund()
    const { promise: released, resolve: release } = Promise.withResolvers<string>()
    const slow = tool({ name: 'slow', parameters: z.object({}), execute: () => released })
    const script = callThenTell(refundCall(17), { name: 'slow', arguments: {}, id: 'slow_1' })
    const shop = await openScriptedShop(script, { store: openStore(name), tools: [refund, slow] })
    const { run_id } = await shop.start()
    const [approval] = await shop.waiting(1)
    expect((await shop.decide(approval, { decision: 'approve' })).body).toMatchObject({ status: 'in_progress' })
    release('slow is done')
    const run = await shop.until(run_id, 'completed')
    expect(run).toMatchObject({ attempt: 1, response: 'refunded 17 | slow is done' })
    expect(refunds).toHaveLength(1)
    expect((await shop.allEvents(run_id)).map(({ event }) => event)).not.toContain('attempt')
  })

  test('several calls of a turn are decided one by one', async () => {
    const { refund, refunds } = createRefund()
    const script = callThenTell(refundCall(1), refundCall(2), refundCall(3))
    const shop = await openScriptedShop(script, { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start()
    await shop.wait(run_id)
    const [one, two, three] = await shop.inbox()
    const frames = []
    for await (const frame of shop.events(run_id)) {
      frames.push(frame)
      if (frame.event === 'requires_action') break
    }
    expect(frames.at(-1)?.data.approvals).toHaveLength(3)
    expect((await shop.decide(two, { decision: 'reject' })).body).toMatchObject({ status: 'requires_action' })
    expect((await shop.decide(one, { decision: 'approve' })).body.required_action.approvals).toMatchObject([
      { approval_id: three.approval_id },
    ])
    await shop.decide(three, { decision: 'approve', arguments: { order: 33 } })
    const { response } = await shop.until(run_id, 'completed')
    expect(response).toBe('refunded 1 | Error: a person rejected the call of "refund". It was not run. | refunded 33')
    expect(refunds).toEqual([{ order: 1 }, { order: 33 }])
  })

  test('a run pauses again in a later turn', async () => {
    const { refund, refunds } = createRefund()
    const script = (body: Json) => {
      const count = outputsIn(body).length
      return count < 3 ? { calls: [refundCall(count + 1)] } : { text: 'All done' }
    }
    const shop = await openScriptedShop(script, { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start()
    for (const order of [1, 2, 3]) {
      const [approval] = await shop.waiting(1)
      expect(approval.arguments).toEqual({ order })
      await shop.decide(approval, { decision: 'approve' })
      await shop.until(run_id, 'requires_action', 'completed', 'in_progress')
    }
    expect(await shop.until(run_id, 'completed')).toMatchObject({ attempt: 1, response: 'All done' })
    expect(refunds).toEqual([{ order: 1 }, { order: 2 }, { order: 3 }])
    expect(await shop.inbox('?status=approved')).toHaveLength(3)
  })

  test('a paused run goes on before later runs of its thread', async () => {
    const { refund } = createRefund()
    const script = (body: Json) => {
      const last = (body.input as Json[]).at(-1) as Json
      return last.content === 'Refund' ? { calls: [refundCall(17)] } : { text: `Heard ${last.content ?? last.output}` }
    }
    const shop = await openScriptedShop(script, { store: openStore(name), tools: [refund] })
    const first = await shop.start({ message: 'Refund', thread_id: 't' })
    await shop.wait(first.run_id)
    const second = await shop.start({ message: 'Later', thread_id: 't' })
    expect(second).toMatchObject({ status: 'queued', queue_position: 1 })
    const [approval] = await shop.inbox()
    await shop.decide(approval, { decision: 'approve' })
    const ended = await shop.until(second.run_id, 'completed')
    const paused = await shop.get(`/runs/${first.run_id}`)
    expect(Date.parse(paused.ended_at)).toBeLessThanOrEqual(Date.parse(ended.started_at))
    const texts = (await shop.get('/threads/t/messages')).data.map(({ type, content, output }: Json) =>
      type === 'function_call' ? 'call' : (output ?? (Array.isArray(content) ? content[0].text : content)),
    )
    expect(texts).toEqual(['Refund', 'call', 'refunded 17', 'Heard refunded 17', 'Later', 'Heard Later'])
  })

  test('a cancel while a call waits ends the run without running it', async () => {
    promise('J7')
    const { refund, refunds } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start({ thread_id: 't' })
    await shop.wait(run_id)
    const [approval] = await shop.inbox()
    const frames = shop.allEvents(run_id)
    expect(await shop.cancel(run_id)).toMatchObject({
      status: 'cancelled',
      settled: true,
      receipt: {
        agent: 'Clerk',
        calls: [{ kind: 'tool', name: 'refund', call_id: 'call_17', state: 'never_started' }],
      },
    })
    expect((await frames).slice(-2)).toMatchObject([{ event: 'messages', data: { cancelled: true } }, { event: 'end' }])
    expect(await shop.inbox('?status=cancelled')).toMatchObject([{ approval_id: approval.approval_id }])
    expect(await shop.decide(approval, { decision: 'approve' })).toMatchObject({
      status: 409,
      body: { code: 'APPROVAL_DECIDED', status: 'cancelled' },
    })
    expect(refunds).toEqual([])
    expect(callsOf((await shop.get('/threads/t/messages')).data)).toEqual([])
  })

  test('nobody decides in time: the model reads it, and the run goes on', async () => {
    promise('J4')
    const { refund, refunds } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), {
      store: openStore(name),
      tools: [refund],
      limits: { approvalMs: 150 },
    })
    const { run_id } = await shop.start()
    await shop.wait(run_id)
    const [approval] = await shop.inbox()
    const run = await shop.until(run_id, 'completed')
    expect(run).toMatchObject({
      attempt: 1,
      response: 'Error: nobody approved the call of "refund" in time. It was not run.',
    })
    expect(await shop.decide(approval, { decision: 'approve' })).toMatchObject({
      status: 410,
      body: { code: 'APPROVAL_EXPIRED' },
    })
    expect(await shop.inbox('?status=expired')).toHaveLength(1)
    expect(refunds).toEqual([])
  })

  test('each approval expires at its own time', async () => {
    const { refund } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), {
      store: openStore(name),
      tools: [refund],
      limits: { approvalMs: 400 },
    })
    const first = await shop.start()
    const { expires_at } = (await shop.waiting(1))[0]
    const others: string[] = []
    const feed = setInterval(() => void shop.start().then(({ run_id }) => others.push(run_id)), 100)
    const run = await shop.until(first.run_id, 'completed').finally(() => clearInterval(feed))
    expect(Date.parse(run.ended_at) - Date.parse(expires_at)).toBeLessThan(300)
    for (const id of others) await shop.until(id, 'completed')
  })

  test("a sub-agent's approval names the agent and the call it works for", async () => {
    promise('J2')
    const { refund, refunds } = createRefund()
    const billing = new Agent({ name: 'Billing', instructions: 'Refund.', model: 'gpt-4.1', tools: [refund] })
    const clerk = new Agent({ name: 'Clerk', instructions: 'Ask.', model: 'gpt-4.1' })
    const ask = { name: 'send_message', arguments: { recipient_agent: 'Billing', message: 'Refund 17' }, id: 'ask_1' }
    const script = (body: Json) => {
      const [output] = outputsIn(body)
      if (output !== undefined) return { text: `told: ${output}` }
      return { calls: [String(body.instructions).includes('Ask.') ? ask : refundCall(17)] }
    }
    const agency = new Agency(clerk, { communicationFlows: [[clerk, billing]] })
    const shop = await openScriptedShop(script, { store: openStore(name), agency })
    const { run_id } = await shop.start()
    expect(await shop.wait(run_id)).toMatchObject({ status: 'requires_action' })
    const [approval] = await shop.inbox()
    expect(approval).toMatchObject({ agent: 'Billing', tool: 'refund', parent_run_id: 'ask_1', run_id })
    await shop.decide(approval, { decision: 'approve' })
    const run = await shop.until(run_id, 'completed')
    expect(run).toMatchObject({ attempt: 1, response: 'told: told: refunded 17' })
    expect(refunds).toHaveLength(1)
    const texts = (await shop.allEvents(run_id)).filter(({ data }) => data?.data?.name === 'message_output_created')
    expect(texts.map(({ data }) => data.data.agent)).toEqual(['Billing', 'Clerk'])
  })

  test("somebody else's approvals do not exist", async () => {
    promise('J5')
    const { refund, refunds } = createRefund()
    const shop = await openScriptedShop(callThenTell(refundCall(17)), {
      store: openStore(name),
      tools: [refund],
      runs: { identify: (request) => String(request.headers['x-user']) },
    })
    const ann = clientOf(shop.url, { 'x-user': 'ann' })
    const eve = clientOf(shop.url, { 'x-user': 'eve' })
    const { run_id } = await ann.start()
    await ann.wait(run_id)
    const [approval] = await ann.inbox()
    expect(await eve.inbox()).toEqual([])
    for (const decision of [{ decision: 'approve' }, { decision: 'approve', arguments: { order: 1 } }])
      expect(await eve.decide(approval, decision)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
    expect(await ann.decide({ ...approval, approval_id: 'none' }, { decision: 'approve' })).toMatchObject({
      status: 404,
      body: { code: 'NOT_FOUND' },
    })
    expect(refunds).toEqual([])
    await ann.decide(approval, { decision: 'approve' })
    await ann.until(run_id, 'completed')
    expect(refunds).toHaveLength(1)
  })

  test('needsApproval decides by the arguments and the context', async () => {
    const { refund, refunds } = createRefund({
      needsApproval: async (args, context) => {
        const { order } = args as { order: number }
        return order > Number((context.userContext as { free: number }).free) && context.currentAgentName === 'Clerk'
      },
    })
    const script = callThenTell(refundCall(5), refundCall(50))
    const shop = await openScriptedShop(script, { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start({ user_context: { free: 10 } })
    expect(await shop.wait(run_id)).toMatchObject({ status: 'requires_action' })
    expect(refunds).toEqual([{ order: 5 }])
    const [approval, none] = await shop.inbox()
    expect([approval.arguments, none]).toEqual([{ order: 50 }, undefined])
    await shop.decide(approval, { decision: 'approve' })
    expect((await shop.until(run_id, 'completed')).response).toBe('refunded 5 | refunded 50')
  })

  test('a needsApproval that throws stops the call, and the model reads why', async () => {
    const { refund, refunds } = createRefund({
      needsApproval: () => {
        throw new Error('no rule')
      },
    })
    const shop = await openScriptedShop(callThenTell(refundCall(5)), { store: openStore(name), tools: [refund] })
    const { run_id } = await shop.start()
    expect((await shop.wait(run_id)).response).toContain('An error occurred in the tool "refund": no rule')
    expect(refunds).toEqual([])
  })
})

/** A store whose write of a pause is held up, before or after it takes effect, until `release` or a cancel. */
function holdPause(when: 'before' | 'after') {
  const store = openStore('memory')
  const { promise: paused, resolve: report } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const write = async (change: Parameters<typeof store.write>[0]) => {
    if (change.kind === 'cancel') return store.write(change).finally(release)
    const isPause = change.kind === 'run' && 'leave' in change && change.leave?.kind === 'pause'
    if (!isPause) return store.write(change)
    const answer = when === 'after' ? await store.write(change) : undefined
    report()
    await released
    return answer ?? store.write(change)
  }
  const held = new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key)
      return key === 'write' ? write : typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { store: held, paused, release }
}

test('a decision made while the run leaves its worker is not lost', async () => {
  const { store, paused, release } = holdPause('after')
  const { refund } = createRefund()
  const shop = await openScriptedShop(callThenTell(refundCall(17)), { store, tools: [refund] })
  const { run_id } = await shop.start()
  await paused
  const [approval] = await shop.inbox()
  expect((await shop.decide(approval, { decision: 'approve' })).body).toMatchObject({ status: 'queued' })
  release()
  expect(await shop.until(run_id, 'completed')).toMatchObject({ attempt: 1, response: 'refunded 17' })
})

test('a cancel made while the run is about to pause ends it', async () => {
  const { store, paused } = holdPause('before')
  const { refund, refunds } = createRefund()
  const shop = await openScriptedShop(callThenTell(refundCall(17)), { store, tools: [refund] })
  const { run_id } = await shop.start()
  await paused
  expect(await shop.cancel(run_id)).toMatchObject({ status: 'cancelled', settled: true })
  expect(refunds).toEqual([])
})
