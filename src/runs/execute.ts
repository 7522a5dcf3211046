/** Executes a plan: appends the events of the run to its feed, and sums the run up at its end. */
import type { SaveThreads } from '../agency/agency.ts'
import { orAbort, within } from '../base/async.ts'
import type { Budget } from '../base/budget.ts'
import { AgencyError } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { ServerLog } from '../base/log.ts'
import { emptyUsage } from '../models/usage.ts'
import { nameChat } from './chat-name.ts'
import type { RunEvent, RunSummary } from './events.ts'
import { explain, failureEvent, requestRedactor, runFields, unexpectedFailure } from './failure.ts'
import type { Feed } from './feed.ts'
import type { Ledger } from './ledger.ts'
import { type AgentThread, describeEnding, type RunState, type ThreadResult } from './loop/agent-thread.ts'
import type { Journal, RunSnapshot } from './loop/journal.ts'
import { resumeLoop, runLoop } from './loop/loop.ts'
import { type AgentReceipt, receiptOf } from './loop/receipt.ts'
import { Transcript } from './loop/transcript.ts'
import type { RunPlan } from './plan.ts'
import { createSaver } from './saver.ts'
import { type Ending, inside, type Span } from './span.ts'
import type { Steering } from './steering.ts'

/** `immediate` aborts everything that runs; `after_turn` lets the current turn finish. */
export type CancelMode = 'immediate' | 'after_turn'

/** One run, as its runner has set it up. */
export interface Execution {
  readonly id: string
  readonly plan: RunPlan
  readonly feed: Feed
  /** Aborted when the run has to end at once. An AgencyError as its reason is a failure of the run, any other a cancel. */
  readonly abort: AbortController
  /** The stop that was asked for. */
  stopMode(): CancelMode | undefined
  readonly span: Span<'run'> | undefined
  /** Charged for what the run holds. */
  readonly budget: Budget
  /** Saves the conversation; undefined where its caller keeps it. */
  readonly save: SaveThreads | undefined
  /** Bounds what the run may spend on model calls. */
  readonly ledger?: Ledger | undefined
  /** Set for a stored run; the engine of stored runs writes its events `started` and `ended`. */
  readonly durable?: Durable | undefined
}

/** What makes a run survive its process. */
export interface Durable {
  readonly journal: Journal
  /** What earlier attempts recorded; undefined at the start of the run. */
  readonly snapshot: RunSnapshot | undefined
  /** True when the attempt before was lost: model calls that were under way count as estimates. */
  readonly lost: boolean
  /** What persons ask of the run. */
  readonly steering?: Steering | undefined
  /** True once the run shall leave this process at its next turn boundary. */
  leaving(): boolean
}

export interface ExecuteOptions {
  limits: Pick<Limits, 'idleTimeoutMs' | 'callbackMs' | 'toolEventBytes'>
  /** Give callers the texts of providers and of users' code. For development. */
  exposeErrors: boolean
  /** Masks the secrets that this server knows. */
  redact: (text: string) => string
  log: ServerLog
  /** Write a line for each failed run. False where the caller gets the error itself. */
  logFailures: boolean
  onEvent?: ((event: RunEvent, run: { runId: string; agency: string | undefined }) => void) | undefined
}

/** How long the end of an aborted run waits for its last save: less than a cancel and a stop can wait. */
const LAST_SAVE_MS = 1_000

/** Runs the plan to its end. The first event is `started`, the last one `ended`. Never rejects. */
export async function execute(run: Execution, options: ExecuteOptions): Promise<RunSummary> {
  const { id: runId, plan, feed, span } = run
  const emit = createEmit(run, options)
  const ephemeral = run.durable === undefined
  if (ephemeral) emit([{ kind: 'started', runId, notes: plan.notes }], 0)
  const work = async () => inside(span, () => runPlan(run, options, emit))
  const summary = await work().catch((error) => breakOff(error, run, options, emit))
  if (!ephemeral) return summary
  emit([{ kind: 'ended', runId, summary }], 0)
  feed.seal()
  return summary
}

