/** One run as a page shows it: its state, its actions, and the stream behind it. */

import { ClientError } from '../client/error.ts'
import type { FollowedRun } from '../client/followed-run.ts'
import type {
  ContinueBody,
  PauseBody,
  Run,
  RunCancelAnswer,
  RunMessage,
  RunStatus,
  SteerBody,
  SteerReceipt,
} from '../client/run-answers.ts'
import type { RequestedApproval } from '../client/run-events.ts'
import type {
  ApproveOptions,
  CancelOptions,
  ChangeOptions,
  FollowOptions,
  RejectOptions,
} from '../client/run-options.ts'
import { RunView } from '../client/run-view.ts'
import type { RunsClient } from '../client/runs.ts'
import type { StoredMessage, Usage } from '../wire/message.ts'
import type { RunBranch, RunSteer } from '../wire/steering.ts'
import { AgentTree, type AgentWork } from './agent-tree.ts'
import { Store } from './store.ts'

/** The state of a run. Its parts stay the same objects while they do not change. */
export interface RunState<Answer = unknown> {
  /** `idle` before the first run; then the status of the run, as far as the page knows it. */
  readonly status: 'idle' | RunStatus
  /** True while the run is live. */
  readonly isLive: boolean
  /** True while a broken connection is being replaced. */
  readonly isReconnecting: boolean
  /** Undefined before the server has answered. */
  readonly runId: string | undefined
  /** 1 is next; null when the run does not wait for others of its thread. */
  readonly queuePosition: number | null
  /** All text so far of the agents that talk to the user. */
  readonly text: string
  /** Agents, what they say, their tool calls, and the agents that those reach. */
  readonly tree: readonly AgentWork[]
  /** Calls that wait for a decision. */
  readonly approvals: readonly RequestedApproval[]
  /** Messages that were sent to agents of the run. */
  readonly steers: readonly RunSteer[]
  /** Agents that wait until they are continued. */
  readonly paused: readonly RunBranch[]
  /** The answer; null until the run has ended. */
  readonly response: Answer | null
  /** Undefined until the run has ended. */
  readonly messages: readonly StoredMessage[] | undefined
  readonly usage: Usage | undefined
  /** Name in `file_urls` -> id of the stored file. */
  readonly files: { readonly [name: string]: string } | undefined
  /** What became of each call, after `stop()`. */
  readonly receipt: RunCancelAnswer['receipt'] | undefined
  /** Why the run failed, or why it can no longer be followed. */
  readonly error: Error | undefined
}

const IDLE: RunState<never> = {
  status: 'idle',
  isLive: false,
  isReconnecting: false,
  runId: undefined,
  queuePosition: null,
  text: '',
  tree: [],
  approvals: [],
  steers: [],
  paused: [],
  response: null,
  messages: undefined,
  usage: undefined,
  files: undefined,
  receipt: undefined,
  error: undefined,
}

/** What is known of one run. */
interface Followed<Answer> {
  view: RunView
  tree: AgentTree
  leaving: AbortController
  stream: FollowedRun<Answer> | undefined
  runId: string | undefined
  end: Run<Answer> | undefined
  error: Error | undefined
  isReconnecting: boolean
  decided: Set<string>
  /** The approvals of the last snapshot. */
  approvals: readonly RequestedApproval[]
  receipt: RunCancelAnswer['receipt'] | undefined
}

export class RunStore<Answer = unknown> extends Store<RunState<Answer>> {
  readonly #runs: RunsClient<Answer>
  readonly #options: FollowOptions
  #followed: Followed<Answer> | undefined

  constructor(runs: RunsClient<Answer>, options: FollowOptions = {}) {
    super(IDLE)
    this.#runs = runs
    this.#options = options
  }

  /** Starts a run and follows it; the one before is no longer followed. Resolves when the run is over, and never rejects. */
  start(message: RunMessage): Promise<RunState<Answer>> {
    return this.#follow(undefined, (options) => this.#runs.stream(message, options))
  }

  /** Follows a run that exists, from its first event. Resolves when it is over, and never rejects. */
  follow(runId: string): Promise<RunState<Answer>> {
    return this.#follow(runId, (options) => this.#runs.events(runId, options))
  }

  /** Follows what `open` opens. */
  attach(open: (options: FollowOptions) => FollowedRun<Answer>): Promise<RunState<Answer>> {
    return this.#follow(undefined, open)
  }

  /** Goes on with a run that `leave` left before its end; undefined when there is none. */
  resume(): Promise<RunState<Answer>> | undefined {
    const followed = this.#followed
    if (followed?.runId === undefined || !followed.leaving.signal.aborted || followed.end !== undefined)
      return undefined
    const { runId, view } = followed
    followed.leaving = new AbortController()
    return this.#read(followed, this.#runs.events(runId, { ...this.#optionsOf(followed), after: view.lastEventId }))
  }

  /** Closes the connection; the run goes on at the server. */
  leave(): void {
    this.#followed?.leaving.abort()
    this.stopUpdates()
  }

  /** Stops the run. Resolves with what became of its calls; undefined when it had ended. @throws ClientError */
  async stop(options: CancelOptions = {}): Promise<RunCancelAnswer['receipt'] | undefined> {
    const followed = this.#followed
    if (followed?.stream === undefined || followed.end !== undefined) return undefined
    try {
      const { receipt } = await followed.stream.cancel(options)
      followed.receipt = receipt
      this.changeSoon()
      return receipt
    } catch (error) {
      if (error instanceof ClientError && error.code === 'RUN_ENDED') return undefined
      throw error
    }
  }

