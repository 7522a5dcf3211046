/** A store whose calls end in time, and that reports when it is away. */
import { within } from '../../base/async.ts'
import { AgencyError, storeUnavailable } from '../../base/errors.ts'
import type { RunStore } from '../run-store.ts'

/**
 * A call that takes longer than `ms` fails with STORE_UNAVAILABLE; it may take effect later.
 * @param onAway called for each change whose outcome is unknown: runs may wait that nobody here has heard of
 */
export function boundStore(store: RunStore, ms: number, onAway: () => void): RunStore {
  const bound = async <Result>(call: Promise<Result>): Promise<Result> => {
    try {
      return await within(ms, 'The store', call)
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
  return {
    ...(store.shared === undefined ? {} : { shared: store.shared }),
    admit: (request) => change(store.admit(request)),
    claim: (request) => change(store.claim(request)),
    write: (request) => change(store.write(request)),
    read: (query) => bound(store.read(query)),
    watch: (query) => store.watch(query),
    close: () => bound(store.close()),
  }
}
