/** The bar at the top of the page. */
import { IconButton } from '../controls.tsx'
import { Icon } from '../icons.tsx'
import type { ViewName } from '../route.ts'
import { ThemeButton } from './theme.tsx'

/** The part of the page shown on a narrow screen. */
export type View = 'chats' | 'chat' | 'side'

const VIEWS: readonly [view: View, title: string][] = [
  ['chats', 'History'],
  ['chat', 'Messages'],
  ['side', 'Details'],
]

const isMac = /Mac|iP/.test(navigator.platform)

const PaletteButton = ({ onClick }: { onClick: () => void }) => (
  <button type="button" className="palette-button" title="Find a command (Ctrl+K)" onClick={onClick}>
    <Icon name="search" /> <span>Find or do</span> <kbd>{isMac ? '⌘K' : 'Ctrl K'}</kbd>
  </button>
)
const PAGES: readonly [page: ViewName, title: string][] = [
  ['chat', 'Chat'],
  ['runs', 'Runs'],
  ['approvals', 'Approvals'],
  ['agents', 'Agents'],
  ['tools', 'Tools'],
  ['evals', 'Evals'],
]

interface TopBarProps {
  agencies: readonly string[]
  agency: string
  onAgency: (name: string) => void
  /** Undefined while the chat is not shown. */
  view: View | undefined
  onView: (view: View) => void
  shown: ViewName
  onShow: (page: ViewName) => void
  /** Number of approvals that wait. */
  waiting: number
  onHelp: () => void
  onPalette: () => void
}

export function TopBar(props: TopBarProps) {
  const { agencies, agency, onAgency, view, onView, shown, onShow, waiting, onHelp, onPalette } = props
  return (
    <header className="top-bar">
      <span className="brand">Playground</span>
      {view !== undefined && <h1 className="visually-hidden">{agency}</h1>}
      <label className="agency-picker">
        <span className="visually-hidden">Agency</span>
        <select value={agency} onChange={(event) => onAgency(event.target.value)}>
          {agencies.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {/* biome-ignore lint/a11y/useSemanticElements: a group of buttons, not a form's fieldset */}
      <div className="views" role="group" aria-label="View">
        {VIEWS.map(([name, title]) => (
          <button key={name} type="button" aria-pressed={name === view} onClick={() => onView(name)}>
            {title}
          </button>
        ))}
      </div>
      <nav className="pages" aria-label="Pages">
        {PAGES.map(([name, title]) => (
          <button
            key={name}
            type="button"
            className="text-button"
            aria-current={name === shown ? 'page' : undefined}
            onClick={() => onShow(name)}
          >
            {title}
            {name === 'approvals' && waiting > 0 && (
              <span className="badge">
                {waiting}
                <span className="visually-hidden"> waiting</span>
              </span>
            )}
          </button>
        ))}
      </nav>
      <span className="spring" />
      <PaletteButton onClick={onPalette} />
      <a className="text-button docs-link" href="docs" target="_blank" rel="noopener">
        API
      </a>
      <IconButton className="icon-button keys-button" icon="keys" label="Keyboard shortcuts (Alt+K)" onClick={onHelp} />
      <ThemeButton />
    </header>
  )
}
