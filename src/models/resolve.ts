/** Decides the endpoint of every call of a run from the agent's model and the request. */
import type OpenAI from 'openai'
import type { AgencyError } from '../base/errors.ts'
import { choiceRefused, missingApiKey, providerAddressMissing, providerNotSupported } from '../base/model-errors.ts'
import { filesNeedKey } from '../base/request-errors.ts'
import type { JsonObject } from '../wire/json.ts'
import type { ClientConfig } from '../wire/requests.ts'
import { hasOrigin, isBelow, isOpenAi, isOpenAiOnly } from './addresses.ts'
import type { LanguageModel } from './ai-sdk/ai-sdk.ts'
import { defaultSettings } from './defaults.ts'
import type { Model, ModelSettings } from './model.ts'
import type { ChatQuirks } from './openai/chat-messages.ts'
import { familyOf, type ModelFamily, translateArgs } from './openai/extra-args.ts'
import { addressVariable, PROVIDERS, type ProviderModel, type ProviderSpec, readProviderModel } from './providers.ts'
import { DEFAULT_MODEL, describeModel, isNamed, type ModelSpec } from './spec.ts'

/** The address, key and settings for the calls of one model. */
export type Endpoint = DemoEndpoint | ObjectEndpoint | ClientEndpoint | AddressEndpoint
/** The endpoints that can have a file store. */
export type FilesEndpoint = DemoEndpoint | ClientEndpoint | AddressEndpoint

/** The demo model, which runs offline. */
export interface DemoEndpoint {
  kind: 'demo'
}
/** A model object of the agent, which makes its own calls. It gets nothing from `client_config`. */
export interface ObjectEndpoint {
  kind: 'object'
  model: LanguageModel | Model
}
/** The `openai` client of the agent's model. */
export interface ClientEndpoint extends CallShape {
  kind: 'client'
  api: 'responses' | 'chat'
  client: OpenAI
  /** The request's key, which replaces the client's own. */
  apiKey: string | undefined
}
/** An address that the server or the request set. */
export interface AddressEndpoint extends CallShape {
  kind: 'address'
  api: 'responses' | ProviderSpec['kind']
  /** The provider's name in the table. */
  provider: string
  /** The origin that its items carry in `provider_data`. */
  origin: string
  /** Undefined: OpenAI's. */
  baseURL: string | undefined
  /** Undefined: the calls carry no key. */
  apiKey: string | undefined
  /** `client_config.api_key` belongs to this provider. */
  takesApiKey: boolean
  /** True for an address that only the caller chose: none of the server's own secrets are sent there. */
  foreign: boolean
  /** True: the connection refuses addresses outside the public internet. */
  guarded: boolean
  quirks: ChatQuirks
}
/** The parts of every call beside the prompt. */
interface CallShape {
  /** The model's name at this address. */
  name: string
  /** The name in the price table. */
  label: string
  family: ModelFamily
  /** Sent with every call. */
  headers: { readonly [name: string]: string } | undefined
  /** `client_config.model_settings_extra_args`, with the field names of the API and the model family. */
  extraArgs: JsonObject | undefined
  /** Settings for fields that the agent does not set. */
  defaults: ModelSettings
  /** The request replaced the agent's model: settings for the agent's model family do not apply. */
  replaced: boolean
  /** Hosted tools and their settings may be sent there. */
  hostedTools: boolean
}

/** The operator's settings. */
export interface ServerSettings {
  readonly env: { readonly [name: string]: string | undefined }
  /** Addresses that a request's `base_url` may name and that may get the server's own keys: origins, or addresses with a path. */
  readonly trustedModelOrigins: readonly string[]
  /** Hosted tools are sent to every address that a request names. Default false. */
  readonly gatewayHostedTools?: boolean | undefined
}

/** A request for a model: the agent that asks, and the request's `client_config`. */
export interface ModelRequest {
  spec: ModelSpec | undefined
  agent: string
  config: ClientConfig | undefined
  server: ServerSettings
  /** A missing key is not an error: requests must bring their own. Default false. */
  keyless?: boolean
}

