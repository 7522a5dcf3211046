/** The server this page came from. */
import { type Client, ClientError, createClient } from 'agency-swarm-js/client'
import { tab } from './kept.ts'

/** The server's address with its prefix, derived from the address of this page. */
export const BASE_URL = new URL('.', document.baseURI).href.replace(/\/$/, '')

const TOKEN = `agency-swarm-js token ${new URL('.', document.baseURI).pathname}`

/** The token, kept while the tab is open. */
export const readToken = (): string | undefined => tab.read(TOKEN)
export const keepToken = (token: string) => tab.write(TOKEN, token)

/** The client of the server this page came from; it reads the token for each request. What is deleted is deleted although the page closes. */
export const connect = (): Client =>
  createClient({
    baseUrl: BASE_URL,
    token: readToken,
    fetch: (input, init) => fetch(input, init?.method === 'DELETE' ? { ...init, keepalive: true } : init),
  })

/**
 * Asks an endpoint of the page: with GET, or with POST when there is a body.
 * @param path below `/playground/`
 * @throws ClientError
 */
export async function askPage<Answer>(path: string, body?: object, signal?: AbortSignal): Promise<Answer> {
  const token = readToken()
  const response = await fetch(`${BASE_URL}/playground/${path}`, {
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    throw new ClientError(signal?.aborted ? 'aborted' : 'network', 'The server cannot be reached.', { cause: error })
  })
  const answer = await response.json().catch(() => undefined)
  if (response.ok && answer !== undefined) return answer
  const { status } = response
  const said = (answer as { detail?: unknown } | undefined)?.detail
  const reason = typeof said === 'string' ? said : said === undefined ? '' : JSON.stringify(said)
  throw new ClientError(
    status === 401 ? 'unauthorized' : status === 404 ? 'not_found' : 'failed',
    reason || `The server answered ${status}.`,
    { status },
  )
}

/** Asks for the costs of these model answers, in US dollars. */
export const askCosts = async (responses: readonly { model: string; usage: object }[]): Promise<readonly number[]> =>
  (await askPage<{ costs: number[] }>('costs', { responses })).costs
