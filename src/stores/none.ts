/** The store of several workers that were given none: a run could not be found again in another worker. */
import { storeNotShared } from '../base/errors.ts'
import type { RunStore } from '../runs/run-store.ts'

/** Refuses every call with STORE_NOT_SHARED. */
export function noStore(): RunStore {
  const refuse = async () => {
    throw storeNotShared()
  }
  return {
    admit: refuse,
    claim: refuse,
    write: refuse,
    read: refuse,
    watch: () => ({ [Symbol.asyncIterator]: () => ({ next: refuse }) }),
    close: async () => {},
  }
}
