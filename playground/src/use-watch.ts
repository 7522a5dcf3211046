/** Watches a development server for restarts. */
import { useEffect, useRef, useState } from 'react'
import { BASE_URL } from './server.ts'
import type { LoadFailure } from './shell/load-error.tsx'

/** True for a page served by a development server. */
const WATCHED = document.documentElement.dataset.watch !== undefined
const PACE_MS = 1_000
/** Unanswered checks in a row before the page says that the server is away: a restart takes a moment. */
const MISSES_SHOWN = 3

/**
 * Asks a development server once a second whether it restarted, and whether the restart failed.
 * @param onRestart called when a new process answers
 * @returns why the server does not start, or a message that it is away
 */
export function useWatch(onRestart: () => void): { failure?: LoadFailure | undefined; notice?: string } {
  const [said, setSaid] = useState<{ failure?: LoadFailure | undefined; notice?: string }>({})
  const latest = useRef(onRestart)
  latest.current = onRestart
  useEffect(() => {
    if (!WATCHED) return
    const leaving = new AbortController()
    let known: string | undefined
    let misses = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = async () => {
      const server = await askServer(leaving.signal)
      if (leaving.signal.aborted) return
      misses = server === undefined ? misses + 1 : 0
      if (server !== undefined) {
        setSaid((before) => (before.notice === undefined && isSame(before.failure, server.failure) ? before : server))
        if (server.failure === undefined && known !== undefined && known !== server.id) latest.current()
        known = server.id
      } else if (misses === MISSES_SHOWN) setSaid({ notice: 'The server does not answer. It may be starting again.' })
      timer = setTimeout(look, PACE_MS)
    }
    void look()
    return () => {
      leaving.abort()
      clearTimeout(timer)
    }
  }, [])
  return said
}

const isSame = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)

async function askServer(signal: AbortSignal): Promise<{ id: string; failure?: LoadFailure } | undefined> {
  try {
    const answer = await fetch(`${BASE_URL}/playground/server`, { cache: 'no-store', signal })
    return answer.ok ? await answer.json() : undefined
  } catch {
    return undefined // the server is away
  }
}
