import {
  type AgencyError,
  choiceRefused,
  missingApiKey,
  providerAddressMissing,
  providerNotSupported,
} from '../errors.ts'
import type { ClientConfig } from '../wire/requests.ts'
import type { ChatQuirks } from './chat-messages.ts'
import { addressVariable, PROVIDERS, type Provider, type ProviderModel, readProviderModel } from './providers.ts'

/** Where the calls of one model go, and with what: a value, worked out before anything is made. */
export interface Route {
  api: 'responses' | Provider['kind']
  /** Its name in the table of providers. */
  provider: string
  /** The model's name as the provider knows it. */
  name: string
  /** What its prices are looked up by. */
  label: string
  /** What the items it makes say they come from. */
  origin: string
  /** Undefined: OpenAI's. */
  baseURL: string | undefined
  /** Undefined: the calls carry no key. */
  apiKey: string | undefined
  /** True for an address that nobody but the caller vouches for: nothing of the server's own goes there. */
  foreign: boolean
  /** True: addresses outside of the public internet are refused when connecting. */
  guarded: boolean
  quirks: ChatQuirks
}

/** What the operator set. */
export interface ServerSettings {
  readonly env: { readonly [name: string]: string | undefined }
  /** Origins (scheme, host, port) that a request's `base_url` may name, and which may get the server's own keys. */
  readonly trustedModelOrigins: readonly string[]
}

/** The model that is asked for. */
export interface WantedModel {
  name: string
  /** Over Chat Completions, where the name does not say otherwise. */
  overChat: boolean
  /** The name is one of the API's own, whatever it looks like. */
  verbatim: boolean
  /** The request chose it, not the agency. */
  chosenByRequest: boolean
  agent: string
}

const OPENAI = 'https://api.openai.com/v1'

/**
 * Finds the way to a model (docs/models.md).
 * @param needsKey false: a missing key is no error (requests are to bring theirs)
 * @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED
 */
export function routeModel(
  wanted: WantedModel,
  server: ServerSettings,
  config: ClientConfig | undefined,
  needsKey = true,
): Route {
  const named = readProviderModel(wanted.name)
  return named !== undefined && isOfProvider(named, wanted, config)
    ? routeToProvider(named, wanted, server, config, needsKey)
    : routeToOpenAI(named, wanted, server, config, needsKey)
}

/** A name that the request gives together with an address is a name of that address, but for those of a prefix of ours. */
function isOfProvider({ name, viaLitellm }: ProviderModel, wanted: WantedModel, config: ClientConfig | undefined) {
  if (viaLitellm) return true
  if (wanted.verbatim || name === 'openai' || !PROVIDERS.has(name)) return false
  return !(wanted.chosenByRequest && config?.base_url != null) || name === 'openrouter'
}

function routeToProvider(
  { name, given, model, viaLitellm }: ProviderModel,
  wanted: WantedModel,
  server: ServerSettings,
  config: ClientConfig | undefined,
  needsKey: boolean,
): Route {
  const provider = PROVIDERS.get(name)
  if (provider === undefined) throw unknownProvider(wanted)
  const variable = name === 'openai' ? 'OPENAI_BASE_URL' : addressVariable(name)
  const set = server.env[variable] || undefined
  // A request may not wake what happens to run on the server's machine.
  const preset = provider.local === true && wanted.chosenByRequest ? undefined : provider.baseURL
  const own = set === undefined ? preset : withPath(set, provider)
  const asked = config?.base_url ?? undefined
  const baseURL = asked === undefined ? own : withPath(asked, provider)
  if (baseURL === undefined) throw noAddress(wanted, variable)
  const trusted = [...server.trustedModelOrigins, ...(own === undefined ? [] : [own])]
  const foreign = asked !== undefined && !isTrusted(baseURL, trusted)
  const keys = config?.litellm_keys
  const shared = provider.takesApiKey === 'always' || (provider.takesApiKey === 'bare' && !viaLitellm)
  const apiKey =
    (keys?.[given] ?? keys?.[name] ?? (shared ? config?.api_key : undefined)) ||
    (foreign ? undefined : firstSet(server.env, provider.keys))
  if (apiKey === undefined && needsKey && !foreign && provider.local !== true) throw noKey(wanted, name, provider.keys)
  const label = `${name}/${model}`
  return {
    api: provider.kind,
    provider: name,
    name: model,
    label,
    origin: name === 'openrouter' && !viaLitellm ? model : label,
    baseURL,
    apiKey,
    foreign,
    guarded: foreign && !isTrusted(baseURL, [openAiAddress(server)]),
    quirks: provider.quirks ?? {},
  }
}

function routeToOpenAI(
  named: ProviderModel | undefined,
  wanted: WantedModel,
  server: ServerSettings,
  config: ClientConfig | undefined,
  needsKey: boolean,
): Route {
  const asked = config?.base_url ?? undefined
  const own = server.env.OPENAI_BASE_URL || undefined
  const prefixed = named?.name === 'openai'
  if (named !== undefined && !prefixed && (asked ?? own) === undefined) throw unknownProvider(wanted)
  // Gateways have names of their own with slashes in them: theirs are sent as they are.
  const name = prefixed && asked === undefined ? named.model : wanted.name
  const foreign = asked !== undefined && !isTrusted(asked, [openAiAddress(server), ...server.trustedModelOrigins])
  const apiKey = config?.api_key || (foreign ? undefined : server.env.OPENAI_API_KEY || undefined)
  if (apiKey === undefined && needsKey && !foreign) throw noKey(wanted, 'openai', ['OPENAI_API_KEY'])
  return {
    api: wanted.overChat ? 'chat' : 'responses',
    provider: 'openai',
    name,
    label: name,
    origin: name,
    baseURL: asked ?? own,
    apiKey,
    foreign,
    guarded: foreign,
    quirks: {},
  }
}

function unknownProvider({ name, agent, chosenByRequest }: WantedModel): AgencyError {
  const known = [...PROVIDERS.keys()]
  if (!chosenByRequest) return providerNotSupported(name, agent, known)
  const reason = `it is of no provider that is known here. Known: ${known.join(', ')}. Others are reached through client_config.base_url.`
  return choiceRefused('MODEL_NOT_SUPPORTED', name, reason)
}

function noAddress({ name, agent, chosenByRequest }: WantedModel, variable: string): AgencyError {
  if (!chosenByRequest) return providerAddressMissing(name, agent, variable)
  return choiceRefused('MODEL_NOT_SUPPORTED', name, 'it has no address here. Send one in client_config.base_url.')
}

function noKey({ name, agent, chosenByRequest }: WantedModel, provider: string, variables: readonly string[]) {
  if (!chosenByRequest) return missingApiKey(agent, name, { provider, variables })
  const field = provider === 'openai' ? 'api_key' : `litellm_keys.${provider}`
  return choiceRefused('MISSING_API_KEY', name, `there is no key for it. Send one in client_config.${field}.`)
}

const openAiAddress = ({ env }: ServerSettings) => env.OPENAI_BASE_URL || OPENAI

const firstSet = (env: ServerSettings['env'], names: readonly string[]): string | undefined =>
  names.map((name) => env[name]).find((value) => value !== undefined && value !== '')

function withPath(address: string, { path }: Provider): string {
  const bare = address.replace(/\/+$/, '')
  return path === undefined || bare.endsWith('/v1') ? bare : bare + path
}

/** True when an address has the origin of one of these. */
export function isTrusted(address: string, origins: readonly string[]): boolean {
  const { origin } = new URL(address)
  return origins.some((trusted) => new URL(trusted).origin === origin)
}
