/** The page: server, agencies, conversations and panels. */
import type { AgencyMetadata, Client, Run } from 'agency-swarm-js/client'
import { lazy, Suspense, useCallback, useMemo, useState } from 'react'
import { AgentsProvider } from './agents.tsx'
import { useApprovals, type Waiting } from './approvals/use-approvals.ts'
import { Chat } from './chat/chat.tsx'
import { Skeleton } from './controls.tsx'
import { runningTurn } from './conversation/conversation.ts'
import { useBrowserChats } from './conversation/use-browser-chats.ts'
import { useThreadChats } from './conversation/use-thread-chats.ts'
import { InspectorPanel } from './inspector/inspector-panel.tsx'
import { RequestPanel } from './request/request-panel.tsx'
import { areValid } from './request/settings.ts'
import { useSettings } from './request/use-settings.ts'
import { type Route, show, useRoute, writeRoute } from './route.ts'
import { Announcer } from './shell/announcer.tsx'
import { ChatsPanel } from './shell/chats-panel.tsx'
import { listCommands, type Page } from './shell/commands.ts'
import { PageSkeleton, TokenDialog, Unreachable } from './shell/gate.tsx'
import { LoadError } from './shell/load-error.tsx'
import { ShortcutList, useShortcuts } from './shell/shortcuts.tsx'
import { SideFrame } from './shell/side-frame.tsx'
import { Tabs } from './shell/tabs.tsx'
import { TopBar, type View } from './shell/top-bar.tsx'
import { UndoToast } from './shell/undo.tsx'
import { type Served, useServer } from './use-server.ts'
import { useWatch } from './use-watch.ts'

/** Loaded on demand: the graph needs a large library. */
const GraphPanel = lazy(() => import('./graph/graph-panel.tsx').then((module) => ({ default: module.GraphPanel })))

/** Loaded on demand: most visits are for a talk. */
const RunsView = lazy(() => import('./runs/runs-view.tsx').then((module) => ({ default: module.RunsView })))
const ApprovalsView = lazy(() =>
  import('./approvals/approvals-view.tsx').then((module) => ({ default: module.ApprovalsView })),
)
const ToolsView = lazy(() => import('./tools/tools-view.tsx').then((module) => ({ default: module.ToolsView })))
const AgentsView = lazy(() => import('./agents/agents-view.tsx').then((module) => ({ default: module.AgentsView })))
const EvalsView = lazy(() => import('./evals/evals-view.tsx').then((module) => ({ default: module.EvalsView })))

const Palette = lazy(() => import('./shell/palette.tsx').then((module) => ({ default: module.Palette })))

const PANELS = ['graph', 'inspector', 'request'] as const
type Panel = (typeof PANELS)[number]
const PANEL_TITLES = { graph: 'Graph', inspector: 'Inspector', request: 'Request' }

