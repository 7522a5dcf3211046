/** What a process prints until a mark that ends it: the beginning and the end are kept, the middle is counted. */

/** Bytes of one stream of a process, up to a mark. */
export class Printed {
  readonly #mark: Buffer
  readonly #half: number
  #head = Buffer.alloc(0)
  #tail = Buffer.alloc(0)
  #left = 0
  #complete = false
  /** Everything that came, the mark included. */
  total = 0

  constructor(mark: string, keptBytes: number) {
    this.#mark = Buffer.from(mark)
    this.#half = Math.ceil(keptBytes / 2)
  }

  /** True once the mark has come. */
  get complete(): boolean {
    return this.#complete
  }

  add(chunk: Buffer): void {
    if (this.#complete) return
    this.total += chunk.length
    let window = Buffer.concat([this.#tail, chunk])
    const end = window.indexOf(this.#mark)
    this.#complete = end !== -1
    if (this.#complete) window = window.subarray(0, end)
    // The end of the window may be the beginning of the mark.
    const open = this.#complete ? 0 : this.#mark.length - 1
    const room = Math.max(0, Math.min(this.#half - this.#head.length, window.length - open))
    if (room > 0) this.#head = Buffer.concat([this.#head, window.subarray(0, room)])
    const rest = window.subarray(room)
    const over = Math.max(0, rest.length - this.#half - open)
    this.#left += over
    this.#tail = Buffer.from(rest.subarray(over))
  }

  get text(): string {
    const decode = (bytes: Buffer) => bytes.toString('utf8')
    if (this.#left === 0) return decode(Buffer.concat([this.#head, this.#tail]))
    return `${decode(this.#head)}\n[... ${this.#left} bytes left out ...]\n${decode(this.#tail)}`
  }
}
