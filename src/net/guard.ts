import ipaddr from 'ipaddr.js'
import { Agent, buildConnector } from 'undici'
import { within } from '../base/async.ts'
import { AgencyError } from '../base/errors.ts'
import { LOOKUP_LIMITS } from '../base/limits.ts'
import { gatewayRefused } from '../base/model-errors.ts'
import { isPublicAddress } from './addresses.ts'
import { createLookup, type Lookup } from './lookup.ts'

/** Of the whole process, so that all callers together look up a few names at a time. */
const lookupAll = createLookup()

/** The addresses of a host, every one of them public. @throws GATEWAY_REFUSED, OVERLOADED, or the resolver's error */
async function publicAddresses(hostname: string, lookup: Lookup): Promise<readonly string[]> {
  const bare = hostname.replace(/^\[|\]$/g, '')
  const addresses = ipaddr.isValid(bare) ? [bare] : await within(LOOKUP_LIMITS.ms, 'The resolver', lookup(bare))
  if (addresses.length === 0 || !addresses.every(isPublicAddress)) throw gatewayRefused(hostname)
  return addresses
}

/**
 * Checks an address that a caller named, before anything is sent: http or https, and every address behind the name public.
 * @throws GATEWAY_REFUSED; OVERLOADED while too many names wait to be looked up
 */
export async function checkAddress(url: string, lookup: Lookup = lookupAll): Promise<void> {
  const { hostname } = new URL(url)
  try {
    await publicAddresses(hostname, lookup)
  } catch (error) {
    if (AgencyError.isInstance(error) && error.code === 'OVERLOADED') throw error
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
