/** `/oauth/callback`: where a browser comes back after its user gave or refused consent at an MCP server. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AgencyError, causeOf, errorText } from '../../base/errors.ts'
import { consentNotYours } from '../../base/model-errors.ts'
import type { ApprovalRecord, Owned, Page } from '../../runs/run-store.ts'
import { readOwnerKey } from '../../runs/start.ts'
import type { Services } from '../../services.ts'
import { type ConsentAnswer, readAnswer } from '../../tools/mcp/oauth/desk.ts'
import type { PendingConsent } from '../../tools/mcp/oauth/login.ts'
import type { Operations } from '../operations.ts'
import { ownerOf } from '../run-requests.ts'

const PATH = '/oauth/callback'
/** Most approvals of one owner that are looked through at a time. */
const PAGE = 100

const page = (description: string) => ({ description, content: { 'text/html': { schema: { type: 'string' } } } })

export const operations: Operations = {
  schemas: [],
  endpoints: [
    {
      path: PATH,
      method: 'get',
      id: 'oauth_callback',
      operation: {
        tags: ['Login'],
        summary: 'Where browsers come back after consent at an MCP server',
        responses: {
          200: page('The consent was given or refused; the window can be closed.'),
          400: page('The address has no state.'),
          403: page('The browser is not that of the user who was asked.'),
          410: page('The request for consent is unknown, was used or has expired.'),
          500: page('The login failed for an unexpected reason.'),
          502: page('The authorization server gave no token.'),
          503: page('The store of the server is away.'),
        },
      },
    },
  ],
}

/** @param serverUrl the server's public address, where it has one */
export function registerOAuth(api: FastifyInstance, services: Services, serverUrl: string | undefined): void {
  services.logins.listenAt(() => {
    const base = serverUrl ?? localAddress(api)
    return base && `${base.replace(/\/$/, '')}${PATH}`
  })
  api.get(PATH, async (request, reply) => {
    try {
      const answer = readAnswer(new URLSearchParams(request.url.replace(/^[^?]*\??/, '')))
      const pending = await services.logins.find(answer.state)
      await checkBrowser(services, request, pending)
      const given = await services.logins.answer(answer).catch(async (error: unknown) => {
        await decide(services, pending, answer, false)
        throw error
      })
      await decide(services, pending, answer, given)
      const { label } = pending.server
      return sendPage(reply, 200, given ? `Access to ${label} was given.` : `Access to ${label} was refused.`)
    } catch (error) {
      return sendFailure(services, reply, error)
    }
  })
}

/** The address of a server that only its own machine can reach. */
function localAddress(api: FastifyInstance): string | undefined {
  const address = api.server.address()
  return address === null || typeof address === 'string' ? undefined : `http://localhost:${address.port}${api.prefix}`
}

/**
 * Consent that another user gives would open that user's account to the owner of the run.
 * @throws CONSENT_FAILED
 */
async function checkBrowser(
  { stored: { identifyBrowser } }: Services,
  request: FastifyRequest,
  { owner }: PendingConsent,
): Promise<void> {
  if (identifyBrowser === undefined || identifyBrowser === false) return
  const user = await ownerOf(identifyBrowser, request).catch(() => undefined)
  const isOwner = user !== undefined && readOwnerKey(owner)?.owner === user
  if (!isOwner) throw consentNotYours()
}

/** Decides the calls that wait: with the access, of all runs of the owner; without it, the one that this browser was asked for. */
async function decide(
  { stored: { runs } }: Services,
  pending: PendingConsent,
  { state }: ConsentAnswer,
  given: boolean,
): Promise<void> {
  const owned = readOwnerKey(pending.owner)
  if (owned === undefined) return
  const isMeant = ({ consent }: ApprovalRecord) =>
    given ? consent?.access === pending.access : URL.parse(consent?.url ?? '')?.searchParams.get('state') === state
  for (const { runId, approvalId } of await listPending(runs.store, owned, isMeant)) {
    const decision = given
      ? { kind: 'approve' as const }
      : { kind: 'reject' as const, reason: `No access to ${pending.server.label} was given.` }
    // Decided in the meantime, or expired: the run goes on with that.
    await runs.decide({ ...owned, runId, approvalId, decision }).catch(() => {})
  }
}

async function listPending(
  store: Services['stored']['runs']['store'],
  owned: Owned,
  isMeant: (approval: ApprovalRecord) => boolean,
): Promise<ApprovalRecord[]> {
  const found: ApprovalRecord[] = []
  for (let after: string | null = null, more = true; more; ) {
    const page: Page<ApprovalRecord> = await store.read({
      kind: 'approvals',
      ...owned,
      status: 'pending' as const,
      limit: PAGE,
      after,
    })
    found.push(...page.data.filter(isMeant))
    after = page.next
    more = after !== null
  }
  return found
}

function sendFailure({ log, redact }: Services, reply: FastifyReply, error: unknown) {
  const isCallers = AgencyError.isInstance(error) && (error.statusCode < 500 || error.code === 'INVALID_OPTION')
  if (!isCallers) log.error(errorText(error), causeOf(error))
  if (!AgencyError.isInstance(error))
    return sendPage(reply, 500, 'The login failed. The log of the server has the reason.')
  return sendPage(reply, error.code === 'INVALID_OPTION' ? 400 : error.statusCode, redact(error.message))
}

const ESCAPES: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => ESCAPES[character] as string)

/** A page without scripts, which nobody keeps or frames, and whose address (it has the code) is not passed on. */
const sendPage = (reply: FastifyReply, status: number, text: string) =>
  reply
    .code(status)
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    .send(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>Access</title><p>${escapeHtml(text)}</p><p>You can close this window.</p></html>`,
    )
