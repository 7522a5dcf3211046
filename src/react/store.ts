/** A value that changes over time and tells its listeners, as `useSyncExternalStore` wants it. */
import { Frames } from './frames.ts'

/** Its snapshot stays the same object until something has changed. */
export abstract class Store<State> {
  readonly #listeners = new Set<() => void>()
  readonly #frames = new Frames(() => this.#update())
  #state: State

  constructor(first: State) {
    this.#state = first
  }

  /** Makes the next snapshot. */
  protected abstract read(): State

  readonly getState = (): State => this.#state

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Something has changed; listeners hear of it with the next picture. */
  protected changeSoon(): void {
    this.#frames.request()
  }

  /** Something has changed that a user waits for, or that is the last. */
  protected change(): void {
    this.#frames.flush()
  }

  protected stopUpdates(): void {
    this.#frames.cancel()
  }

  #update(): void {
    this.#state = this.read()
    for (const listener of [...this.#listeners]) listener()
  }
}
