/** The models of a server, and of one request: endpoints become Models and stores of files here. */
import type OpenAI from 'openai'
import { choiceRefused, invalidOption, languageModelVersion } from '../errors.ts'
import { openaiFileStore } from '../files/openai-store.ts'
import type { FileStore } from '../files/store.ts'
import { MAX_MS, type UpstreamLimits } from '../limits.ts'
import { createFetch, toWebFetch } from '../net/http.ts'
import type { ClientConfig } from '../wire/requests.ts'
import { aiSdkModel, isLanguageModel, type LanguageModel } from './ai-sdk.ts'
import { type AiSdkKind, dressFetch, isInstalled, loadConnect } from './ai-sdk-providers.ts'
import { chatModel } from './chat.ts'
import { customModel } from './custom.ts'
import { genericIncludes, takesEffort } from './extra-args.ts'
import type { Model, ModelSettings } from './model.ts'
import { postLike, postOver } from './post.ts'
import { canonicalName, PROVIDERS, readProviderModel } from './providers.ts'
import {
  type AddressEndpoint,
  type ClientEndpoint,
  type Endpoint,
  isVouchedFor,
  type ModelRequest,
  resolveFiles,
  resolveModel,
  resolveNamer,
  type ServerSettings,
} from './resolve.ts'
import { responsesModel } from './responses.ts'
import { describeModel, type ModelSpec } from './spec.ts'

export interface ModelsOptions extends ServerSettings {
  limits: UpstreamLimits
  log: (message: string) => void
}

/** The models of one request. */
export interface RequestModels {
  /** The model of an agent. @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED */
  model(spec: ModelSpec | undefined, agentName: string): Model
  /** The model that names a conversation of this agent, by the same way. @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED */
  namer(spec: ModelSpec | undefined, agentName: string): Model
  /** Where the files of a run with this model are kept. @throws FILE_FAILED */
  files(spec: ModelSpec | undefined, agentName: string): FileStore
}

/** Every way to a model: connection pools, shared clients, clients of requests that ask for their own. */
export interface Models {
  /** The shared ones, or those of a request with `client_config`. @throws GATEWAY_REFUSED */
  of(config?: ClientConfig | null): Promise<RequestModels>
  /**
   * Whether an agent's model can be reached, as far as that is known without asking it.
   * @param keyless a missing key is no error: requests are to bring theirs
   * @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED, PROVIDER_NOT_INSTALLED
   */
  check(spec: ModelSpec | undefined, agentName: string, keyless: boolean): Promise<void>
  close(): Promise<void>
}

/** More than a connection may take to be made. */
const CONNECT_MS = 60_000

/** What telemetry's conventions call a provider, where that is not its name here. */
const TELEMETRY_NAMES: { readonly [provider: string]: string } = {
  google: 'gcp.gemini',
  gemini: 'gcp.gemini',
  mistral: 'mistral_ai',
  xai: 'x_ai',
}

/** What all requests share. */
interface Shared {
  options: ModelsOptions
  fetch: (endpoint: AddressEndpoint) => ReturnType<typeof createFetch>
  demo: () => Promise<OpenAI>
  /** Models of objects that agents hold, made once per object. */
  own: WeakMap<object, Model>
}

/** Makes the models of a server. Nothing is connected or loaded before a model is first asked. */
export function createModels(options: ModelsOptions): Models {
  const { limits } = options
  const { upstreamFirstByteMs: headersTimeout, upstreamIdleMs: bodyTimeout } = limits
  const connections = { keepAliveTimeout: 60_000, bodyTimeout, headersTimeout }
  const pool = once(async () => new (await import('undici')).Agent(connections))
  const guarded = once(async () => (await import('../net/guard.ts')).createGuardedAgent(connections))
  const own = createFetch(pool, { trusted: true, limits })
  const open = createFetch(pool, { limits })
  const guardedFetch = createFetch(guarded, { limits })
  // One for all requests: a demo's files are still there when the conversation goes on.
  const demo = once(async () => {
    const { default: OpenAI } = await import('openai')
    const { createDemoFetch } = await import('./demo.ts')
    return new OpenAI({ apiKey: 'demo', baseURL: 'http://demo.invalid/v1', fetch: createDemoFetch() })
  })
  const shared: Shared = {
    options,
    fetch: (endpoint) => (endpoint.guarded ? guardedFetch : endpoint.foreign ? open : own),
    demo,
    own: new WeakMap(),
  }
  const plain = createRequestModels(shared, undefined)
  const saidIgnored = new Set<string>()
  return {
    async of(config) {
      if (isEmpty(config)) return plain
      const { base_url, litellm_keys, model } = config as ClientConfig
      if (base_url != null && !isVouchedFor(base_url, options))
        await (await import('../net/guard.ts')).checkAddress(base_url)
      for (const name of Object.keys(litellm_keys ?? {})) {
        if (saidIgnored.has(name) || (await isReached(name))) continue
        saidIgnored.add(name)
        options.log(
          `client_config.litellm_keys has a key for "${name}", which is not reached from here: it is ignored.`,
        )
      }
      return createRequestModels(shared, config as ClientConfig, await absentKind(model))
    },
    async check(spec, agent, keyless) {
      const endpoint = resolveModel({ spec, agent, config: undefined, server: options }, !keyless)
      if (endpoint.kind === 'object') checkObject(endpoint.model, agent, limits)
      else if (endpoint.kind === 'address' && isAiSdk(endpoint.api))
        await loadConnect(endpoint.api, describeModel(spec), agent)
    },
    async close() {
      for (const agent of [pool, guarded]) if (agent.made()) await (await agent()).destroy()
    },
  }
}

