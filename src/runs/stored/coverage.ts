/** Which events of a run are final: what an attempt emitted after its last turn boundary never happened if it is lost. */

/** What is known of finality, small enough to be stored at each turn boundary. */
export interface CoverageState {
  /** Every event up to this number is final. */
  final: number
  /** Scope -> number up to which its events are final, where that is more. */
  covered: { [scope: string]: number }
}

/** Follows the events of one attempt. */
export class Coverage {
  /** Scope -> its first event that is not final, and its newest one. */
  readonly #open = new Map<string, { first: number; last: number }>()
  readonly #covered = new Map<string, number>()
  #last: number

  /** @param last the newest event so far; all up to it are final or void */
  constructor(last: number) {
    this.#last = last
  }

  add(number: number, scope: string | undefined): void {
    this.#last = number
    if (scope === undefined) return
    const open = this.#open.get(scope)
    if (open === undefined) this.#open.set(scope, { first: number, last: number })
    else open.last = number
  }

  /** The events of a scope so far are final. */
  cover(scope: string): void {
    const open = this.#open.get(scope)
    if (open === undefined) return
    this.#open.delete(scope)
    this.#covered.set(scope, open.last)
  }

  read(): CoverageState {
    let final = this.#last
    for (const { first } of this.#open.values()) final = Math.min(final, first - 1)
    for (const [scope, number] of this.#covered) if (number <= final) this.#covered.delete(scope)
    return { final, covered: Object.fromEntries(this.#covered) }
  }
}
