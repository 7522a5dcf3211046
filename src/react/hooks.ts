/** The hooks: an agency, a thread and a run as state of React components. */
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import type { AgencyMetadata } from '../client/answers.ts'
import type { AgencyClient, Client } from '../client/client.ts'
import type {
  ContinueBody,
  PauseBody,
  RunCancelAnswer,
  RunMessage,
  SteerBody,
  SteerReceipt,
} from '../client/run-answers.ts'
import type {
  ApproveOptions,
  CancelOptions,
  ChangeOptions,
  FollowOptions,
  RejectOptions,
} from '../client/run-options.ts'
import type { AgencyName, AnswerOf } from '../client/server-types.ts'
import { type RunState, RunStore } from './run-store.ts'
import type { Store } from './store.ts'
import { type ThreadState, ThreadStore } from './thread-store.ts'

/** Options of `useAgency`. */
export interface UseAgencyOptions {
  /** Read the agency's metadata: agents, tools and flows. A ticket does not allow it. @default false */
  metadata?: boolean
}

/** What `useAgency` returns. */
export interface AgencyHandle<Answer = unknown> {
  /** The agency of the client; the same object while client and name are the same. */
  readonly agency: AgencyClient<Answer>
  /** Undefined until it has been read. */
  readonly metadata: AgencyMetadata | undefined
  readonly error: Error | undefined
}

/** An agency of a client made outside the component, with its metadata when you ask for it. */
export function useAgency<Server, Name extends AgencyName<Server>>(
  client: Client<Server>,
  name: Name,
  { metadata: isWanted = false }: UseAgencyOptions = {},
): AgencyHandle<AnswerOf<Server, Name>> {
  type Known = { agency: object; metadata?: AgencyMetadata; error?: Error }
  const agency = useMemo(() => client.agency(name), [client, name])
  const [known, setKnown] = useState<Known>()
  useEffect(() => {
    if (!isWanted) return undefined
    const leaving = new AbortController()
    agency.metadata({ signal: leaving.signal }).then(
      (metadata) => setKnown({ agency, metadata }),
      (error: Error) => leaving.signal.aborted || setKnown({ agency, error }),
    )
    return () => leaving.abort()
  }, [agency, isWanted])
  const { metadata, error } = known?.agency === agency ? known : ({} as Partial<Known>)
  return useMemo(() => ({ agency, metadata, error }), [agency, metadata, error])
}

/** Options of `useRun`. They are read when a run begins. */
export interface UseRunOptions extends Pick<FollowOptions, 'retries' | 'onRetry' | 'silenceMs' | 'headers'> {
  /** A run to follow from its first event. @default none, until `start` */
  runId?: string | undefined
}

/** What `useRun` returns: the state of the run, and its actions. The functions never change. */
export interface RunHandle<Answer = unknown> extends RunState<Answer> {
  /** Starts a run and follows it. Resolves when it is over, with `error` when it failed; never rejects. */
  start(message: RunMessage): Promise<RunState<Answer>>
  /** Stops the run. Resolves with what became of its calls; undefined when it had ended. @throws ClientError */
  stop(options?: CancelOptions): Promise<RunCancelAnswer['receipt'] | undefined>
  /** Lets a call run; `arguments` replaces what the model wrote. Fine when somebody else has decided. @throws ClientError */
  approve(approvalId: string, options?: ApproveOptions): Promise<void>
  /** Refuses a call; the run goes on. Fine when somebody else has decided. @throws ClientError */
  reject(approvalId: string, options?: RejectOptions): Promise<void>
  /** Sends a message to an agent of the run, which reads it before its next model call. @throws ClientError */
  steer(message: SteerBody, options?: ChangeOptions): Promise<SteerReceipt>
  /** Lets an agent, or the whole run, wait at its next turn boundary. @throws ClientError */
  pause(branch?: PauseBody, options?: ChangeOptions): Promise<void>
  /** Lets what was paused go on. @throws ClientError */
  continue(branch?: ContinueBody, options?: ChangeOptions): Promise<void>
}

