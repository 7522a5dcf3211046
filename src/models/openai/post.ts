/** Sends requests to a provider's API. */
import type OpenAI from 'openai'
import { once } from '../../base/async.ts'
import { ModelTimeout } from '../../base/model-errors.ts'
import type { createFetch } from '../../net/http.ts'
import type { JsonObject } from '../../wire/json.ts'
import { writeJson } from '../../wire/json-write.ts'

type Headers = { [name: string]: string }

/** Sends a body to one path of a provider's API. @throws the errors of the `openai` package */
export type Post = (
  path: string,
  body: JsonObject,
  call: { signal: AbortSignal; headers?: Readonly<Headers> | undefined },
) => Promise<Response>

/** Over a user's client, used for every call: it may renew credentials or rewrite addresses. */
export const postOver =
  (client: () => Promise<OpenAI>): Post =>
  async (path, body, call) =>
    (await client()).post<Response>(path, { body, ...call }).asResponse()

/**
 * Over our own client, whose address, key and headers never change: its request for a path is built once, and later calls only
 * replace the body. Building it for every call took a quarter of the time of a short stream.
 */
export function postLike(client: () => Promise<OpenAI>, fetch: ReturnType<typeof createFetch>): Post {
  const known = new Map<string, () => Promise<{ url: string; headers: Headers }>>()
  const ask = async (path: string) => {
    const { req, url } = await (await client()).buildRequest({ method: 'post', path, body: {} })
    return { url, headers: Object.fromEntries(req.headers) }
  }
  return async (path, body, { signal, headers }) => {
    const asking = known.get(path) ?? once(() => ask(path))
    known.set(path, asking)
    const { url, headers: own } = await asking()
    const init = {
      method: 'POST',
      headers: withHeaders(own, headers),
      body: await writeJson(body),
      signal,
    }
    const response = await fetch(url, init).catch(async (cause) => {
      const { APIConnectionError, APIConnectionTimeoutError } = await import('openai')
      throw cause instanceof ModelTimeout
        ? Object.assign(new APIConnectionTimeoutError(), { cause })
        : new APIConnectionError({ cause })
    })
    if (!response.ok) throw await refusalOf(response)
    return response
  }
}

async function refusalOf(response: Response): Promise<Error> {
  const { APIError } = await import('openai')
  const text = await response.text()
  return APIError.generate(response.status, readJson(text), text, response.headers)
}

function readJson(text: string): object | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Merges headers as the client does: undefined is ignored, and null removes a header. */
function withHeaders(own: Headers, more: { readonly [name: string]: string | null | undefined } = {}): Headers {
  const headers = { ...own }
  for (const [name, value] of Object.entries(more)) {
    if (value === null) delete headers[name.toLowerCase()]
    else if (value !== undefined) headers[name.toLowerCase()] = value
  }
  return headers
}
