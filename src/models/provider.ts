import type OpenAI from 'openai'
import { choiceRefused, filesNeedKey, invalidOption, languageModelVersion } from '../errors.ts'
import { openaiFileStore } from '../files/openai-store.ts'
import type { FileStore } from '../files/store.ts'
import { MAX_MS, type UpstreamLimits } from '../limits.ts'
import { createFetch, toWebFetch } from '../net/http.ts'
import type { ClientConfig } from '../wire/requests.ts'
import { aiSdkModel, isLanguageModel, type LanguageModel, namespaceOf } from './ai-sdk.ts'
import { type AiSdkKind, dressFetch, isInstalled, loadConnect } from './ai-sdk-providers.ts'
import { chatModel } from './chat.ts'
import { customModel } from './custom.ts'
import type { Model } from './model.ts'
import { postLike, postOver } from './post.ts'
import { canonicalName, PROVIDERS, readProviderModel } from './providers.ts'
import { responsesModel } from './responses.ts'
import { isTrusted, type Route, routeModel, type ServerSettings, type WantedModel } from './route.ts'

/**
 * What an agent's `model` may be: a name (docs/models.md), `responses(name)`, `chatCompletions(name)`, a language model of
 * the AI SDK, or an object that fulfils the Model interface.
 */
export type ModelSpec = string | ApiModel | LanguageModel | Model

/** A model of an OpenAI-compatible API, by the name it has there. Made by `responses(name)` and `chatCompletions(name)`. */
export interface ApiModel {
  readonly kind: 'responses' | 'chat-completions'
  readonly name: string
  /** Its own way there. Default: the server's address and key. */
  readonly client?: OpenAI
}

/** Options of `responses` and `chatCompletions`. */
export interface ApiModelOptions {
  /** A client of the `openai` package, `AzureOpenAI` included. Default: the server's address and key. */
  client?: OpenAI
}

/** `model: responses('gpt-4.1', { client })`: over the Responses API, the name sent as it is. */
export const responses = (name: string, options: ApiModelOptions = {}): ApiModel =>
  Object.freeze({ kind: 'responses', name, ...options })

/** `model: chatCompletions('gpt-4.1')`: over Chat Completions, the name sent as it is. */
export const chatCompletions = (name: string, options: ApiModelOptions = {}): ApiModel =>
  Object.freeze({ kind: 'chat-completions', name, ...options })

/** Used by agents that name no model. */
export const DEFAULT_MODEL = 'gpt-5.6-luna'

export interface ModelEdgeOptions extends ServerSettings {
  limits: UpstreamLimits
  log: (message: string) => void
}

/** The models of one request. */
export interface ModelProvider {
  /** @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED */
  model(spec: ModelSpec | undefined, agentName: string): Model
  /** Where the files of a run with this model are kept: the Files API behind the same client and key. @throws FILE_FAILED */
  files(spec: ModelSpec | undefined, agentName: string): FileStore
}

export interface ModelEdge {
  /** The shared provider, or one of its own for a request with `client_config`. @throws GATEWAY_REFUSED */
  provider(config?: ClientConfig | null): Promise<ModelProvider>
  /**
   * Whether an agent's model can be reached, as far as that is known without asking it.
   * @param keyless a missing key is no error: requests are to bring theirs
   * @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED, PROVIDER_NOT_INSTALLED
   */
  check(spec: ModelSpec | undefined, agentName: string, keyless: boolean): Promise<void>
  close(): Promise<void>
}

