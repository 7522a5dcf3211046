/** Keyboard shortcuts and their help. */
import { useEffect, useRef } from 'react'
import { Dialog } from '../controls.tsx'

/** Actions by the physical key pressed with Alt. */
export interface Shortcuts {
  newConversation: () => void
  message: () => void
  graph: () => void
  inspector: () => void
  request: () => void
  runs: () => void
  help: () => void
  /** Control or Command with K. */
  palette: () => void
  /** Escape without Alt. */
  stop: () => void
}

const KEYS: { [code: string]: keyof Shortcuts } = {
  KeyN: 'newConversation',
  KeyM: 'message',
  KeyG: 'graph',
  KeyI: 'inspector',
  KeyR: 'request',
  KeyS: 'runs',
  KeyK: 'help',
}

export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts)
  latest.current = shortcuts
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (isPaletteKey(event)) {
        event.preventDefault()
        return latest.current.palette()
      }
      const name = event.altKey && !event.ctrlKey && !event.metaKey ? KEYS[event.code] : undefined
      if (name !== undefined) {
        event.preventDefault()
        latest.current[name]()
      } else if (isPlainEscape(event)) latest.current.stop()
    }
    addEventListener('keydown', onKeyDown)
    return () => removeEventListener('keydown', onKeyDown)
  }, [])
}

const isPaletteKey = ({ code, ctrlKey, metaKey, altKey, shiftKey }: KeyboardEvent) =>
  code === 'KeyK' && (ctrlKey || metaKey) && !altKey && !shiftKey && document.querySelector('dialog[open]') === null

/** True for an Escape that neither closes a dialog nor ends the composition of a character. */
const isPlainEscape = (event: KeyboardEvent) =>
  event.key === 'Escape' &&
  !event.isComposing &&
  !event.defaultPrevented &&
  document.querySelector('dialog[open]') === null

const LIST: readonly [keys: string, what: string][] = [
  ['Ctrl + K', 'Commands: find anything'],
  ['Enter', 'Send the message'],
  ['Shift + Enter', 'New line'],
  ['Arrow up', 'In an empty message: edit the last one'],
  ['Escape', 'Stop the run'],
  ['Alt + N', 'New conversation'],
  ['Alt + M', 'Go to the message box'],
  ['Alt + G', 'Graph'],
  ['Alt + I', 'Inspector'],
  ['Alt + R', 'Request settings'],
  ['Alt + S', 'Stored runs'],
  ['Alt + K', 'Keyboard shortcuts'],
  ['Enter', 'In the graph: details of an agent or a line'],
  ['Arrow keys', 'On a divider: resize'],
]

export const ShortcutList = ({ onClose }: { onClose: () => void }) => (
  <Dialog title="Keyboard shortcuts" onClose={onClose}>
    <dl className="keys">
      {LIST.map(([keys, what]) => (
        <div key={what}>
          <dt>{what}</dt>
          <dd>
            {keys.split(' + ').map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </dd>
        </div>
      ))}
    </dl>
  </Dialog>
)
