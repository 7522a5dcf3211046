/** Connections to the providers: pools, and clients of the `openai` package over them, each created at first use. */
import type OpenAI from 'openai'
import { once } from '../base/async.ts'
import { MAX_MS, type UpstreamLimits } from '../base/limits.ts'
import { createFetch } from '../net/http.ts'
import type { AddressEndpoint, ServerSettings } from './resolve.ts'

type Fetch = ReturnType<typeof createFetch>

/** The connections that all requests share. */
export interface Connections {
  /** The fetch for an address: our own, one without our credentials, or one that checks each address it connects to. */
  fetch(endpoint: AddressEndpoint): Fetch
  /** A client for an address, with its key and headers. */
  openClient(endpoint: AddressEndpoint): Promise<OpenAI>
  /** The client of the demo model, one for all requests, so that its files exist in the next request of a conversation. */
  demo(): Promise<OpenAI>
  close(): Promise<void>
}

/** Longer than the limit for making a connection. */
const CONNECT_MS = 60_000

export function createConnections({
  limits,
  env,
}: {
  limits: UpstreamLimits
  env: ServerSettings['env']
}): Connections {
  const { upstreamFirstByteMs: headersTimeout, upstreamIdleMs: bodyTimeout } = limits
  const timeouts = { keepAliveTimeout: 60_000, bodyTimeout, headersTimeout }
  const pool = once(async () => new (await import('undici')).Agent(timeouts))
  const guarded = once(async () => (await import('../net/guard.ts')).createGuardedAgent(timeouts))
  const own = createFetch(pool, { trusted: true, limits })
  const open = createFetch(pool, { limits })
  const guardedFetch = createFetch(guarded, { limits })
  const fetchFor = (endpoint: AddressEndpoint) => (endpoint.guarded ? guardedFetch : endpoint.foreign ? open : own)
  return {
    fetch: fetchFor,
    async openClient(endpoint) {
      const { default: OpenAI } = await import('openai')
      // The limit of the connection itself is shorter.
      const timeout = Math.min(headersTimeout + CONNECT_MS, MAX_MS)
      return new OpenAI({ ...clientOptions(endpoint, env), timeout, fetch: fetchFor(endpoint) })
    },
    demo: once(async () => {
      const { default: OpenAI } = await import('openai')
      const { createDemoFetch } = await import('./demo/demo.ts')
      return new OpenAI({ apiKey: 'demo', baseURL: 'http://demo.invalid/v1', fetch: createDemoFetch() })
    }),
    async close() {
      for (const agent of [pool, guarded]) if (agent.made()) await (await agent()).destroy()
    },
  }
}

function clientOptions({ provider, baseURL, apiKey, headers, foreign }: AddressEndpoint, env: ServerSettings['env']) {
  // Values that the client reads from the environment belong to OpenAI, or to the operator's own address for it.
  const elsewhere = foreign || provider !== 'openai'
  const ours = elsewhere ? customHeaderNames(env.OPENAI_CUSTOM_HEADERS) : []
  return {
    apiKey: apiKey ?? 'none',
    adminAPIKey: null,
    ...(baseURL ? { baseURL } : {}),
    ...(elsewhere ? { organization: null, project: null } : {}),
    defaultHeaders: {
      ...Object.fromEntries(ours.map((name) => [name, null])),
      ...(apiKey === undefined ? { Authorization: null } : {}),
      ...headers,
    },
    maxRetries: 0, // models/retry.ts
  }
}

const customHeaderNames = (lines: string | undefined): string[] =>
  (lines ?? '').split('\n').flatMap((line) => (line.includes(':') ? [line.slice(0, line.indexOf(':')).trim()] : []))
