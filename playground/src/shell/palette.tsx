/** The command palette: everything the page can do or open, found by typing. */
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react'
import { Icon, type IconName } from '../icons.tsx'
import './palette.css'

export interface Command {
  /** Unique among all commands. */
  id: string
  group: string
  title: string
  /** More about it, also searched. */
  note?: string
  /** The keys that do the same. */
  keys?: string
  icon: IconName
  run: () => void
}

interface PaletteProps {
  commands: readonly Command[]
  /** Commands that take a moment to find, such as stored runs. They are added when they arrive. */
  find?: () => Promise<readonly Command[]>
  onClose: () => void
}

/** Most commands that are shown at once. */
const MOST = 60

/** Commands that contain all typed words, in their order; those whose title begins with the text come first. */
export function filterCommands(commands: readonly Command[], text: string): Command[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const found = commands.filter(({ title, group, note = '' }) => {
    const all = `${title} ${group} ${note}`.toLowerCase()
    return words.every((word) => all.includes(word))
  })
  const isFirst = ({ title }: Command) => title.toLowerCase().startsWith(words.join(' '))
  const sorted = words.length === 0 ? found : [...found.filter(isFirst), ...found.filter((one) => !isFirst(one))]
  const groups = Map.groupBy(sorted.slice(0, MOST), ({ group }) => group)
  return [...groups.values()].flat()
}

/** Type to find a command, arrow keys and Enter to run it, Escape to close. */
export function Palette({ commands, find, onClose }: PaletteProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const more = useFound(find)
  const found = useMemo(() => filterCommands([...commands, ...more], text), [commands, more, text])
  const here = Math.min(at, found.length - 1)
  const chosen = found[here]

  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  useEffect(() => {
    document.getElementById(`command-${here}`)?.scrollIntoView({ block: 'nearest' })
  }, [here])

  const run = (command: Command) => {
    onClose()
    command.run()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    const last = found.length - 1
    const steps: { [key: string]: number } = {
      ArrowDown: here === last ? 0 : here + 1,
      ArrowUp: here <= 0 ? last : here - 1,
      PageDown: Math.min(last, here + 8),
      PageUp: Math.max(0, here - 8),
    }
    const next = steps[event.key]
    if (event.key === 'Enter' && chosen !== undefined) run(chosen)
    else if (next !== undefined) setAt(next)
    else return
    event.preventDefault()
  }
  return (
    <dialog
      ref={dialog}
      className="palette"
      aria-label="Commands"
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => event.target === dialog.current && onClose()}
      onKeyDown={onKeyDown}
    >
      <div className="palette-field">
        <Icon name="search" />
        <input
          role="combobox"
          aria-label="Find a command"
          aria-expanded="true"
          aria-controls="commands"
          aria-activedescendant={chosen && `command-${here}`}
          aria-autocomplete="list"
          placeholder="Find an agency, agent, conversation, run or action"
          spellCheck={false}
          value={text}
          onChange={(event) => {
            setText(event.target.value)
            setAt(0)
          }}
        />
        <kbd>Esc</kbd>
      </div>
      <div id="commands" className="palette-list" role="listbox" aria-label="Commands">
        {[...Map.groupBy(found, ({ group }) => group)].map(([group, members]) => (
          // biome-ignore lint/a11y/useSemanticElements: a group of options, not a form's fieldset
          <div key={group} role="group" aria-label={group}>
            <p className="palette-group" aria-hidden="true">
              {group}
            </p>
            {members.map((command) => (
              <Option
                key={command.id}
                index={found.indexOf(command)}
                command={command}
                chosen={command === chosen}
                onRun={() => run(command)}
                onPoint={() => setAt(found.indexOf(command))}
              />
            ))}
          </div>
        ))}
      </div>
      {found.length === 0 && <p className="empty">Nothing is called “{text}”.</p>}
      <p className="visually-hidden" role="status">
        {`${found.length} ${found.length === 1 ? 'command' : 'commands'}`}
      </p>
    </dialog>
  )
}

interface OptionProps {
  index: number
  command: Command
  chosen: boolean
  onRun: () => void
  onPoint: () => void
}

function Option({ index, command: { title, note, keys, icon }, chosen, onRun, onPoint }: OptionProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the dialog handles the keys
    <div
      id={`command-${index}`}
      className="palette-option"
      role="option"
      tabIndex={-1}
      aria-selected={chosen}
      onClick={onRun}
      onPointerMove={chosen ? undefined : onPoint}
    >
      <Icon name={icon} />
      <span className="palette-title">{title}</span>
      {note !== undefined && <small>{note}</small>}
      {keys !== undefined && <kbd>{keys}</kbd>}
    </div>
  )
}

/** Commands that are found while the palette is open; none when finding them fails. */
function useFound(find: (() => Promise<readonly Command[]>) | undefined): readonly Command[] {
  const [found, setFound] = useState<readonly Command[]>([])
  const first = useRef(find)
  useEffect(() => {
    let open = true
    first.current?.().then(
      (commands) => open && setFound(commands),
      () => undefined, // without them, the palette still has all others
    )
    return () => {
      open = false
    }
  }, [])
  return found
}
