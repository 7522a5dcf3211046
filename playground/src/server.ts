/** The server this page came from. */
import { type Client, createClient } from 'agency-swarm-js/client'
import { tab } from './kept.ts'

/** The server's address with its prefix, derived from the address of this page. */
export const BASE_URL = new URL('.', document.baseURI).href.replace(/\/$/, '')

const TOKEN = `agency-swarm-js token ${new URL('.', document.baseURI).pathname}`

/** The token, kept while the tab is open. */
export const readToken = (): string | undefined => tab.read(TOKEN)
export const keepToken = (token: string) => tab.write(TOKEN, token)

/** The client of the server this page came from; it reads the token for each request. */
export const connect = (): Client => createClient({ baseUrl: BASE_URL, token: readToken })

/** Asks for the costs of these model answers, in US dollars. */
export async function askCosts(responses: readonly { model: string; usage: object }[]): Promise<readonly number[]> {
  const token = readToken()
  const answer = await fetch(`${BASE_URL}/playground/costs`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ responses }),
  })
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`)
  return (await answer.json()).costs
}
