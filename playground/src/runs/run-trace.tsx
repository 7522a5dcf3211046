/** An opened run: its result, the tree of its spans, and the chosen span. */
import { type Client, ClientError, type Run, type Trace } from 'agency-swarm-js/client'
import { useEffect, useMemo, useState } from 'react'
import { formatMs, formatShort, formatUsd } from '../figures.ts'
import { titleOf } from './run-list.tsx'
import { SpanDetail } from './span-detail.tsx'
import { listRows } from './spans.ts'
import { TraceTree } from './trace-tree.tsx'

/** How often a run that goes on is read again, in milliseconds. */
const REFRESH_MS = 1_000

interface Opened {
  run: Run
  /** Undefined where the server keeps no traces, or this one no longer. */
  trace: Trace | undefined
  /** When it was read. */
  at: number
}

/** Reads a run and its trace, again and again until it ends. */
function useTrace(client: Client, agency: string, runId: string) {
  const [opened, setOpened] = useState<Opened>()
  const [problem, setProblem] = useState<string>()
  useEffect(() => {
    const left = new AbortController()
    const { signal } = left
    const { runs } = client.agency(agency)
    const read = async () => {
      while (!signal.aborted) {
        try {
          const run = await runs.get(runId, { signal })
          const trace = await runs.trace(runId, { signal }).catch((error) => {
            if (error instanceof ClientError && (error.status === 404 || error.status === 410)) return undefined
            throw error
          })
          if (signal.aborted) return
          setOpened({ run, trace, at: Date.now() })
          setProblem(undefined)
          if (run.ended_at !== null) return
        } catch (error) {
          if (signal.aborted) return
          setProblem(error instanceof Error ? error.message : String(error))
        }
        await new Promise((resolve) => setTimeout(resolve, REFRESH_MS))
      }
    }
    void read()
    return () => left.abort()
  }, [client, agency, runId])
  return { opened, problem }
}

export function RunTrace({ client, agency, runId }: { client: Client; agency: string; runId: string }) {
  const { opened, problem } = useTrace(client, agency, runId)
  const [picked, setPicked] = useState<string>()
  const rows = useMemo(() => (opened?.trace === undefined ? [] : listRows(opened.trace, opened.at)), [opened])
  if (opened === undefined) return <p className="empty">{problem ?? 'Loading the run…'}</p>
  const { run, trace } = opened
  // First what failed, else the first model call.
  const chosen =
    rows.find(({ span }) => span.span_id === picked) ??
    rows.findLast(({ span }) => span.status === 'failed') ??
    rows.find(({ span }) => span.kind === 'model') ??
    rows[0]
  return (
    <>
      <RunHead run={run} />
      {problem !== undefined && <p className="failure">{problem}</p>}
      {trace?.truncated === true && (
        <p className="muted trace-note">The run has recorded more than limits.traceBytes: some texts are left out.</p>
      )}
      {rows.length === 0 ? (
        <p className="empty">
          {trace === undefined
            ? 'The trace is not kept: it has expired, or the server runs with traces: false.'
            : 'Nothing was recorded of this run yet.'}
        </p>
      ) : (
        <div className="trace">
          <TraceTree rows={rows} chosen={chosen?.span.span_id} onChoose={setPicked} />
          {chosen !== undefined && <SpanDetail row={chosen} />}
        </div>
      )}
    </>
  )
}

function RunHead({ run }: { run: Run }) {
  const { started_at: from, ended_at: to, usage } = run
  const figures = [
    run.agency,
    from !== null && to !== null ? formatMs(Date.parse(to) - Date.parse(from)) : undefined,
    usage && `${formatShort(usage.total_tokens)} tokens`,
    usage && formatUsd(usage.total_cost),
    run.attempt > 1 ? `attempt ${run.attempt}` : undefined,
  ]
  return (
    <header className="run-head">
      <h2>{titleOf(run)}</h2>
      <p className="muted">
        <span className="run-status" data-status={run.status}>
          {run.status.replace('_', ' ')}
        </span>{' '}
        {figures.filter(Boolean).join(' · ')} · <code>{run.run_id}</code>
      </p>
      {run.error !== null && (
        <p className="failure">
          <strong>{run.error.code}</strong> {run.error.message}
        </p>
      )}
    </header>
  )
}