const isEmpty = (config: ClientConfig | null | undefined) =>
  !config || Object.values(config).every((value) => value === undefined || value === null)

const isAiSdk = (api: AddressEndpoint['api']): api is AiSdkKind => api === 'anthropic' || api === 'google'

async function isReached(name: string): Promise<boolean> {
  const kind = PROVIDERS.get(canonicalName(name))?.kind
  return kind === 'chat' || (kind !== undefined && (await isInstalled(kind)))
}

/** What the provider of this model needs, where that is not installed. */
async function absentKind(model: string | null | undefined): Promise<AiSdkKind | undefined> {
  const kind = PROVIDERS.get(readProviderModel(model ?? '')?.name ?? '')?.kind
  return kind === undefined || kind === 'chat' || (await isInstalled(kind)) ? undefined : kind
}

function createRequestModels(shared: Shared, config: ClientConfig | undefined, absent?: AiSdkKind): RequestModels {
  const { options } = shared
  const models = new Map<string, Model>()
  const clients = new Map<string, () => Promise<OpenAI>>()
  const leftAlone = new Set<string>()
  const requestOf = (spec: ModelSpec | undefined, agent: string): ModelRequest => ({
    spec,
    agent,
    config,
    server: options,
  })
  const clientOf = (endpoint: ClientEndpoint | AddressEndpoint): (() => Promise<OpenAI>) => {
    if (endpoint.kind === 'client') return async () => withKey(endpoint)
    const { provider, baseURL, apiKey, headers } = endpoint
    const key = JSON.stringify([provider, baseURL, apiKey, headers])
    const client = clients.get(key) ?? once(() => openClient(endpoint, shared))
    clients.set(key, client)
    return client
  }
  const make = (endpoint: AddressEndpoint, agentName: string): Model => {
    const known = models.get(JSON.stringify(endpoint))
    if (known !== undefined) return known
    if (endpoint.replaced && endpoint.api === absent)
      throw choiceRefused('PROVIDER_NOT_INSTALLED', config?.model ?? '', 'its provider is not installed here.')
    const made = addressModel(endpoint, { shared, client: clientOf(endpoint), agentName })
    models.set(JSON.stringify(endpoint), made)
    return made
  }
  const modelAt = (endpoint: Endpoint, agentName: string): Model => {
    switch (endpoint.kind) {
      case 'demo':
        return responsesModel({ post: postOver(shared.demo), name: 'demo', provider: 'demo' })
      case 'object':
        return objectModel(endpoint.model, agentName, shared)
      case 'client': {
        const given = { ...endpoint, limits: options.limits, post: postOver(clientOf(endpoint)) }
        return withSettings(endpoint.api === 'chat' ? chatModel(given) : responsesModel(given), endpoint)
      }
      case 'address':
        return make(endpoint, agentName)
      default:
        return endpoint satisfies never
    }
  }
  return {
    model(spec, agentName) {
      const endpoint = resolveModel(requestOf(spec, agentName))
      if (endpoint.kind === 'object' && config !== undefined && !leftAlone.has(agentName)) {
        leftAlone.add(agentName)
        options.log(`client_config leaves the custom model of agent "${agentName}" alone.`)
      }
      return modelAt(endpoint, agentName)
    },
    namer: (spec, agentName) => modelAt(resolveNamer(resolveModel(requestOf(spec, agentName))), agentName),
    files(spec, agentName) {
      const endpoint = resolveFiles(requestOf(spec, agentName))
      return endpoint.kind === 'demo'
        ? openaiFileStore(shared.demo)
        : openaiFileStore(clientOf(endpoint), endpoint.headers)
    },
  }
}

function addressModel(
  endpoint: AddressEndpoint,
  made: { shared: Shared; client: () => Promise<OpenAI>; agentName: string },
): Model {
  const { shared, client, agentName } = made
  const { limits } = shared.options
  const provider = TELEMETRY_NAMES[endpoint.provider] ?? endpoint.provider
  const given = { ...endpoint, provider, limits }
  switch (endpoint.api) {
    case 'responses':
      return withSettings(responsesModel({ ...given, post: postLike(client, shared.fetch(endpoint)) }), endpoint)
    case 'chat':
      return withSettings(chatModel({ ...given, post: postLike(client, shared.fetch(endpoint)) }), endpoint)
    case 'anthropic':
    case 'google':
      return withSettings(
        aiSdkModel({ ...given, open: openLanguageModel(endpoint.api, endpoint, shared, agentName) }),
        endpoint,
      )
    default:
      return endpoint.api satisfies never
  }
}

