/** Messages to agents of a run that goes on, and pauses of its branches, as the store keeps them. */
import type { JsonObject } from '../wire/json.ts'

/** One conversation of a run that has not ended: the user's, or one that an agent holds with another. */
export interface Branch {
  conversation: string
  /** Who speaks in it. */
  agent: string
  /** The call that asked for it; null for the user's conversation. */
  callId: string | null
}

/** What a branch is found in. */
export interface BranchWork {
  /** In the order in which they were opened; empty before the first turn of the run. */
  conversations: readonly {
    conversation: string
    parent: { conversation: string; callId: string } | null
    state: JsonObject
  }[]
  calls: readonly { conversation: string; callId: string; state: 'begun' | 'done' }[]
}

/**
 * Finds the branch that a request is about; null for the whole run. Called within the transaction. Pure.
 * @throws an AgencyError when there is no such branch: nothing is changed then
 */
export type FindBranch = (run: { recipient: string }, work: BranchWork) => Branch | null

/** `waiting` until the agent has taken it, or cannot take it any more. */
export type SteerStatus = 'waiting' | 'taken' | 'not_taken'
/** Why a message was not taken. */
export type NotTakenReason = 'run_ended' | 'agent_ended' | 'guardrail'

/** A message to an agent of a run. */
export interface SteerRecord extends Branch {
  steerId: string
  text: string
  status: SteerStatus
  reason: NotTakenReason | null
  /** True once an event has announced that it was accepted. */
  announced: boolean
  createdAt: number
  settledAt: number | null
}

/** What a worker writes of a message. */
export interface SteerChange {
  steerId: string
  /** `waiting`: an event has announced that it was accepted. */
  status: SteerStatus
  /** Who took it. */
  agent: string
  reason?: NotTakenReason | null
}

/** A branch that stops at its next turn boundary; of the whole run when `conversation` is null. */
export interface BranchPause {
  conversation: string | null
  agent: string | null
  callId: string | null
  /** It goes on then by itself. */
  expiresAt: number
}

/** What became of a message, as the run's events tell it. */
export interface SteerEvent extends Branch {
  kind: 'steer'
  steerId: string
  status: 'accepted' | 'taken' | 'not_taken'
  /** Of `accepted` and `taken`. */
  text?: string
  /** Of `not_taken`. */
  reason?: NotTakenReason | null
}

/** A message that waits for an agent thread. */
export interface WaitingSteer {
  steerId: string
  text: string
}

/** What a stored run is asked by persons. */
export interface Steering {
  /** Messages that wait for a thread, oldest first. */
  waitingFor(thread: string): Promise<readonly WaitingSteer[]>
  /** Those of them that are known already. */
  knownFor(thread: string): readonly WaitingSteer[]
  /**
   * Undefined when the thread may go on. Otherwise resolves when its pause is over, or the run shall stop or leave its process.
   */
  hold(thread: { id: string; agent: string; callId: string | null }): Promise<void> | undefined
}
