/** Attempts, their times and their ends, with a clock of the test and a real receiver. */
import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type ReceivedWebhook, startWebhookHost } from '../../../tests/support/webhook-host.ts'
import { createScene, NOW } from '../../stores/contract/scene.ts'
import { memory } from '../../stores/memory.ts'
import { createSeal } from '../stored/order.ts'
import { backOff } from './back-off.ts'
import { type SenderOptions, WebhookSender } from './sender.ts'

const timeOf = ({ headers }: ReceivedWebhook) => Number(headers['webhook-timestamp'])
/** By the library that receivers use. */
const signatureOf = (webhook: ReceivedWebhook, secret: string) =>
  new Webhook(secret).sign(String(webhook.headers['webhook-id']), new Date(1000 * timeOf(webhook)), webhook.raw)
const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`

function startSender(options: Partial<SenderOptions> = {}) {
  const scene = createScene(memory())
  const clock = { now: NOW }
  const warnings: string[] = []
  const ignore = () => {}
  const sender = new WebhookSender({
    store: scene.store,
    endpoints: [],
    trustedOrigins: [],
    seal: createSeal(randomBytes(32)),
    limits: { webhookMs: 5_000, webhookAttempts: 3 },
    log: { info: ignore, warn: (text) => warnings.push(text), error: ignore },
    now: () => clock.now,
    random: () => 0.5,
    onAttempt: ignore,
    ...options,
  })
  onTestFinished(() => sender.close())
  const list = async () => (await scene.store.read({ kind: 'webhooks', ...scene.mine, limit: 10 })).data
  /** The webhooks once the newest of them has this error or status. */
  const settled = (expected: object) =>
    vi.waitFor(async () => expect((await list())[0]).toMatchObject(expected), 15_000)
  return { ...scene, sender, clock, warnings, list, settled }
}

/** A run with a webhook of its request that has ended. */
async function endRun(scene: ReturnType<typeof startSender>, url: string, secret?: string): Promise<void> {
  const webhooks = await scene.sender.targets(scene.idOf('r').runId, { url, ...(secret && { secret }) })
  await scene.end(await scene.start('r', { webhooks }))
  scene.sender.look()
}

test('each attempt has the same id and body, and a signature of its own time', async () => {
  const host = await startWebhookHost(
    (_, index) => [500, { status: 503, headers: { 'retry-after': '3600' } }, 204][index] ?? 204,
  )
  const secret = newSecret()
  const scene = startSender({ trustedOrigins: [host.url] })
  await endRun(scene, `${host.url}/hooks?key=1`, secret)
  await scene.settled({ attempts: 1, status: 'waiting', error: 'HTTP 500', nextAt: scene.clock.now + 5_000 })
  scene.clock.now += 5_000
  scene.sender.look()
  await scene.settled({ attempts: 2, error: 'HTTP 503', nextAt: scene.clock.now + 3_600_000 })
  scene.clock.now += 3_600_000
  scene.sender.look()
  await scene.settled({ attempts: 3, status: 'delivered', error: null })
  const ids = host.received.map(({ headers }) => headers['webhook-id'])
  expect([new Set(ids).size, ids[0]]).toEqual([1, expect.stringMatching(/^msg_[0-9a-f]{32}$/)])
  expect(new Set(host.received.map(({ raw }) => raw)).size).toBe(1)
  expect(host.received.map(timeOf)).toEqual([0, 5, 3605].map((seconds) => NOW / 1000 + seconds))
  for (const webhook of host.received) expect(webhook.headers['webhook-signature']).toBe(signatureOf(webhook, secret))
  expect(host.received[0]?.body).toMatchObject({ type: 'run.completed', data: { run_id: scene.idOf('r').runId } })
  expect(host.received[0]).toMatchObject({ path: '/hooks?key=1', headers: { 'content-type': 'application/json' } })
})

test('the last attempt leaves a dead letter, which a redrive sends again', async () => {
  let status = 500
  const host = await startWebhookHost(() => status)
  const scene = startSender({ trustedOrigins: [host.url], limits: { webhookMs: 5_000, webhookAttempts: 1 } })
  await endRun(scene, `${host.url}/?token=t0p-secret`)
  await scene.settled({ status: 'dead', error: 'HTTP 500', nextAt: null })
  expect(scene.warnings).toEqual([expect.stringMatching(/^A webhook to http:\/\/127\.0\.0\.1:\d+ was given up/)])
  expect(scene.warnings.join()).not.toContain('t0p-secret')
  expect(host.received[0]?.headers['webhook-signature']).toBeUndefined()
  status = 200
  const [dead] = await scene.list()
  await scene.store.write({ kind: 'redriveWebhook', ...scene.mine, webhookId: dead?.webhookId ?? '', now: NOW })
  scene.sender.look()
  await scene.settled({ status: 'delivered', attempts: 1 })
})

test('410 ends it, a redirect is not followed, silence ends at the limit', async () => {
  const host = await startWebhookHost(({ path }) =>
    path === '/gone' ? 410 : path === '/moved' ? { status: 302, headers: { location: '/there' } } : 'silence',
  )
  const outcomes = await Promise.all(
    ['/gone', '/moved', '/silent'].map(async (path) => {
      const webhookMs = path === '/silent' ? 300 : 30_000
      const scene = startSender({ trustedOrigins: [host.url], limits: { webhookMs, webhookAttempts: 3 } })
      await endRun(scene, host.url + path)
      await scene.settled({ error: expect.any(String) })
      const [webhook] = await scene.list()
      return [webhook?.status, webhook?.error]
    }),
  )
  expect(outcomes).toEqual([
    ['dead', 'HTTP 410'],
    ['waiting', 'HTTP 302'],
    ['waiting', 'no answer within 300 ms'],
  ])
  expect(host.received.map(({ path }) => path).sort()).toEqual(['/gone', '/moved', '/silent'])
})

test('an address inside is neither accepted from a request nor connected to', async () => {
  const host = await startWebhookHost()
  const scene = startSender()
  const inside = scene.sender.targets('r', { url: host.url })
  await expect(inside).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  const webhooks = [{ url: host.url, events: null, from: 'request' as const, sealed: null }]
  await scene.end(await scene.start('r', { webhooks })) // as if the name had pointed elsewhere before
  scene.sender.look()
  await scene.settled({ status: 'waiting', error: 'the address is not on the public internet' })
  expect(host.received).toEqual([])
})

test('an endpoint of the server is reached inside, signed with all secrets', async () => {
  const host = await startWebhookHost()
  const secrets = [newSecret(), newSecret()]
  const scene = startSender({ endpoints: [{ url: host.url, secrets, events: ['run.completed'] }] })
  await scene.end(await scene.start('r', { webhooks: await scene.sender.targets('r', null) }))
  scene.sender.look()
  await vi.waitFor(() => expect(host.received).toHaveLength(1), 15_000)
  const [webhook] = host.received as [ReceivedWebhook]
  const signatures = secrets.map((secret) => signatureOf(webhook, secret))
  expect(webhook.headers['webhook-signature']).toBe(signatures.join(' '))
})

test('waits grow, vary by a half, and follow Retry-After up to 12 hours', () => {
  const waits = (random: number) => [1, 2, 3, 8].map((attempt) => backOff(attempt, { random, now: NOW }))
  expect(waits(0)).toEqual([2_500, 15_000, 90_000, 21_600_000])
  expect(waits(1)).toEqual([7_500, 45_000, 270_000, 64_800_000])
  const after = (retryAfter: string) => backOff(1, { random: 0.5, retryAfter, now: NOW })
  const date = new Date(NOW + 60_000).toUTCString()
  expect(['60', date, '999999999', 'soon', '-1'].map(after)).toEqual([60_000, 60_000, 43_200_000, 5_000, 5_000])
})
