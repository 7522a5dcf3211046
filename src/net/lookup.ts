import { Resolver } from 'node:dns/promises'
import { LOOKUP_LIMITS } from '../base/limits.ts'
import { overloaded } from '../base/request-errors.ts'

/** All addresses of a host name. */
export type Lookup = (host: string) => Promise<readonly string[]>

/** Asked again after this time: a datagram may be lost. */
const TRY_MS = 1_500

interface LookupOptions {
  /** Name servers, `127.0.0.1:5353`. Default: the system's. */
  servers?: readonly string[]
  ms?: number
  concurrent?: number
  queued?: number
}

/**
 * Looks up names that callers wrote. The system's own look-up (getaddrinfo) holds one of the few threads of the process until
 * the resolver answers, so that names nobody answers for would keep the server from looking up its own and from reading files.
 * This one asks the name servers itself, a few names at a time. It does not know what stands in the hosts file: `localhost` is
 * loopback, any other name is looked up in DNS.
 * @throws OVERLOADED when too many names wait; the resolver's error, ECANCELLED when it takes too long
 */
export function createLookup({
  servers,
  ms = LOOKUP_LIMITS.ms,
  concurrent = LOOKUP_LIMITS.concurrent,
  queued = LOOKUP_LIMITS.queued,
}: LookupOptions = {}): Lookup {
  const waiting: (() => void)[] = []
  let running = 0
  const enter = async () => {
    if (running < concurrent) return void running++
    if (waiting.length >= queued) throw overloaded('name lookups')
    await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const leave = () => {
    const next = waiting.shift()
    if (next === undefined) running--
    else next() // which takes this place
  }
  return async (host) => {
    if (LOCALHOST.test(host)) return ['127.0.0.1', '::1']
    const end = performance.now() + ms
    await enter()
    try {
      return await resolveAll(host, end - performance.now(), servers)
    } finally {
      leave()
    }
  }
}

/** RFC 6761, 6.3: these never leave this machine. */
const LOCALHOST = /^(?:.+\.)?localhost\.?$/i

async function resolveAll(host: string, ms: number, servers: readonly string[] | undefined): Promise<string[]> {
  const resolver = new Resolver({ timeout: TRY_MS, tries: 2 })
  if (servers !== undefined) resolver.setServers(servers)
  const asked = Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  const timer = setTimeout(() => resolver.cancel(), Math.max(0, ms))
  const answers = await asked.finally(() => clearTimeout(timer))
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  const [failed] = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
  if (addresses.length === 0) throw failed
  return addresses
}
