import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import { invalidHost, otherSite } from '../base/errors.ts'
import { isLoopback } from '../net/addresses.ts'

/** `uri-host [ ":" port ]` (RFC 9110, 7.2; RFC 3986, 3.2.2), which is never empty in http. */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]+|\[[\da-f:.]+\])(?::\d{0,5})?$/i

/** Refuses a request with no, several or an impossible Host with 400 (RFC 9112, 3.2). */
export const checkHost: onRequestHookHandler = ({ raw: { rawHeaders, headers, httpVersion } }, _reply, done) => {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.length === 4 && rawHeaders[index]?.toLowerCase() === 'host') hosts++
  const { host } = headers
  const isFine = hosts > 1 ? false : host === undefined ? httpVersion !== '1.1' : HOST.test(host)
  done(isFine ? undefined : invalidHost())
}

/**
 * For a server without a token: while it listens on this machine alone, refuses requests of pages from elsewhere with 403. A
 * browser sends them for any page that its user has open: with that page's Origin, or, when the page's own name was made to point
 * to this machine, with that name as Host (DNS rebinding). Programs send no Origin.
 */
export function refuseOtherSites(app: FastifyInstance): onRequestHookHandler {
  let local: boolean | undefined
  return ({ headers: { origin, host } }, _reply, done) => {
    if (local === undefined) {
      const address = app.server.address()
      if (address === null) return done() // it does not listen: the request is injected, and came over no network
      local = typeof address === 'object' && isLoopback(address.address)
    }
    if (!local) return done()
    if (origin !== undefined && !isOfThisMachine(origin)) return done(otherSite('Origin', origin))
    if (host !== undefined && !isOfThisMachine(`http://${host}`)) return done(otherSite('Host', host))
    done()
  }
}

/** True for an http or https address whose host is loopback by its name (RFC 6761, 6.3) or number. */
function isOfThisMachine(address: string): boolean {
  const url = URL.parse(address)
  if (url === null || !/^https?:$/.test(url.protocol)) return false
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return isLoopback(host) || /^(?:.+\.)?localhost\.?$/i.test(host)
}