  /** Lets a call run, with other arguments when `options` has them. @throws ClientError */
  approve(approvalId: string, options: ApproveOptions = {}): Promise<void> {
    return this.#decide(approvalId, (runId) => this.#runs.approve(runId, approvalId, options))
  }

  /** Refuses a call. @throws ClientError */
  reject(approvalId: string, options: RejectOptions = {}): Promise<void> {
    return this.#decide(approvalId, (runId) => this.#runs.reject(runId, approvalId, options))
  }

  /** Sends a message to an agent of the run, which reads it before its next model call. @throws ClientError */
  steer(message: SteerBody, options: ChangeOptions = {}): Promise<SteerReceipt> {
    return this.#runs.steer(this.#idToAsk(), message, options)
  }

  /** Lets an agent, or the whole run, wait at its next turn boundary. @throws ClientError */
  async pause(branch: PauseBody = {}, options: ChangeOptions = {}): Promise<void> {
    await this.#runs.pause(this.#idToAsk(), branch, options)
  }

  /** Lets what was paused go on. @throws ClientError */
  async continue(branch: ContinueBody = {}, options: ChangeOptions = {}): Promise<void> {
    await this.#runs.continue(this.#idToAsk(), branch, options)
  }

  #idToAsk(): string {
    const runId = this.#followed?.runId
    if (runId === undefined) throw new TypeError('There is no run to ask something of.')
    return runId
  }

  /** True when the tree shows this stretch of an agent's work. */
  shows(agentRunId: string | undefined): boolean {
    return this.#followed?.tree.has(agentRunId) === true
  }

  async #decide(approvalId: string, send: (runId: string) => Promise<unknown>): Promise<void> {
    const followed = this.#followed
    if (followed?.runId === undefined) throw new TypeError('There is no run to decide about.')
    try {
      await send(followed.runId)
    } catch (error) {
      const isSettled = error instanceof ClientError && /^APPROVAL_(DECIDED|EXPIRED)$/.test(error.code ?? '')
      if (!isSettled) throw error
    }
    followed.decided.add(approvalId)
    this.change()
  }

  #follow(runId: string | undefined, open: (options: FollowOptions) => FollowedRun<Answer>) {
    this.leave()
    const followed: Followed<Answer> = {
      view: new RunView(),
      tree: new AgentTree(),
      leaving: new AbortController(),
      stream: undefined,
      runId,
      end: undefined,
      error: undefined,
      isReconnecting: false,
      decided: new Set(),
      approvals: [],
      receipt: undefined,
    }
    this.#followed = followed
    this.change()
    return this.#read(followed, open(this.#optionsOf(followed)))
  }

  #optionsOf(followed: Followed<Answer>): FollowOptions {
    const { onRetry, signal } = this.#options
    const own = followed.leaving.signal
    return {
      ...this.#options,
      signal: signal ? AbortSignal.any([signal, own]) : own,
      onRetry: (retry) => {
        followed.isReconnecting = true
        this.changeSoon()
        onRetry?.(retry)
      },
    }
  }

  async #read(followed: Followed<Answer>, stream: FollowedRun<Answer>): Promise<RunState<Answer>> {
    const { leaving } = followed
    followed.stream = stream
    try {
      for await (const event of stream) {
        followed.view.push(event)
        followed.tree.push(event)
        followed.runId = followed.view.runId ?? followed.runId
        followed.isReconnecting = false
        if (followed === this.#followed) this.changeSoon()
      }
      followed.end = await stream.result()
    } catch (error) {
      if (!leaving.signal.aborted) {
        followed.error = error as Error
        if (error instanceof ClientError) followed.end = error.run as Run<Answer> | undefined
      }
    }
    followed.isReconnecting = false
    if (followed === this.#followed && !leaving.signal.aborted) this.change()
    return this.getState()
  }

  protected read(): RunState<Answer> {
    const followed = this.#followed
    if (followed === undefined) return IDLE
    const { view, tree, runId, end, error, isReconnecting, decided, receipt } = followed
    const approvals = end === undefined ? view.approvals.filter(({ approval_id }) => !decided.has(approval_id)) : []
    if (!isSame(approvals, followed.approvals)) followed.approvals = approvals
    const status = end?.status ?? (error === undefined ? liveStatus(followed) : 'failed')
    return {
      status,
      isLive: end === undefined && error === undefined,
      isReconnecting,
      runId,
      queuePosition: view.queuePosition,
      text: view.text,
      tree: tree.snapshot(),
      approvals: followed.approvals,
      steers: view.steers,
      paused: end === undefined ? view.paused : [],
      response: end?.response ?? null,
      messages: view.messages ?? end?.new_messages ?? undefined,
      usage: end?.usage ?? undefined,
      files: end?.file_ids_map ?? undefined,
      receipt,
      error,
    }
  }
}

const liveStatus = ({ view, runId, approvals }: Followed<unknown>): RunStatus =>
  approvals.length > 0
    ? 'requires_action'
    : runId === undefined || view.queuePosition !== null
      ? 'queued'
      : 'in_progress'

const isSame = (a: readonly RequestedApproval[], b: readonly RequestedApproval[]) =>
  a.length === b.length && a.every(({ approval_id }, index) => approval_id === b[index]?.approval_id)
