/** One owner's access to one MCP server: its token, refreshed when needed, and the way to ask for consent. */
import { createHash, randomBytes } from 'node:crypto'
/** @ts-ignore an optional package: its types are any where it is not installed */
import type {
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client'
import { within } from '../../../base/async.ts'
import { consentNeeded } from '../../../base/model-errors.ts'
import { loadClient } from '../load-client.ts'
import { createOAuthFetch } from './fetch.ts'
import type { McpOAuth } from './options.ts'
import type { Vault } from './vault.ts'

/** How long one exchange with an authorization server may take, in milliseconds. */
export const EXCHANGE_MS = 30_000
/** The part of its life after which a token is refreshed. */
const USED_PART = 0.9

/** An MCP server where users log in. */
export interface LoginServer {
  url: string
  /** Names it for people. */
  label: string
  oauth: McpOAuth
}

/** What all logins of a process share. */
export interface LoginParts {
  vault: Vault
  now: () => number
  /** How long a person may take to give consent, in milliseconds. */
  consentMs: number
  /** Where browsers come back to; undefined where nothing listens. */
  callbackUrl(): string | undefined
}

/** What is kept of an access that an owner gave. */
interface Access {
  tokens: StoredOAuthTokens
  /** When the token is refreshed, shortly before it expires; null when the server did not say how long it lives. */
  renewAt: number | null
  client: StoredOAuthClientInformation
  discovery: OAuthDiscoveryState
}

/** What is kept while a person decides: all that the answer needs, so that any process can take it. */
export interface PendingConsent {
  owner: string
  server: LoginServer
  /** The name of the access that the answer gives. */
  access: string
  redirectUrl: string
  verifier: string
  client: StoredOAuthClientInformation
  discovery: OAuthDiscoveryState
}

/** A consent that a person was asked for. */
export interface ConsentRequest {
  /** The label of the server. */
  server: string
  /** Where the person gives it. */
  url: string
  expiresAt: number
  /** The name of the access that it gives. */
  access: string
}

/** What a server said when it refused a request. */
export interface Challenge {
  resourceMetadataUrl?: URL | undefined
  scope?: string | undefined
}

const digest = (...parts: readonly unknown[]) => createHash('sha256').update(JSON.stringify(parts)).digest('base64url')

/** The name under which a consent that is waited for is kept. */
export const pendingName = (state: string) => `consent:${digest(state)}`

export class Login {
  readonly label: string
  readonly #parts: LoginParts
  readonly #owner: string
  readonly #server: LoginServer
  readonly #name: string
  #access: Promise<Access | undefined> | undefined
  #refreshing: Promise<Access | undefined> | undefined
  #challenge: Challenge | undefined
  /** Every token that was in use, to be masked. */
  readonly #seen = new Set<string>()

  constructor(parts: LoginParts, owner: string, server: LoginServer) {
    this.#parts = parts
    this.#owner = owner
    this.#server = server
    this.label = server.label
    this.#name = `access:${digest(owner, server.url, server.oauth.clientId ?? null, server.oauth.scopes ?? null)}`
  }

  /** What no log or error may show. */
  get secrets(): readonly string[] {
    return [...this.#seen]
  }

  /** The token, refreshed when it is about to expire; undefined when consent is needed, or nobody has asked for any yet. */
  async token(): Promise<string | undefined> {
    let access = await this.#current()
    if (access?.renewAt != null && access.renewAt <= this.#parts.now()) access = await this.#refresh(access)
    return access?.tokens.access_token
  }

  /** @throws CONSENT_NEEDED when a server has already said that it needs a token, and there is none */
  async require(): Promise<void> {
    if ((await this.token()) === undefined && this.#challenge !== undefined) throw consentNeeded(this.label)
  }

  /**
   * The server refused the token, or its absence: takes a token that another process has stored, or refreshes it.
   * @throws CONSENT_NEEDED
   */
  async renew(challenge: Challenge): Promise<void> {
    this.#challenge = challenge
    const refused = await this.#access
    this.#access = this.#load()
    const stored = await this.#access
    if (stored === undefined) throw consentNeeded(this.label)
    if (stored.tokens.access_token !== refused?.tokens.access_token) return
    if ((await this.#refresh(stored)) === undefined) throw consentNeeded(this.label)
  }

  /** The server wants more than the owner has allowed: what there is, is forgotten. */
  async widen(challenge: Challenge): Promise<void> {
    const scopes = [(await this.#access)?.tokens.scope, challenge.scope].join(' ').split(' ')
    this.#challenge = { ...challenge, scope: [...new Set(scopes)].join(' ').trim() }
    await this.#forget()
  }

  /**
   * Prepares a consent: registers the program where that is needed, and gives the address for the person.
   * @throws an Error with the reason
   */
  async ask(): Promise<ConsentRequest> {
    const { now, consentMs, vault } = this.#parts
    const { url: serverUrl, oauth } = this.#server
    const redirectUrl = oauth.redirectUrl ?? this.#parts.callbackUrl()
    if (redirectUrl === undefined)
      throw new Error('Nothing listens for the answer of a browser here. Set oauth.redirectUrl, or serve the agency.')
    const state = randomBytes(32).toString('base64url')
    const flow = new ConsentFlow(this.#parts, { server: this.#server, redirectUrl, state })
    const { auth } = await loadClient()
    const fetchFn = await createOAuthFetch(serverUrl)
    const scope = oauth.scopes?.join(' ') ?? this.#challenge?.scope
    const options = {
      serverUrl,
      fetchFn: fetchFn.send,
      ...(scope === undefined ? {} : { scope }),
      ...(this.#challenge?.resourceMetadataUrl && { resourceMetadataUrl: this.#challenge.resourceMetadataUrl }),
    }
    try {
      await within(EXCHANGE_MS, 'The authorization server', auth(flow, options))
    } finally {
      await fetchFn.close()
    }
    const expiresAt = now() + consentMs
    const pending: PendingConsent = {
      owner: this.#owner,
      server: this.#server,
      access: this.#name,
      redirectUrl,
      ...flow.result(),
    }
    await vault.swap(pendingName(state), pending, expiresAt)
    return { server: this.label, url: flow.url(), expiresAt, access: this.#name }
  }

  /** What there is; while there is nothing, each call looks again: consent may be given in another process. */
  async #current(): Promise<Access | undefined> {
    this.#access ??= this.#load()
    const access = await this.#access
    if (access === undefined) this.#access = undefined
    return access
  }

  async #load(): Promise<Access | undefined> {
    const access = (await this.#parts.vault.read(this.#name)) as Access | undefined
    return this.#note(access)
  }

  #note(access: Access | undefined): Access | undefined {
    if (access !== undefined) for (const secret of secretsIn(access)) this.#seen.add(secret)
    return access
  }

  /** Refreshes once for all who wait. Undefined when the server no longer accepts it. */
  #refresh(access: Access): Promise<Access | undefined> {
    this.#refreshing ??= this.#exchange(access).finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  async #exchange({ tokens, client, discovery, ...rest }: Access): Promise<Access | undefined> {
    if (tokens.refresh_token === undefined) return this.#forget()
    const { refreshAuthorization, OAuthError } = await loadClient()
    const fetchFn = await createOAuthFetch(this.#server.url)
    try {
      const fresh = await within(
        EXCHANGE_MS,
        'The authorization server',
        refreshAuthorization(discovery.authorizationServerUrl, {
          clientInformation: client,
          refreshToken: tokens.refresh_token,
          fetchFn: fetchFn.send,
          ...(discovery.authorizationServerMetadata && { metadata: discovery.authorizationServerMetadata }),
          ...(discovery.resourceMetadata && { resource: discovery.resourceMetadata.resource }),
        }),
      )
      const issued = { ...tokens, ...fresh }
      const access = { ...rest, client, discovery, tokens: issued, renewAt: renewalOf(issued, this.#parts.now()) }
      await this.#parts.vault.swap(this.#name, access)
      this.#access = Promise.resolve(this.#note(access))
      return access
    } catch (error) {
      if (!(error instanceof OAuthError) || !GONE.has(error.code)) throw error
      // Another process may have used the refresh token first, and stored what it got.
      const stored = await this.#load()
      if (stored === undefined || stored.tokens.refresh_token === tokens.refresh_token) return this.#forget()
      this.#access = Promise.resolve(stored)
      return stored
    } finally {
      await fetchFn.close()
    }
  }

  async #forget(): Promise<undefined> {
    await this.#parts.vault.swap(this.#name, undefined)
    this.#access = undefined
    this.#challenge ??= {}
  }
}

/** Refusals after which only a new consent helps. */
const GONE: ReadonlySet<string> = new Set(['invalid_grant', 'invalid_client', 'unauthorized_client', 'invalid_scope'])

const renewalOf = ({ expires_in: seconds }: StoredOAuthTokens, now: number) =>
  seconds === undefined ? null : now + seconds * 1000 * USED_PART

const secretsIn = ({ tokens, client }: Access): string[] =>
  [
    tokens.access_token,
    tokens.refresh_token,
    tokens.id_token,
    'client_secret' in client ? client.client_secret : undefined,
  ].filter((text) => typeof text === 'string')

/** One consent as the official client goes through it: before the person is asked, and again with the answer. */
export class ConsentFlow implements OAuthClientProvider {
  readonly redirectUrl: string
  readonly #parts: LoginParts
  readonly #server: LoginServer
  readonly #state: string
  readonly #clientName: string
  #url = ''
  #verifier = ''
  #client: StoredOAuthClientInformation | undefined
  #discovery: OAuthDiscoveryState | undefined
  #tokens: StoredOAuthTokens | undefined

  constructor(
    parts: LoginParts,
    given: { server: LoginServer; redirectUrl: string; state: string; pending?: PendingConsent | undefined },
  ) {
    const { server, redirectUrl, state, pending } = given
    this.#parts = parts
    this.#server = server
    this.#state = state
    this.redirectUrl = redirectUrl
    this.#verifier = pending?.verifier ?? ''
    this.#client = pending?.client
    this.#discovery = pending?.discovery
    this.#clientName = `client:${digest(server.url, redirectUrl, server.oauth.clientName ?? null)}`
  }

  /** The address for the person. */
  url = () => this.#url

  /** What the answer needs. */
  result() {
    if (this.#client === undefined || this.#discovery === undefined || this.#verifier === '')
      throw new Error('The authorization server did not take the request for consent.')
    return { client: this.#client, discovery: this.#discovery, verifier: this.#verifier }
  }

  /** What the answer gave. */
  access(): Access {
    if (this.#tokens === undefined) throw new Error('The authorization server gave no token.')
    const { client, discovery } = this.result()
    return { tokens: this.#tokens, client, discovery, renewAt: renewalOf(this.#tokens, this.#parts.now()) }
  }

  get clientMetadata() {
    const { clientName = 'agency-swarm-js', scopes } = this.#server.oauth
    return {
      client_name: clientName,
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
    }
  }

  state = () => this.#state

  async clientInformation(): Promise<StoredOAuthClientInformation | undefined> {
    const { clientId, clientSecret } = this.#server.oauth
    if (clientId !== undefined)
      this.#client ??= { client_id: clientId, ...(clientSecret === undefined ? {} : { client_secret: clientSecret }) }
    this.#client ??= (await this.#parts.vault.read(this.#clientName)) as StoredOAuthClientInformation | undefined
    return this.#client
  }

  async saveClientInformation(client: StoredOAuthClientInformation): Promise<void> {
    this.#client = client
    if (this.#server.oauth.clientId === undefined) await this.#parts.vault.swap(this.#clientName, client)
  }

  // Refreshing is a login's own work: what is asked for here is consent.
  tokens = () => undefined
  saveTokens(tokens: StoredOAuthTokens): void {
    this.#tokens = tokens
  }
  redirectToAuthorization(url: URL): void {
    if (!/^https?:$/.test(url.protocol)) throw new Error('The address for the consent is no http(s) address.')
    this.#url = url.href
  }
  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }
  codeVerifier = () => this.#verifier
  saveDiscoveryState(state: OAuthDiscoveryState): void {
    this.#discovery = state
  }
  discoveryState = () => this.#discovery

  async invalidateCredentials(scope: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery'): Promise<void> {
    if (scope !== 'client' && scope !== 'all') return
    this.#client = undefined
    await this.#parts.vault.swap(this.#clientName, undefined)
  }
}
