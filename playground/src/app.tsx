/** The page: server, agencies, conversations and panels. */
import type { AgencyMetadata, Client, Run } from 'agency-swarm-js/client'
import { lazy, Suspense, useCallback, useMemo, useState } from 'react'
import { AgentsProvider } from './agents.tsx'
import { Chat } from './chat/chat.tsx'
import { Skeleton } from './controls.tsx'
import { type Conversation, followConversation, newConversation, runningTurn } from './conversation/conversation.ts'
import { readConversationFile } from './conversation/file.ts'
import { useBook } from './conversation/use-book.ts'
import { plural } from './figures.ts'
import { InspectorPanel } from './inspector/inspector-panel.tsx'
import { newId } from './new-id.ts'
import { RequestPanel } from './request/request-panel.tsx'
import { areValid } from './request/settings.ts'
import { useSettings } from './request/use-settings.ts'
import { Announcer } from './shell/announcer.tsx'
import { ChatsPanel } from './shell/chats-panel.tsx'
import { listCommands, type Page } from './shell/commands.ts'
import { PageSkeleton, TokenDialog, Unreachable } from './shell/gate.tsx'
import { ShortcutList, useShortcuts } from './shell/shortcuts.tsx'
import { SideFrame } from './shell/side-frame.tsx'
import { Tabs } from './shell/tabs.tsx'
import { TopBar, type View } from './shell/top-bar.tsx'
import { UndoToast, useUndo } from './shell/undo.tsx'
import { useRuns } from './use-runs.ts'
import { useServer } from './use-server.ts'
import { useWatch } from './use-watch.ts'

/** Loaded on demand: the graph needs a large library. */
const GraphPanel = lazy(() => import('./graph/graph-panel.tsx').then((module) => ({ default: module.GraphPanel })))

/** Loaded on demand: most visits are for a talk. */
const RunsView = lazy(() => import('./runs/runs-view.tsx').then((module) => ({ default: module.RunsView })))

const Palette = lazy(() => import('./shell/palette.tsx').then((module) => ({ default: module.Palette })))

const PANELS = ['graph', 'inspector', 'request'] as const
type Panel = (typeof PANELS)[number]
const PANEL_TITLES = { graph: 'Graph', inspector: 'Inspector', request: 'Request' }

/** The whole page: loads the server's agencies, then shows one. */
export function App() {
  const { client, state, load, unlock, lock } = useServer()
  const [known, setKnown] = useState<ReadonlyMap<string, AgencyMetadata>>()
  if (state.phase === 'ready' && known !== state.agencies) setKnown(state.agencies)
  const notice = useWatch(load)
  if (state.phase === 'failed' && known === undefined) return <Unreachable failure={state.failure} onRetry={load} />
  return (
    <>
      {notice !== undefined && (
        <p className="server-notice" role="status">
          {notice}
        </p>
      )}
      {known !== undefined &&
        (known.size === 0 ? <NothingServed /> : <Workbench client={client} agencies={known} onLocked={lock} />)}
      {state.phase === 'loading' && known === undefined && <PageSkeleton />}
      {state.phase === 'locked' && <TokenDialog refused={state.refused} onToken={unlock} />}
    </>
  )
}

const NothingServed = () => (
  <main className="unreachable">
    <p>
      This server has tools but no agency to talk to. See <a href="docs">its API description</a>.
    </p>
  </main>
)

interface WorkbenchProps {
  client: Client
  agencies: ReadonlyMap<string, AgencyMetadata>
  onLocked: () => void
}

