/** The frame of the side panel: its width can be changed, and it can take the whole page. */
import { type ReactNode, useEffect, useState } from 'react'
import { IconButton } from '../controls.tsx'
import { useLandmark } from './narrow.ts'
import { type Split, Splitter, useSplit } from './splitter.tsx'

/** The side panel is at least 320 pixels wide; the conversation keeps as much. */
const SIDE: Split = { name: 'side panel', axis: 'x', usual: 520, min: 320, max: 1400 }

interface SideFrameProps {
  /** The line with the tabs. */
  tabs: ReactNode
  children: ReactNode
}

/** The panel beside the conversation. Its width is stored in this browser. */
export function SideFrame({ tabs, children }: SideFrameProps) {
  const [width, setWidth] = useSplit(SIDE)
  const [whole, setWhole] = useState(false)
  useEffect(() => {
    const root = document.documentElement
    root.style.setProperty('--side', `${width}px`)
    root.toggleAttribute('data-side-whole', whole)
  }, [width, whole])
  return (
    <section className="side" role={useLandmark('complementary')} aria-label="Details of the run">
      <Splitter {...SIDE} label="Width of the details" size={width} onSize={setWidth} />
      <div className="side-head">
        {tabs}
        <IconButton
          className="icon-button side-whole"
          icon={whole ? 'narrow' : 'wide'}
          label={whole ? 'Show the conversation again' : 'Use the whole page for the details'}
          aria-pressed={whole}
          onClick={() => setWhole(!whole)}
        />
      </div>
      {children}
    </section>
  )
}
