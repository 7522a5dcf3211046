import { AsyncLocalStorage } from 'node:async_hooks'

/** The headers that tie what is called to the trace of the caller. */
interface Carried {
  headers: { readonly [name: string]: string }
  /** They may go to addresses too that only a caller vouches for. */
  everywhere: boolean
}

/**
 * Headers for whatever is called inside a piece of work. They travel beside the calls, not in them, because only the fetch
 * at the end knows whose address it is; see `createFetch`.
 */
const carried = new AsyncLocalStorage<Carried>()

export const withTraceHeaders = <T>(headers: Carried, work: () => T): T => carried.run(headers, work)

/** The headers for an address; undefined when nobody traces, or the address is none of ours. */
export function traceHeaders(trusted: boolean): Carried['headers'] | undefined {
  const found = carried.getStore()
  return found !== undefined && (trusted || found.everywhere) ? found.headers : undefined
}
