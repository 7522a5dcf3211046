/** A divider between two parts of the page that can be dragged. */
import { type KeyboardEvent, type PointerEvent, useEffect, useState } from 'react'
import { browser } from '../kept.ts'

export interface Split {
  /** Names the stored size. */
  name: string
  /** `x` for parts beside each other, `y` for parts above each other. */
  axis: 'x' | 'y'
  /** Sizes in pixels. */
  usual: number
  min: number
  max: number
}

/** The size of the part after a divider, in pixels; stored in this browser. */
export function useSplit({ name, usual, min, max }: Split): [size: number, setSize: (size: number) => void] {
  const key = `agency-swarm-js split ${name}`
  const [size, setSize] = useState(() => {
    const kept = Number(browser.read(key))
    return kept >= min && kept <= max ? kept : usual
  })
  useEffect(() => {
    browser.write(key, size === usual ? undefined : String(size))
  }, [key, size, usual])
  return [size, (next) => setSize(Math.round(Math.min(max, Math.max(min, next))))]
}

/** Pixels per press of an arrow key. */
const STEP = 24

interface SplitterProps extends Split {
  label: string
  /** The size of the part after the divider: to the right of it, or below. */
  size: number
  onSize: (size: number) => void
}

/** Drag it, or press arrow keys, to resize; a double click or Enter restores the usual size. */
export function Splitter({ axis, usual, min, max, label, size, onSize }: SplitterProps) {
  const grow = { x: 'ArrowLeft', y: 'ArrowUp' }[axis]
  const shrink = { x: 'ArrowRight', y: 'ArrowDown' }[axis]
  const onKeyDown = (event: KeyboardEvent) => {
    const next = { [grow]: size + STEP, [shrink]: size - STEP, Home: min, End: max, Enter: usual }[event.key]
    if (next === undefined) return
    event.preventDefault()
    onSize(next)
  }
  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    event.preventDefault()
    const bar = event.currentTarget
    const at = ({ clientX, clientY }: { clientX: number; clientY: number }) => (axis === 'x' ? clientX : clientY)
    const from = at(event)
    const onMove = (moved: globalThis.PointerEvent) => onSize(size + from - at(moved))
    const onEnd = () => {
      bar.removeEventListener('pointermove', onMove)
      bar.removeEventListener('lostpointercapture', onEnd)
    }
    bar.setPointerCapture(event.pointerId)
    bar.addEventListener('pointermove', onMove)
    bar.addEventListener('lostpointercapture', onEnd)
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a line cannot have the focus
    <div
      className={`splitter ${axis}`}
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={axis === 'x' ? 'vertical' : 'horizontal'}
      aria-valuenow={size}
      aria-valuemin={min}
      aria-valuemax={max}
      title="Drag to resize; double-click to reset"
      onKeyDown={onKeyDown}
      onPointerDown={onPointerDown}
      onDoubleClick={() => onSize(usual)}
    />
  )
}
