/** The list of a run's events. */
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { useAgentClass } from '../agents.tsx'
import type { TraceEntry } from '../run/trace.ts'

/** The height of a line in pixels; the styles use the same value. */
const LINE = 26
/** Lines rendered above and below the visible ones. */
const SPARE = 10

interface EventListProps {
  entries: readonly TraceEntry[]
  /** The number of the selected event. */
  chosen: number | undefined
  onChoose: (number: number) => void
  /** Stay at the end while events arrive. */
  follow: boolean
}

/** Lists events and renders only the visible lines. Arrow keys, Page Up and Down, Home and End select. */
export function EventList({ entries, chosen, onChoose, follow }: EventListProps) {
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 300 })

  useEffect(() => {
    const element = box.current
    if (element === null) return undefined
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight })
    const observer = new ResizeObserver(look)
    observer.observe(element)
    element.addEventListener('scroll', look, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', look)
    }
  }, [])

  const count = entries.length
  useEffect(() => {
    if (follow && box.current !== null) box.current.scrollTop = count * LINE
  }, [count, follow])

  const choose = (index: number) => {
    const bounded = Math.max(0, Math.min(count - 1, index))
    const entry = entries[bounded]
    if (entry === undefined) return
    onChoose(entry.number)
    const element = box.current
    if (element === null) return
    if (bounded * LINE < element.scrollTop) element.scrollTop = bounded * LINE
    else if ((bounded + 1) * LINE > element.scrollTop + element.clientHeight)
      element.scrollTop = (bounded + 1) * LINE - element.clientHeight
  }
  const at = entries.findIndex(({ number }) => number === chosen)
  const page = Math.max(1, Math.floor(view.height / LINE) - 1)
  const onKeyDown = (event: KeyboardEvent) => {
    const steps: { [key: string]: number } = {
      ArrowDown: at + 1,
      ArrowUp: at === -1 ? count - 1 : at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: count - 1,
    }
    const next = steps[event.key]
    if (next === undefined) return
    event.preventDefault()
    choose(next)
  }
  const first = Math.max(0, Math.floor(view.top / LINE) - SPARE)
  const seen = entries.slice(first, first + Math.ceil(view.height / LINE) + 2 * SPARE)
  // The attribute may name an element that exists only; a line that was scrolled to is rendered a moment later.
  const isRendered = at >= first && at < first + seen.length
  return (
    <div
      className="event-list"
      ref={box}
      role="listbox"
      tabIndex={0}
      aria-label="Events"
      aria-activedescendant={isRendered ? `event-${chosen}` : undefined}
      onKeyDown={onKeyDown}
    >
      <div className="event-lines" role="presentation" style={{ height: count * LINE }}>
        {seen.map((entry, index) => (
          <EventLine
            key={entry.number}
            entry={entry}
            top={(first + index) * LINE}
            position={first + index + 1}
            count={count}
            chosen={entry.number === chosen}
            onChoose={() => onChoose(entry.number)}
          />
        ))}
      </div>
    </div>
  )
}

interface EventLineProps {
  entry: TraceEntry
  top: number
  position: number
  count: number
  chosen: boolean
  onChoose: () => void
}

function EventLine({ entry, top, position, count, chosen, onChoose }: EventLineProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list handles the keys
    <div
      id={`event-${entry.number}`}
      className="event-line"
      role="option"
      tabIndex={-1}
      aria-selected={chosen}
      aria-posinset={position}
      aria-setsize={count}
      style={{ top }}
      onClick={onChoose}
    >
      <span className="event-number">{entry.number}</span>
      <span className="event-at">{(entry.atMs / 1000).toFixed(2)}</span>
      <span className={`event-agent ${useAgentClass(entry.agent ?? null)}`}>{entry.agent ?? '–'}</span>
      <span className="event-type" title={entry.type}>
        {entry.type.replace(/^response\.(function_call_)?|_stream_event$/g, '')}
      </span>
      <span className="event-data">{entry.gist}</span>
    </div>
  )
}
