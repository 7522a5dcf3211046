import type { Agent } from 'undici'
import { gatewayRefused, missingApiKey, modelNotSupported } from '../errors.ts'
import type { ClientConfig } from '../wire/requests.ts'
import { createFetch } from './http.ts'
import type { Model } from './model.ts'
import { responsesModel } from './responses.ts'

/** What an agent's `model` may be: a name, or an object that fulfils the Model interface. */
export type ModelSpec = string | Model

/** Used by agents that name no model. */
export const DEFAULT_MODEL = 'gpt-5.6-luna'

export interface ModelEdgeOptions {
  apiKey: string | undefined
  /** The operator's own address of the API; default: OpenAI's. */
  baseURL: string | undefined
  /** Origins (scheme, host, port) that a request's `base_url` may name. */
  trustedModelOrigins: readonly string[]
  /** Answers calls of the model "demo". */
  demoFetch: () => Promise<typeof fetch>
  log: (message: string) => void
}

/** The models of one request. */
export interface ModelProvider {
  /** @throws MISSING_API_KEY, MODEL_NOT_SUPPORTED */
  model(spec: ModelSpec | undefined, agentName: string): Model
}

export interface ModelEdge {
  /** The shared provider, or one of its own for a request with `client_config`. @throws GATEWAY_REFUSED */
  provider(config?: ClientConfig | null): ModelProvider
  close(): Promise<void>
}

export const describeModel = (spec: ModelSpec | undefined): string =>
  typeof spec === 'object' ? spec.name : (spec ?? DEFAULT_MODEL)

/** Everything between the turn loop and the providers: one connection pool, one shared client, a client per request that asks for one. */
export function createModelEdge(options: ModelEdgeOptions): ModelEdge {
  let pool: Promise<Agent> | undefined
  const agent = () => {
    pool ??= import('undici').then(
      ({ Agent }) => new Agent({ keepAliveTimeout: 60_000, bodyTimeout: 120_000, headersTimeout: 120_000 }),
    )
    return pool
  }
  const upstream = createFetch(agent)
  const shared = createProvider(options, upstream, undefined)
  return {
    provider: (config) => (isEmpty(config) ? shared : createProvider(options, upstream, config as ClientConfig)),
    async close() {
      await (await pool)?.destroy()
    },
  }
}

const isEmpty = (config: ClientConfig | null | undefined) =>
  !config || Object.values(config).every((value) => value === undefined || value === null)

function createProvider(
  options: ModelEdgeOptions,
  upstream: typeof fetch,
  config: ClientConfig | undefined,
): ModelProvider {
  const baseURL = config?.base_url ?? options.baseURL
  const foreign = config?.base_url != null && !isTrusted(config.base_url, options)
  if (foreign) throw gatewayRefused(config?.base_url as string)
  const apiKey = config?.api_key ?? options.apiKey
  const client = once(async () => {
    const { default: OpenAI } = await import('openai')
    return new OpenAI({
      apiKey: apiKey ?? '',
      ...(baseURL ? { baseURL } : {}),
      ...(config?.default_headers ? { defaultHeaders: config.default_headers } : {}),
      maxRetries: 2,
      fetch: upstream,
    })
  })
  const demo = once(async () => {
    const { default: OpenAI } = await import('openai')
    return new OpenAI({ apiKey: 'demo', baseURL: 'http://demo.invalid/v1', fetch: await options.demoFetch() })
  })
  const models = new Map<string, Model>()
  const extraArgs = config?.model_settings_extra_args ?? undefined
  const make = (spec: string, agentName: string): Model => {
    if (spec === 'demo') return responsesModel({ client: demo, name: 'demo' })
    const name = spec.startsWith('openai/') && config?.base_url == null ? spec.slice('openai/'.length) : spec
    if (spec.startsWith('litellm/'))
      throw modelNotSupported(
        `The model "${spec}" of agent "${agentName}" is not supported in this version. Reach it through an OpenAI-compatible address (OPENAI_BASE_URL or client_config.base_url).`,
      )
    if (!apiKey) throw missingApiKey(agentName, spec)
    return responsesModel({ client, name, extraArgs })
  }
  return {
    model(spec, agentName) {
      if (typeof spec === 'object') {
        if (config !== undefined) options.log(`client_config leaves the custom model of agent "${agentName}" alone.`)
        return spec
      }
      const wanted = config?.model ?? spec ?? DEFAULT_MODEL
      const known = models.get(wanted) ?? make(wanted, agentName)
      models.set(wanted, known)
      return known
    },
  }
}

function isTrusted(url: string, { baseURL, trustedModelOrigins }: ModelEdgeOptions): boolean {
  const { origin } = new URL(url)
  return [...trustedModelOrigins, baseURL ?? 'https://api.openai.com/v1'].some(
    (trusted) => new URL(trusted).origin === origin,
  )
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let value: Promise<T> | undefined
  return () => {
    value ??= make()
    return value
  }
}
