/** Undo for deleted conversations. */
import { useCallback, useEffect, useState } from 'react'
import type { Conversation } from '../conversation/conversation.ts'

/** How long a deletion can be undone, in milliseconds. */
export const UNDO_MS = 15_000

/** Holds the last deleted conversation until it is restored or `UNDO_MS` have passed. */
export function useUndo() {
  const [removed, setRemoved] = useState<Conversation>()
  useEffect(() => {
    if (removed === undefined) return undefined
    const timer = setTimeout(() => setRemoved(undefined), UNDO_MS)
    return () => clearTimeout(timer)
  }, [removed])
  const clear = useCallback(() => setRemoved(undefined), [])
  return { removed, setRemoved, clear }
}

export const UndoToast = ({ removed, onUndo }: { removed: { title: string } | undefined; onUndo: () => void }) => (
  <div className="toast" role="status" data-shown={removed !== undefined}>
    {removed !== undefined && (
      <>
        <span>Deleted “{removed.title || 'New conversation'}”.</span>
        <button type="button" className="text-button framed" onClick={onUndo}>
          Undo
        </button>
      </>
    )}
  </div>
)