/** The model name to resolve, and its source. */
interface Wanted {
  name: string
  /** Called over Chat Completions, unless the name decides otherwise. */
  overChat: boolean
  /** The name is sent unchanged, even when it looks like a provider's prefix. */
  verbatim: boolean
  /** The request chose it, not the agency. */
  chosenByRequest: boolean
  agent: string
}

/** The address, key and headers of a request that belong to one provider. */
type Share = Pick<ClientConfig, 'base_url' | 'api_key' | 'default_headers'>

const OPENAI = 'https://api.openai.com/v1'

/**
 * The endpoint of the model's calls (docs/models.md).
 * @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED
 */
export function resolveModel(request: ModelRequest): Endpoint {
  const { spec, agent, config } = request
  if (!isNamed(spec)) return { kind: 'object', model: spec }
  const chosen = config?.model ?? undefined
  if ((chosen ?? spec) === 'demo') return { kind: 'demo' }
  const verbatim = typeof spec === 'object'
  const overChat = verbatim && spec.kind === 'chat-completions'
  const wanted: Wanted = {
    name: chosen ?? describeModel(spec),
    overChat,
    verbatim: verbatim && chosen === undefined,
    chosenByRequest: chosen !== undefined,
    agent,
  }
  const keepsClient = config?.base_url == null && !/^(litellm|openrouter)\//.test(chosen ?? '')
  if (verbatim && spec.client !== undefined && keepsClient)
    return throughClient(spec.client, wanted, request, config ?? {})
  const named = readProviderModel(wanted.name)
  return named !== undefined && isOfProvider(named, wanted, config)
    ? toProvider(named, wanted, request)
    : toOpenAi(wanted, request, config ?? {})
}

/**
 * The endpoint of the call that names a conversation: the run's. OpenAI's Responses API is asked for a small model,
 * unless the request chose one; every other address is asked for the run's own model, which it is known to have.
 */
export function resolveNamer(run: Endpoint): Endpoint {
  if (run.kind === 'demo' || run.kind === 'object') return run
  const small = run.kind === 'address' && run.provider === 'openai' && run.api === 'responses' && !run.replaced
  const name = small ? DEFAULT_MODEL : run.name
  const defaults = small ? defaultSettings(DEFAULT_MODEL) : run.defaults
  return { ...run, name, label: small ? DEFAULT_MODEL : run.label, defaults, extraArgs: undefined }
}

/**
 * The file store of a run: the Files API of the run's own endpoint, where that is OpenAI or a provider with
 * its API; otherwise OpenAI with the server's account, without the parts of the request that belong to the run's provider.
 * @throws FILE_FAILED without a key for it
 */
export function resolveFiles(request: ModelRequest): FilesEndpoint {
  const run = resolveModel({ ...request, keyless: true })
  if (run.kind === 'demo' || run.kind === 'client') return run
  const elsewhere = run.kind === 'address' && run.provider !== 'openai'
  const endpoint = run.kind === 'address' && !elsewhere ? run : beside(run, request)
  if (endpoint.kind === 'address' && endpoint.apiKey === undefined && !endpoint.foreign)
    throw filesNeedKey(request.agent, elsewhere ? 'litellm_keys.openai' : 'api_key')
  return endpoint
}

/** OpenAI for the files of a run at another provider: through the agent's own client or the server's address. */
function beside(run: ObjectEndpoint | AddressEndpoint, request: ModelRequest): ClientEndpoint | AddressEndpoint {
  const { spec, agent, config } = request
  const share = openAiShare(run, config ?? {})
  const wanted = { name: DEFAULT_MODEL, overChat: false, verbatim: true, chosenByRequest: false, agent }
  const client = typeof spec === 'object' && 'kind' in spec ? spec.client : undefined
  return client !== undefined && share.base_url == null
    ? throughClient(client, wanted, request, share)
    : toOpenAi(wanted, { ...request, keyless: true }, share)
}

/** The request's settings for OpenAI, when the run uses another provider or a model object. */
function openAiShare(run: ObjectEndpoint | AddressEndpoint, config: ClientConfig): Share {
  const { base_url, api_key, default_headers, litellm_keys } = config
  if (run.kind === 'object' || (base_url != null && !takesAddress(run.provider, base_url)))
    return { base_url, api_key, default_headers }
  // A key given with an address belongs to that address.
  const spare = run.takesApiKey || base_url != null ? undefined : api_key
  return { api_key: spare ?? litellm_keys?.openai }
}

