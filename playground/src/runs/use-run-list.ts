/** The stored runs of the server, newest first, kept up to date. */
import { type Client, ClientError, type Run, type RunStatus } from 'agency-swarm-js/client'
import { useCallback, useEffect, useRef, useState } from 'react'

export interface RunListFilter {
  /** Agencies to list. */
  agencies: readonly string[]
  status: RunStatus | undefined
}

/** The runs of one agency that were read so far. */
interface Part {
  runs: ReadonlyMap<string, Run>
  /** Where the next page begins; null at the end. */
  next: string | null
}
type Parts = ReadonlyMap<string, Part>

/** How often the first page of each agency is read again, in milliseconds. */
const REFRESH_MS = 3_000
const PAGE_ROWS = 50

/** @param onLocked called when the server wants a token */
export function useRunList(client: Client, { agencies, status }: RunListFilter, onLocked: () => void) {
  const [parts, setParts] = useState<Parts>()
  const [problem, setProblem] = useState<string>()
  /** Counts the filters, so that answers to an earlier one are dropped. */
  const turn = useRef(0)
  const names = agencies.join('\n')

  const read = useCallback(
    async (from: (name: string) => string | null | undefined) => {
      const mine = turn.current
      try {
        const pages = await Promise.all(
          names.split('\n').map(async (name) => {
            const after = from(name)
            if (after === null) return undefined
            const filter = { limit: PAGE_ROWS, ...(status && { status }), ...(after === undefined ? {} : { after }) }
            return { name, after, page: await client.agency(name).runs.list(filter).page() }
          }),
        )
        if (mine !== turn.current) return
        setProblem(undefined)
        setParts((before) => {
          const parts = new Map(before)
          for (const { name, after, page } of pages.filter((one) => one !== undefined)) {
            const known = parts.get(name)
            const added = new Map(page.data.map((run) => [run.run_id, run]))
            const isFirst = after === undefined
            const runs = isFirst
              ? new Map([...added, ...withStill(known, added)])
              : new Map([...(known?.runs ?? []), ...added])
            parts.set(name, { runs, next: isFirst && known !== undefined ? known.next : page.next })
          }
          return parts
        })
      } catch (error) {
        if (mine !== turn.current) return
        if (error instanceof ClientError && error.kind === 'unauthorized') onLocked()
        setProblem(error instanceof Error ? error.message : String(error))
      }
    },
    [client, names, status, onLocked],
  )

  useEffect(() => {
    turn.current++
    setParts(undefined)
    void read(() => undefined)
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void read(() => undefined)
    }, REFRESH_MS)
    return () => clearInterval(timer)
  }, [read])

  return {
    ...merge(parts ?? new Map()),
    loaded: parts !== undefined,
    problem,
    more: () => read((name) => parts?.get(name)?.next ?? null),
  }
}

/** Runs that were known and are not on the first page that was just read. */
const withStill = (known: Part | undefined, first: ReadonlyMap<string, Run>) =>
  [...(known?.runs ?? [])].filter(([id]) => !first.has(id))

/** All runs in one order. Runs older than the last that was read of an agency with more pages wait for these pages. */
function merge(parts: Parts): { runs: Run[]; hasMore: boolean } {
  const open = [...parts.values()].filter(({ next, runs }) => next !== null && runs.size > 0)
  const begins = open.map(({ runs }) => [...runs.values()].at(-1)?.created_at ?? '').sort()
  const oldest = begins.at(-1) ?? ''
  const runs = [...parts.values()]
    .flatMap(({ runs }) => [...runs.values()])
    .filter(({ created_at }) => created_at >= oldest)
    .sort((a, b) => (a.created_at < b.created_at ? 1 : -1))
  return { runs, hasMore: open.length > 0 }
}
