/** The way out of every call of a run: decided here, from the agent's model and the request, before anything is made. */
import type OpenAI from 'openai'
import {
  type AgencyError,
  choiceRefused,
  filesNeedKey,
  missingApiKey,
  providerAddressMissing,
  providerNotSupported,
} from '../base/errors.ts'
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

/** Where the calls of one model go, and with what. */
export type Endpoint = DemoEndpoint | ObjectEndpoint | ClientEndpoint | AddressEndpoint
/** What a store of files can be behind. */
export type FilesEndpoint = DemoEndpoint | ClientEndpoint | AddressEndpoint

/** The demo model, which runs offline. */
export interface DemoEndpoint {
  kind: 'demo'
}
/** An object of the agent's that makes its calls itself. Nothing of a request reaches it. */
export interface ObjectEndpoint {
  kind: 'object'
  model: LanguageModel | Model
}
/** The `openai` client that the agent's model brings along. */
export interface ClientEndpoint extends CallShape {
  kind: 'client'
  api: 'responses' | 'chat'
  client: OpenAI
  /** The request's, instead of the client's own. */
  apiKey: string | undefined
}
/** An address of the server's or of the request's. */
export interface AddressEndpoint extends CallShape {
  kind: 'address'
  api: 'responses' | ProviderSpec['kind']
  /** Its name in the table of providers. */
  provider: string
  /** What the items it makes say they come from. */
  origin: string
  /** Undefined: OpenAI's. */
  baseURL: string | undefined
  /** Undefined: the calls carry no key. */
  apiKey: string | undefined
  /** `client_config.api_key` belongs to this provider. */
  takesApiKey: boolean
  /** True for an address that nobody but the caller vouches for: nothing of the server's own goes there. */
  foreign: boolean
  /** True: addresses outside of the public internet are refused when connecting. */
  guarded: boolean
  quirks: ChatQuirks
}
/** What every call says beside the prompt. */
interface CallShape {
  /** The model's name as the address knows it. */
  name: string
  /** What its prices are looked up by. */
  label: string
  family: ModelFamily
  /** Sent with every call. */
  headers: { readonly [name: string]: string } | undefined
  /** `client_config.model_settings_extra_args` in the words of API and family. */
  extraArgs: JsonObject | undefined
  /** Settings where the agent sets none. */
  defaults: ModelSettings
  /** The request put it in the place of the agent's model, whose family settings do not apply. */
  replaced: boolean
  /** Tools that the provider runs, and what belongs to them, may go there. */
  hostedTools: boolean
}

/** What the operator set. */
export interface ServerSettings {
  readonly env: { readonly [name: string]: string | undefined }
  /** Addresses that a request's `base_url` may name, and which may get the server's own keys: origins, or addresses with a path. */
  readonly trustedModelOrigins: readonly string[]
  /** Tools that the provider runs go to every address that a request names. Default false. */
  readonly gatewayHostedTools?: boolean | undefined
}

/** A model that is asked for: by whom, and what the request has to say about it. */
export interface ModelRequest {
  spec: ModelSpec | undefined
  agent: string
  config: ClientConfig | undefined
  server: ServerSettings
  /** A missing key is no error: requests are to bring theirs. Default false. */
  keyless?: boolean
}

/** The name that is looked for, and where it comes from. */
interface Wanted {
  name: string
  /** Over Chat Completions, where the name does not say otherwise. */
  overChat: boolean
  /** The name is one of the API's own, whatever it looks like. */
  verbatim: boolean
  /** The request chose it, not the agency. */
  chosenByRequest: boolean
  agent: string
}

/** The address, key and headers of a request, as far as they belong to one provider. */
type Share = Pick<ClientConfig, 'base_url' | 'api_key' | 'default_headers'>

const OPENAI = 'https://api.openai.com/v1'

/**
 * The way of the model's own calls (docs/models.md).
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
 * The way of the call that names a conversation: that of the run. OpenAI's Responses API is asked for a small model there,
 * unless the request chose one; every other address is asked for the run's own, the one it is known to have.
 */
