/** Puts changes together: at most one update of the page for each picture that the browser draws. */

/** A hidden tab draws nothing; its state is kept up to date at this pace, in milliseconds. */
const HIDDEN_MS = 100

type DrawNext = (work: () => void) => number
interface Page {
  requestAnimationFrame?: DrawNext
  cancelAnimationFrame?: (id: number) => void
}

/** Calls `work` once for all calls of `request` before the next picture. */
export class Frames {
  readonly #work: () => void
  #cancel: (() => void) | undefined

  constructor(work: () => void) {
    this.#work = work
  }

  request(): void {
    if (this.#cancel !== undefined) return
    const { requestAnimationFrame: draw, cancelAnimationFrame } = globalThis as Page
    const timer = setTimeout(() => this.flush(), draw === undefined ? 0 : HIDDEN_MS)
    const drawing = draw?.(() => this.flush())
    this.#cancel = () => {
      clearTimeout(timer)
      if (drawing !== undefined) cancelAnimationFrame?.(drawing)
    }
  }

  /** Does the work now. */
  flush(): void {
    this.cancel()
    this.#work()
  }

  cancel(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
