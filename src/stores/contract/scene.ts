/** Calls of a store with defaults, so that a test names only what it is about. */
import { randomUUID } from 'node:crypto'
import { AgencyError } from '../../base/errors.ts'
import type {
  ClaimedRun,
  ClaimRequest,
  NewApproval,
  NewRun,
  RunChange,
  RunNews,
  RunStore,
  Strategy,
  ThreadMessage,
  Written,
} from '../../runs/run-store.ts'
import type { StoredMessage } from '../../wire/message.ts'

export const NOW = 1_800_000_000_000
export type Scene = ReturnType<typeof createScene>

export function createScene(store: RunStore) {
  /** Ids of a scene of its own, so that scenes may share a database. */
  const scene = randomUUID().slice(0, 8)
  const mine = { agency: `support-${scene}`, owner: 'ada' }
  const idOf = (name: string) => ({ ...mine, runId: `${scene}-${name}` })
  const threadOf = (name: string) => ({ ...mine, threadId: name })

  const admit = (name: string, { on, strategy = 'enqueue', ...rest }: Admission = {}) =>
    store.admit({
      ...idOf(name),
      now: NOW,
      recipient: 'CEO',
      plan: { message: name },
      metadata: {},
      thread: on === undefined ? null : { threadId: on, ifNotExists: 'create', strategy },
      events: ['{"kind":"meta"}'],
      limits: { threadQueue: 20, queuedRuns: 10_000, scheduledRuns: 100 },
      ...rest,
    })
  const tryClaim = (name: string, rest: Partial<ClaimRequest> = {}) =>
    store.claim({ runId: idOf(name).runId, worker: 'w1', now: NOW, ...rest })
  const claim = async (name: string, rest: Partial<ClaimRequest> = {}): Promise<ClaimedRun> => {
    const claimed = await tryClaim(name, rest)
    if (claimed === undefined) throw new Error(`Run ${name} cannot be claimed.`)
    return claimed
  }
  const write = ({ claim }: ClaimedRun, change: Omit<RunChange, 'claim' | 'now'>): Promise<Written> =>
    store.write({ kind: 'run', claim, now: NOW, ...change })

  return {
    store,
    mine,
    /** Each differs in one part only. */
    strangers: [
      { agency: mine.agency, owner: 'eve' },
      { agency: `sales-${scene}`, owner: mine.owner },
    ],
    idOf,
    threadOf,
    admit,
    tryClaim,
    claim,
    write,
    /** Admits and claims. */
    async start(name: string, admission: Admission = {}): Promise<ClaimedRun> {
      await admit(name, admission)
      return claim(name)
    },
    end: (run: ClaimedRun, status: 'completed' | 'failed' | 'cancelled' = 'completed') =>
      write(run, { leave: { kind: 'end', status, outcome: { response: status } } }),
    /** Adds approvals to a run, then leaves it. */
    pause: (run: ClaimedRun, ...approvals: NewApproval[]) => write(run, { approvals, leave: { kind: 'pause' } }),
    cancel: (name: string, mode: 'immediate' | 'after_turn' = 'immediate') =>
      store.write({ kind: 'cancel', ...idOf(name), mode, now: NOW }),
    approve: (name: string, approvalId = 'a1', now = NOW) =>
      store.write({ kind: 'decide', ...idOf(name), approvalId, decision: { kind: 'approve' }, now }),
    run: (name: string) => store.read({ kind: 'run', ...idOf(name) }),
    thread: (name: string) => store.read({ kind: 'thread', ...threadOf(name) }),
    messages: async (thread: string): Promise<ThreadMessage[]> =>
      (await store.read({ kind: 'messages', ...threadOf(thread), limit: 100 })).data,
    events: async (name: string): Promise<unknown[]> => {
      const { events } = await store.read({ kind: 'events', ...idOf(name), after: 0, limit: 100 })
      return events.map(({ event }) => JSON.parse(event))
    },
    /** Names of the claimable runs of a list. */
    named: (ids: readonly string[]) => ids.map((id) => id.replace(`${scene}-`, '')),
  }
}

type Admission = Partial<NewRun> & { on?: string; strategy?: Strategy }

export const approval = (approvalId = 'a1', expiresAt = NOW + 60_000): NewApproval => ({
  approvalId,
  conversation: 'c0',
  callId: `call-${approvalId}`,
  agent: 'Billing',
  tool: 'refund',
  arguments: { order: 17 },
  parentRunId: null,
  expiresAt,
})

export const message = (content: string): StoredMessage => ({
  type: 'message',
  role: 'user',
  content,
  agent: 'CEO',
  callerAgent: null,
  timestamp: NOW * 1000,
})

/** The code that a call fails with; throws when it succeeds. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  return (await errorOf(call)).code
}

export async function errorOf(call: Promise<unknown>): Promise<AgencyError> {
  const error = await call.then(
    () => new Error('The call was expected to fail.'),
    (error: unknown) => error,
  )
  if (error instanceof AgencyError) return error
  throw error
}

/** Reads news of a run until the condition holds. */
export async function readUntil(news: AsyncIterable<RunNews>, enough: (news: RunNews) => boolean): Promise<RunNews[]> {
  const all: RunNews[] = []
  for await (const one of news) {
    all.push(one)
    if (enough(one)) break
  }
  return all
}
