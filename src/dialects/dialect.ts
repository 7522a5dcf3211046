/** A protocol, without its transport: its requests to ours, the events of a run to its frames. */
import type { ServedAgency } from '../agency/served.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { Batch } from '../runs/feed.ts'
import type { AgencyRequest } from '../wire/requests.ts'

/** `Body` is a request of the protocol, as `read` returns it. */
export interface Dialect<Body> {
  /** Checks the body of a request. @throws RequestInvalid */
  read(body: unknown, served: ServedAgency): Body | Promise<Body>
  /** The request in the form that all protocols share. @throws an AgencyError for a request that no run can answer */
  toRunRequest(body: Body, served: ServedAgency): AgencyRequest
  /** The writer of one stream. */
  writer(body: Body): FrameWriter
  /** The whole stream for a request whose run did not start; undefined when an answer without a stream reports the error. */
  refuse(failure: Refusal, body: Body): string | undefined
}

/** A pure fold: the same events give the same frames in every process. */
export interface FrameWriter {
  /** All frames of one batch as one string. The first batch of a run begins with `started`, the last one ends with `ended`. */
  frames(batch: Batch): string
}

/** Why no run started; secrets in the message are masked. */
export interface Refusal {
  code: ErrorCode
  message: string
}

/**
 * Gives each frame its number in the stream as its id, so that a reader that lost its connection can go on from there.
 * @param after the last frame that the reader has: later ones are written
 */
export function withIds(writer: FrameWriter, after = 0): FrameWriter {
  let number = 0
  return {
    frames(batch) {
      let out = ''
      for (const frame of writer.frames(batch).split('\n\n')) {
        if (frame === '') continue // after the blank line that ends the last frame
        number++
        if (number > after) out += `id: ${number}\n${frame}\n\n`
      }
      return out
    },
  }
}
