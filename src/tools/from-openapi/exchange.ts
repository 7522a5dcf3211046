/** One HTTP request and its answer: within a size, decompressed, with redirects of reads followed. */
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Dispatcher } from 'undici'
import { orAbort } from '../../base/async.ts'
import { createDecoder } from '../../net/decoder.ts'

/** Most redirects that are followed. */
const MAX_REDIRECTS = 5
/** Headers that another origin gets after a redirect; all others may be secrets. */
const HARMLESS = new Set(['accept', 'user-agent'])

export interface HttpRequest {
  method: string
  url: URL
  headers: { [name: string]: string }
  body?: Buffer | string | undefined
}

export interface HttpAnswer {
  status: number
  /** The address that answered, after redirects. */
  url: URL
  /** The media type without its parameters, in lower case; empty when there was none. */
  mediaType: string
  /** The value of a header. */
  header(name: string): string | undefined
  bytes: Buffer
  /** True when the body was longer than `maxBytes`; the rest was not read. */
  cut: boolean
}

export interface Bounds {
  signal: AbortSignal
  /** How much of a body is read, by its media type. */
  maxBytes: (mediaType: string) => number
}

/**
 * Sends a request and reads its answer. GET and HEAD follow redirects; to another origin without the headers that may be secret.
 * @param agent decides which addresses are reached
 * @throws the signal's reason, GATEWAY_REFUSED, and the errors of undici and zlib
 */
export async function exchange(
  agent: Dispatcher,
  given: HttpRequest,
  { signal, maxBytes }: Bounds,
): Promise<HttpAnswer> {
  let request = given
  for (let redirects = 0; ; redirects++) {
    const { method, url, headers, body } = request
    const asked = agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: method as Dispatcher.HttpMethod,
      headers,
      body: body ?? null,
      signal,
    })
    // The client heeds the signal only once it is connected.
    const answer = await orAbort(asked, signal)
    const target = redirects < MAX_REDIRECTS ? targetOf(request, answer) : undefined
    if (target === undefined) return readAnswer(request, answer, { signal, maxBytes })
    discard(answer.body)
    const kept = target.origin === url.origin ? headers : Object.fromEntries(Object.entries(headers).filter(isHarmless))
    request = { method, url: target, headers: kept }
  }
}

const isHarmless = ([name]: [string, string]) => HARMLESS.has(name.toLowerCase())

/** Where a redirect of a read leads; undefined for any other answer. */
function targetOf({ method, url }: HttpRequest, { statusCode, headers }: Dispatcher.ResponseData): URL | undefined {
  const { location } = headers
  if ((method !== 'GET' && method !== 'HEAD') || ![301, 302, 303, 307, 308].includes(statusCode)) return undefined
  const target = typeof location === 'string' ? URL.parse(location, url.href) : null
  return target !== null && /^https?:$/.test(target.protocol) ? target : undefined
}

/** Ends a body that nobody reads, and its connection. */
const discard = (body: Readable) => body.on('error', () => {}).destroy()

async function readAnswer(
  { url }: HttpRequest,
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { signal, maxBytes }: Bounds,
): Promise<HttpAnswer> {
  const header = (name: string) => (headers[name] === undefined ? undefined : String(headers[name]))
  const mediaType = (header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  try {
    const { bytes, cut } = await collect(body, header('content-encoding') ?? '', {
      signal,
      maxBytes: maxBytes(mediaType),
    })
    return { status: statusCode, url, mediaType, header, bytes, cut }
  } finally {
    discard(body)
  }
}

async function collect(
  body: Readable,
  encoding: string,
  { signal, maxBytes }: { signal: AbortSignal; maxBytes: number },
): Promise<{ bytes: Buffer; cut: boolean }> {
  const pieces: Buffer[] = []
  let size = 0
  // Leaving the loop early ends the whole pipeline, and with it the connection.
  const fill = async (source: AsyncIterable<Buffer>) => {
    for await (const piece of source) {
      pieces.push(piece.subarray(0, maxBytes - size))
      size += piece.length
      if (size > maxBytes) return
    }
  }
  const decoder = createDecoder(encoding)
  const work = decoder === undefined ? pipeline(body, fill, { signal }) : pipeline(body, decoder, fill, { signal })
  await work.catch((error) => {
    if (size <= maxBytes) throw error // what was left unread may complain
  })
  return { bytes: Buffer.concat(pieces), cut: size > maxBytes }
}
