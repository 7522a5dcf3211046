/** The fetch of exchanges with authorization servers, whose addresses an MCP server names. */

import { Budget } from '../../../base/budget.ts'
import { AgencyError } from '../../../base/errors.ts'
import { WEB_COPIES } from '../../../net/answers.ts'
import { checkAddress, createGuardedAgent } from '../../../net/guard.ts'
import { createFetch, toWebFetch } from '../../../net/http.ts'

/** Largest answer, in bytes: metadata and tokens are small. */
const MAX_ANSWER_BYTES = 256 * 1024

/**
 * Follows no redirects, so that nothing is sent on to another origin. A server on the public internet cannot name addresses
 * inside the network; one that is inside itself can.
 */
export async function createOAuthFetch(serverUrl: string) {
  const { Agent } = await import('undici')
  const agent = (await isInside(serverUrl)) ? new Agent() : createGuardedAgent()
  const budget = new Budget({
    bound: WEB_COPIES * MAX_ANSWER_BYTES,
    refuse: () => new Error(`An answer of the authorization server is larger than ${MAX_ANSWER_BYTES} bytes.`),
  })
  const web = toWebFetch(
    createFetch(async () => agent),
    budget,
  )
  const send = (url: string | URL, init: RequestInit = {}) =>
    web(url, init.body instanceof URLSearchParams ? { ...init, body: String(init.body) } : init)
  return { send, close: () => agent.destroy() }
}

async function isInside(url: string): Promise<boolean> {
  try {
    await checkAddress(url)
    return false
  } catch (error) {
    if (AgencyError.isInstance(error) && error.code === 'GATEWAY_REFUSED') return true
    throw error
  }
}
