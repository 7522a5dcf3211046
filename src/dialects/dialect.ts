/** A protocol, without its transport: its requests to ours, the events of a run to its frames. */
import type { ServedAgency } from '../agency/served.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { Batch } from '../runs/feed.ts'
import type { AgencyRequest } from '../wire/requests.ts'
import type { FrameText } from '../wire/sse.ts'

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
  /**
   * All frames of one batch; long ones in pieces, to be taken before the next batch is written. The first batch of a run begins
   * with `started`, the last one ends with `ended`.
   */
  frames(batch: Batch): FrameText
}

/** Why no run started; secrets in the message are masked. */
export interface Refusal {
  code: ErrorCode
  message: string
}

/** Numbers frames from 1 on, and leaves those out that the reader has. */
export function createNumbering(after: number) {
  let number = 0
  let isAtStart = true
  /** Numbers the frames of a text that may begin or end inside a frame; the blank line after a frame is never split. */
  const addIds = (text: string): string => {
    let out = ''
    for (const [index, part] of text.split('\n\n').entries()) {
      if (index > 0) {
        if (number > after) out += '\n\n'
        isAtStart = true
      }
      if (part === '') continue
      if (isAtStart && ++number > after) out += `id: ${number}\n`
      isAtStart = false
      if (number > after) out += part
    }
    return out
  }
  return {
    /** The number of the newest frame. */
    get last() {
      return number
    },
    add: (frames: FrameText): FrameText => (typeof frames === 'string' ? addIds(frames) : mapPieces(frames, addIds)),
  }
}

function* mapPieces(pieces: Iterable<string>, map: (piece: string) => string): Generator<string> {
  for (const piece of pieces) yield map(piece)
}
