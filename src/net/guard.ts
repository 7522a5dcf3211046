import { lookup as dnsLookup } from 'node:dns/promises'
import ipaddr from 'ipaddr.js'
import { Agent, buildConnector } from 'undici'
import { gatewayRefused } from '../errors.ts'

/** All addresses of a host name. */
export type Lookup = (host: string) => Promise<readonly string[]>

const lookupAll: Lookup = async (host) =>
  (await dnsLookup(host, { all: true, verbatim: true })).map(({ address }) => address)

/** True for addresses of the public internet: not loopback, private, link-local, shared, multicast, reserved, mapped or translated. */
export function isPublicAddress(address: string): boolean {
  try {
    return ipaddr.process(address).range() === 'unicast'
  } catch {
    return false // what cannot be read is not reached
  }
}

/** The addresses of a host, every one of them public. @throws GATEWAY_REFUSED, or the resolver's error */
async function publicAddresses(hostname: string, lookup: Lookup): Promise<readonly string[]> {
  const bare = hostname.replace(/^\[|\]$/g, '')
  const addresses = ipaddr.isValid(bare) ? [bare] : await lookup(bare)
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
 */
export function createGuardedAgent(options: Agent.Options = {}, lookup: Lookup = lookupAll): Agent {
  const connect = buildConnector({ timeout: 10_000 })
  return new Agent({
    ...options,
    connect(target, callback) {
      publicAddresses(target.hostname, lookup).then(
        ([address]) =>
          connect(
            { ...target, hostname: address as string, servername: target.servername || target.hostname },
            callback,
          ),
        (error: Error) => callback(error, null),
      )
    },
  })
}
