/** What screen readers hear of runs, in any view of the page. */
import { useEffect, useState } from 'react'
import type { Conversation } from '../conversation/conversation.ts'
import { agentInFront, failureOf, type RunView } from '../run/run.ts'

const TOLD = 'agency-swarm-js announcement'

/** Says something to screen readers, from any part of the page, once what they say now is over. */
export const announce = (text: string) => dispatchEvent(new CustomEvent(TOLD, { detail: text }))

/** Says how the run of the open conversation goes, and what other parts of the page announce. */
export function Announcer({ conversation }: { conversation: Conversation }) {
  const [told, setTold] = useState('')
  const last = conversation.turns.at(-1)
  const state = last === undefined ? '' : describeRun(last.run)
  useEffect(() => setTold(state), [state])
  useEffect(() => {
    const onTold = (event: Event) => setTold(String((event as CustomEvent).detail))
    addEventListener(TOLD, onTold)
    return () => removeEventListener(TOLD, onTold)
  }, [])
  return (
    <p className="visually-hidden" role="status" data-announcer>
      {told}
    </p>
  )
}

/** The state of a run in one sentence. */
export function describeRun(run: RunView): string {
  const who = agentInFront(run) ?? 'The agency'
  if (run.phase === 'running') return `${who} is answering.`
  const failure = failureOf(run)
  if (failure !== undefined) return `The answer failed: ${failure}`
  return run.cancelled ? 'The answer was stopped.' : `${who} has answered.`
}
