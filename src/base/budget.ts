/** Memory budgets: what a request, a run and the process hold, estimated in bytes of heap and bounded in one place. */

/**
 * What a JSON value is charged beside its text, in bytes. Measured on Node 24: 8 for a number in a list, 20 for `[]`,
 * 28 on average in `{"a":[[],[]]}`, 55 in `[[[[]]]]`, 104 in `{"1":0}`.
 */
export const VALUE_BYTES = 64

/** What a run is charged before it has said anything: its plan, log, timers and connection. */
export const RUN_BYTES = 32 * 1024

/**
 * How much of a fair budget parts of each size may fill together: the rest is kept for smaller ones. Parts from 1/256 of the
 * budget on fill three quarters, those from 1/2048 on seven eighths.
 */
const SHARES = [
  { from: 1 / 256, share: 3 / 4 },
  { from: 1 / 2048, share: 7 / 8 },
]

/** Takes charges, in bytes. `charge` throws when there is no room; what was refused is not charged. */
export interface Charges {
  charge(bytes: number): void
  release(bytes: number): void
}

export interface BudgetOptions {
  /** The most it holds, in bytes. */
  bound: number
  /** Makes the error that a charge beyond the bound throws. */
  refuse: (bound: number) => Error
  /** Its parts belong to callers who do not know each other: none may crowd out the others. Default false. */
  fair?: boolean
}

/**
 * A bound on what is held, and everything its parts hold counts towards it. Closing a budget gives back all it holds; what
 * is charged after that counts nowhere, so work that ends late leaks nothing.
 *
 * In a fair budget the last quarter is kept for parts that hold little: however many large ones take all they can get, small
 * ones go on.
 */
export class Budget implements Charges {
  readonly #options: BudgetOptions
  readonly #parent: Budget | undefined
  #held = 0
  #users = 1

  constructor(options: BudgetOptions, parent?: Budget) {
    this.#options = options
    this.#parent = parent
  }

  get heldBytes(): number {
    return this.#held
  }

  /** @throws what `refuse` of the first full budget makes, this one's or a parent's */
  charge(bytes: number): void {
    if (this.#users === 0) return
    const { bound, refuse } = this.#options
    const held = this.#held + bytes
    if (held > bound) throw refuse(bound)
    if (this.#parent !== undefined) this.#parent.#admit(held, bytes)
    this.#held = held
  }

  /** Gives back some of what was charged; never more than is held. */
  release(bytes: number): void {
    const given = Math.min(bytes, this.#held)
    this.#held -= given
    this.#parent?.release(given)
  }

  /** A part of this budget. Without options it has no bound of its own. */
  part(options: BudgetOptions = { bound: Number.POSITIVE_INFINITY, refuse: this.#options.refuse }): Budget {
    return new Budget(options, this)
  }

  /** The same budget for one more user: it is closed when all of its users have closed it. */
  share(): Budget {
    this.#users++
    return this
  }

  /** Gives everything back, once the last user has closed it. */
  close(): void {
    if (this.#users === 0 || --this.#users > 0) return
    this.release(this.#held)
  }

  /** A part wants to hold `held` bytes, `bytes` more than now. */
  #admit(held: number, bytes: number): void {
    const { bound, refuse, fair } = this.#options
    const share = fair === true ? SHARES.find(({ from }) => held > from * bound)?.share : undefined
    if (share !== undefined && this.#users > 0 && this.#held + bytes > share * bound) throw refuse(bound)
    this.charge(bytes)
  }
}

/**
 * What a JSON value holds, in bytes: its texts as JSON writes them, and `VALUE_BYTES` for each value. Values that stand in it
 * several times are counted several times.
 */
export function weigh(value: unknown): number {
  let bytes = 0
  const waiting: unknown[] = [value]
  while (waiting.length > 0) {
    const next = waiting.pop()
    bytes += VALUE_BYTES
    if (typeof next === 'string') bytes += weighText(next)
    else if (ArrayBuffer.isView(next)) bytes += next.byteLength
    else if (Array.isArray(next)) for (const part of next) waiting.push(part)
    else if (typeof next === 'object' && next !== null)
      for (const key of Object.keys(next)) {
        bytes += key.length
        waiting.push((next as { [key: string]: unknown })[key])
      }
  }
  return bytes
}

/** Texts from here on are looked at: JSON may write a character as six. */
const LONG_CHARS = 1024
/** Of longer texts, this many characters are looked at, at places that nobody outside the process knows. */
const SAMPLE_CHARS = 65_536
const SEED = Math.random()

/** The same text has the same weight each time. */
function weighText(text: string): number {
  const { length } = text
  if (length < LONG_CHARS) return length
  let more = 0
  if (length <= SAMPLE_CHARS) for (let index = 0; index < length; index++) more += escapeChars(text.charCodeAt(index))
  else more = (length / SAMPLE_CHARS) * sampleEscapes(text)
  return length + Math.ceil(more)
}

/** Looks at one character of each stretch of the text. */
function sampleEscapes(text: string): number {
  const stretch = text.length / SAMPLE_CHARS
  let more = 0
  let place = SEED
  for (let index = 0; index < SAMPLE_CHARS; index++) {
    place = (place + GOLDEN_RATIO) % 1
    more += escapeChars(text.charCodeAt(Math.floor((index + place) * stretch)))
  }
  return more
}

/** Its multiples spread evenly between 0 and 1. */
const GOLDEN_RATIO = 0.618033988749895

/** How many characters JSON adds to write this one. */
const escapeChars = (code: number) => (code === 34 || code === 92 ? 1 : code < 32 ? 5 : 0)
