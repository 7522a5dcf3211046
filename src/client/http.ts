/** HTTP requests of the client; every failure is a ClientError. */
import { ClientError, interruption, refusal } from './error.ts'
import { renewTicket, type Ticket } from './ticket.ts'

/** Options of `createClient`. */
export interface ClientOptions {
  /** The server's address with its prefix, if any: `http://localhost:8000`, `/ai`. */
  baseUrl: string
  /** The bearer token, or a function that returns it for each request. Sent only to `baseUrl`. @default no token */
  token?: string | (() => string | undefined | Promise<string | undefined>) | undefined
  /**
   * Gives a ticket, which then takes the place of the token; asked again shortly before it expires. A function of your page that
   * asks your own back end, which gets tickets with `tickets.create`. @default no ticket
   */
  ticket?: (() => Ticket | Promise<Ticket>) | undefined
  /** Headers of every request. @default {} */
  headers?: { [name: string]: string }
  /** Sends the requests. @default the global fetch */
  fetch?: typeof fetch
}

/** Options of one call. */
export interface CallOptions {
  /** Aborts the call. The server stops a run whose client disconnects. */
  signal?: AbortSignal | undefined
  /** Headers of this request; they override those of the client. */
  headers?: { [name: string]: string }
  /** Logs this request on servers with `enableLogging`; read the log with `logs(id)`. Letters, digits, `_` and `-`. */
  logId?: string
}

/** One request: GET without a body, POST with one, or another method. */
export interface Call extends CallOptions {
  path: string
  method?: 'DELETE' | 'PATCH'
  body?: unknown
}

/** Sends requests to one server. */
export interface Connection {
  /** Sends a request and resolves with the unread response. @throws ClientError for every status but 2xx */
  open(call: Call): Promise<Response>
  /** Sends a request and resolves with the JSON of its answer. @throws ClientError */
  json(call: Call): Promise<unknown>
}

/** Creates a connection to one server. Every failure is a ClientError. */
export function connect({
  baseUrl,
  token,
  ticket,
  headers,
  fetch: send = (...args) => fetch(...args),
}: ClientOptions): Connection {
  const base = baseUrl.replace(/(?<!\/)\/+$/, '')
  const readToken = ticket === undefined ? token : renewTicket(ticket)

  const open = async ({ path, method, body, signal, headers: callHeaders, logId }: Call): Promise<Response> => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const bearer = typeof readToken === 'function' ? await readToken() : readToken
    try {
      const response = await send(base + path, {
        method: method ?? (text === undefined ? 'GET' : 'POST'),
        headers: {
          ...headers,
          ...(text === undefined ? {} : { 'content-type': 'application/json' }),
          ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
          ...(logId === undefined ? {} : { 'x-agency-log-id': logId }),
          ...callHeaders,
        },
        ...(text === undefined ? {} : { body: text }),
        ...(signal ? { signal } : {}),
      })
      if (!response.ok) throw refusal(response, readRefusal(response, await response.text()))
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
        `The answer of ${call.path} is not JSON. Is ${base || 'this'} an agency server?`,
        {
          status: response.status,
        },
      )
    return body
  }
  return { open, json }
}

/** The chat endpoints refuse in plain text. */
function readRefusal({ headers }: Response, text: string): unknown {
  const body = parse(text)
  const isPlain = headers.get('content-type')?.startsWith('text/plain') === true
  return body === undefined && isPlain && !text.startsWith('<') ? { detail: text } : body
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
