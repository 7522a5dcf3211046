/** Keeps a scrolling box at its end. */
import { useCallback, useEffect, useRef, useState } from 'react'

/** Largest distance from the end, in pixels, at which a box still counts as scrolled to its end. */
const NEAR = 60

/** Keeps a box scrolled to its end while `content` grows, unless the reader has scrolled up. */
export function usePinned(content: unknown) {
  const box = useRef<HTMLDivElement>(null)
  const pinned = useRef(true)
  const [atEnd, setAtEnd] = useState(true)

  useEffect(() => {
    const element = box.current
    if (element === null) return undefined
    const onScroll = () => {
      pinned.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR
      setAtEnd(pinned.current)
    }
    element.addEventListener('scroll', onScroll, { passive: true })
    return () => element.removeEventListener('scroll', onScroll)
  }, [])

  // biome-ignore lint/correctness/useExhaustiveDependencies: runs when the content changes
  useEffect(() => {
    const element = box.current
    if (element !== null && pinned.current) element.scrollTop = element.scrollHeight
  }, [content])

  const toEnd = useCallback(() => {
    pinned.current = true
    const element = box.current
    if (element !== null) element.scrollTop = element.scrollHeight
  }, [])
  return { box, atEnd, toEnd }
}
