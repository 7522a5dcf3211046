import { ClientError, interruption, refusal } from './error.ts'

/** Options of `createClient`. */
export interface ClientOptions {
  /** Where the server is, with its prefix if it has one: `http://localhost:8000`, `/ai`. */
  baseUrl: string
  /** The bearer token, or a function that gives it for each request. Sent only to `baseUrl`. */
  token?: string | (() => string | undefined | Promise<string | undefined>) | undefined
  /** Headers of every request. */
  headers?: { [name: string]: string }
  /** Instead of the global fetch. */
  fetch?: typeof fetch
}

/** Options of one call. */
export interface CallOptions {
  /** Ends the call; a run that is being answered or streamed is stopped by that. */
  signal?: AbortSignal | undefined
  /** Headers of this request. */
  headers?: { [name: string]: string }
  /** Keeps a log of this request on servers with `enableLogging`; read it with `logs(id)`. Letters, digits, `_` and `-`. */
  logId?: string
}

/** One request: GET without a body, POST with one. */
export interface Call extends CallOptions {
  path: string
  body?: unknown
}

export interface Connection {
  /** The answer, not yet read. @throws ClientError for everything but a 2xx */
  open(call: Call): Promise<Response>
  /** The answer's JSON. @throws ClientError */
  json(call: Call): Promise<unknown>
}

/** Requests to one server; every failure is a ClientError. */
export function connect({
  baseUrl,
  token,
  headers,
  fetch: send = (...args) => fetch(...args),
}: ClientOptions): Connection {
  const base = baseUrl.replace(/(?<!\/)\/+$/, '')

  const open = async ({ path, body, signal, headers: own, logId }: Call): Promise<Response> => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const bearer = typeof token === 'function' ? await token() : token
    try {
      const response = await send(base + path, {
        method: text === undefined ? 'GET' : 'POST',
        headers: {
          ...headers,
          ...(text === undefined ? {} : { 'content-type': 'application/json' }),
          ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
          ...(logId === undefined ? {} : { 'x-agency-log-id': logId }),
          ...own,
        },
        ...(text === undefined ? {} : { body: text }),
        ...(signal ? { signal } : {}),
      })
      if (!response.ok) throw refusal(response, parse(await response.text()))
      return response
    } catch (error) {
      throw interruption(error, signal)
    }
  }

  const json = async (call: Call): Promise<unknown> => {
    const response = await open(call)
    const text = await response.text().catch((error: unknown) => {
      throw interruption(error, call.signal)
    })
    const body = parse(text)
    if (body === undefined)
      throw new ClientError(
        'bad_answer',
        `The answer of ${call.path} is no JSON. Is ${base || 'this'} an agency server?`,
        {
          status: response.status,
        },
      )
    return body
  }
  return { open, json }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
