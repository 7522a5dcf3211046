import { randomBytes } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import type { Agent } from 'undici'
import { orAbort } from '../base/async.ts'
import { AgencyError, fileUrlFailed } from '../base/errors.ts'
import { VERSION } from '../base/version.ts'
import { checkAddress, createGuardedAgent } from '../net/guard.ts'
import type { Lookup } from '../net/lookup.ts'
import { Pieces } from '../net/pieces.ts'
import type { Account } from './memory-budget.ts'
import { checkExtension, type RemoteSource, shown } from './sources.ts'
import type { LoadedFile } from './store.ts'

/** Many hosts turn away what does not look like a browser at first sight; this is said the way crawlers say it. */
const USER_AGENT = `Mozilla/5.0 (compatible; agency-swarm-js/${VERSION})`
/** Of the good answers those that carry the file: not a part of it, nor nothing. */
const WHOLE = new Set([200, 203])
/** Enough for the magic numbers of every type. */
const SNIFFED_BYTES = 65_536

/** Fetches from hosts that a caller named, for one request. */
export interface Downloader {
  /** Refuses what is not on the public internet, before anything is fetched. @throws FILE_FAILED */
  check(source: RemoteSource, signal: AbortSignal): Promise<void>
  /** @throws FILE_FAILED */
  load(source: RemoteSource, account: Account, signal: AbortSignal): Promise<LoadedFile>
  /** Closes every connection. */
  close(): Promise<void>
}

/** @param isTrusted origins that may be elsewhere, too */
export function createDownloader(isTrusted: (origin: string) => boolean, lookup?: Lookup): Downloader {
  // One agent per request: whatever happens to its hosts, nothing of it stays open.
  const agent = createGuardedAgent({ allowH2: false }, lookup, isTrusted)
  return {
    async check({ from: { url } }, signal) {
      if (isTrusted(url.origin)) return
      await orAbort(checkAddress(url.href, lookup), signal).catch((error) => {
        throw refusal(error, url)
      })
    },
    async load(source, account, signal) {
      const { key, url, from } = source
      const pieces = await fetchPieces(agent, source, account, signal)
      const extension = from.extension ?? (await sniff(pieces))
      if (extension === undefined) throw fileUrlFailed(`No extension detected for ${shown(url)}`)
      checkExtension(extension, key)
      // Random, so that two files of one name stay two files.
      return { name: `${from.stem}_${randomBytes(4).toString('hex')}.${extension}`, pieces }
    },
    close: () => agent.destroy(),
  }
}

async function fetchPieces(
  agent: Agent,
  { key, url: given, from: { url } }: RemoteSource,
  account: Account,
  signal: AbortSignal,
): Promise<readonly Buffer[]> {
  try {
    const asked = agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'GET',
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': USER_AGENT },
      reset: true,
      signal,
    })
    // The client heeds the signal only once it is connected.
    const { statusCode, headers, body } = await orAbort(asked, signal)
    try {
      if (!WHOLE.has(statusCode)) throw fileUrlFailed(badStatus(statusCode, given))
      const declared = Number(headers['content-length'] ?? 0)
      account.declare(key, declared)
      return await collect(body, String(headers['content-encoding'] ?? ''), account.file(key), signal)
    } finally {
      body.on('error', () => {}).destroy()
    }
  } catch (error) {
    signal.throwIfAborted()
    throw refusal(error, url)
  }
}

/** The file as it is meant. */
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
  const decode = decoder(encoding)
  if (decode === undefined) await pipeline(body, fill, { signal })
  else await pipeline(body, decode, fill, { signal })
  return pieces.list()
}

/** Some hosts compress whatever they are asked for. What comes out is counted, not what came in. */
function decoder(encoding: string) {
  switch (encoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      return undefined
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    case 'zstd':
      return createZstdDecompress()
    default:
      throw fileUrlFailed(`The content encoding ${shown(encoding)} is not supported.`)
  }
}

async function sniff(pieces: readonly Buffer[]): Promise<string | undefined> {
  const { fileTypeFromBuffer } = await import('file-type')
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const start = Buffer.concat(pieces, Math.min(size, SNIFFED_BYTES))
  return (await fileTypeFromBuffer(start).catch(() => undefined))?.ext // what confuses it has no type
}

/** Redirects are not followed: they would lead to an address that nobody named. */
function badStatus(status: number, given: string): string {
  return `${kindOf(status)} '${[status, STATUS_CODES[status]].filter(Boolean).join(' ')}' for url '${shown(given)}'`
}

function kindOf(status: number): string {
  if (status < 300) return 'Response without the whole file'
  return status < 400 ? 'Redirect response' : status < 500 ? 'Client error' : 'Server error'
}

function refusal(error: unknown, url: URL): AgencyError {
  if (AgencyError.isInstance(error) && error.code !== 'GATEWAY_REFUSED') return error
  if (AgencyError.isInstance(error))
    return fileUrlFailed(
      `The server does not fetch files from ${shown(url.host)}. Its operator can allow the address with trustedFileOrigins.`,
    )
  const { code, name } = error as NodeJS.ErrnoException
  return fileUrlFailed(`The file could not be fetched from ${shown(url.host)} (${code ?? name}).`, error)
}