type Emit = (events: readonly RunEvent[], bytes: number, scope?: string) => void

/** Appends events to the feed, after the listener of the server has seen them. */
function createEmit({ id: runId, plan, feed }: Execution, { onEvent, log }: ExecuteOptions): Emit {
  if (onEvent === undefined) return (events, bytes, scope) => feed.append(events, bytes, scope)
  const run = { runId, agency: plan.agency.name }
  const onError = (error: unknown) =>
    log.error('onEvent failed; the run goes on.', error, undefined, runFields(runId, plan))
  const listen = (event: RunEvent) => {
    const result: unknown = onEvent(event, run)
    if (result instanceof Promise) result.catch(onError)
  }
  return (events, bytes, scope) => {
    try {
      events.forEach(listen)
    } catch (error) {
      onError(error) // a listener must not end a run
    }
    feed.append(events, bytes, scope)
  }
}

async function runPlan(run: Execution, options: ExecuteOptions, emit: Emit): Promise<RunSummary> {
  const { plan, abort, span, stopMode } = run
  const { signal } = abort
  const { state, save } = createState(run, options, emit)
  const { result, error, failure, ending } = await runToEnd(run, options, state)
  if (save !== undefined) await lastSave(save(), signal)
  const newMessages = state.transcript.newMessages()
  const isWhole = failure === undefined && !signal.aborted && stopMode() === undefined
  const chatName = plan.namesChat && isWhole ? await tryNameChat(run, options, newMessages) : undefined
  const answer = result?.kind === 'answered' ? result : undefined
  const aborted = signal.aborted && !(isShuttingDown(signal.reason) && answer !== undefined) // it comes too late for an answer that is there
  const cancelled = failure === undefined && (aborted || stopMode() !== undefined)
  const paused = result?.kind === 'paused' && !cancelled
  const finalOutput = answer?.output
  span?.end({ ...ending, cancelled, usage: state.usage, finalOutput })
  return {
    newMessages,
    finalOutput,
    cut: answer?.cut,
    cancelled,
    usage: state.uncounted && state.usage.request_count === 0 ? undefined : state.usage,
    fileIdsMap: plan.fileIdsMap,
    chatName,
    failure,
    error,
    ...(AgencyError.isInstance(error) ? { errorCode: error.code } : {}),
    ...(result?.kind === 'handed_back' && !cancelled ? { clientCalls: result.calls } : {}),
    ...(paused ? { paused } : {}),
    ...(cancelled && run.durable !== undefined ? { receipt: await readReceipt(state) } : {}),
  }
}

/** Tools that obey their signal get a moment to end first. */
async function readReceipt(state: RunState): Promise<AgentReceipt> {
  await new Promise((resolve) => setImmediate(resolve))
  return receiptOf(state, state.plan.recipient)
}

const isShuttingDown = (reason: unknown) => AgencyError.isInstance(reason) && reason.code === 'SHUTTING_DOWN'

/** How the loop ended. `failure` is the sentence for callers; undefined for an answer and for a cancelled run. */
interface Outcome {
  result?: ThreadResult | undefined
  error?: unknown
  failure?: string
  ending: Ending
}

async function runToEnd(run: Execution, options: ExecuteOptions, state: RunState): Promise<Outcome> {
  const { id, plan, abort, durable } = run
  const { signal } = abort
  try {
    const snapshot = durable?.snapshot
    const result = await (snapshot === undefined ? runLoop(state) : resumeLoop(state, snapshot, durable?.lost))
    return { result, ending: {} }
  } catch (error) {
    const ending = describeEnding(state, error)
    const limited = AgencyError.isInstance(signal.reason)
    if (signal.aborted && !limited) return { ending }
    const cause = limited ? signal.reason : error
    // Nothing but the end is missing, and the end takes no time.
    if (isShuttingDown(cause) && state.answer !== undefined) return { result: state.answer, ending: {} }
    const failure = state.explain(cause, plan.recipient)
    // A stored run goes on in another process: nothing has failed.
    if (durable !== undefined && isShuttingDown(cause)) return { error: cause, failure, ending }
    state.emit([failureEvent(cause, failure)], failure.length, 'main')
    if (options.logFailures) {
      const code = AgencyError.isInstance(cause) ? { code: cause.code } : {}
      options.log.error('A run failed.', cause, requestRedactor(plan), { ...runFields(id, plan), ...code })
    }
    return { error: cause, failure, ending }
  }
}

