/** Reads the server-sent events of one response, chunk by chunk. */
import { createParser } from 'eventsource-parser'
import { ClientError, interruption } from './error.ts'
import type { Frame } from './events.ts'

/** Longest frame that is read, in UTF-16 units; a longer one ends the stream with `bad_answer`. */
const MAX_FRAME = 64 * 1024 * 1024
/** How long the server may take to close the stream after its last event, in milliseconds; then the client closes it. */
const CLOSE_MS = 1000

/** The events of one connection. */
export interface FrameReader {
  /** Reads one chunk and hands its events to `take`. False at the end of the stream. @throws ClientError, and what `take` throws */
  read(): Promise<boolean>
  /** Lets the server close the stream, so that the connection can be reused; calls `abort` when the server does not. */
  awaitClose(abort: () => void): Promise<void>
}

/**
 * @param signal of the request
 * @param onRetry receives the server's `retry:`, in milliseconds
 * @throws ClientError of kind `bad_answer` for a response that is not an event stream
 */
export function readFrames(
  response: Response,
  signal: AbortSignal,
  take: (frame: Frame) => void,
  onRetry?: (retryMs: number) => void,
): FrameReader {
  const reader = getReader(response)
  const decoder = new TextDecoder()
  const parser = createParser({
    onEvent: ({ id, event, data }) => take({ id, event, data }),
    onRetry: (retryMs) => onRetry?.(retryMs),
    onError: ({ type, message }) => {
      if (type === 'max-buffer-size-exceeded') throw new ClientError('bad_answer', `The stream is broken: ${message}`)
    },
    maxBufferSize: MAX_FRAME,
  })
  return {
    async read() {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw interruption(error, signal)
      })
      if (!done) parser.feed(decoder.decode(value, { stream: true }))
      return !done
    },
    async awaitClose(abort) {
      const late = setTimeout(abort, CLOSE_MS)
      try {
        const { done } = await reader.read()
        if (!done) abort()
      } catch {
        // The stream was complete, so an error of the connection does not matter.
      } finally {
        clearTimeout(late)
      }
    },
  }
}

function getReader(response: Response): ReadableStreamDefaultReader<Uint8Array> {
  const type = response.headers.get('content-type') ?? ''
  if (response.body === null || !type.startsWith('text/event-stream'))
    throw new ClientError(
      'bad_answer',
      `The answer is not an event stream; its content type is ${type || 'missing'}.`,
      { status: response.status },
    )
  return response.body.getReader()
}
