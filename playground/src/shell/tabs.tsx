/** A tab list. */
import type { KeyboardEvent } from 'react'

interface TabsProps<Name extends string> {
  label: string
  names: readonly Name[]
  titles: { [name in Name]: string }
  chosen: Name
  onChoose: (name: Name) => void
  /** The id of the panel that the tab shows. */
  panelId: (name: Name) => string
}

/** Tabs with the usual keyboard behaviour: one tab stop, arrow keys select. */
export function Tabs<Name extends string>({ label, names, titles, chosen, onChoose, panelId }: TabsProps<Name>) {
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const next = names[(names.indexOf(chosen) + step + names.length) % names.length] as Name
    onChoose(next)
    document.getElementById(`tab-${next}`)?.focus()
  }
  return (
    <div className="tabs" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
      {names.map((name) => (
        <button
          key={name}
          type="button"
          id={`tab-${name}`}
          role="tab"
          aria-selected={name === chosen}
          aria-controls={name === chosen ? panelId(name) : undefined}
          tabIndex={name === chosen ? 0 : -1}
          onClick={() => onChoose(name)}
        >
          {titles[name]}
        </button>
      ))}
    </div>
  )
}