export function resolveNamer(run: Endpoint): Endpoint {
  if (run.kind === 'demo' || run.kind === 'object') return run
  const small = run.kind === 'address' && run.provider === 'openai' && run.api === 'responses' && !run.replaced
  const name = small ? DEFAULT_MODEL : run.name
  const defaults = small ? defaultSettings(DEFAULT_MODEL) : run.defaults
  return { ...run, name, label: small ? DEFAULT_MODEL : run.label, defaults, extraArgs: undefined }
}

/**
 * Where the files of a run are kept: OpenAI's Files API the way of the run, where the run goes to OpenAI or to a provider that speaks
 * its API; otherwise OpenAI's account beside it, with nothing of the request that belongs to the run's own provider.
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

/** OpenAI's account of a run that goes elsewhere: the agent's own client, or the server's address. */
function beside(run: ObjectEndpoint | AddressEndpoint, request: ModelRequest): ClientEndpoint | AddressEndpoint {
  const { spec, agent, config } = request
  const share = openAiShare(run, config ?? {})
  const wanted = { name: DEFAULT_MODEL, overChat: false, verbatim: true, chosenByRequest: false, agent }
  const client = typeof spec === 'object' && 'kind' in spec ? spec.client : undefined
  return client !== undefined && share.base_url == null
    ? throughClient(client, wanted, request, share)
    : toOpenAi(wanted, { ...request, keyless: true }, share)
}

/** What a request brings for OpenAI, when its run goes to another provider or to an object. */
function openAiShare(run: ObjectEndpoint | AddressEndpoint, config: ClientConfig): Share {
  const { base_url, api_key, default_headers, litellm_keys } = config
  if (run.kind === 'object' || (base_url != null && !takesAddress(run.provider, base_url)))
    return { base_url, api_key, default_headers }
  // A key that comes with an address is for that address.
  const spare = run.takesApiKey || base_url != null ? undefined : api_key
  return { api_key: spare ?? litellm_keys?.openai }
}

/** False for an address that has none of the provider's models: the provider keeps its own, and the request's is not for it. */
const takesAddress = (provider: string, address: string): boolean =>
  provider === 'openai' || provider === 'azure' || !isOpenAiOnly(address)

/** A name that the request gives together with an address is a name of that address, but for those of a prefix of ours. */
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

/** The address of a provider: the request's, the operator's, or the one that is known. @throws MODEL_NOT_SUPPORTED */
function addressOf(to: { name: string; provider: ProviderSpec; wanted: Wanted }, server: ServerSettings, share: Share) {
  const { name, provider, wanted } = to
  const variable = name === 'openai' ? 'OPENAI_BASE_URL' : addressVariable(name)
  const set = server.env[variable] || undefined
  // A request may not wake what happens to run on the server's machine.
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
  // Gateways have names of their own with slashes in them: theirs are sent as they are.
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

/** @param to `raw`: the API's own translation reads the arguments */
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

/** Whether the server's key of a provider may go to an address: at or below the provider's configured one, or where the operator says. */
const isTrusted = (address: string, { trustedModelOrigins }: ServerSettings, own: string | undefined) =>
  isBelow(address, [...trustedModelOrigins, ...(own === undefined ? [] : [own])])

/** Whether a request may name an address that is not on the public internet. */
export const isVouchedFor = (address: string, server: ServerSettings): boolean =>
  isBelow(address, server.trustedModelOrigins) || hasOrigin(address, [openAiAddress(server)]) || isOpenAiOnly(address)

const firstSet = (env: ServerSettings['env'], names: readonly string[]): string | undefined =>
  names.map((name) => env[name]).find((value) => value !== undefined && value !== '')

function withPath(address: string, { path }: ProviderSpec): string {
  const bare = address.replace(/(?<!\/)\/+$/, '')
  return path === undefined || bare.endsWith('/v1') ? bare : bare + path
}