/** False for an address without the provider's models: the provider keeps its own address and does not get the request's. */
const takesAddress = (provider: string, address: string): boolean =>
  provider === 'openai' || provider === 'azure' || !isOpenAiOnly(address)

/** A model name given with an address is a name at that address, unless it has one of our prefixes. */
function isOfProvider({ name, viaLitellm }: ProviderModel, wanted: Wanted, config: ClientConfig | undefined) {
  if (viaLitellm) return true
  if (wanted.verbatim || name === 'openai' || !PROVIDERS.has(name)) return false
  return !(wanted.chosenByRequest && config?.base_url != null) || name === 'openrouter'
}

function throughClient(client: OpenAI, wanted: Wanted, { config }: ModelRequest, share: Share): ClientEndpoint {
  const { name, overChat } = wanted
  const shape = shapeOf(name, wanted, { provider: 'openai', config, hostedTools: !overChat })
  return {
    kind: 'client',
    ...shape,
    label: name,
    headers: share.default_headers ?? undefined,
    api: overChat ? 'chat' : 'responses',
    client,
    apiKey: share.api_key ?? undefined,
  }
}

function toProvider(named: ProviderModel, wanted: Wanted, { server, config, keyless }: ModelRequest): AddressEndpoint {
  const { name, given, model, viaLitellm } = named
  const provider = PROVIDERS.get(name)
  if (provider === undefined) throw unknownProvider(wanted)
  const asked = config?.base_url ?? undefined
  const share = asked === undefined || takesAddress(name, asked) ? (config ?? {}) : {}
  const address = addressOf({ name, provider, wanted }, server, share)
  const takesApiKey = provider.takesApiKey === 'always' || (provider.takesApiKey === 'bare' && !viaLitellm)
  const keys = config?.litellm_keys
  const apiKey =
    keys?.[given] ??
    keys?.[name] ??
    (takesApiKey ? share.api_key : undefined) ??
    (address.foreign ? undefined : firstSet(server.env, provider.keys))
  if (apiKey === undefined && keyless !== true && !address.foreign && provider.local !== true)
    throw noKey(wanted, name, provider.keys)
  const label = `${name}/${model}`
  return {
    kind: 'address',
    ...shapeOf(model, wanted, { provider: name, config, hostedTools: false, raw: provider.kind !== 'chat' }),
    label,
    headers: share.default_headers ?? undefined,
    api: provider.kind,
    provider: name,
    origin: name === 'openrouter' && !viaLitellm ? model : label,
    ...address,
    apiKey,
    takesApiKey,
    quirks: provider.quirks ?? {},
  }
}

/** The address of a provider: the request's, the operator's, or the one in the table. @throws MODEL_NOT_SUPPORTED */
function addressOf(to: { name: string; provider: ProviderSpec; wanted: Wanted }, server: ServerSettings, share: Share) {
  const { name, provider, wanted } = to
  const variable = name === 'openai' ? 'OPENAI_BASE_URL' : addressVariable(name)
  const set = server.env[variable] || undefined
  // A request must not reach a service on the server's own machine.
  const preset = provider.local === true && wanted.chosenByRequest ? undefined : provider.baseURL
  const own = set === undefined ? preset : withPath(set, provider)
  const asked = share.base_url ?? undefined
  const baseURL = asked === undefined ? own : withPath(asked, provider)
  if (baseURL === undefined) throw noAddress(wanted, variable)
  const foreign = asked !== undefined && !isTrusted(baseURL, server, own)
  return { baseURL, foreign, guarded: foreign && !hasOrigin(baseURL, [openAiAddress(server)]) }
}

