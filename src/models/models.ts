/** Creates the models and file stores of a server and of each request from their endpoints. */

import type OpenAI from 'openai'
import { once } from '../base/async.ts'
import type { Charges } from '../base/budget.ts'
import type { UpstreamLimits } from '../base/limits.ts'
import { choiceRefused, languageModelVersion } from '../base/model-errors.ts'
import { invalidOption } from '../base/start-errors.ts'
import { type FolderStore, openaiFolderStore } from '../files/folder-store.ts'
import { openaiFileStore } from '../files/openai-store.ts'
import type { FileStore } from '../files/store.ts'
import { toWebFetch } from '../net/http.ts'
import type { ClientConfig } from '../wire/requests.ts'
import { aiSdkModel, isLanguageModel, type LanguageModel } from './ai-sdk/ai-sdk.ts'
import { type AiSdkKind, dressFetch, isAiSdkKind, isInstalled, loadConnect, toPackageName } from './ai-sdk/providers.ts'
import { type Connections, createConnections } from './connections.ts'
import { customModel } from './custom.ts'
import type { Model } from './model.ts'
import { chatModel } from './openai/chat.ts'
import { postLike, postOver } from './openai/post.ts'
import { responsesModel } from './openai/responses.ts'
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
import { withSettings } from './settings.ts'
import { describeModel, type ModelSpec } from './spec.ts'
import { telemetryName, telemetryNameOfClient, telemetryNameOfSdk } from './telemetry-names.ts'

export interface ModelsOptions extends ServerSettings {
  limits: UpstreamLimits
  log: (message: string) => void
}

/** The models of one request. */
export interface RequestModels {
  /** True when the request chose nothing: no model, address or key of its own. */
  readonly own: boolean
  /** The model of an agent. @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED */
  model(spec: ModelSpec | undefined, agentName: string): Model
  /** The model that names a conversation of this agent, at the same endpoint. @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED */
  namer(spec: ModelSpec | undefined, agentName: string): Model
  /** The store for the files of a run with this model. @throws FILE_FAILED */
  files(spec: ModelSpec | undefined, agentName: string): FileStore
  /** The store for the folders of an agent with this model; undefined for the demo model, which has none. @throws FILE_FAILED */
  folders(spec: ModelSpec | undefined, agentName: string): FolderStore | undefined
}

/** All models of a server: connection pools, shared clients, and clients for requests with a `client_config`. */
export interface Models {
  /** The shared models, or those of a request with `client_config`. @throws GATEWAY_REFUSED */
  of(config?: ClientConfig | null): Promise<RequestModels>
  /**
   * Checks that an agent's model can be called, without calling it.
   * @param keyless a missing key is not an error: requests must bring their own
   * @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED, PROVIDER_NOT_INSTALLED
   */
  check(spec: ModelSpec | undefined, agentName: string, keyless: boolean): Promise<void>
  close(): Promise<void>
}

/** The parts that all requests share. */
interface Shared {
  options: ModelsOptions
  connections: Connections
  /** Models of objects that agents hold, made once per object. */
  objects: WeakMap<object, Model>
}

/** Makes the models of a server. Nothing is connected or loaded before a model is first asked. */
export function createModels(options: ModelsOptions): Models {
  const shared: Shared = { options, connections: createConnections(options), objects: new WeakMap() }
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
      const endpoint = resolveModel({ spec, agent, config: undefined, server: options, keyless })
      if (endpoint.kind === 'object') checkObject(endpoint.model, agent, options.limits)
      else if (endpoint.kind === 'address' && isAiSdkKind(endpoint.api))
        await loadConnect(endpoint.api, describeModel(spec), agent)
    },
    close: () => shared.connections.close(),
  }
}

const isEmpty = (config: ClientConfig | null | undefined) =>
  !config || Object.values(config).every((value) => value === undefined || value === null)

async function isReached(name: string): Promise<boolean> {
  const kind = PROVIDERS.get(canonicalName(name))?.kind
  return kind === 'chat' || (kind !== undefined && (await isInstalled(kind)))
}

/** The API of this model's provider when the package for it is not installed. */
async function absentKind(model: string | null | undefined): Promise<AiSdkKind | undefined> {
  const kind = PROVIDERS.get(readProviderModel(model ?? '')?.name ?? '')?.kind
  return kind === undefined || kind === 'chat' || (await isInstalled(kind)) ? undefined : kind
}