export function describeModel(spec: ModelSpec | undefined): string {
  if (typeof spec !== 'object') return spec ?? DEFAULT_MODEL
  return isLanguageModel(spec) ? `${namespaceOf(spec)}/${spec.modelId}` : spec.name
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

/** What every provider shares. */
interface Shared {
  options: ModelEdgeOptions
  fetch: (route: Route) => ReturnType<typeof createFetch>
  demo: () => Promise<OpenAI>
  /** Models of objects that agents hold, made once per object. */
  own: WeakMap<object, Model>
}

/** Everything between the turn loop and the providers: connection pools, shared clients, clients per request that asks for them. */
export function createModelEdge(options: ModelEdgeOptions): ModelEdge {
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
    fetch: (route) => (route.guarded ? guardedFetch : route.foreign ? open : own),
    demo,
    own: new WeakMap(),
  }
  const plain = createProvider(shared, undefined)
  const saidIgnored = new Set<string>()
  return {
    async provider(config) {
      if (isEmpty(config)) return plain
      const { base_url, litellm_keys } = config as ClientConfig
      const own = options.env.OPENAI_BASE_URL
      const vouched = [...options.trustedModelOrigins, ...(own ? [own] : [])]
      if (base_url != null && !isTrusted(base_url, vouched))
        await (await import('../net/guard.ts')).checkAddress(base_url)
      for (const name of Object.keys(litellm_keys ?? {})) {
        if (saidIgnored.has(name) || (await isReached(name))) continue
        saidIgnored.add(name)
        options.log(
          `client_config.litellm_keys has a key for "${name}", which is not reached from here: it is ignored.`,
        )
      }
      return createProvider(shared, config as ClientConfig, await absentKind(config?.model))
    },
    async check(spec, agentName, keyless) {
      if (typeof spec === 'object' && !('kind' in spec)) return void checkObject(spec, agentName, limits)
      if (spec === 'demo' || (typeof spec === 'object' && spec.client !== undefined)) return
      const { api } = routeModel(wantedOf(spec, undefined, agentName), options, undefined, !keyless)
      if (api === 'anthropic' || api === 'google') await loadConnect(api, describeModel(spec), agentName)
    },
    async close() {
      for (const agent of [pool, guarded]) if (agent.made()) await (await agent()).destroy()
    },
  }
}

const isEmpty = (config: ClientConfig | null | undefined) =>
  !config || Object.values(config).every((value) => value === undefined || value === null)

async function isReached(name: string): Promise<boolean> {
  const kind = PROVIDERS.get(canonicalName(name))?.kind
  return kind === 'chat' || (kind !== undefined && (await isInstalled(kind)))
}

/** What the provider of this model needs, where that is not installed. */
async function absentKind(model: string | null | undefined): Promise<AiSdkKind | undefined> {
  const kind = PROVIDERS.get(readProviderModel(model ?? '')?.name ?? '')?.kind
  return kind === undefined || kind === 'chat' || (await isInstalled(kind)) ? undefined : kind
}

function wantedOf(spec: string | ApiModel | undefined, model: string | undefined, agent: string): WantedModel {
  const overChat = typeof spec === 'object' && spec.kind === 'chat-completions'
  return model === undefined
    ? { name: describeModel(spec), overChat, verbatim: typeof spec === 'object', chosenByRequest: false, agent }
    : { name: model, overChat, verbatim: false, chosenByRequest: true, agent }
}