/** The state that the turns of the run share, and the function that saves its conversation where one is given. */
function createState(run: Execution, options: ExecuteOptions, emit: Emit) {
  const { id, plan, feed, abort, stopMode, span, budget, ledger, durable } = run
  const { signal } = abort
  const { idleTimeoutMs, callbackMs, toolEventBytes } = options.limits
  const transcript = new Transcript(plan.history)
  const open = new Set<AgentThread>()
  const mask = requestRedactor(plan)
  const redact = (text: string) => options.redact(mask(text))
  const onError = (error: unknown) =>
    options.log.error('saveThreads failed; the run goes on.', error, mask, runFields(id, plan))
  const messages = () => transcript.all([...open].reverse().flatMap((thread) => thread.items))
  const save = run.save && createSaver({ save: run.save, messages, callbackMs, onError })
  const state: RunState = {
    id,
    plan,
    signal,
    transcript,
    open,
    span,
    usage: emptyUsage(),
    uncounted: plan.agency.agents.every((agent) => agent.modelSettings.includeUsage === false),
    turns: 0,
    busy: new Set(),
    lanes: new Map(),
    budget,
    toolEventBytes,
    ledger,
    hold: (bytes, part = budget) => charge(part, bytes, abort),
    emit,
    room: () => feed.room(signal, idleTimeoutMs, () => abort.abort(new Error('The reader stalled.'))),
    ...(durable === undefined
      ? {}
      : { journal: durable.journal, steering: durable.steering, leaving: () => durable.leaving() }),
    warn: (message) => options.log.warn(mask(message), runFields(id, plan)),
    stopAfterTurn: () => stopMode() === 'after_turn',
    save: save === undefined ? async () => {} : () => orAbort(save(), signal),
    redact,
    explain: (error, agent) => redact(explain(error, agent, options.exposeErrors)),
  }
  return { state, save }
}

/** A run without a name is better than none: a failure is logged. */
const tryNameChat = (
  { id, plan, abort, budget, ledger }: Execution,
  { log }: ExecuteOptions,
  newMessages: RunSummary['newMessages'],
): Promise<string | undefined> =>
  nameChat(plan, newMessages, abort.signal, { budget, ledger }).catch((error: unknown) => {
    log.error('The chat got no name.', error, requestRedactor(plan), runFields(id, plan))
    return undefined
  })

/** Last resort: an error of our own fails only this run. */
function breakOff(
  error: unknown,
  { id, plan, abort, span }: Execution,
  { log }: ExecuteOptions,
  emit: Emit,
): RunSummary {
  const failure = unexpectedFailure(plan.recipient)
  abort.abort(new Error('The run broke off.'))
  emit([failureEvent(undefined, failure)], failure.length, 'main')
  span?.end({ failure: { type: 'Error', message: failure }, usage: emptyUsage(), finalOutput: undefined })
  log.error('A run broke off.', error, requestRedactor(plan), runFields(id, plan))
  return {
    newMessages: [],
    finalOutput: undefined,
    cut: undefined,
    cancelled: false,
    usage: undefined,
    fileIdsMap: plan.fileIdsMap,
    chatName: undefined,
    failure,
    error,
  }
}

/** Waits for a save; after an abort only for a moment longer, while the save continues in the background. */
const lastSave = (saving: Promise<void>, signal: AbortSignal) =>
  orAbort(saving, signal)
    .catch(() => within(LAST_SAVE_MS, 'saveThreads', saving))
    .catch(() => {})

/** Charges a run, and ends it when there is no room. @throws MEMORY_LIMIT, OVERLOADED */
function charge(budget: Budget, bytes: number, abort: AbortController): void {
  try {
    budget.charge(bytes)
  } catch (error) {
    abort.abort(error)
    throw error
  }
}
