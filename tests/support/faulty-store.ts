/** A store of runs whose calls fail on purpose, over a real one. */
import { storeUnavailable } from '../../src/base/errors.ts'
import type { Reads, RunStore, Writes } from '../../src/runs/run-store.ts'

/**
 * `fail`: nothing happens, and the call fails. `lost`: it takes effect, and the call fails all the same. `hang`: it waits for
 * `released`, then goes on.
 */
export type Fault = 'ok' | 'fail' | 'lost' | 'hang'
type Call = 'admit' | 'claim' | `write ${keyof Writes}` | `read ${keyof Reads}` | 'watch'
/** The faults of a call's next times, in order; `ok` from then on. */
export type FaultPlan = { readonly [call in Call]?: readonly Fault[] }

/** @param released when hanging calls go on. Default: never */
export function faulty(store: RunStore, plan: FaultPlan, released: Promise<void> = new Promise(() => {})): RunStore {
  const left = new Map(Object.entries(plan).map(([call, faults]) => [call, [...faults]]))
  const failure = () => storeUnavailable(new Error('The store fails on purpose.'))
  const run = async <Result>(call: Call, work: () => Promise<Result>): Promise<Result> => {
    const fault = left.get(call)?.shift() ?? 'ok'
    if (fault === 'fail') throw failure()
    if (fault === 'hang') await released
    const result = await work()
    if (fault === 'lost') throw failure()
    return result
  }
  return {
    admit: (request) => run('admit', () => store.admit(request)),
    claim: (request) => run('claim', () => store.claim(request)),
    write: (change) => run(`write ${change.kind}`, () => store.write(change)),
    read: (query) => run(`read ${query.kind}`, () => store.read(query)),
    async *watch(query) {
      await run('watch', async () => {})
      yield* store.watch(query)
    },
    close: () => store.close(),
  }
}

/** A store that can be away: `fail` and `hang` hold for every call until the next `set`. */
export function switchable(store: RunStore) {
  let fault: Fault = 'ok'
  const failure = () => storeUnavailable(new Error('The store is away on purpose.'))
  const run = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (fault === 'fail') throw failure()
    if (fault === 'hang') return new Promise(() => {})
    return work()
  }
  const away: RunStore = {
    admit: (request) => run(() => store.admit(request)),
    claim: (request) => run(() => store.claim(request)),
    write: (change) => run(() => store.write(change)),
    read: (query) => run(() => store.read(query)),
    async *watch(query) {
      await run(async () => {})
      yield* store.watch(query)
    },
    close: () => store.close(),
  }
  return {
    store: away,
    set(next: 'ok' | 'fail' | 'hang') {
      fault = next
    },
  }
}
