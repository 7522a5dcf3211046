/** Follows stored runs for readers of this process: their events, and their end. */
import { within } from '../../base/async.ts'
import type { RunId, RunRecord, RunStore } from '../run-store.ts'
import { createDecoder, type NumberedEvent } from './events.ts'
import type { RunWorker } from './worker.ts'

/** Events that are read from the store at a time. */
const EVENTS_PER_READ = 500
/** How long readers have for the last events when the process stops, in milliseconds. */
const LAST_READ_MS = 1_000

export class RunFollower {
  readonly #store: RunStore
  readonly #worker: RunWorker
  readonly #stopped = new AbortController()
  /** Who reads streams of runs, and who waits for their end. */
  readonly #reading = new Set<Promise<void>>()

  constructor(store: RunStore, worker: RunWorker) {
    this.#store = store
    this.#worker = worker
  }

  /** Aborts when the process stops and no attempt is left. */
  get stopped(): AbortSignal {
    return this.#stopped.signal
  }

  /** Lets readers take what is stored, and ends their streams. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await within(LAST_READ_MS, 'The readers', Promise.all(this.#reading)).catch(() => {}) // a slow one comes back
  }

  async wait(
    id: RunId,
    ms: number,
    signal: AbortSignal,
    isOver = ({ status, endedAt }: RunRecord) => endedAt !== null || status === 'requires_action',
  ): Promise<RunRecord> {
    const record = await this.#store.read({ kind: 'run', ...id })
    if (ms === 0 || isOver(record)) return record
    const leave = this.#beginToRead()
    try {
      const timeout = AbortSignal.any([signal, this.stopped, AbortSignal.timeout(ms)])
      for await (const { state } of this.#store.watch({ ...id, after: Number.POSITIVE_INFINITY, signal: timeout }))
        if (isOver({ ...record, ...state, endedAt: isLive(state.status) ? null : 0 })) break
      return await this.#store.read({ kind: 'run', ...id })
    } finally {
      leave()
    }
  }

  async *follow(id: RunId, after: number, signal: AbortSignal): AsyncGenerator<readonly NumberedEvent[]> {
    const leave = this.#beginToRead()
    try {
      yield* this.#follow(id, after, signal)
    } finally {
      leave()
    }
  }

  /** Counts a reader until the returned function is called. */
  #beginToRead(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#reading.add(promise)
    return () => {
      this.#reading.delete(promise)
      resolve()
    }
  }

  async *#follow(id: RunId, after: number, signal: AbortSignal): AsyncGenerator<readonly NumberedEvent[]> {
    const until = AbortSignal.any([signal, this.stopped])
    const decode = createDecoder()
    let last = after
    await this.#worker.claimed(id.runId)
    let log = this.#worker.logOf(id)
    while (!until.aborted) {
      const recent = log?.after(last)
      if (log === undefined || recent === undefined) {
        // Not in the memory of this process: from the store, until the run ends or an attempt begins here.
        let isOver = true
        for await (const { events } of this.#store.watch({ ...id, after: last, signal: until })) {
          const decoded = await decode(events)
          last = decoded.at(-1)?.number ?? last
          if (decoded.length > 0) yield decoded
          isOver = this.#worker.logOf(id)?.after(last) === undefined
          if (!isOver) break
        }
        if (isOver && !until.aborted) return
        log = this.#worker.logOf(id)
      } else if (recent.length > 0) {
        const newest = recent.at(-1) as NumberedEvent
        last = newest.number
        yield recent
        if (newest.event.kind === 'closed') return
      } else await log.next(until)
    }
    if (!signal.aborted) yield* this.#readRest(id, last) // a run that has ended here shows its end
  }

  /** What is stored after a number; nothing when the store is away. */
  async *#readRest(id: RunId, after: number): AsyncGenerator<readonly NumberedEvent[]> {
    const decode = createDecoder()
    for (let last = after; ; ) {
      const read = this.#store.read({ kind: 'events', ...id, after: last, limit: EVENTS_PER_READ })
      const { events } = await read.catch(() => ({ events: [] }))
      if (events.length === 0) return
      last = events.at(-1)?.number ?? last
      yield await decode(events)
    }
  }

  async *replay({ agency, owner, runId }: RunId, upTo: number): AsyncGenerator<readonly NumberedEvent[]> {
    const decode = createDecoder()
    for (let last = 0; last < upTo; ) {
      const limit = Math.min(EVENTS_PER_READ, upTo - last)
      const { events } = await this.#store.read({ kind: 'events', agency, owner, runId, after: last, limit })
      if (events.length === 0) return
      last = events.at(-1)?.number ?? last
      yield await decode(events)
    }
  }
}

const isLive = (status: string) => status === 'queued' || status === 'in_progress' || status === 'requires_action'
