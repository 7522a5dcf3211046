/** A store whose calls end in time, that reports when it is away, and that refuses what is too large for it. */
import { within } from '../../base/async.ts'
import { AgencyError, storeUnavailable } from '../../base/errors.ts'
import { tooLargeToStore } from '../../base/request-errors.ts'
import { countJsonBytes } from '../../wire/json-write.ts'
import type { RunStore, Writes } from '../run-store.ts'

export interface StoreBounds {
  /** How long a call may take. */
  storeMs: number
  /** Of a request, and of the messages that a thread begins with. */
  storedBodyBytes: number
}

/**
 * A call that takes longer than `storeMs` fails with STORE_UNAVAILABLE; it may take effect later. What callers send and is
 * larger than `storedBodyBytes` fails with TOO_LARGE.
 * @param onAway called for each change whose outcome is unknown: runs may wait that nobody here has heard of
 */
export function boundStore(store: RunStore, { storeMs, storedBodyBytes }: StoreBounds, onAway: () => void): RunStore {
  const bound = async <Result>(call: Promise<Result>): Promise<Result> => {
    try {
      return await within(storeMs, 'The store', call)
    } catch (error) {
      throw AgencyError.isInstance(error) ? error : storeUnavailable(error)
    }
  }
  const change = async <Result>(call: Promise<Result>): Promise<Result> => {
    try {
      return await bound(call)
    } catch (error) {
      if (AgencyError.isInstance(error) && error.code === 'STORE_UNAVAILABLE') onAway()
      throw error
    }
  }
  const checkSize = (value: unknown) => {
    if (countJsonBytes(value, storedBodyBytes) > storedBodyBytes) throw tooLargeToStore(storedBodyBytes)
  }
  return {
    ...(store.shared === undefined ? {} : { shared: store.shared }),
    ...(store.queue === undefined ? {} : { queue: store.queue }),
    ...(store.processes === undefined ? {} : { processes: store.processes }),
    ...(store.counts === undefined ? {} : { counts: store.counts }),
    ...(store.readers === undefined ? {} : { readers: store.readers }),
    ...(store.onTrouble === undefined ? {} : { onTrouble: store.onTrouble }),
    async admit(request) {
      checkSize(request.plan)
      return change(store.admit(request))
    },
    claim: (request) => change(store.claim(request)),
    async write(request) {
      if (request.kind === 'createThread') checkSize((request as Writes['createThread']['change']).messages)
      return change(store.write(request))
    },
    read: (query) => bound(store.read(query)),
    watch: (query) => store.watch(query),
    close: () => bound(store.close()),
  }
}
