/** Webhooks of runs (docs/webhooks.md), over a real server and a real receiver. */
import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { expect, onTestFinished, test, vi } from 'vitest'
import { sqlite, tool } from '../src/index.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { type Json, serveRuns } from './support/runs.ts'
import { call } from './support/tool-agent.ts'
import { type ReceivedWebhook, startWebhookHost } from './support/webhook-host.ts'

const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`
const verify = ({ raw, headers }: ReceivedWebhook, secret: string) =>
  new Webhook(secret).verify(raw, headers as Record<string, string>)

test('a run tells its webhook and those of the server of its pause and its end', async () => {
  vi.stubEnv('AGENCY_STORE_KEY', 'ab'.repeat(32))
  onTestFinished(() => void vi.unstubAllEnvs())
  await useUpstream((_, index) => (index === 0 ? call('refund') : { text: 'Done' }))
  const host = await startWebhookHost()
  const [secret, own] = [newSecret(), newSecret()]
  const refund = tool({ name: 'refund', needsApproval: true, execute: () => 'refunded' })
  const { api } = await serveRuns({
    agent: { tools: [refund] },
    runs: {
      webhooks: {
        trustedOrigins: [host.url],
        endpoints: [{ url: `${host.url}/server`, secret, events: ['run.completed'] }],
      },
    },
  })
  const { run_id } = await api.start({
    message: 'Hi',
    thread_id: 't',
    webhook: { url: `${host.url}/own`, secret: own },
  })
  const paused = await api.settled(run_id)
  await vi.waitFor(() => expect(host.received).toHaveLength(1), 15_000)
  const [asked] = host.received as [ReceivedWebhook]
  expect(verify(asked, own)).toMatchObject({
    type: 'run.requires_action',
    data: { run_id, thread_id: 't', approvals: [{ approval_id: paused.required_action.approvals[0].approval_id }] },
  })
  await api.post(`/runs/${run_id}/approvals/${asked.body.data.approvals[0].approval_id}`, { decision: 'approve' })
  await vi.waitFor(() => expect(host.received).toHaveLength(3), 15_000)
  for (const ended of host.received.slice(1)) {
    const payload = verify(ended, ended.path === '/own' ? own : secret) as Json
    const run = (await api.get(`/runs/${run_id}`)).body
    expect(payload).toMatchObject({
      type: 'run.completed',
      timestamp: run.ended_at,
      data: { run_id, status: 'completed' },
    })
  }
  await vi.waitFor(async () => expect((await api.get('/webhooks?status=delivered')).body.data).toHaveLength(3), 15_000)
  const { body } = await api.get(`/webhooks?run_id=${run_id}&limit=2`)
  expect(body).toMatchObject({
    has_more: true,
    data: [{ run_id, event: 'run.completed', attempts: 1, error: null }, {}],
  })
  expect(JSON.stringify([body, (await api.get(`/runs/${run_id}`)).body])).not.toContain('whsec_')
})

test('what waits at a stop is sent by the next server; a redrive sends again', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  let status = 500
  const host = await startWebhookHost(() => status)
  const file = `${useFolder()}/runs.db`
  const serve = () =>
    serveRuns({
      runs: { store: sqlite(file), webhooks: { trustedOrigins: [host.url] } },
      limits: { webhookAttempts: 2 },
    })
  const first = await serve()
  const { run_id } = await first.api.run({ message: 'Hi', webhook: { url: host.url, events: ['run.completed'] } })
  const webhook = async ({ api }: typeof first) => (await api.get('/webhooks')).body.data[0]
  await vi.waitFor(async () => expect(await webhook(first)).toMatchObject({ attempts: 1, error: 'HTTP 500' }), 15_000)
  await first.close()
  const second = await serve() // the second attempt, 2.5 to 7.5 seconds later, is the last
  await vi.waitFor(async () => expect(await webhook(second)).toMatchObject({ status: 'dead', attempts: 2 }), 20_000)
  status = 204
  const { webhook_id } = await webhook(second)
  expect((await second.api.post(`/webhooks/${webhook_id}/redrive`)).body).toMatchObject({ status: 'waiting' })
  await vi.waitFor(
    async () => expect(await webhook(second)).toMatchObject({ status: 'delivered', attempts: 1 }),
    15_000,
  )
  expect(new Set(host.received.map(({ headers, raw }) => `${headers['webhook-id']} ${raw}`)).size).toBe(1)
  expect(host.received[0]?.body.data.run_id).toBe(run_id)
})

test('the webhooks of an owner are nobody else’s', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  const host = await startWebhookHost()
  const { api } = await serveRuns({
    runs: { webhooks: { trustedOrigins: [host.url] }, identify: ({ headers }) => String(headers['x-user']) },
  })
  const [ada, eve] = [api.as({ 'x-user': 'ada' }), api.as({ 'x-user': 'eve' })]
  const { run_id } = await ada.run({ message: 'Hi', webhook: { url: host.url } })
  const { data } = (await ada.get('/webhooks')).body
  expect(data).toMatchObject([{ run_id }])
  expect((await eve.get('/webhooks')).body.data).toEqual([])
  expect((await eve.post(`/webhooks/${data[0].webhook_id}/redrive`)).status).toBe(404)
  expect((await eve.post(`/runs/${run_id}/retry`)).status).toBe(404)
})

test('a webhook that cannot be is refused, and its secret is not repeated', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  const { api } = await serveRuns()
  const closed = await serveRuns({ runs: { webhooks: { requests: false } } })
  const refused = async (webhook: object, to = api) => {
    const { status, body } = await to.post('/runs', { message: 'Hi', webhook })
    expect(JSON.stringify(body)).not.toContain('t0p')
    return [status, body.detail[0].loc.slice(1).join('.')]
  }
  const url = 'https://8.8.8.8/hook'
  for (const [webhook, field] of [
    [{}, 'webhook.url'],
    [{ url: 'ftp://example.com' }, 'webhook.url'],
    [{ url: 'https://ada:t0p@example.com' }, 'webhook.url'],
    [{ url: 'http://127.0.0.1:1' }, 'webhook.url'],
    [{ url: 'http://169.254.169.254/latest' }, 'webhook.url'],
    [{ url, events: [] }, 'webhook.events'],
    [{ url, events: ['run.started'] }, 'webhook.events.0'],
    [{ url, secret: 't0p' }, 'webhook.secret'],
    [{ url, secret: newSecret() }, 'webhook.secret'], // there is no AGENCY_STORE_KEY
  ] as const)
    expect(await refused(webhook), JSON.stringify(webhook)).toEqual([422, field])
  expect(await refused({ url }, closed.api)).toEqual([422, 'webhook'])
})

test.for([
  ['an unknown field', { endpoint: [] }, /"endpoint"/],
  ['no address', { endpoints: [{ url: 'hooks', secret: newSecret() }] }, /needs a url/],
  ['a short secret', { endpoints: [{ url: 'https://a.example', secret: 'whsec_c2hvcnQ=' }] }, /needs a secret/],
  [
    'an unknown event',
    { endpoints: [{ url: 'https://a.example', secret: newSecret(), events: ['run.x'] }] },
    /"run\.x"/,
  ],
  ['a wrong origin', { trustedOrigins: ['internal'] }, /"internal"/],
] as const)('wrong options are refused: %s', async ([, webhooks, text]) => {
  await useUpstream(() => ({ text: 'Done' }))
  const refused = serveRuns({ runs: { webhooks: webhooks as object } })
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(text) })
})
