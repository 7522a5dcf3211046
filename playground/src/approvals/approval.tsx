/** A call that waits for a decision. */
import type { RequestedApproval } from 'agency-swarm-js/client'
import { ApprovalCard, type ApprovalCardProps } from 'agency-swarm-js/react'
import { useEffect, useState } from 'react'
import './approvals.css'

type ApprovalProps = Pick<ApprovalCardProps, 'onApprove' | 'onReject'> & { approval: RequestedApproval }

/** The call with its arguments, which can be edited, and when it expires; or the address where a user gives consent. */
export function Approval({ approval, onApprove, onReject }: ApprovalProps) {
  const { consent, agent, expires_at: expires } = approval
  return (
    <div className="approval">
      {consent === undefined ? (
        <ApprovalCard className="approval-card" {...{ approval, onApprove, onReject }} />
      ) : (
        <p>
          {agent} needs access to {consent.server}.{' '}
          <a href={consent.url} target="_blank" rel="noopener noreferrer">
            Give access
          </a>
        </p>
      )}
      <p className="expiry">
        <Expiry at={Date.parse(expires)} />
      </p>
    </div>
  )
}

const MINUTE = 60_000

/** How long is left, to the second in the last minutes. */
function Expiry({ at }: { at: number }) {
  const [now, setNow] = useState(Date.now)
  const left = at - now
  const isNear = left < 10 * MINUTE
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), isNear ? 1_000 : MINUTE)
    return () => clearInterval(timer)
  }, [isNear])
  return (
    <time dateTime={new Date(at).toISOString()} title={new Date(at).toLocaleString()} data-near={isNear}>
      {left <= 0 ? 'Expired' : `Expires in ${describe(left)}`}
    </time>
  )
}

function describe(ms: number): string {
  const minutes = Math.floor(ms / MINUTE)
  if (minutes < 1) return `${Math.ceil(ms / 1000)} s`
  if (minutes < 10) return `${minutes} min ${Math.floor((ms % MINUTE) / 1000)} s`
  if (minutes < 120) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} hours` : `${Math.floor(hours / 24)} days`
}