/** The whole page: loads the server's agencies, then shows one. */
export function App() {
  const { client, state, load, unlock, lock } = useServer()
  const [known, setKnown] = useState<Served>()
  if (state.phase === 'ready' && known !== state.served) setKnown(state.served)
  const { notice, failure } = useWatch(load)
  if (state.phase === 'failed' && known === undefined) return <Unreachable failure={state.failure} onRetry={load} />
  return (
    <>
      {failure !== undefined && <LoadError failure={failure} />}
      {notice !== undefined && (
        <p className="server-notice" role="status">
          {notice}
        </p>
      )}
      {known !== undefined &&
        (known.agencies.size === 0 ? <NothingServed /> : <Workbench client={client} served={known} onLocked={lock} />)}
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
  served: Served
  onLocked: () => void
}

function Workbench({ client, served, onLocked }: WorkbenchProps) {
  const { agencies, threads } = served
  const names = [...agencies.keys()]
  const route = useRoute()
  const [settings, setSettings] = useSettings()
  const [view, setView] = useState<View>('chat')
  const [panel, setPanel] = useState<Panel>('graph')
  const [inspected, setInspected] = useState<string>()
  const [help, setHelp] = useState(false)
  const [finding, setFinding] = useState(false)
  const [askedRun, setAskedRun] = useState<Pick<Run, 'agency' | 'run_id'>>()
  const [picked, setPicked] = useState<string>()
  const waiting = useApprovals(client, names, onLocked)

  const [chat, setChat] = useState<Route & { view: 'chat' }>({ view: 'chat' })
  if (route.view === 'chat' && writeRoute(route) !== writeRoute(chat)) setChat(route)
  const chosen = [chat.agency, picked, names[0]].find((name) => name !== undefined && agencies.has(name)) as string
  if (chat.agency === chosen && picked !== chosen) setPicked(chosen)
  const inBrowser = useBrowserChats({ client, agencies, chosen, settings, onLocked })
  const isKept = threads.includes(chosen)
  const agency = isKept ? chosen : inBrowser.agency
  const metadata = agencies.get(agency) as AgencyMetadata
  const onServer = useThreadChats({
    client,
    name: agency,
    agents: metadata.metadata.agents,
    threadId: chat.thread,
    enabled: isKept,
    settings,
    onLocked,
  })
  const chats = isKept ? onServer : inBrowser.chats
  const { conversation } = chats
  const running = runningTurn(conversation)
  const runs = useMemo(() => conversation.turns.map((turn) => turn.run), [conversation.turns])

  const toChat = () => show(chat)
  const begin = (name = agency) => {
    setPicked(name)
    show({ view: 'chat' })
    chats.begin(name)
    setInspected(undefined)
    setView('chat')
    focusMessage()
  }
  const showPanel = (name: Panel) => {
    setPanel(name)
    toChat()
    setView('side')
    setTimeout(() => document.getElementById(`tab-${name}`)?.focus())
  }
  const openConversation = (id: string) => {
    chats.open(id)
    setInspected(undefined)
    setView('chat')
  }
  const toMessage = () => {
    toChat()
    setView('chat')
    focusMessage()
  }
  const page: Page = {
    agencies,
    agency,
    conversations: chats.rows,
    actions: [
      { title: 'New conversation', keys: 'Alt N', icon: 'plus', run: () => begin() },
      { title: 'Write a message', keys: 'Alt M', icon: 'edit', run: toMessage },
      { title: 'Show the graph', keys: 'Alt G', icon: 'people', run: () => showPanel('graph') },
      { title: 'Show the inspector', keys: 'Alt I', icon: 'search', run: () => showPanel('inspector') },
      { title: 'Show the request settings', keys: 'Alt R', icon: 'tool', run: () => showPanel('request') },
      { title: 'Show stored runs', keys: 'Alt S', icon: 'search', run: () => show({ view: 'runs' }) },
      { title: 'Show waiting approvals', icon: 'alert', run: () => show({ view: 'approvals' }) },
      { title: 'Show the prompts and schemas of agents', icon: 'people', run: () => show({ view: 'agents' }) },
      { title: 'Run a tool', icon: 'tool', run: () => show({ view: 'tools' }) },
      { title: 'Show evals', icon: 'check', run: () => show({ view: 'evals' }) },
      { title: 'Keyboard shortcuts', keys: 'Alt K', icon: 'keys', run: () => setHelp(true) },
      { title: 'Open the API description', icon: 'link', run: () => void window.open('docs', '_blank', 'noopener') },
    ],
    onAgency: begin,
    onConversation: openConversation,
    onAgent: (name) => {
      chats.address(name === metadata.metadata.entryPoints[0] ? undefined : name)
      toMessage()
    },
    onRun: (run) => {
      setAskedRun(run)
      show({ view: 'runs' })
    },
  }
  const inspect = useCallback((turnId: string) => {
    setInspected(turnId)
    setPanel('inspector')
    setView('side')
  }, [])
  useShortcuts({
    newConversation: () => begin(),
    runs: () => show({ view: 'runs' }),
    message: toMessage,
    graph: () => showPanel('graph'),
    inspector: () => showPanel('inspector'),
    request: () => showPanel('request'),
    help: () => setHelp(true),
    palette: () => setFinding(true),
    stop: () => running && chats.stop(running.id, 'immediate'),
  })

  if (!inBrowser.isLoaded) return null
  return (
    <AgentsProvider names={metadata.metadata.agents}>
      <div className="page" data-view={view} data-page={route.view}>
        <button type="button" className="skip" onClick={focusMessage}>
          Skip to the message
        </button>
        <TopBar
          agencies={names}
          agency={agency}
          onAgency={begin}
          view={route.view === 'chat' ? view : undefined}
          onView={(name) => {
            toChat()
            setView(name)
          }}
          shown={route.view}
          onShow={(name) => show(name === 'chat' ? chat : { view: name })}
          waiting={waiting.approvals.length}
          onHelp={() => setHelp(true)}
          onPalette={() => setFinding(true)}
        />
        {route.view !== 'chat' && (
          <Suspense fallback={<Skeleton label="Loading the page" />}>
            <OtherView {...{ route, client, served, agency, waiting, askedRun, onLocked }} />
          </Suspense>
        )}
        <ChatsPanel chats={chats} onNew={() => begin()} onOpen={openConversation} onAdded={() => setView('chat')} />
        <main className="main">
          <Chat
            conversation={conversation}
            metadata={metadata}
            blocked={
              areValid(settings) ? undefined : 'The request settings are not valid. Correct them in the Request panel.'
            }
            kept={chats.kept}
            isLoaded={chats.isLoaded}
            onAsk={(input, rewindTo) => {
              setInspected(undefined)
              chats.ask(input, rewindTo)
            }}
            onStop={chats.stop}
            onAddress={chats.address}
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
                <GraphPanel
                  metadata={metadata}
                  runs={runs}
                  onAgent={(agent) => show({ view: 'agents', agency, agent })}
                />
              </Suspense>
            )}
            {panel === 'inspector' && (
              <InspectorPanel
                conversation={conversation}
                recordings={chats.recordings}
                turnId={inspected}
                onTurn={setInspected}
              />
            )}
            {panel === 'request' && <RequestPanel settings={settings} onChange={setSettings} />}
          </div>
        </SideFrame>
        <UndoToast removed={chats.removed} onUndo={chats.undo} />
        <Announcer conversation={conversation} waiting={waiting.approvals.length} />
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

interface OtherViewProps extends WorkbenchProps {
  route: Exclude<Route, { view: 'chat' }>
  agency: string
  waiting: Waiting
  /** The run to open in the list. */
  askedRun: Pick<Run, 'agency' | 'run_id'> | undefined
}

/** The views beside the chat. */
function OtherView({ route, client, served, agency, waiting, askedRun, onLocked }: OtherViewProps) {
  switch (route.view) {
    case 'runs':
      return (
        <RunsView
          key={askedRun?.run_id}
          client={client}
          agencies={[...served.agencies.keys()]}
          onLocked={onLocked}
          asked={askedRun}
        />
      )
    case 'approvals':
      return <ApprovalsView client={client} waiting={waiting} />
    case 'tools':
      return <ToolsView client={client} served={served} route={route} onLocked={onLocked} />
    case 'agents':
      return <AgentsView served={served} agency={agency} agent={route.agent} onLocked={onLocked} />
    case 'evals':
      return <EvalsView onLocked={onLocked} />
    default:
      return route satisfies never
  }
}

/** At once where the message is shown, so that no key is lost; otherwise when the page has drawn it. */
function focusMessage(): void {
  const focus = () => document.getElementById('message')?.focus()
  focus()
  if (document.activeElement?.id !== 'message') setTimeout(focus)
}
