/** The optional packages for Anthropic and Google, and the fetch below them. */
import { providerNotInstalled } from '../../base/errors.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { toWellFormedJson } from '../../wire/well-formed.ts'
import { webPageError } from '../ending.ts'
import type { LanguageModel } from './ai-sdk.ts'

/** Creates the models of one provider over one connection. */
type Connect = (settings: { baseURL: string; apiKey: string; fetch: typeof fetch }) => (model: string) => LanguageModel

/** The optional packages, each loaded by the first model that needs it. */
const PACKAGES = {
  anthropic: {
    name: '@ai-sdk/anthropic',
    keyHeader: 'x-api-key',
    load: async (): Promise<Connect> => (await import('@ai-sdk/anthropic')).createAnthropic,
  },
  google: {
    name: '@ai-sdk/google',
    keyHeader: 'x-goog-api-key',
    load: async (): Promise<Connect> => (await import('@ai-sdk/google')).createGoogle,
  },
}
export type AiSdkKind = keyof typeof PACKAGES

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

/** A fetch that sends no key when there is none, and adds fields to the body that the package does not know. */
export function dressFetch(
  fetch: typeof globalThis.fetch,
  { kind, hasKey, extraBody }: { kind: AiSdkKind; hasKey: boolean; extraBody: JsonObject },
): typeof globalThis.fetch {
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
export function refuseWebPages(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (url, init) => {
    const response = await fetch(url, init)
    if (!response.ok || !/\bhtml\b/i.test(response.headers.get('content-type') ?? '')) return response
    await response.body?.cancel()
    throw webPageError()
  }
}

/** A body with more fields; the fields of an object in both (`generationConfig`) are merged. */
function addFields(body: JsonObject, more: JsonObject): JsonObject {
  const joined = Object.entries(more).map(([name, value]) => {
    const own = body[name]
    return [name, isObject(own) && isObject(value) ? { ...own, ...value } : value]
  })
  return { ...body, ...Object.fromEntries(joined) }
}
