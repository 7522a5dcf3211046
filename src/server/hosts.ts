/** Checks of the Host and Origin headers. */
import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import { invalidHost, otherSite } from '../base/request-errors.ts'
import { isLoopback } from '../net/addresses.ts'

/** `uri-host [ ":" port ]` (RFC 9110, section 7.2; RFC 3986, section 3.2.2), which is never empty in http. */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]+|\[[\da-f:.]+\])(?::\d{0,5})?$/i

/** Answers 400 to a request with no Host header, several of them or an invalid one (RFC 9112, section 3.2). */
export const checkHost: onRequestHookHandler = ({ raw: { rawHeaders, headers, httpVersion } }, _reply, done) => {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.length === 4 && rawHeaders[index]?.toLowerCase() === 'host') hosts++
  const { host } = headers
  const isValid = hosts > 1 ? false : host === undefined ? httpVersion !== '1.1' : HOST.test(host)
  done(isValid ? undefined : invalidHost())
}

/**
 * Creates a hook for a server without a token. While the server only listens on this machine, it answers 403 to web pages of
 * other hosts. A browser sends such requests for any page that its user opens: with the page's Origin, or with the page's host
 * name as Host when that name resolves to this machine (DNS rebinding). Programs send no Origin.
 */
export function refuseOtherSites(app: FastifyInstance): onRequestHookHandler {
  let local: boolean | undefined
  return ({ headers: { origin, host } }, _reply, done) => {
    if (local === undefined) {
      const address = app.server.address()
      if (address === null) return done() // the server does not listen: the request was injected, not sent over a network
      local = typeof address === 'object' && isLoopback(address.address)
    }
    if (!local) return done()
    if (origin !== undefined && !isLocalAddress(origin)) return done(otherSite('Origin', origin))
    if (host !== undefined && !isLocalAddress(`http://${host}`)) return done(otherSite('Host', host))
    done()
  }
}

/** True for an http or https address with a loopback host, by name (RFC 6761, section 6.3) or number. */
function isLocalAddress(address: string): boolean {
  const url = URL.parse(address)
  if (url === null || !/^https?:$/.test(url.protocol)) return false
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return isLoopback(host) || /^(?:.+\.)?localhost\.?$/i.test(host)
}
