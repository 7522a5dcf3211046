/** The timeline of a run. */
import { useEffect, useState } from 'react'
import { AgentName, useAgentClass } from '../agents.tsx'
import { formatMs } from '../figures.ts'
import { FRONT, type RunView } from '../run/run.ts'
import { type Lane, readTimeline } from '../run/timeline.ts'

/** Shows who worked when: a line per agent and thread; model calls are filled, tool calls outlined. */
export function Timeline({ run }: { run: RunView }) {
  const now = useNow(run.phase === 'running')
  const { lanes, totalMs } = readTimeline(run, now)
  if (lanes.length === 0) return null
  return (
    <figure className="timeline" aria-label={`Timeline, ${formatMs(totalMs)} in total`}>
      {lanes.map((lane) => (
        <LaneView key={`${lane.thread} ${lane.agent}`} lane={lane} totalMs={totalMs} />
      ))}
      <figcaption>
        <span>0</span>
        <span className="timeline-key">
          <i className="span model" /> model <i className="span call" /> tool or sub-agent{' '}
          <i className="span call failed" /> failed
        </span>
        <span>{formatMs(totalMs)}</span>
      </figcaption>
    </figure>
  )
}

function LaneView({ lane, totalMs }: { lane: Lane; totalMs: number }) {
  const colour = useAgentClass(lane.agent)
  const percent = (ms: number) => `${((Math.max(0, ms) / totalMs) * 100).toFixed(2)}%`
  return (
    <div className={`lane ${colour}`}>
      <span className="lane-name">
        {lane.thread !== FRONT && '↳ '}
        <AgentName name={lane.agent} />
      </span>
      <span className="lane-line">
        {lane.spans.map((span, index) => (
          <i
            key={index}
            className={`span ${span.kind} ${span.failed ? 'failed' : ''}`}
            title={`${span.label}${span.failed ? ' (failed)' : ''}: ${formatMs(span.endMs - span.startMs)}`}
            style={{ left: percent(span.startMs), width: percent(span.endMs - span.startMs) }}
          />
        ))}
      </span>
    </div>
  )
}

/** The current time, updated while a run is active. */
function useNow(live: boolean): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!live) return undefined
    const timer = setInterval(() => setNow(Date.now()), 200)
    return () => clearInterval(timer)
  }, [live])
  return now
}
