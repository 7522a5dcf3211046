import { lookup as dnsLookup } from 'node:dns/promises'
import ipaddr from 'ipaddr.js'
import { Agent, buildConnector } from 'undici'
import { gatewayRefused } from '../errors.ts'
import { within } from '../waits.ts'

/** All addresses of a host name. */
export type Lookup = (host: string) => Promise<readonly string[]>

const lookupAll: Lookup = async (host) =>
  (await dnsLookup(host, { all: true, verbatim: true })).map(({ address }) => address)

/** A resolver that takes longer holds up no request. */
const LOOKUP_MS = 4_000

/** The part of IPv6 that is given out as public addresses; outside of it old forms hide IPv4 addresses (`::127.0.0.1`). */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number]

/** True for addresses of the public internet: not loopback, private, link-local, shared, multicast, reserved, mapped or translated. */
export function isPublicAddress(address: string): boolean {
  try {
    const read = ipaddr.process(address)
    return read.range() === 'unicast' && (read.kind() === 'ipv4' || (read as ipaddr.IPv6).match(GLOBAL_IPV6))
  } catch {
    return false // what cannot be read is not reached
  }
}

/** The addresses of a host, every one of them public. @throws GATEWAY_REFUSED, or the resolver's error */
async function publicAddresses(hostname: string, lookup: Lookup): Promise<readonly string[]> {
  const bare = hostname.replace(/^\[|\]$/g, '')
  const addresses = ipaddr.isValid(bare) ? [bare] : await within(LOOKUP_MS, 'The resolver', lookup(bare))
  if (addresses.length === 0 || !addresses.every(isPublicAddress)) throw gatewayRefused(hostname)
  return addresses
}

/**
 * Checks an address that a caller named, before anything is sent: http or https, and every address behind the name public.
 * @throws GATEWAY_REFUSED
 */
export async function checkAddress(url: string, lookup: Lookup = lookupAll): Promise<void> {
  const { hostname } = new URL(url)
  try {
    await publicAddresses(hostname, lookup)
  } catch {
    throw gatewayRefused(hostname) // the same answer whether it is inside or does not exist
  }
}

/**
 * Connections for addresses that a caller named. The name is resolved here, all its addresses are checked, and the
 * connection is made to a checked one, so that a name cannot point elsewhere between the check and the connect.
 * @param isTrusted origins that the operator vouches for: reached wherever they are
 */
export function createGuardedAgent(
  options: Agent.Options = {},
  lookup: Lookup = lookupAll,
  isTrusted: (origin: string) => boolean = () => false,
): Agent {
  const { allowH2 = true } = options
  const connect = buildConnector({ timeout: 10_000, allowH2 })
  return new Agent({
    ...options,
    connect(target, callback) {
      if (isTrusted(new URL(`${target.protocol}//${target.host}`).origin)) return connect(target, callback)
      publicAddresses(target.hostname, lookup).then(
        ([address]) => {
          const servername = target.servername || (ipaddr.isValid(target.hostname) ? '' : target.hostname)
          connect({ ...target, hostname: address as string, servername }, callback)
        },
        (error: Error) => callback(error, null),
      )
    },
  })
}
