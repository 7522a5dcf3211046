/** What screen readers hear of runs and approvals, in any view of the page. */
import { useEffect, useRef, useState } from 'react'
import type { Conversation } from '../conversation/conversation.ts'
import { plural } from '../figures.ts'
import { agentInFront, failureOf, type RunView } from '../run/run.ts'

interface AnnouncerProps {
  conversation: Conversation
  /** Number of calls that wait for an approval. @default 0 */
  waiting?: number
}

/** Says how the run of the open conversation goes, and that calls wait for an approval. */
export function Announcer({ conversation, waiting = 0 }: AnnouncerProps) {
  const [told, setTold] = useState('')
  const known = useRef(0)
  const last = conversation.turns.at(-1)
  const state = last === undefined ? '' : describeRun(last.run)
  useEffect(() => setTold(state), [state])
  useEffect(() => {
    if (waiting > known.current) setTold(`${plural(waiting, 'call')} waiting for approval.`)
    known.current = waiting
  }, [waiting])
  return (
    <p className="visually-hidden" role="status" data-announcer>
      {told}
    </p>
  )
}

/** The state of a run in one sentence. */
function describeRun(run: RunView): string {
  const who = agentInFront(run) ?? 'The agency'
  if (run.approvals.length > 0) return `${who} waits for your decision.`
  if (run.phase === 'running') return `${who} is answering.`
  const failure = failureOf(run)
  if (failure !== undefined) return `The answer failed: ${failure}`
  return run.cancelled ? 'The answer was stopped.' : `${who} has answered.`
}