function Workbench({ client, agencies, onLocked }: WorkbenchProps) {
  const names = [...agencies.keys()]
  const { book, dispatch, loaded, problem } = useBook()
  const [settings, setSettings] = useSettings()
  const { ask, stop } = useRuns({ client, dispatch, onLocked })
  const [view, setView] = useState<View>('chat')
  const [panel, setPanel] = useState<Panel>('graph')
  const [inspected, setInspected] = useState<string>()
  const [showsRuns, setShowsRuns] = useState(false)
  const [help, setHelp] = useState(false)
  const [finding, setFinding] = useState(false)
  const [askedRun, setAskedRun] = useState<Pick<Run, 'agency' | 'run_id'>>()
  const [picked, setPicked] = useState<string>()
  const undo = useUndo()

  // A conversation whose agency is no longer served stays in the book but cannot be open.
  const opened = book.conversations.find((one) => one.id === book.openId && agencies.has(one.agency))
  const agency = [opened?.agency, picked, names[0]].find((name) => name !== undefined && agencies.has(name)) as string
  const metadata = agencies.get(agency) as AgencyMetadata
  // A conversation is added to the book with its first message.
  const [fresh, setFresh] = useState<Conversation>(() => newConversation(newId(), agency, Date.now()))
  const renew = (name: string) => setFresh(newConversation(newId(), name, Date.now()))
  const conversation = opened ?? { ...fresh, agency }
  const running = runningTurn(conversation)
  const runs = useMemo(() => conversation.turns.map((turn) => turn.run), [conversation.turns])

  const begin = (name = agency) => {
    setPicked(name)
    renew(name)
    dispatch({ type: 'open', id: undefined })
    setInspected(undefined)
    setShowsRuns(false)
    setView('chat')
    focusMessage()
  }
  const show = (name: Panel) => {
    setPanel(name)
    setShowsRuns(false)
    setView('side')
    setTimeout(() => document.getElementById(`tab-${name}`)?.focus())
  }
  const openConversation = (id: string) => {
    dispatch({ type: 'open', id })
    setInspected(undefined)
    setShowsRuns(false)
    setView('chat')
  }
  const address = (recipient: string | undefined) =>
    opened === undefined
      ? setFresh({ ...fresh, recipient })
      : dispatch({ type: 'talk', id: conversation.id, action: { type: 'address', recipient } })
  const toMessage = () => {
    setShowsRuns(false)
    setView('chat')
    focusMessage()
  }
  const ofAgency = book.conversations.filter((one) => one.agency === agency)
  const page: Page = {
    agencies,
    agency,
    conversations: ofAgency.map(({ id, title, turns }) => ({ id, title, note: plural(turns.length, 'turn') })),
    actions: [
      { title: 'New conversation', keys: 'Alt N', icon: 'plus', run: () => begin() },
      { title: 'Write a message', keys: 'Alt M', icon: 'edit', run: toMessage },
      { title: 'Show the graph', keys: 'Alt G', icon: 'people', run: () => show('graph') },
      { title: 'Show the inspector', keys: 'Alt I', icon: 'search', run: () => show('inspector') },
      { title: 'Show the request settings', keys: 'Alt R', icon: 'tool', run: () => show('request') },
      { title: 'Show stored runs', keys: 'Alt S', icon: 'search', run: () => setShowsRuns(true) },
      { title: 'Keyboard shortcuts', keys: 'Alt K', icon: 'keys', run: () => setHelp(true) },
      { title: 'Open the API description', icon: 'link', run: () => void window.open('docs', '_blank', 'noopener') },
    ],
    onAgency: begin,
    onConversation: openConversation,
    onAgent: (name) => {
      address(name === metadata.metadata.entryPoints[0] ? undefined : name)
      toMessage()
    },
    onRun: (run) => {
      setAskedRun(run)
      setShowsRuns(true)
    },
  }
  const inspect = useCallback((turnId: string) => {
    setInspected(turnId)
    setPanel('inspector')
    setView('side')
  }, [])
  useShortcuts({
    newConversation: () => begin(),
    runs: () => setShowsRuns(true),
    message: toMessage,
    graph: () => show('graph'),
    inspector: () => show('inspector'),
    request: () => show('request'),
    help: () => setHelp(true),
    palette: () => setFinding(true),
    stop: () => running && stop(conversation.id, running.id, 'immediate'),
  })

  if (!loaded) return null
  return (
    <AgentsProvider names={metadata.metadata.agents}>
      <div className="page" data-view={view} data-runs={showsRuns}>
        <a className="skip" href="#message">
          Skip to the message
        </a>
        <TopBar
          agencies={names}
          agency={agency}
          onAgency={begin}
          view={showsRuns ? undefined : view}
          onView={(name) => {
            setShowsRuns(false)
            setView(name)
          }}
          showsRuns={showsRuns}
          onRuns={() => setShowsRuns(!showsRuns)}
          onHelp={() => setHelp(true)}
          onPalette={() => setFinding(true)}
        />
        {showsRuns && (
          <Suspense fallback={<Skeleton label="Loading the runs" />}>
            <RunsView key={askedRun?.run_id} client={client} agencies={names} onLocked={onLocked} asked={askedRun} />
          </Suspense>
        )}
        <ChatsPanel
          conversations={ofAgency}
          openId={opened?.id}
          problem={problem}
          onNew={() => begin()}
          onOpen={openConversation}
          onRemove={(id) => {
            if (id === opened?.id) renew(agency)
            undo.setRemoved(book.conversations.find((one) => one.id === id))
            dispatch({ type: 'remove', id })
          }}
          onImport={(text) => {
            const about = { agency, served: names, newId, at: Date.now() }
            dispatch({ type: 'add', conversation: readConversationFile(text, about) })
            setView('chat')
          }}
        />
        <main className="main">
          <Chat
            conversation={conversation}
            metadata={metadata}
            blocked={
              areValid(settings) ? undefined : 'The request settings are not valid. Correct them in the Request panel.'
            }
            onAsk={(input, rewindTo) => {
              let from: Conversation = conversation
              if (opened === undefined) {
                dispatch({ type: 'add', conversation })
                renew(agency) // two conversations with one id would be stored as one
              }
              if (rewindTo !== undefined) {
                dispatch({ type: 'talk', id: conversation.id, action: { type: 'rewind', turnId: rewindTo } })
                from = followConversation(conversation, { type: 'rewind', turnId: rewindTo })
              }
              setInspected(undefined)
              ask(from, metadata.metadata.agents, input, settings)
            }}
            onStop={(turnId, mode) => stop(conversation.id, turnId, mode)}
            onAddress={address}
            onInspect={inspect}
          />
        </main>
        <SideFrame
          tabs={
            <Tabs
              label="Panels"
              names={PANELS}
              titles={PANEL_TITLES}
              chosen={panel}
              onChoose={setPanel}
              panelId={(name) => `panel-${name}`}
            />
          }
        >
          <div className="panel" id={`panel-${panel}`} role="tabpanel" aria-labelledby={`tab-${panel}`}>
            {panel === 'graph' && (
              <Suspense fallback={<Skeleton label="Loading the graph" />}>
                <GraphPanel metadata={metadata} runs={runs} />
              </Suspense>
            )}
            {panel === 'inspector' && (
              <InspectorPanel
                conversation={conversation}
                recordings={book.recordings}
                turnId={inspected}
                onTurn={setInspected}
              />
            )}
            {panel === 'request' && <RequestPanel settings={settings} onChange={setSettings} />}
          </div>
        </SideFrame>
        <UndoToast
          removed={undo.removed}
          onUndo={() => {
            if (undo.removed !== undefined) dispatch({ type: 'add', conversation: undo.removed })
            undo.clear()
          }}
        />
        <Announcer conversation={conversation} />
        {finding && (
          <Suspense>
            <Palette
              commands={listCommands(page)}
              find={async () => (await import('./runs/find-runs.ts')).findRuns(client, page)}
              onClose={() => setFinding(false)}
            />
          </Suspense>
        )}
        {help && <ShortcutList onClose={() => setHelp(false)} />}
      </div>
    </AgentsProvider>
  )
}

const focusMessage = () => setTimeout(() => document.getElementById('message')?.focus())