function createProvider(shared: Shared, config: ClientConfig | undefined, absent?: AiSdkKind): ModelProvider {
  const { options } = shared
  const { limits } = options
  const models = new Map<string, Model>()
  const clients = new Map<string, () => Promise<OpenAI>>()
  const extraArgs = config?.model_settings_extra_args ?? undefined
  const headers = config?.default_headers ?? undefined
  const leftAlone = new Set<string>()

  const clientOf = (route: Route) => {
    const key = JSON.stringify([route.provider, route.baseURL, route.apiKey])
    const client = clients.get(key) ?? once(() => openClient(route, shared, headers))
    clients.set(key, client)
    return client
  }
  const postOf = (route: Route) => postLike(clientOf(route), shared.fetch(route))
  const make = (route: Route, agentName: string): Model => {
    const { name, label, origin, quirks } = route
    const common = { label, provider: TELEMETRY_NAMES[route.provider] ?? route.provider, extraArgs, headers, limits }
    switch (route.api) {
      case 'responses':
        return responsesModel({ ...common, name, post: postOf(route), foreign: route.foreign })
      case 'chat':
        return chatModel({ ...common, name, origin, quirks, post: postOf(route) })
      case 'anthropic':
      case 'google':
        return aiSdkModel({ ...common, open: openLanguageModel(route.api, route, shared, agentName) })
      default:
        return route.api satisfies never
    }
  }
  const named = (spec: string | ApiModel | undefined, agentName: string): Model => {
    const chosen = config?.model ?? undefined
    if ((chosen ?? spec) === 'demo')
      return responsesModel({ post: postOver(shared.demo), name: 'demo', provider: 'demo' })
    const wanted = wantedOf(spec, chosen, agentName)
    const key = JSON.stringify([wanted.name, wanted.overChat, wanted.verbatim])
    const known = models.get(key)
    if (known !== undefined) return known
    const route = routeModel(wanted, options, config)
    if (chosen !== undefined && route.api === absent)
      throw choiceRefused('PROVIDER_NOT_INSTALLED', chosen, 'its provider is not installed here.')
    const made = make(route, agentName)
    const model = chosen === undefined ? made : withoutFamilySettings(made)
    models.set(key, model)
    return model
  }
  /** The client that an agent's model brings along; the request's key goes over it, a `base_url` or another provider round it. */
  const ownClientOf = (spec: ModelSpec | undefined): (() => Promise<OpenAI>) | undefined => {
    if (typeof spec !== 'object' || !('kind' in spec)) return
    const { client } = spec
    const { api_key, base_url, model } = config ?? {}
    if (client === undefined || base_url != null || /^(litellm|openrouter)\//.test(model ?? '')) return
    return async () => (api_key ? client.withOptions({ apiKey: api_key }) : client)
  }
  const withOwnClient = ({ kind, name }: ApiModel, client: () => Promise<OpenAI>): Model => {
    const chosen = config?.model ?? undefined
    const given = { post: postOver(client), name: chosen ?? name, extraArgs, headers, limits }
    const made = kind === 'responses' ? responsesModel(given) : chatModel(given)
    return chosen === undefined ? made : withoutFamilySettings(made)
  }
  return {
    model(spec, agentName) {
      if (typeof spec !== 'object') return named(spec, agentName)
      if ('kind' in spec) {
        const client = ownClientOf(spec)
        return client === undefined ? named(spec, agentName) : withOwnClient(spec, client)
      }
      if (config !== undefined && !leftAlone.has(agentName)) {
        leftAlone.add(agentName)
        options.log(`client_config leaves the custom model of agent "${agentName}" alone.`)
      }
      const known = shared.own.get(spec) ?? checkObject(spec, agentName, limits)
      shared.own.set(spec, known)
      return known
    },
    files(spec, agentName) {
      if ((config?.model ?? spec) === 'demo') return openaiFileStore(shared.demo)
      const own = ownClientOf(spec)
      if (own !== undefined) return openaiFileStore(own)
      const wanted = { name: DEFAULT_MODEL, overChat: false, verbatim: true, chosenByRequest: false, agent: agentName }
      const route = routeModel(wanted, options, config, false)
      if (route.apiKey === undefined && !route.foreign) throw filesNeedKey(agentName)
      return openaiFileStore(clientOf(route))
    },
  }
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

/** What an agent set for its own family of models is not for the one that a request put in its place. */
function withoutFamilySettings(model: Model): Model {
  const strip = <T extends Parameters<Model['completeTurn']>[0]>(request: T): T => {
    const { reasoning: _, verbosity: __, ...settings } = request.settings
    return { ...request, settings }
  }
  return {
    ...model,
    streamTurn: (request, signal) => model.streamTurn(strip(request), signal),
    completeTurn: (request, signal) => model.completeTurn(strip(request), signal),
  }
}

async function openClient(route: Route, shared: Shared, headers: ClientConfig['default_headers']): Promise<OpenAI> {
  const { default: OpenAI } = await import('openai')
  // What the client reads from the environment is for OpenAI, or for the operator's own address of it.
  const elsewhere = route.foreign || route.provider !== 'openai'
  const ours = elsewhere ? customHeaderNames(shared.options.env.OPENAI_CUSTOM_HEADERS) : []
  return new OpenAI({
    apiKey: route.apiKey ?? 'none',
    adminAPIKey: null,
    ...(route.baseURL ? { baseURL: route.baseURL } : {}),
    ...(elsewhere ? { organization: null, project: null } : {}),
    defaultHeaders: {
      ...Object.fromEntries(ours.map((name) => [name, null])),
      ...(route.apiKey === undefined ? { Authorization: null } : {}),
      ...headers,
    },
    maxRetries: 0, // models/retry.ts
    // The connections' own limit comes first.
    timeout: Math.min(shared.options.limits.upstreamFirstByteMs + CONNECT_MS, MAX_MS),
    fetch: shared.fetch(route),
  })
}

const customHeaderNames = (lines: string | undefined): string[] =>
  (lines ?? '').split('\n').flatMap((line) => (line.includes(':') ? [line.slice(0, line.indexOf(':')).trim()] : []))

function openLanguageModel(kind: AiSdkKind, route: Route, shared: Shared, agentName: string) {
  const web = toWebFetch(shared.fetch(route))
  return async (extraBody: { [key: string]: unknown }): Promise<LanguageModel> => {
    const connect = await loadConnect(kind, route.label, agentName)
    const hasKey = route.apiKey !== undefined
    const fetch = dressFetch(web, { kind, hasKey, extraBody })
    return connect({ baseURL: route.baseURL as string, apiKey: route.apiKey ?? 'none', fetch })(route.name)
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
