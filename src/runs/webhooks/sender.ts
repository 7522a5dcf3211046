/** Sends the webhooks that are due, again and again until they arrive or are given up. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Agent } from 'undici'
import { once, orAbort } from '../../base/async.ts'
import { AgencyError, webhookKeyMissing, webhookRefused } from '../../base/errors.ts'
import type { Limits } from '../../base/limits.ts'
import type { ServerLog } from '../../base/log.ts'
import { VERSION } from '../../base/version.ts'
import type { WebhookEvent, WebhookRequest } from '../../wire/webhooks.ts'
import type { RunStore } from '../run-store.ts'
import type { Seal } from '../stored/order.ts'
import { backOff } from './back-off.ts'
import type { ClaimedWebhook, WebhookOutcome, WebhookTarget } from './records.ts'
import { webhookHeaders } from './sign.ts'

/** Whom the server tells of all its runs. */
export interface WebhookEndpoint {
  url: string
  /** Sign each webhook. */
  secrets: readonly string[]
  /** Undefined: all. */
  events?: readonly WebhookEvent[] | undefined
}

export interface SenderOptions {
  store: RunStore
  endpoints: readonly WebhookEndpoint[]
  /** Origins that requests may name although they are not on the public internet. */
  trustedOrigins: readonly string[]
  /** Encrypts the secrets of requests. */
  seal: Seal | undefined
  limits: Pick<Limits, 'webhookMs' | 'webhookAttempts'>
  log: ServerLog
  now: () => number
  /** From 0 to 1. */
  random: () => number
  /** Called after each attempt. */
  onAttempt(outcome: WebhookOutcome['kind']): void
}

/** Webhooks that are sent at the same time. */
const CONCURRENT = 32
/** An attempt whose process died is made again this long after its time limit, in milliseconds. */
const LEASE_MS = 30_000
/** The longest wait between two looks into the store, which other processes may fill, in milliseconds. */
const LOOK_MS = 60_000
/** How long a store that is away is left alone, in milliseconds. */
const AWAY_MS = 1_000
/** How long `close` waits for attempts under way, in milliseconds. */
const LAST_WAIT_MS = 1_000
/** What is read of an answer. */
const MAX_ANSWER_BYTES = 65_536

export class WebhookSender {
  readonly #options: SenderOptions
  readonly #sending = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  readonly #guarded: ReturnType<typeof createAgent>
  readonly #open: ReturnType<typeof createAgent>
  #looking: Promise<void> | undefined
  /** Something became due while the store was asked. */
  #again = false
  /** There were more than could be sent at a time. */
  #more = false
  #timer: NodeJS.Timeout | undefined
  #dueAt = Number.POSITIVE_INFINITY
  #leaving = false

  constructor(options: SenderOptions) {
    const trusted = new Set(options.trustedOrigins.map((origin) => new URL(origin).origin))
    this.#options = options
    this.#guarded = createAgent((origin) => trusted.has(origin))
    this.#open = createAgent(() => true)
  }

  /**
   * Whom a run tells: its request's webhook, and those of the server.
   * @throws INVALID_REQUEST for an address outside the public internet, and for a secret that nothing can seal
   */
  async targets(runId: string, request: WebhookRequest | null | undefined): Promise<WebhookTarget[]> {
    const { endpoints, seal } = this.#options
    const own = endpoints.map(({ url, events }) => ({
      url,
      events: events ?? null,
      from: 'server' as const,
      sealed: null,
    }))
    if (request == null) return own
    const { url, events, secret } = request
    if (secret != null && seal === undefined) throw webhookKeyMissing()
    await this.#check(url)
    const sealed = secret == null ? null : (seal as Seal).close(sealName(runId), secret)
    return [{ url, events: events ?? null, from: 'request', sealed }, ...own]
  }

