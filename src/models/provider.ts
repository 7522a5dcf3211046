import type OpenAI from 'openai'
import { filesNeedKey, missingApiKey, providerNotSupported } from '../errors.ts'
import { openaiFileStore } from '../files/openai-store.ts'
import type { FileStore } from '../files/store.ts'
import { createFetch } from '../net/http.ts'
import type { ClientConfig } from '../wire/requests.ts'
import { chatModel } from './chat.ts'
import type { Model } from './model.ts'
import { responsesModel } from './responses.ts'

/** What an agent's `model` may be: a name, `chatCompletions(name)`, or an object that fulfils the Model interface. */
export type ModelSpec = string | ChatCompletions | Model

/** A model reached over Chat Completions instead of Responses. Made by `chatCompletions(name)`. */
export interface ChatCompletions {
  readonly kind: 'chat-completions'
  readonly name: string
}

/** `model: chatCompletions('gpt-4.1')`: the same client and keys, over Chat Completions. */
export const chatCompletions = (name: string): ChatCompletions => Object.freeze({ kind: 'chat-completions', name })

/** Used by agents that name no model. */
export const DEFAULT_MODEL = 'gpt-5.6-luna'

export interface ModelEdgeOptions {
  apiKey: string | undefined
  /** The operator's own address of the API; default: OpenAI's. */
  baseURL: string | undefined
  /** Origins (scheme, host, port) that a request's `base_url` may name. */
  trustedModelOrigins: readonly string[]
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
  close(): Promise<void>
}

export const describeModel = (spec: ModelSpec | undefined): string =>
  typeof spec === 'object' ? spec.name : (spec ?? DEFAULT_MODEL)

/** Where one provider's calls go and with which key. */
interface Route {
  baseURL: string | undefined
  /** Undefined: the calls carry no Authorization header. */
  apiKey: string | undefined
  /** Set for an address that only the caller vouches for: none of the server's own headers go there. */
  foreign: boolean
  fetch: typeof fetch
}

const CONNECTIONS = { keepAliveTimeout: 60_000, bodyTimeout: 120_000, headersTimeout: 120_000 }

/** Everything between the turn loop and the providers: connection pools, one shared client, a client per request that asks for one. */
export function createModelEdge(options: ModelEdgeOptions): ModelEdge {
  const pool = once(async () => new (await import('undici')).Agent(CONNECTIONS))
  const guarded = once(async () => (await import('../net/guard.ts')).createGuardedAgent(CONNECTIONS))
  const own: Route = { baseURL: options.baseURL, apiKey: options.apiKey, foreign: false, fetch: createFetch(pool) }
  const guardedFetch = createFetch(guarded)
  // One for all requests: a demo's files are still there when the conversation goes on.
  const demo = once(async () => {
    const { default: OpenAI } = await import('openai')
    const { createDemoFetch } = await import('./demo.ts')
    return new OpenAI({ apiKey: 'demo', baseURL: 'http://demo.invalid/v1', fetch: createDemoFetch() })
  })
  const provide = (route: Route, config: ClientConfig | undefined) => createProvider(options, route, config, demo)
  const shared = provide(own, undefined)
  return {
    async provider(config) {
      if (isEmpty(config)) return shared
      const { base_url, api_key } = config as ClientConfig
      if (base_url == null) return provide({ ...own, apiKey: api_key ?? own.apiKey }, config as ClientConfig)
      if (isTrusted(base_url, options))
        return provide({ ...own, baseURL: base_url, apiKey: api_key ?? own.apiKey }, config as ClientConfig)
      await (await import('../net/guard.ts')).checkAddress(base_url)
      const route = { baseURL: base_url, apiKey: api_key ?? undefined, foreign: true, fetch: guardedFetch }
      return provide(route, config as ClientConfig)
    },
    async close() {
      for (const agent of [pool, guarded]) if (agent.made()) await (await agent()).destroy()
    },
  }
}

const isEmpty = (config: ClientConfig | null | undefined) =>
  !config || Object.values(config).every((value) => value === undefined || value === null)

function createProvider(
  options: ModelEdgeOptions,
  route: Route,
  config: ClientConfig | undefined,
  demo: () => Promise<OpenAI>,
): ModelProvider {
  const client = once(async () => {
    const { default: OpenAI } = await import('openai')
    return new OpenAI({
      apiKey: route.apiKey ?? 'none',
      ...(route.baseURL ? { baseURL: route.baseURL } : {}),
      ...(route.foreign ? { organization: null, project: null } : {}),
      defaultHeaders: { ...(route.apiKey === undefined ? { Authorization: null } : {}), ...config?.default_headers },
      maxRetries: 2,
      fetch: route.fetch,
    })
  })
  const models = new Map<string, Model>()
  const leftAlone = new Set<string>()
  const extraArgs = config?.model_settings_extra_args ?? undefined
  const make = (spec: string, overChat: boolean, agentName: string): Model => {
    if (spec === 'demo') return responsesModel({ client: demo, name: 'demo' })
    // Gateways have names of their own with slashes in them: theirs are sent as they are.
    const name = spec.startsWith('openai/') && config?.base_url == null ? spec.slice('openai/'.length) : spec
    if (spec.startsWith('litellm/') || (name.includes('/') && route.baseURL === undefined))
      throw providerNotSupported(spec, agentName)
    if (route.apiKey === undefined && !route.foreign) throw missingApiKey(agentName, spec)
    return overChat
      ? chatModel({ client, name, extraArgs })
      : responsesModel({ client, name, extraArgs, foreign: route.foreign })
  }
  return {
    model(spec, agentName) {
      if (typeof spec === 'object' && !('kind' in spec)) {
        if (config !== undefined && !leftAlone.has(agentName))
          options.log(`client_config leaves the custom model of agent "${agentName}" alone.`)
        leftAlone.add(agentName)
        return spec
      }
      const overChat = typeof spec === 'object'
      const wanted = config?.model ?? describeModel(spec)
      const key = `${overChat ? 'chat' : 'responses'} ${wanted}`
      const known = models.get(key) ?? make(wanted, overChat, agentName)
      models.set(key, known)
      return known
    },
    files(spec, agentName) {
      const name = config?.model ?? describeModel(spec)
      if (name === 'demo') return openaiFileStore(demo)
      if (route.apiKey === undefined && !route.foreign) throw filesNeedKey(agentName)
      return openaiFileStore(client)
    },
  }
}

function isTrusted(url: string, { baseURL, trustedModelOrigins }: ModelEdgeOptions): boolean {
  const { origin } = new URL(url)
  return [...trustedModelOrigins, baseURL ?? 'https://api.openai.com/v1'].some(
    (trusted) => new URL(trusted).origin === origin,
  )
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
