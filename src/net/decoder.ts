/** Decodes compressed bodies: some hosts compress their answers although they are asked not to (RFC 9110, section 8.4). */
import { pipeline, Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'

/** The decoder for a content encoding; undefined when the body is plain. @throws Error for an encoding that is not supported */
export function createDecoder(encoding: string): Transform | undefined {
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
      throw new Error(`The content encoding ${encoding.slice(0, 100)} is not supported.`)
  }
}

/** A body that can be broken off. */
export interface Breakable extends AsyncIterable<Buffer> {
  fail(error: unknown): void
}

/** The decoded body. Readers bound what comes out of it. */
export function decoded(body: Breakable, decoder: Transform): Breakable {
  // The reader of the decoder gets the failure.
  const start = () => pipeline(Readable.from(body, { objectMode: false }), decoder, () => {})
  return {
    fail: (error) => body.fail(error),
    [Symbol.asyncIterator]() {
      start()
      return decoder[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    },
  }
}