function toOpenAi(wanted: Wanted, { server, config, keyless }: ModelRequest, share: Share): AddressEndpoint {
  const named = readProviderModel(wanted.name)
  const asked = share.base_url ?? undefined
  const own = server.env.OPENAI_BASE_URL || undefined
  const prefixed = named?.name === 'openai'
  if (named !== undefined && !prefixed && (asked ?? own) === undefined) throw unknownProvider(wanted)
  // Gateways have their own model names with slashes: these are sent unchanged.
  const name = prefixed && asked === undefined && !wanted.verbatim ? named.model : wanted.name
  const ownAddress = openAiAddress(server)
  const foreign = asked !== undefined && !isTrusted(asked, server, ownAddress)
  const apiKey = share.api_key ?? (foreign ? undefined : server.env.OPENAI_API_KEY || undefined)
  if (apiKey === undefined && keyless !== true && !foreign) throw noKey(wanted, 'openai', ['OPENAI_API_KEY'])
  const elsewhere = asked !== undefined && !isBelow(asked, [ownAddress]) && !isOpenAi(asked)
  const hostedTools = !wanted.overChat && (!elsewhere || server.gatewayHostedTools === true)
  return {
    kind: 'address',
    ...shapeOf(name, wanted, { provider: 'openai', config, hostedTools }),
    label: name,
    headers: share.default_headers ?? undefined,
    api: wanted.overChat ? 'chat' : 'responses',
    provider: 'openai',
    origin: name,
    baseURL: asked ?? own,
    apiKey,
    takesApiKey: true,
    foreign,
    guarded: foreign && !hasOrigin(asked, [ownAddress]),
    quirks: {},
  }
}

/** @param to `raw`: the arguments are passed on for the API's own translation */
function shapeOf(
  name: string,
  wanted: Wanted,
  to: { provider: string; config: ClientConfig | undefined; hostedTools: boolean; raw?: boolean },
) {
  const { provider, config, hostedTools } = to
  const family = familyOf(name, provider)
  const args = config?.model_settings_extra_args ?? undefined
  return {
    name,
    family,
    extraArgs: to.raw === true ? args : translateArgs(args, { name, family, hostedTools }),
    defaults: defaultSettings(wanted.name),
    replaced: wanted.chosenByRequest,
    hostedTools,
  }
}

function unknownProvider({ name, agent, chosenByRequest }: Wanted): AgencyError {
  const known = [...PROVIDERS.keys()]
  if (!chosenByRequest) return providerNotSupported(name, agent, known)
  const reason = `its provider is not known. Known: ${known.join(', ')}. Others are reached through client_config.base_url.`
  return choiceRefused('MODEL_NOT_SUPPORTED', name, reason)
}

function noAddress({ name, agent, chosenByRequest }: Wanted, variable: string): AgencyError {
  if (!chosenByRequest) return providerAddressMissing(name, agent, variable)
  return choiceRefused('MODEL_NOT_SUPPORTED', name, 'it has no address here. Send one in client_config.base_url.')
}

function noKey({ name, agent, chosenByRequest }: Wanted, provider: string, variables: readonly string[]) {
  if (!chosenByRequest) return missingApiKey(agent, name, { provider, variables })
  const field = provider === 'openai' ? 'api_key' : `litellm_keys.${provider}`
  return choiceRefused('MISSING_API_KEY', name, `there is no key for it. Send one in client_config.${field}.`)
}

const openAiAddress = ({ env }: ServerSettings) => env.OPENAI_BASE_URL || OPENAI

/** True when the server's key of a provider may be sent to an address: at or below the configured one, or listed by the operator. */
const isTrusted = (address: string, { trustedModelOrigins }: ServerSettings, own: string | undefined) =>
  isBelow(address, [...trustedModelOrigins, ...(own === undefined ? [] : [own])])

/** True when a request may name an address that is not on the public internet. */
export const isVouchedFor = (address: string, server: ServerSettings): boolean =>
  isBelow(address, server.trustedModelOrigins) || hasOrigin(address, [openAiAddress(server)]) || isOpenAiOnly(address)

const firstSet = (env: ServerSettings['env'], names: readonly string[]): string | undefined =>
  names.map((name) => env[name]).find((value) => value !== undefined && value !== '')

function withPath(address: string, { path }: ProviderSpec): string {
  const bare = address.replace(/(?<!\/)\/+$/, '')
  return path === undefined || bare.endsWith('/v1') ? bare : bare + path
}
