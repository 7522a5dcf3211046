/** The evals that `agency-swarm-js eval` has kept: each dataset with its last results. */
import { ClientError } from 'agency-swarm-js/client'
import { useEffect, useState } from 'react'
import { Code, Fold } from '../controls.tsx'
import { formatMs, formatUsd, formatWhen, plural } from '../figures.ts'
import { askPage } from '../server.ts'
import { type Case, type Dataset, type KeptEvals, readDatasets } from './datasets.ts'
import './evals.css'

/** How often they are read again, in milliseconds. */
const REFRESH_MS = 10_000

export function EvalsView({ onLocked }: { onLocked: () => void }) {
  const [kept, setKept] = useState<KeptEvals>()
  const [problem, setProblem] = useState<string>()
  useEffect(() => {
    const leaving = new AbortController()
    const read = () =>
      askPage<KeptEvals>('evals', undefined, leaving.signal).then(
        (answer) => {
          setKept(answer)
          setProblem(undefined)
        },
        (error: unknown) => {
          if (leaving.signal.aborted) return
          if (error instanceof ClientError && error.kind === 'unauthorized') onLocked()
          setProblem((error as Error).message)
        },
      )
    void read()
    const timer = setInterval(() => document.visibilityState === 'visible' && void read(), REFRESH_MS)
    return () => {
      leaving.abort()
      clearInterval(timer)
    }
  }, [onLocked])
  const datasets = readDatasets(kept?.reports ?? [])
  return (
    <main className="page-view evals-view">
      <h1>Evals</h1>
      <p className="counted" role="status">
        {kept === undefined ? 'Loading…' : `${plural(datasets.length, 'dataset')} in ${kept.folder}`}
      </p>
      {problem !== undefined && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {kept !== undefined && datasets.length === 0 && (
        <p className="empty">
          No results are kept here. <code>npx agency-swarm-js eval</code> in the folder of this server runs the datasets
          in <code>evals/</code> and keeps their results.
        </p>
      )}
      {datasets.map((dataset) => (
        <DatasetView key={dataset.name} dataset={dataset} />
      ))}
      {kept !== undefined && kept.skipped.length > 0 && (
        <p className="counted">Not read, because they are no reports or too large: {kept.skipped.join(', ')}</p>
      )}
    </main>
  )
}

function DatasetView({ dataset: { name, at, cases, history } }: { dataset: Dataset }) {
  const passed = cases.filter(({ status }) => status === 'passed').length
  return (
    <section aria-label={name}>
      <h2>
        {name}
        <small data-passed={passed === cases.length}>
          {passed} of {cases.length} passed
        </small>
        <small>{formatWhen(Date.parse(at))}</small>
        <History history={history} />
      </h2>
      {cases.map((one) => (
        <CaseRow key={`${one.case} ${one.repetition}`} result={one} />
      ))}
    </section>
  )
}

/** The share of passed cases in the last reports, oldest first. */
const History = ({ history }: { history: Dataset['history'] }) =>
  history.length < 2 ? null : (
    <span className="history" role="img" aria-label={`Passed, oldest first: ${history.map(percent).join(', ')}`}>
      {history.map((share, index) => (
        <i key={index} title={percent(share)} data-share={Math.round(share * 10)} />
      ))}
    </span>
  )

const percent = (share: number) => `${Math.round(share * 100)} %`

function CaseRow({ result }: { result: Case }) {
  const { case: name, repetition, status, score, reason, failures, answer, costUsd, ms, changed } = result
  const line = (
    <>
      <span className="fold-title">
        <span className="eval-status" data-status={status}>
          {status}
        </span>
        {name}
        {repetition > 1 && ` (${repetition})`}
      </span>
      <span className="fold-preview">{failures[0] ?? reason ?? ''}</span>
      <span className="call-state">
        {[changed, score === undefined ? undefined : score.toFixed(2), formatUsd(costUsd), formatMs(ms)]
          .filter((part) => part !== undefined)
          .join(' · ')}
      </span>
    </>
  )
  return (
    <Fold className={`card ${status === 'failed' ? 'failed' : ''}`} open={false} summary={line}>
      {failures.map((failure) => (
        <p key={failure} className="eval-failure">
          {failure}
        </p>
      ))}
      {reason !== undefined && <p>The judge: {reason}</p>}
      <p className="label">Answer</p>
      <Code text={answer || 'none'} label="Answer" />
    </Fold>
  )
}
