/** The optional packages of the AI SDK for single providers, and the fetch below them. */
import { providerNotInstalled } from '../../base/model-errors.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { toWellFormedJson } from '../../wire/well-formed.ts'
import { webPageError } from '../ending.ts'
import type { LanguageModel } from './ai-sdk.ts'
import { repairingFetch } from './anthropic-answers.ts'

/** Creates the models of one provider over one connection. */
type Connect = (settings: { baseURL: string; apiKey: string; fetch: typeof fetch }) => (model: string) => LanguageModel

/** What is particular to a package. */
interface Package {
  name: string
  keyHeader: string
  load: () => Promise<Connect>
  /** Mends or refuses answers that the package would misread. */
  checkAnswers: (fetch: typeof globalThis.fetch) => typeof globalThis.fetch
  /** How the package wants the name of a model. Default: as it is */
  toName?: (name: string) => string
}

export type AiSdkKind = 'anthropic' | 'google'

/** The optional packages, each loaded by the first model that needs it. A provider refers to one with its `kind` in ../providers.ts. */
const PACKAGES: { readonly [Kind in AiSdkKind]: Package } = {
  anthropic: {
    name: '@ai-sdk/anthropic',
    keyHeader: 'x-api-key',
    load: async () => (await import('@ai-sdk/anthropic')).createAnthropic,
    checkAnswers: repairingFetch,
  },
  google: {
    name: '@ai-sdk/google',
    keyHeader: 'x-goog-api-key',
    load: async () => (await import('@ai-sdk/google')).createGoogle,
    checkAnswers: refuseWebPages,
    toName: toPath,
  },
}

export const isAiSdkKind = (api: string): api is AiSdkKind => Object.hasOwn(PACKAGES, api)

export const toPackageName = (kind: AiSdkKind, name: string): string => PACKAGES[kind].toName?.(name) ?? name

/**
 * Loads what a model needs.
 * @throws PROVIDER_NOT_INSTALLED, naming the package and the command
 */
export async function loadConnect(kind: AiSdkKind, model: string, agent: string): Promise<Connect> {
  const { name, load } = PACKAGES[kind]
  try {
    return await load()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw providerNotInstalled(model, agent, name)
  }
}

/** True when the package of these models can be loaded. */
export const isInstalled = (kind: AiSdkKind): Promise<boolean> =>
  PACKAGES[kind].load().then(
    () => true,
    () => false,
  )

/** A fetch that sends no key when there is none, adds fields to the body that the package does not know, and checks the answers. */
export function dressFetch(
  web: typeof globalThis.fetch,
  { kind, hasKey, extraBody }: { kind: AiSdkKind; hasKey: boolean; extraBody: JsonObject },
): typeof globalThis.fetch {
  const fetch = PACKAGES[kind].checkAnswers(web)
  return (url, init = {}) => {
    const headers = new Headers(init.headers)
    if (!hasKey) headers.delete(PACKAGES[kind].keyHeader)
    const plain = Object.keys(extraBody).length === 0 || typeof init.body !== 'string'
    const written = plain ? init.body : JSON.stringify(addFields(JSON.parse(init.body as string), extraBody))
    const body = typeof written === 'string' ? toWellFormedJson(written) : written
    return fetch(url, { ...init, headers, ...(body === undefined ? {} : { body }) })
  }
}

/** A fetch that refuses a web page in place of an answer. @throws MODEL_FAILED */
function refuseWebPages(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (url, init) => {
    const response = await fetch(url, init)
    if (!response.ok || !/\bhtml\b/i.test(response.headers.get('content-type') ?? '')) return response
    await response.body?.cancel()
    throw webPageError()
  }
}

/** Google's package copies the name into the path. Only path segments are let through, so that a key is never sent outside its address. */
function toPath(name: string): string {
  return name
    .toWellFormed()
    .split('/')
    .map((part) => encodeURIComponent(part).replaceAll('%3A', ':').replaceAll('%40', '@'))
    .join('/')
}

/** A body with more fields; the fields of an object in both (`generationConfig`) are merged. */
function addFields(body: JsonObject, more: JsonObject): JsonObject {
  const joined = Object.entries(more).map(([name, value]) => {
    const own = body[name]
    return [name, isObject(own) && isObject(value) ? { ...own, ...value } : value]
  })
  return { ...body, ...Object.fromEntries(joined) }
}
