/** The approvals that wait on this server, kept up to date. */
import { type Approval, type Client, ClientError } from 'agency-swarm-js/client'
import { useCallback, useEffect, useRef, useState } from 'react'

/** How often they are read again, in milliseconds. */
const REFRESH_MS = 3_000
/** Approvals that are read of each agency. */
const MOST = 100

/** An approval and the agency of its run. */
export type WaitingApproval = Approval & { agency: string }

export interface Waiting {
  /** Oldest first. */
  approvals: readonly WaitingApproval[]
  isLoaded: boolean
  /** There are more than are shown. */
  hasMore: boolean
  problem: string | undefined
  /** Reads them again. */
  refresh: () => Promise<void>
}

/** @param agencies names of the agencies of this server */
export function useApprovals(client: Client, agencies: readonly string[], onLocked: () => void): Waiting {
  const [state, setState] = useState<Omit<Waiting, 'refresh'>>({
    approvals: [],
    isLoaded: false,
    hasMore: false,
    problem: undefined,
  })
  const names = agencies.join('\n')
  const isLeft = useRef(false)

  const refresh = useCallback(async () => {
    try {
      const pages = await Promise.all(
        names.split('\n').map(async (agency) => {
          const { data, has_more } = await client.agency(agency).approvals.list({ limit: MOST }).page()
          return { rows: data.map((approval) => ({ ...approval, agency })), has_more }
        }),
      )
      const approvals = pages.flatMap(({ rows }) => rows).sort((a, b) => (a.created_at < b.created_at ? -1 : 1))
      const hasMore = pages.some(({ has_more }) => has_more)
      if (!isLeft.current) setState({ approvals, isLoaded: true, hasMore, problem: undefined })
    } catch (error) {
      if (isLeft.current) return
      if (error instanceof ClientError && error.kind === 'unauthorized') onLocked()
      const problem = error instanceof Error ? error.message : String(error)
      setState((before) => ({ ...before, isLoaded: true, problem }))
    }
  }, [client, names, onLocked])

  useEffect(() => {
    isLeft.current = false
    void refresh()
    const timer = setInterval(() => document.visibilityState === 'visible' && void refresh(), REFRESH_MS)
    return () => {
      isLeft.current = true
      clearInterval(timer)
    }
  }, [refresh])
  return { ...state, refresh }
}
