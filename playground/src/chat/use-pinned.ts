import { useCallback, useEffect, useRef, useState } from 'react'

/** How near to its end a box still counts as being there, in pixels. */
const NEAR = 60

/** A box that stays at its end while it grows, unless its reader has scrolled up. `content` is what makes it grow. */
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

  // biome-ignore lint/correctness/useExhaustiveDependencies: the content is the reason to look again
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
