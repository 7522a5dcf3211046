import type OpenAI from 'openai'
import { once } from '../../base/async.ts'
import { ModelTimeout } from '../../base/errors.ts'
import type { createFetch } from '../../net/http.ts'
import type { JsonObject } from '../../wire/json.ts'
import { writeJson } from '../../wire/json-write.ts'
import { toWellFormedJson } from '../../wire/well-formed.ts'

type Headers = { [name: string]: string }

/** Asks one path of a provider's API. @throws what the `openai` package throws */
export type Post = (
  path: string,
  body: JsonObject,
  call: { signal: AbortSignal; headers?: Readonly<Headers> | undefined },
) => Promise<Response>

/** Over any client as it is: it may fetch credentials anew, rewrite addresses, or do what its owner taught it. */
export const postOver =
  (client: () => Promise<OpenAI>): Post =>
  async (path, body, call) =>
    (await client()).post<Response>(path, { body, ...call }).asResponse()

/**
 * Over a client of ours, whose address, key and headers never change: it says once for each path how it would ask, and from
 * then on only the body is new. Working that out anew was a quarter of what a short stream cost.
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
      body: toWellFormedJson(await writeJson(body)),
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

/** As the client has it: what is undefined says nothing, and null takes a header away. */
function withHeaders(own: Headers, more: { readonly [name: string]: string | null | undefined } = {}): Headers {
  const headers = { ...own }
  for (const [name, value] of Object.entries(more)) {
    if (value === null) delete headers[name.toLowerCase()]
    else if (value !== undefined) headers[name.toLowerCase()] = value
  }
  return headers
}
