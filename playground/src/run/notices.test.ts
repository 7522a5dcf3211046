import { expect, test } from 'vitest'
import { type AnyEvent, followAnyEvent } from './notices.ts'
import { beginRun, endRun } from './run.ts'

const approval = (approval_id: string) => ({
  ...{ approval_id, agent: 'A', tool: 'pay', call_id: `c-${approval_id}` },
  ...{ arguments: {}, expires_at: '2026-01-01T00:00:00Z' },
})
const fold = (...events: AnyEvent[]) => events.reduce((run, event) => followAnyEvent(run, event), beginRun(0))

test('a run waits for its place until an agent works', () => {
  const waiting = fold({ kind: 'meta', run_id: 'r' }, { kind: 'queued', position: 2 }, { kind: 'queued', position: 1 })
  expect(waiting).toMatchObject({ runId: 'r', queuePosition: 1 })
  const agent = { kind: 'agent', agent: 'A', callerAgent: null, agent_run_id: 'x' } as AnyEvent
  expect(followAnyEvent(waiting, agent).queuePosition).toBeUndefined()
})

test('approvals wait until they are decided, or the run is over', () => {
  const asked: AnyEvent = { kind: 'requires_action', approvals: [approval('a'), approval('b')] }
  const decided: AnyEvent = {
    ...{ kind: 'approval_decided', approval_id: 'a', call_id: 'c-a' },
    ...{ status: 'approved', reason: null },
  } as AnyEvent
  const run = fold(asked, decided)
  expect(run.approvals.map(({ approval_id }) => approval_id)).toEqual(['b'])
  expect(endRun(run).approvals).toEqual([])
})
