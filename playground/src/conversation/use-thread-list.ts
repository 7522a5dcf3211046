/** The threads of an agency, kept up to date. */
import { type AgencyClient, ClientError, type Thread } from 'agency-swarm-js/client'
import { useCallback, useEffect, useRef, useState } from 'react'

/** How often the newest threads are read again, in milliseconds. */
const REFRESH_MS = 3_000
const PAGE_ROWS = 50
/** Threads that are read for a search. */
const MAX_THREADS = 2_000

interface Known {
  agency: AgencyClient
  threads: ReadonlyMap<string, Thread>
  /** Where the next page begins; null at the end. */
  next: string | null
}

/** @param agency undefined: there is nothing to list */
export function useThreadList(agency: AgencyClient | undefined, onLocked: () => void) {
  const [known, setKnown] = useState<Known>()
  const [problem, setProblem] = useState<string>()
  const latest = useRef(agency)
  latest.current = agency

  const read = useCallback(
    async (after?: string): Promise<string | null> => {
      if (agency === undefined) return null
      try {
        const page = await agency.threads.list({ limit: PAGE_ROWS, ...(after && { after }) }).page()
        if (latest.current !== agency) return null
        setProblem(undefined)
        setKnown((before) => addPage(before?.agency === agency ? before : undefined, agency, page, after))
        return page.next
      } catch (error) {
        if (latest.current !== agency) return null
        if (error instanceof ClientError && error.kind === 'unauthorized') onLocked()
        setProblem(error instanceof Error ? error.message : String(error))
        return null
      }
    },
    [agency, onLocked],
  )
  useEffect(() => {
    void read()
    const timer = setInterval(() => document.visibilityState === 'visible' && void read(), REFRESH_MS)
    return () => clearInterval(timer)
  }, [read])

  const current = known?.agency === agency ? known : undefined
  const next = current?.next ?? null
  const more = useCallback(() => void (next !== null && read(next)), [next, read])
  const all = useCallback(async () => {
    let rest = next
    for (let rows = 0; rest !== null && rows < MAX_THREADS; rows += PAGE_ROWS) rest = await read(rest)
  }, [next, read])
  const change = useCallback((id: string, thread: Thread | undefined) => {
    setKnown((before) => {
      if (before === undefined) return before
      const threads = new Map(before.threads)
      if (thread === undefined) threads.delete(id)
      else threads.set(id, thread)
      return { ...before, threads }
    })
  }, [])
  return {
    threads: current?.threads ?? NONE,
    isLoaded: current !== undefined,
    hasMore: next !== null,
    more,
    all,
    problem,
    change,
    refresh: read,
  }
}

const NONE: ReadonlyMap<string, Thread> = new Map()

/** The first page says which of the newest threads still are. */
function addPage(
  before: Known | undefined,
  agency: AgencyClient,
  page: { data: Thread[]; next: string | null },
  after: string | undefined,
): Known {
  const added = new Map(page.data.map((thread) => [thread.thread_id, thread]))
  if (before === undefined) return { agency, threads: added, next: page.next }
  if (after !== undefined) return { agency, threads: new Map([...before.threads, ...added]), next: page.next }
  const oldest = page.data.at(-1)?.created_at ?? ''
  const older = [...before.threads].filter(([, { created_at }]) => page.next !== null && created_at < oldest)
  return { agency, threads: new Map([...added, ...older]), next: older.length > 0 ? before.next : page.next }
}
