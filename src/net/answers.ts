/** Bounds what other hosts answer, on the bytes as they come: beneath every parser, and before anything is made of them. */
import type { Charges } from '../base/budget.ts'
import { ANSWER_LIMITS } from '../base/limits.ts'
import { JsonMeter } from '../wire/json-meter.ts'
import { JsonText } from '../wire/json-pieces.ts'
import { Pieces } from './pieces.ts'

/** What is not parsed yet is held in pieces, then as one text, then as what becomes of it. */
const COPIES = 3
/** Libraries that want web standards hold it in their queues, and as the copy that they have checked, too. */
export const WEB_COPIES = 6

/** Answers that are nested deeper are not read. */
const MAX_DEPTH = 300

const LF = 10
const CR = 13

/** Watches a stream of server-sent events: the size and the JSON values of each event, and the size of all. */
export class EventGuard {
  readonly #budget: Charges | undefined
  #meter: JsonMeter | undefined
  #streamBytes = 0
  /** Bytes of the event that is not complete yet. */
  #eventBytes = 0
  #charged = 0
  /** Charged for complete events until the reader asks for the next ones. */
  #complete = 0
  #lastByte = 0
  readonly #copies: number

  constructor(budget: Charges | undefined, copies = COPIES) {
    this.#budget = budget
    this.#copies = copies
  }

  /** @throws an Error that says which bound was passed, JsonRefused, and what the budget throws */
  read(chunk: Buffer): void {
    this.#streamBytes += chunk.length
    if (this.#streamBytes > ANSWER_LIMITS.streamBytes) throw tooLong('A stream', ANSWER_LIMITS.streamBytes)
    this.#giveBack()
    const start = this.#endOfEvents(chunk)
    this.#lastByte = chunk.at(-1) ?? this.#lastByte
    if (start > 0) this.#endEvent()
    if (start < chunk.length) this.#readOn(start === 0 ? chunk : chunk.subarray(start))
  }

  /** Gives back what is charged. */
  release(): void {
    this.#endEvent()
    this.#giveBack()
  }

  #endEvent(): void {
    this.#complete += this.#charged
    this.#charged = 0
    this.#eventBytes = 0
    this.#meter = undefined
  }

  #giveBack(): void {
    if (this.#complete > 0) this.#budget?.release(this.#complete)
    this.#complete = 0
  }

  #readOn(bytes: Buffer): void {
    this.#eventBytes += bytes.length
    if (this.#eventBytes > ANSWER_LIMITS.eventBytes) throw tooLong('An event', ANSWER_LIMITS.eventBytes)
    this.#meter ??= new JsonMeter(ANSWER_LIMITS.json)
    this.#meter.feed(bytes.toString('latin1'))
    this.#budget?.charge(this.#copies * bytes.length)
    this.#charged += this.#copies * bytes.length
  }

  /** Where the event begins that the chunk leaves open; 0 when it goes on with the one before. */
  #endOfEvents(chunk: Buffer): number {
    if (chunk.at(-1) === LF && chunk.at(-2) === LF) return chunk.length // most chunks end with an event
    // Lines end with LF, CR LF or CR (WHATWG HTML, 9.2.5); a blank one ends an event.
    const end = Math.max(chunk.lastIndexOf('\n\n'), chunk.lastIndexOf('\n\r'), chunk.lastIndexOf('\r\r'))
    if (end !== -1) return end + 2
    const [first] = chunk
    const blank = (this.#lastByte === LF && (first === LF || first === CR)) || (this.#lastByte === CR && first === CR)
    return blank ? 1 : 0
  }
}

/** Watches an answer that is parsed as a whole. */
export class AnswerGuard {
  readonly #budget: Charges | undefined
  readonly #meter = new JsonMeter(ANSWER_LIMITS.json)
  #bytes = 0

  constructor(budget: Charges | undefined) {
    this.#budget = budget
  }

  /** @throws as `EventGuard.read` */
  read(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > ANSWER_LIMITS.eventBytes) throw tooLong('The answer', ANSWER_LIMITS.eventBytes)
    this.#budget?.charge(WEB_COPIES * chunk.length)
    this.#meter.feed(chunk.toString('latin1'))
  }
}

/**
 * A whole answer as JSON, within the bounds of one event; large ones are parsed in turns with other work.
 * @throws an Error that says which bound was passed, SyntaxError, JsonRefused, and what the budget throws
 */
export async function readJson(body: AsyncIterable<Uint8Array>, budget: Charges | undefined): Promise<unknown> {
  const pieces = new Pieces()
  const json = new JsonText({ ...ANSWER_LIMITS.json, depth: MAX_DEPTH })
  await forEachChunk(body, ANSWER_LIMITS.eventBytes, (chunk) => {
    budget?.charge(COPIES * chunk.length)
    json.add(chunk)
    pieces.add(chunk)
  })
  return json.parse(pieces.whole())
}

/** Gives `take` every chunk. @throws when there are more than `bytes` */
export async function forEachChunk(
  body: AsyncIterable<Uint8Array>,
  bytes: number,
  take: (chunk: Buffer) => void,
): Promise<void> {
  let left = bytes
  for await (const chunk of body) {
    left -= chunk.length
    if (left < 0) throw tooLong('The answer', bytes)
    take(toBuffer(chunk))
  }
}

/** The same bytes, not a copy. */
export const toBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const tooLong = (what: string, bytes: number) => new Error(`${what} is larger than the ${bytes} bytes that are taken.`)
