/** Pieces from here on are kept as they are; smaller ones are gathered in blocks. */
const SMALL_BYTES = 16_384
const BLOCK_BYTES = 65_536

/** What arrives in pieces of any size: even byte by byte it takes no more room than it is worth. */
export class Pieces {
  readonly #pieces: Buffer[] = []
  /** The last of the pieces, when it is a block, and how much of it is filled. */
  #block: Buffer | undefined
  #filled = 0

  add(piece: Buffer): void {
    if (piece.length >= SMALL_BYTES || this.#pieces.length === 0) {
      this.#close() // most of what is read comes in one piece, which is not copied
      this.#pieces.push(piece)
      return
    }
    if (this.#block === undefined || this.#block.length - this.#filled < piece.length) {
      this.#close()
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
      this.#pieces.push(this.#block)
    }
    this.#filled += piece.copy(this.#block, this.#filled)
  }

  /** All of it, in order. */
  list(): readonly Buffer[] {
    this.#close()
    return this.#pieces
  }

  /** All of it as one. */
  whole(): Buffer {
    const [first, ...more] = this.list()
    return first !== undefined && more.length === 0 ? first : Buffer.concat(this.#pieces)
  }

  #close(): void {
    if (this.#block !== undefined) this.#pieces[this.#pieces.length - 1] = this.#block.subarray(0, this.#filled)
    this.#block = undefined
    this.#filled = 0
  }
}
