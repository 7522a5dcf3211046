/** The `oauth` option of an MCP server: how this program logs in there in the name of a user. */
import { refuseUnknown } from '../../../base/options.ts'

/** How the authorization server of an MCP server knows this program. All settings are optional. */
export interface McpOAuth {
  /**
   * The id under which the program is registered, or the https address of its client id metadata document.
   * @default the program registers itself (RFC 7591)
   */
  clientId?: string | undefined
  /** The secret that belongs to `clientId`. @default none: a public client with PKCE */
  clientSecret?: string | undefined
  /** What the program asks for. @default what the server asks for */
  scopes?: readonly string[] | undefined
  /** Where browsers come back to. @default `/oauth/callback` of the server that runs the agency */
  redirectUrl?: string | undefined
  /** The name that users read when they are asked. @default 'agency-swarm-js' */
  clientName?: string | undefined
}

const OPTIONS = new Set<string>([
  'clientId',
  'clientSecret',
  'scopes',
  'redirectUrl',
  'clientName',
] satisfies (keyof McpOAuth)[])

/** @param who names the server in errors @throws INVALID_OPTION, or what `wrong` makes */
export function checkOAuth(oauth: unknown, who: string, wrong: (text: string) => Error): void {
  if (oauth === undefined || typeof oauth === 'boolean') return
  if (typeof oauth !== 'object' || oauth === null)
    throw wrong('oauth must be true, false, or an object such as { scopes: ["read"] }.')
  refuseUnknown(`oauth of ${who}`, oauth, OPTIONS)
  const { scopes, redirectUrl, ...texts } = oauth as McpOAuth
  for (const [name, value] of Object.entries(texts))
    if (value !== undefined && (typeof value !== 'string' || value === '')) throw wrong(`oauth.${name} must be a text.`)
  if (texts.clientSecret !== undefined && texts.clientId === undefined)
    throw wrong('oauth.clientSecret needs the clientId that it belongs to.')
  if (
    scopes !== undefined &&
    !(Array.isArray(scopes) && scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(String(scope))))
  )
    throw wrong('oauth.scopes must be a list of scopes without blanks.')
  if (redirectUrl !== undefined && !/^https?:$/.test(URL.parse(redirectUrl)?.protocol ?? ''))
    throw wrong('oauth.redirectUrl must be an http(s) address.')
}
