import { createHash } from 'node:crypto'
import type { FastifyRateLimitStore, RateLimitPluginOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { MAX_MS } from '../base/limits.ts'
import type { ServerLog } from '../base/log.ts'
import { optionNames } from '../base/options.ts'
import { tooManyRequests } from '../base/request-errors.ts'
import { invalidOption } from '../base/start-errors.ts'
import type { Services } from '../services.ts'
import type { Peers } from '../workers/peers.ts'

/** How many requests one caller may make. */
export interface RateLimitOptions {
  /** In one window. */
  requests: number
  /** The window, in milliseconds. Default 60,000. */
  windowMs?: number
  /**
   * Who is one caller: an address (default; IPv6 by its /64), a token, or what your function says. Behind a proxy every
   * address is the proxy's: read its header, if nobody else can reach this server: `({ headers }) => headers['x-real-ip']`.
   */
  by?: 'address' | 'token' | ((request: Caller) => string | string[] | undefined)
  /**
   * Count in Redis, for several machines together; needs the package `ioredis`. Default: in the store of runs where several
   * processes use it (PostgreSQL), else in this process, or in that of all its `workers`.
   */
  redisUrl?: string
}

interface Caller {
  address: string
  headers: FastifyRequest['headers']
}

const KNOWN = optionNames<RateLimitOptions>({ requests: true, windowMs: true, by: true, redisUrl: true })

/** @throws INVALID_OPTION */
export function checkRateLimit(options: RateLimitOptions | undefined): void {
  if (options === undefined) return
  const { requests, windowMs = 1, by = 'address', redisUrl = 'redis://localhost' } = options
  const isCount = (value: unknown) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_MS
  const fits =
    Object.keys(options).every((key) => KNOWN.has(key)) &&
    isCount(requests) &&
    isCount(windowMs) &&
    (typeof by === 'function' || by === 'address' || by === 'token') &&
    /^rediss?:$/.test(URL.parse(redisUrl)?.protocol ?? '')
  if (!fits)
    throw invalidOption(
      'rateLimit is { requests: 100, windowMs: 60_000, by: "address" or "token" or a function, redisUrl: "redis://..." }.',
    )
}

/**
 * Refuses callers that ask too often, with 429 and RateLimit headers, before their token is looked at. While Redis cannot
 * be reached, or the process that counts for several workers is too slow, everybody is let in.
 * @throws INVALID_OPTION when Redis is asked for and cannot be reached at start
 */
export async function limitRate(
  scope: FastifyInstance,
  { requests, windowMs = 60_000, by = 'address', redisUrl }: RateLimitOptions,
  { log, peers, stored }: Pick<Services, 'log' | 'peers' | 'stored'>,
): Promise<void> {
  const { default: rateLimit } = await import('@fastify/rate-limit')
  const redis = redisUrl === undefined ? undefined : await connect(redisUrl, log)
  if (redis !== undefined) scope.addHook('onClose', () => redis.disconnect())
  const counts = stored.runs.store.counts ?? peers
  const nameOf = typeof by === 'function' ? by : by === 'token' ? tokenOf : () => undefined
  await scope.register(rateLimit, {
    global: false,
    max: requests,
    timeWindow: windowMs,
    enableDraftSpec: true,
    skipOnError: true,
    ...(redis !== undefined
      ? { redis, nameSpace: 'agency-swarm-rate-' }
      : counts !== undefined && { store: createSharedStore(counts) }),
    ...(by === 'address' ? {} : { keyGenerator: ({ ip, headers }) => String(nameOf({ address: ip, headers }) ?? ip) }),
    errorResponseBuilder: (_request, { ttl }) => tooManyRequests(Math.ceil(ttl / 1000)),
  })
  scope.addHook('onRequest', scope.rateLimit())
}

/** Counts for all workers of this machine, or for all processes that use a store. */
function createSharedStore(counts: Pick<Peers, 'count'>): RateLimitPluginOptions['store'] & object {
  return class SharedStore implements FastifyRateLimitStore {
    incr(key: string, done: (error: Error | null, result?: { current: number; ttl: number }) => void, windowMs = 0) {
      counts.count(key, windowMs).then(
        ({ count, leftMs }) => done(null, { current: count, ttl: leftMs }),
        (error: Error) => done(error),
      )
    }
    child() {
      return this
    }
  }
}

/** Not the token itself: it would stand in the store. */
const tokenOf = ({ headers: { authorization } }: Caller) =>
  authorization === undefined ? undefined : createHash('sha256').update(authorization).digest('base64url')

async function connect(url: string, log: ServerLog) {
  const { Redis } = await import('ioredis').catch(() => {
    throw invalidOption('rateLimit.redisUrl needs the package ioredis: npm install ioredis')
  })
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 5_000,
    enableOfflineQueue: false,
    commandTimeout: 1_000,
  })
  let isLogged = false
  redis.on('ready', () => {
    isLogged = false
  })
  redis.on('error', (error: Error) => {
    if (!isLogged) log.error('The rate limit does not reach its Redis and lets everybody in.', error)
    isLogged = true // once per outage
  })
  try {
    await redis.connect()
    return redis
  } catch (error) {
    redis.disconnect()
    throw invalidOption(`rateLimit.redisUrl cannot be reached: ${error instanceof Error ? error.message : error}`)
  }
}
