/** Fetches remote files. */
import { randomBytes } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Agent } from 'undici'
import { orAbort } from '../base/async.ts'
import { AgencyError, errorText } from '../base/errors.ts'
import { fileUrlFailed } from '../base/request-errors.ts'
import { VERSION } from '../base/version.ts'
import { createDecoder } from '../net/decoder.ts'
import { checkAddress, createGuardedAgent } from '../net/guard.ts'
import type { Lookup } from '../net/lookup.ts'
import { Pieces } from '../net/pieces.ts'
import type { Account } from './memory-budget.ts'
import { checkExtension, excerpt, type RemoteSource } from './sources.ts'
import type { LoadedFile } from './store.ts'

/** Many hosts reject clients that do not look like a browser. This is the form that crawlers use. */
const USER_AGENT = `Mozilla/5.0 (compatible; agency-swarm-js/${VERSION})`
/** The status codes of responses with the whole file. */
const WHOLE_FILE = new Set([200, 203])
/** Enough for the signatures of all file types. */
const SNIFFED_BYTES = 65_536

/** Fetches files of one request from hosts that its caller named. */
export interface Downloader {
  /** Rejects an address outside the public internet before anything is fetched. @throws FILE_FAILED */
  check(source: RemoteSource, signal: AbortSignal): Promise<void>
  /** @throws FILE_FAILED */
  load(source: RemoteSource, account: Account, signal: AbortSignal): Promise<LoadedFile>
  /** Closes every connection. */
  close(): Promise<void>
}

/** @param isTrusted true for origins that may be outside the public internet */
export function createDownloader(isTrusted: (origin: string) => boolean, lookup?: Lookup): Downloader {
  // One agent per request, so that no connection to a host stays open after it.
  const agent = createGuardedAgent({ allowH2: false }, lookup, isTrusted)
  return {
    async check({ from: { url } }, signal) {
      if (isTrusted(url.origin)) return
      await orAbort(checkAddress(url.href, lookup), signal).catch((error) => {
        throw toFileError(error, url)
      })
    },
    async load(source, account, signal) {
      const { key, url, from } = source
      const pieces = await fetchPieces(agent, source, account, signal)
      const extension = from.extension ?? (await sniff(pieces))
      if (extension === undefined) throw fileUrlFailed(`No extension detected for ${excerpt(url)}`)
      checkExtension(extension, key)
      // Random, so that two files with the same name stay apart.
      return { name: `${from.stem}_${randomBytes(4).toString('hex')}.${extension}`, pieces }
    },
    close: () => agent.destroy(),
  }
}

async function fetchPieces(
  agent: Agent,
  { key, url: text, from: { url } }: RemoteSource,
  account: Account,
  signal: AbortSignal,
): Promise<readonly Buffer[]> {
  try {
    const response = agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'GET',
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': USER_AGENT },
      reset: true,
      signal,
    })
    // undici observes the signal only after it has connected.
    const { statusCode, headers, body } = await orAbort(response, signal)
    try {
      if (!WHOLE_FILE.has(statusCode)) throw fileUrlFailed(describeStatus(statusCode, text))
      const declared = Number(headers['content-length'] ?? 0)
      account.declare(key, declared)
      return await collect(body, String(headers['content-encoding'] ?? ''), account.file(key), signal)
    } finally {
      body.on('error', () => {}).destroy()
    }
  } catch (error) {
    signal.throwIfAborted()
    throw toFileError(error, url)
  }
}

/** Reads and decompresses the body. */
async function collect(
  body: Readable,
  encoding: string,
  count: (bytes: number) => void,
  signal: AbortSignal,
): Promise<readonly Buffer[]> {
  const pieces = new Pieces()
  const fill = async (source: AsyncIterable<Buffer>) => {
    for await (const chunk of source) {
      count(chunk.length)
      pieces.add(chunk)
    }
  }
  const decode = decoderOf(encoding)
  if (decode === undefined) await pipeline(body, fill, { signal })
  else await pipeline(body, decode, fill, { signal })
  return pieces.list()
}

/** A decompressor for hosts that compress although the request accepts only `identity`. Limits count the decompressed bytes. */
function decoderOf(encoding: string) {
  try {
    return createDecoder(encoding)
  } catch (error) {
    throw fileUrlFailed(excerpt(errorText(error)))
  }
}

async function sniff(pieces: readonly Buffer[]): Promise<string | undefined> {
  const { fileTypeFromBuffer } = await import('file-type')
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const start = Buffer.concat(pieces, Math.min(size, SNIFFED_BYTES))
  return (await fileTypeFromBuffer(start).catch(() => undefined))?.ext // a file that breaks the detection has no known type
}

/** The text for a response without the file. Redirects are not followed, because the caller did not name their target. */
function describeStatus(status: number, address: string): string {
  return `${classifyStatus(status)} '${[status, STATUS_CODES[status]].filter(Boolean).join(' ')}' for url '${excerpt(address)}'`
}

function classifyStatus(status: number): string {
  if (status < 300) return 'Response without the whole file'
  return status < 400 ? 'Redirect response' : status < 500 ? 'Client error' : 'Server error'
}

function toFileError(error: unknown, url: URL): AgencyError {
  if (AgencyError.isInstance(error) && error.code !== 'GATEWAY_REFUSED') return error
  if (AgencyError.isInstance(error))
    return fileUrlFailed(
      `The server does not fetch files from ${excerpt(url.host)}. Its operator can allow the address with trustedFileOrigins.`,
    )
  const { code, name } = error as NodeJS.ErrnoException
  return fileUrlFailed(`The file could not be fetched from ${excerpt(url.host)} (${code ?? name}).`, error)
}
