/** Deletes with a delay, so that it can be undone. */
import { useCallback, useEffect, useRef, useState } from 'react'
import { UNDO_MS } from '../shell/undo.tsx'

interface Removed {
  agency: string
  id: string
  title: string
}

/**
 * Holds what was removed last, and deletes it when its time is over, when something else is removed, or when the page closes.
 * @param deleteNow deletes it for good
 */
export function useDelayedDelete(
  deleteNow: (agency: string, id: string) => Promise<unknown>,
  onFailure: (error: unknown) => void,
) {
  const [removed, setRemoved] = useState<Removed>()
  const pending = useRef<Removed>(undefined)
  const latest = useRef({ deleteNow, onFailure })
  latest.current = { deleteNow, onFailure }

  const finish = useCallback(() => {
    const { current } = pending
    pending.current = undefined
    setRemoved(undefined)
    if (current === undefined) return
    latest.current.deleteNow(current.agency, current.id).catch((error: unknown) => latest.current.onFailure(error))
  }, [])
  const remove = useCallback(
    (next: Removed) => {
      finish()
      pending.current = next
      setRemoved(next)
    },
    [finish],
  )
  const undo = useCallback(() => {
    pending.current = undefined
    setRemoved(undefined)
  }, [])
  useEffect(() => {
    if (removed === undefined) return undefined
    const timer = setTimeout(finish, UNDO_MS)
    return () => clearTimeout(timer)
  }, [removed, finish])
  useEffect(() => {
    addEventListener('pagehide', finish)
    return () => removeEventListener('pagehide', finish)
  }, [finish])
  return { removed, remove, undo }
}