/** @param absent the API of the request's model, when its package is not installed */
function createRequestModels(shared: Shared, config: ClientConfig | undefined, absent?: AiSdkKind): RequestModels {
  const { options, connections } = shared
  const leftAlone = new Set<string>()
  const made = createMakers(shared)
  const requestOf = (spec: ModelSpec | undefined, agent: string): ModelRequest => {
    return { spec, agent, config, server: options }
  }
  const modelAt = (endpoint: Endpoint, agentName: string): Model => {
    if (endpoint.kind === 'address' && endpoint.replaced && endpoint.api === absent)
      throw choiceRefused('PROVIDER_NOT_INSTALLED', config?.model ?? '', 'its provider is not installed here.')
    return made.model(endpoint, agentName)
  }
  /** Models by name, since each turn asks again. Objects are not kept here: a factory may create a new one per request. */
  const byName = new Map<string | undefined, Model>()
  return {
    own: config === undefined,
    model(spec, agentName) {
      const known = typeof spec === 'object' ? undefined : byName.get(spec)
      if (known !== undefined) return known
      const endpoint = resolveModel(requestOf(spec, agentName))
      if (endpoint.kind === 'object' && config !== undefined && !leftAlone.has(agentName)) {
        leftAlone.add(agentName)
        options.log(`client_config leaves the custom model of agent "${agentName}" alone.`)
      }
      const model = modelAt(endpoint, agentName)
      if (typeof spec !== 'object') byName.set(spec, model)
      return model
    },
    namer: (spec, agentName) => modelAt(resolveNamer(resolveModel(requestOf(spec, agentName))), agentName),
    files(spec, agentName) {
      const endpoint = resolveFiles(requestOf(spec, agentName))
      return endpoint.kind === 'demo'
        ? openaiFileStore(connections.demo)
        : openaiFileStore(made.client(endpoint), endpoint.headers)
    },
    folders(spec, agentName) {
      const endpoint = resolveFiles(requestOf(spec, agentName))
      return endpoint.kind === 'demo' ? undefined : openaiFolderStore(made.client(endpoint), endpoint.headers)
    },
  }
}

/** Creates the model and the client of an endpoint, one of each per address. */
function createMakers(shared: Shared) {
  const { options, connections } = shared
  const models = new Map<string, Model>()
  const clients = new Map<string, () => Promise<OpenAI>>()
  const client = (endpoint: ClientEndpoint | AddressEndpoint): (() => Promise<OpenAI>) => {
    if (endpoint.kind === 'client') return async () => withKey(endpoint)
    const { provider, baseURL, apiKey, headers } = endpoint
    const key = JSON.stringify([provider, baseURL, apiKey, headers])
    const known = clients.get(key) ?? once(() => connections.openClient(endpoint))
    clients.set(key, known)
    return known
  }
  const atAddress = (endpoint: AddressEndpoint, agentName: string): Model => {
    const key = JSON.stringify(endpoint)
    const known = models.get(key) ?? addressModel(endpoint, { shared, client: client(endpoint), agentName })
    models.set(key, known)
    return known
  }
  const model = (endpoint: Endpoint, agentName: string): Model => {
    switch (endpoint.kind) {
      case 'demo':
        return responsesModel({ post: postOver(connections.demo), name: 'demo', provider: 'demo' })
      case 'object':
        return objectModel(endpoint.model, agentName, shared)
      case 'client': {
        const provider = telemetryNameOfClient(endpoint.client)
        const given = { ...endpoint, provider, limits: options.limits, post: postOver(client(endpoint)) }
        return withSettings(endpoint.api === 'chat' ? chatModel(given) : responsesModel(given), endpoint)
      }
      case 'address':
        return atAddress(endpoint, agentName)
      default:
        return endpoint satisfies never
    }
  }
  return { model, client }
}

function addressModel(
  endpoint: AddressEndpoint,
  { shared, client, agentName }: { shared: Shared; client: () => Promise<OpenAI>; agentName: string },
): Model {
  const { connections, options } = shared
  const provider = telemetryName(endpoint.provider)
  const given = { ...endpoint, provider, limits: options.limits }
  const { api } = endpoint
  if (isAiSdkKind(api))
    return withSettings(
      aiSdkModel({ ...given, open: openLanguageModel(api, endpoint, connections, agentName) }),
      endpoint,
    )
  switch (api) {
    case 'responses':
      return withSettings(responsesModel({ ...given, post: postLike(client, connections.fetch(endpoint)) }), endpoint)
    case 'chat':
      return withSettings(chatModel({ ...given, post: postLike(client, connections.fetch(endpoint)) }), endpoint)
    default:
      return api satisfies never
  }
}

/** The agent's client; the key of the request replaces its own. */
const withKey = ({ client, apiKey }: ClientEndpoint): OpenAI =>
  apiKey === undefined ? client : client.withOptions({ apiKey })

function objectModel(object: LanguageModel | Model, agentName: string, { objects, options }: Shared): Model {
  const known = objects.get(object) ?? checkObject(object, agentName, options.limits)
  objects.set(object, known)
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
  return aiSdkModel({ label, provider: telemetryNameOfSdk(spec.provider), limits, open: () => spec })
}

function openLanguageModel(kind: AiSdkKind, endpoint: AddressEndpoint, connections: Connections, agentName: string) {
  const { label, name, baseURL, apiKey } = endpoint
  return async (extraBody: { [key: string]: unknown }, budget: Charges | undefined): Promise<LanguageModel> => {
    const web = toWebFetch(connections.fetch(endpoint), budget)
    const connect = await loadConnect(kind, label, agentName)
    const fetch = dressFetch(web, { kind, hasKey: apiKey !== undefined, extraBody })
    return connect({ baseURL: baseURL as string, apiKey: apiKey ?? 'none', fetch })(toPackageName(kind, name))
  }
}