  async #check(url: string): Promise<void> {
    const { trustedOrigins } = this.#options
    const { origin, host } = new URL(url)
    if (trustedOrigins.some((trusted) => new URL(trusted).origin === origin)) return
    const { checkAddress } = await import('../../net/guard.ts')
    await checkAddress(url).catch((error: unknown) => {
      throw AgencyError.isInstance(error) && error.code === 'OVERLOADED' ? error : webhookRefused(host)
    })
  }

  /** Looks for webhooks at that time at the latest. */
  lookBy(time: number): void {
    if (this.#leaving || time >= this.#dueAt) return
    clearTimeout(this.#timer)
    this.#dueAt = time
    const wait = Math.max(0, Math.min(time - this.#options.now(), LOOK_MS))
    this.#timer = setTimeout(() => {
      this.#dueAt = Number.POSITIVE_INFINITY
      this.look()
    }, wait).unref()
  }

  /** Sends what is due. */
  look(): void {
    if (this.#leaving) return
    if (this.#looking !== undefined) {
      this.#again = true
      return
    }
    this.#looking = this.#sendDue().finally(() => {
      this.#looking = undefined
      const again = this.#again
      this.#again = false
      if (again) this.look()
    })
  }

  /** Never rejects. */
  async #sendDue(): Promise<void> {
    const { store, now, limits, log } = this.#options
    const limit = CONCURRENT - this.#sending.size
    this.#more = limit === 0
    if (this.#more) return
    try {
      const leaseMs = limits.webhookMs + LEASE_MS
      const { claimed, nextAt } = await store.write({ kind: 'claimWebhooks', now: now(), leaseMs, limit })
      this.#more = claimed.length === limit
      for (const webhook of claimed) this.#send(webhook)
      if (nextAt !== null) this.lookBy(nextAt)
    } catch (error) {
      log.error('Webhooks could not be looked up; it is tried again.', error)
      this.lookBy(now() + AWAY_MS)
    }
  }

  #send(webhook: ClaimedWebhook): void {
    const sending = this.#attempt(webhook).finally(() => {
      this.#sending.delete(sending)
      if (this.#more) this.look()
    })
    this.#sending.add(sending)
  }

  /** Never rejects. */
  async #attempt(webhook: ClaimedWebhook): Promise<void> {
    const { store, now, onAttempt, log } = this.#options
    const { webhookId, runId, attempts: attempt } = webhook
    const outcome = await this.#post(webhook)
    if (this.#closing.signal.aborted && outcome.kind !== 'delivered') return // the next process makes the attempt again
    onAttempt(outcome.kind)
    if (outcome.kind === 'retry') this.lookBy(outcome.at)
    if (outcome.kind === 'dead')
      log.warn(
        `A webhook to ${new URL(webhook.url).origin} was given up at attempt ${attempt} (${outcome.error}). "agency-swarm-js runs redrive" sends it again.`,
        { runId, webhookId },
      )
    await store
      .write({ kind: 'settleWebhook', webhookId, attempt, now: now(), outcome })
      .catch((error: unknown) =>
        log.error('A sent webhook could not be noted; it is sent again.', error, undefined, { runId, webhookId }),
      )
  }

  async #post(webhook: ClaimedWebhook): Promise<WebhookOutcome> {
    const { now, limits, random } = this.#options
    const { attempts, target } = webhook
    const failed = (error: string, retryAfter?: string): WebhookOutcome =>
      attempts >= limits.webhookAttempts
        ? { kind: 'dead', error }
        : { kind: 'retry', error, at: now() + backOff(attempts, { random: random(), retryAfter, now: now() }) }
    const secrets = this.#secretsOf(webhook)
    if (typeof secrets === 'string') return failed(secrets)
    try {
      const agent = await (target.from === 'server' ? this.#open : this.#guarded)()
      const { status, retryAfter } = await this.#request(agent, webhook, secrets)
      if (status >= 200 && status < 300) return { kind: 'delivered' }
      // Standard Webhooks 1.0.0: the receiver wants no more of them.
      return status === 410 ? { kind: 'dead', error: 'HTTP 410' } : failed(`HTTP ${status}`, retryAfter)
    } catch (error) {
      return failed(describe(error, limits.webhookMs))
    }
  }

  async #request(agent: Agent, { webhookId: id, target, payload }: ClaimedWebhook, secrets: readonly string[]) {
    const { now, limits } = this.#options
    const { origin, pathname, search } = new URL(target.url)
    const timestamp = Math.floor(now() / 1000)
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(limits.webhookMs)])
    const request = agent.request({
      origin,
      path: pathname + search,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': `agency-swarm-js/${VERSION}`,
        ...webhookHeaders({ id, timestamp, payload }, secrets),
      },
      body: payload,
      signal,
    })
    // undici observes the signal only after it has connected.
    const { statusCode, headers, body } = await orAbort(request, signal)
    body.on('error', () => {}) // the status has decided
    void body.dump({ limit: MAX_ANSWER_BYTES }).catch(() => {})
    const retryAfter = headers['retry-after']
    return { status: statusCode, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined }
  }

  /** What signs a webhook, or why nothing can. */
  #secretsOf({ runId, target: { from, url, sealed } }: ClaimedWebhook): readonly string[] | string {
    if (from === 'server')
      return (
        this.#options.endpoints.find((endpoint) => endpoint.url === url)?.secrets ?? 'not in the options of the server'
      )
    if (sealed === null) return []
    try {
      return [this.#options.seal?.open(sealName(runId), sealed) as string]
    } catch {
      return 'the secret cannot be read with AGENCY_STORE_KEY'
    }
  }

  /** Stops sending. Attempts under way get a moment; those that are cut are made again by the next process. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#leaving = true
    await this.#looking
    const over = new AbortController()
    await Promise.race([
      Promise.all(this.#sending),
      delay(LAST_WAIT_MS, undefined, { signal: over.signal }).catch(() => {}),
    ])
    over.abort()
    this.#closing.abort()
    await Promise.all(this.#sending)
    for (const agent of [this.#guarded, this.#open]) if (agent.made()) await (await agent()).destroy()
  }
}

const createAgent = (isTrusted: (origin: string) => boolean) =>
  once(async () => (await import('../../net/guard.ts')).createGuardedAgent({ allowH2: false }, undefined, isTrusted))

/** Ties a sealed secret to its run, and keeps it apart from the run's other secrets. */
const sealName = (runId: string) => `webhook:${runId}`

/** No part of an answer: it would show a caller what stands inside the network. */
function describe(error: unknown, ms: number): string {
  if (AgencyError.isInstance(error)) return 'the address is not on the public internet'
  const { name, code } = error as NodeJS.ErrnoException
  return name === 'TimeoutError' ? `no answer within ${ms} ms` : (code ?? name)
}
