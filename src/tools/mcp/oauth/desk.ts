/** The logins of all owners at the MCP servers of this process, and the answers of those who were asked for consent. */
import { within } from '../../../base/async.ts'
import { consentFailed, consentGone } from '../../../base/model-errors.ts'
import { invalidOption } from '../../../base/start-errors.ts'
import { createRedactor, type Redact } from '../../../wire/redact.ts'
import { loadClient } from '../load-client.ts'
import { createOAuthFetch } from './fetch.ts'
import {
  ConsentFlow,
  EXCHANGE_MS,
  Login,
  type LoginParts,
  type LoginServer,
  type PendingConsent,
  pendingName,
} from './login.ts'

/** Most owners whose logins at one server stay in memory; beyond them the one that was used longest ago is read again. */
const MOST_OWNERS = 1_000

/** The logins of one owner. */
export interface OwnerLogins {
  /** @param key the object that describes the server: its logins live as long as it does */
  at(key: object, server: LoginServer): Login
  /** Masks the tokens that were in use. */
  readonly redact: Redact
}

/** What came back with a browser. */
export interface ConsentAnswer {
  state: string
  code?: string | undefined
  /** The issuer, where the authorization server sends it (RFC 9207). */
  iss?: string | undefined
  error?: string | undefined
}

export class LoginDesk {
  readonly #parts: LoginParts
  readonly #servers = new WeakMap<object, Map<string, Login>>()
  #callbackUrl: () => string | undefined = () => undefined

  constructor(parts: Omit<LoginParts, 'callbackUrl'>) {
    this.#parts = { ...parts, callbackUrl: () => this.#callbackUrl() }
  }

  /** A server answers at this address from now on; it may know the address only once it listens. */
  listenAt(callbackUrl: () => string | undefined): void {
    this.#callbackUrl = callbackUrl
  }

  of(owner: string): OwnerLogins {
    const used = new Set<Login>()
    return {
      at: (key, server) => {
        const login = this.#find(owner, key, server)
        used.add(login)
        return login
      },
      redact: createLoginRedactor(() => [...used].flatMap(({ secrets }) => secrets)),
    }
  }

  #find(owner: string, key: object, server: LoginServer): Login {
    const logins = this.#servers.get(key) ?? new Map<string, Login>()
    this.#servers.set(key, logins)
    const login = logins.get(owner) ?? new Login(this.#parts, owner, server)
    logins.delete(owner)
    logins.set(owner, login)
    const [oldest] = logins.keys()
    if (logins.size > MOST_OWNERS && oldest !== undefined) logins.delete(oldest)
    return login
  }

  /** The consent that a state belongs to. It stays until it is answered. @throws CONSENT_GONE */
  async find(state: string): Promise<PendingConsent> {
    const pending = (await this.#parts.vault.read(pendingName(state))) as PendingConsent | undefined
    if (pending === undefined) throw consentGone()
    return pending
  }

  /**
   * Takes the answer of a person, once.
   * @returns false when the person refused
   * @throws CONSENT_GONE when the state is unknown, was used or has expired; CONSENT_FAILED when the exchange fails
   */
  async answer({ state, code, iss, error }: ConsentAnswer): Promise<boolean> {
    const { vault } = this.#parts
    const pending = (await vault.swap(pendingName(state), undefined)) as PendingConsent | undefined
    if (pending === undefined) throw consentGone()
    if (error !== undefined || code === undefined) return false
    const { server, redirectUrl } = pending
    const flow = new ConsentFlow(this.#parts, { server, redirectUrl, state, pending })
    const { auth } = await loadClient()
    const exchange = await createOAuthFetch(server.url)
    const options = { serverUrl: server.url, authorizationCode: code, fetchFn: exchange.send }
    try {
      const exchanging = auth(flow, { ...options, ...(iss === undefined ? {} : { iss }) })
      await within(EXCHANGE_MS, 'The authorization server', exchanging)
      await vault.swap(pending.access, flow.access())
      return true
    } catch (error) {
      throw consentFailed(server.label, error)
    } finally {
      await exchange.close()
    }
  }
}

/**
 * The answer in the query of the address to which a browser came back.
 * @throws INVALID_OPTION without a state
 */
export function readAnswer(query: URLSearchParams | undefined): ConsentAnswer {
  const state = query?.get('state')
  if (query === undefined || !state)
    throw invalidOption(
      'An answer to a request for consent is the whole address with its state: https://.../?code=...&state=...',
    )
  const read = (name: string) => query.get(name) ?? undefined
  return { state, code: read('code'), iss: read('iss'), error: read('error') }
}

/** Masks secrets that become known while it is used. */
export function createLoginRedactor(secrets: () => readonly string[]): Redact {
  let known = 0
  let mask: Redact = (text) => text
  return (text) => {
    const all = secrets()
    if (all.length !== known) {
      known = all.length
      mask = createRedactor(() => all)
    }
    return mask(text)
  }
}
