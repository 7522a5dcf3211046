/** The stored runs of the server: their list, and the trace of the one that is open. */
import './runs.css'
import type { Client, Run } from 'agency-swarm-js/client'
import { useState } from 'react'
import { type Filter, RunList } from './run-list.tsx'
import { RunTrace } from './run-trace.tsx'
import { useRunList } from './use-run-list.ts'

interface RunsViewProps {
  client: Client
  agencies: readonly string[]
  onLocked: () => void
  /** The run that is open at first. */
  asked?: Pick<Run, 'agency' | 'run_id'> | undefined
}

export function RunsView({ client, agencies, onLocked, asked }: RunsViewProps) {
  const [filter, setFilter] = useState<Filter>({ agency: undefined, status: undefined, order: 'newest' })
  const [open, setOpen] = useState(asked)
  const listed = filter.agency === undefined ? agencies : [filter.agency]
  const { runs, hasMore, loaded, problem, more } = useRunList(
    client,
    { agencies: listed, status: filter.status },
    onLocked,
  )
  return (
    <main className="runs" data-open={open !== undefined}>
      <h1 className="visually-hidden">Runs</h1>
      <RunList
        agencies={agencies}
        runs={runs}
        loaded={loaded}
        hasMore={hasMore}
        problem={problem}
        filter={filter}
        openId={open?.run_id}
        onFilter={setFilter}
        onOpen={setOpen}
        onMore={more}
      />
      <section className="run-open" aria-label="Opened run">
        {open === undefined ? (
          <p className="empty">Choose a run to see its trace.</p>
        ) : (
          <>
            <button type="button" className="text-button back" onClick={() => setOpen(undefined)}>
              All runs
            </button>
            <RunTrace key={open.run_id} client={client} agency={open.agency} runId={open.run_id} />
          </>
        )}
      </section>
    </main>
  )
}