/**
 * One run of an agency that the server keeps: starts it or follows the one with `runId`, over any number of connections. When the
 * component leaves, the connection is closed and the run goes on.
 */
export function useRun<Answer>(
  agency: Pick<AgencyClient<Answer>, 'runs'>,
  { runId, ...options }: UseRunOptions = {},
): RunHandle<Answer> {
  const getOptions = useLatest(options)
  const store = useMemo(() => new RunStore<Answer>(agency.runs, readLater(getOptions)), [agency, getOptions])
  const state = useStore(store)
  useEffect(() => {
    if (runId !== undefined && store.getState().runId !== runId) void store.follow(runId)
    else store.resume()
    return () => store.leave()
  }, [store, runId])
  const actions = useMemo(
    () => ({
      start: store.start.bind(store),
      stop: store.stop.bind(store),
      approve: store.approve.bind(store),
      reject: store.reject.bind(store),
      steer: store.steer.bind(store),
      pause: store.pause.bind(store),
      continue: store.continue.bind(store),
    }),
    [store],
  )
  return useMemo(() => ({ ...state, ...actions }), [state, actions])
}

/** Options of `useThread`. They are read when a run begins. */
export type UseThreadOptions = Omit<UseRunOptions, 'runId'>

/** What `useThread` returns: the state of the thread, and its actions. The functions never change. */
export interface ThreadHandle<Answer = unknown> extends ThreadState<Answer> {
  /** Sends a message, which is shown at once. Resolves when its run is over; never rejects. */
  send(message: RunMessage): Promise<RunState<Answer>>
  /** Stops the live runs. @throws ClientError */
  stop(options?: CancelOptions): Promise<void>
  /** Lets a call run; `arguments` replaces what the model wrote. @throws ClientError */
  approve(approvalId: string, options?: ApproveOptions): Promise<void>
  /** Refuses a call; the run goes on. @throws ClientError */
  reject(approvalId: string, options?: RejectOptions): Promise<void>
  /** Reads the messages again, such as after a change by another page. */
  refresh(): Promise<void>
}

/**
 * A conversation that the server keeps: its messages, the run that answers, and a way to send. A page that is loaded again finds
 * the run that is live. A thread that does not exist yet is made by the first message.
 */
export function useThread<Answer>(
  agency: Pick<AgencyClient<Answer>, 'runs' | 'threads'>,
  threadId: string,
  options: UseThreadOptions = {},
): ThreadHandle<Answer> {
  const getOptions = useLatest(options)
  const store = useMemo(
    () => new ThreadStore<Answer>(agency, threadId, readLater(getOptions)),
    [agency, threadId, getOptions],
  )
  const state = useStore(store)
  useEffect(() => store.open(), [store])
  const actions = useMemo(
    () => ({
      send: store.send.bind(store),
      stop: store.stop.bind(store),
      approve: store.approve,
      reject: store.reject,
      refresh: store.refresh.bind(store),
    }),
    [store],
  )
  return useMemo(() => ({ ...state, ...actions }), [state, actions])
}

/** The state of a store. A server renders the state before anything has happened. */
const useStore = <State>(store: Store<State>): State =>
  useSyncExternalStore(store.subscribe, store.getState, store.getState)

/** A function that never changes and returns what the last drawn component was given. */
function useLatest<Value>(value: Value): () => Value {
  const [box] = useState(() => ({ value }))
  useEffect(() => {
    box.value = value
  })
  return useCallback(() => box.value, [box])
}

/** Options that are read each time they are used. */
function readLater(getOptions: () => FollowOptions): FollowOptions {
  return {
    get retries() {
      return getOptions().retries
    },
    get silenceMs() {
      return getOptions().silenceMs
    },
    get headers() {
      return getOptions().headers
    },
    onRetry: (retry) => getOptions().onRetry?.(retry),
  } as FollowOptions
}