/** The agent's client, with the key of the request in place of its own. */
const withKey = ({ client, apiKey }: ClientEndpoint): OpenAI =>
  apiKey === undefined ? client : client.withOptions({ apiKey })

function objectModel(object: LanguageModel | Model, agentName: string, { own, options }: Shared): Model {
  const known = own.get(object) ?? checkObject(object, agentName, options.limits)
  own.set(object, known)
  return known
}

/** The Model behind an object that an agent holds. @throws MODEL_NOT_SUPPORTED, INVALID_OPTION */
function checkObject(spec: LanguageModel | Model, agentName: string, limits: UpstreamLimits): Model {
  if (!isLanguageModel(spec)) {
    if (typeof spec.streamTurn === 'function' && typeof spec.completeTurn === 'function') return customModel(spec)
    throw invalidOption(`The model of agent "${agentName}" is an object of a kind that is not known (docs/models.md).`)
  }
  const label = describeModel(spec)
  if (spec.specificationVersion !== 'v4') throw languageModelVersion(label, agentName, spec.specificationVersion)
  return aiSdkModel({ label, limits, open: () => spec })
}

/** The model, asked with an agent's settings as they are right for its endpoint. */
function withSettings(model: Model, endpoint: ClientEndpoint | AddressEndpoint): Model {
  const settle = <T extends Parameters<Model['completeTurn']>[0]>(request: T): T => ({
    ...request,
    settings: settingsAt(endpoint, request.settings),
  })
  return {
    ...model,
    streamTurn: (request, signal) => model.streamTurn(settle(request), signal),
    completeTurn: (request, signal) => model.completeTurn(settle(request), signal),
  }
}

/** An agent's settings for an endpoint: defaults of the model below them, and nothing that the model or the address refuses. */
function settingsAt(endpoint: ClientEndpoint | AddressEndpoint, given: ModelSettings): ModelSettings {
  const { defaults, replaced, name, family, hostedTools } = endpoint
  const settings = { ...defaults }
  // What an agent set for its own family of models is not for the one that a request put in its place.
  const { reasoning, verbosity, ...rest } = given
  Object.assign(settings, rest)
  if (!replaced && reasoning != null) settings.reasoning = reasoning
  if (!replaced && verbosity != null) settings.verbosity = verbosity
  if (!takesEffort(name, family)) delete settings.reasoning
  if (hostedTools) return settings
  const { include, extraBody } = settings
  if (include !== undefined) settings.include = genericIncludes(include)
  if (Array.isArray(extraBody?.include))
    settings.extraBody = { ...extraBody, include: genericIncludes(extraBody.include) }
  return settings
}

async function openClient(endpoint: AddressEndpoint, shared: Shared): Promise<OpenAI> {
  const { default: OpenAI } = await import('openai')
  const { provider, baseURL, apiKey, headers, foreign } = endpoint
  // What the client reads from the environment is for OpenAI, or for the operator's own address of it.
  const elsewhere = foreign || provider !== 'openai'
  const ours = elsewhere ? customHeaderNames(shared.options.env.OPENAI_CUSTOM_HEADERS) : []
  return new OpenAI({
    apiKey: apiKey ?? 'none',
    adminAPIKey: null,
    ...(baseURL ? { baseURL } : {}),
    ...(elsewhere ? { organization: null, project: null } : {}),
    defaultHeaders: {
      ...Object.fromEntries(ours.map((name) => [name, null])),
      ...(apiKey === undefined ? { Authorization: null } : {}),
      ...headers,
    },
    maxRetries: 0, // models/retry.ts
    // The connections' own limit comes first.
    timeout: Math.min(shared.options.limits.upstreamFirstByteMs + CONNECT_MS, MAX_MS),
    fetch: shared.fetch(endpoint),
  })
}

const customHeaderNames = (lines: string | undefined): string[] =>
  (lines ?? '').split('\n').flatMap((line) => (line.includes(':') ? [line.slice(0, line.indexOf(':')).trim()] : []))

function openLanguageModel(kind: AiSdkKind, endpoint: AddressEndpoint, shared: Shared, agentName: string) {
  const { label, name, baseURL, apiKey } = endpoint
  const web = toWebFetch(shared.fetch(endpoint))
  return async (extraBody: { [key: string]: unknown }): Promise<LanguageModel> => {
    const connect = await loadConnect(kind, label, agentName)
    const fetch = dressFetch(web, { kind, hasKey: apiKey !== undefined, extraBody })
    return connect({ baseURL: baseURL as string, apiKey: apiKey ?? 'none', fetch })(name)
  }
}

/** A value made at first use; `made()` tells whether that was already. */
function once<T>(make: () => Promise<T>): (() => Promise<T>) & { made(): boolean } {
  let value: Promise<T> | undefined
  const get = () => {
    value ??= make()
    return value
  }
  return Object.assign(get, { made: () => value !== undefined })
}
