/** The inbox: every call of this server that waits for a decision. */
import type { Client } from 'agency-swarm-js/client'
import { ClientError } from 'agency-swarm-js/client'
import { formatWhen, plural } from '../figures.ts'
import { writeRoute } from '../route.ts'
import { Approval } from './approval.tsx'
import type { Waiting, WaitingApproval } from './use-approvals.ts'

interface ApprovalsViewProps {
  client: Client
  waiting: Waiting
}

export function ApprovalsView({ client, waiting }: ApprovalsViewProps) {
  const { approvals, isLoaded, hasMore, problem, refresh } = waiting
  /** Somebody else may have decided meanwhile: then the call is gone from the list all the same. */
  const decide = async (send: () => Promise<unknown>) => {
    try {
      await send()
    } catch (error) {
      if (!(error instanceof ClientError && /^APPROVAL_(DECIDED|EXPIRED)$/.test(error.code ?? ''))) throw error
    }
    await refresh()
  }
  return (
    <main className="page-view approvals-view">
      <h1>Approvals</h1>
      <p className="counted" role="status">
        {isLoaded ? `${plural(approvals.length, 'call')}${hasMore ? ', and more,' : ''} waiting` : 'Loading…'}
      </p>
      {problem !== undefined && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {isLoaded && approvals.length === 0 && problem === undefined && (
        <p className="empty">
          Nothing waits for you. A call of a tool with <code>needsApproval</code> in a stored run appears here.
        </p>
      )}
      <ul aria-label="Waiting calls">
        {approvals.map((approval) => {
          const { runs } = client.agency(approval.agency)
          const { run_id: runId } = approval
          return (
            <li key={approval.approval_id}>
              <Where approval={approval} />
              <Approval
                approval={approval}
                onApprove={(id, options) => decide(() => runs.approve(runId, id, options))}
                onReject={(id, options) => decide(() => runs.reject(runId, id, options))}
              />
            </li>
          )
        })}
      </ul>
    </main>
  )
}

const Where = ({ approval: { agency, created_at, thread_id } }: { approval: WaitingApproval }) => (
  <p className="where">
    {agency} · asked at {formatWhen(Date.parse(created_at))}
    {thread_id !== null && (
      <>
        {' · '}
        <a href={writeRoute({ view: 'chat', agency, thread: thread_id })}>Open the conversation</a>
      </>
    )}
  </p>
)
