/** A conversation that the server keeps, as a page shows it: stored messages, the user's new one, and the runs that answer. */
import { itemText } from '../client/answers.ts'
import type { AgencyClient } from '../client/client.ts'
import { ClientError } from '../client/error.ts'
import type { RunBody, RunMessage } from '../client/run-answers.ts'
import type { CancelOptions, FollowOptions } from '../client/run-options.ts'
import type { StoredMessage } from '../wire/message.ts'
import { type RunState, RunStore } from './run-store.ts'
import { Store } from './store.ts'

/** A message of the conversation with the user. */
export interface ThreadMessage {
  readonly key: string
  readonly role: 'user' | 'assistant'
  readonly text: string
  /** The agent that speaks, or that was asked; undefined until the server has said so. */
  readonly agent: string | undefined
  /** `sending`: the server has not stored its run yet. `failed`: it never did; `send` again. `streaming`: text still arrives. */
  readonly state: 'stored' | 'sending' | 'failed' | 'streaming'
  /** As the server has stored it. */
  readonly message: StoredMessage | undefined
}

/** The state of a conversation. Its parts stay the same objects while they do not change. */
export interface ThreadState<Answer = unknown> {
  /** True until the stored messages have been read. */
  readonly isLoading: boolean
  /** True while a run of the thread is live. */
  readonly isLive: boolean
  readonly messages: readonly ThreadMessage[]
  /** The newest run that this page has started or found live. */
  readonly run: RunState<Answer> | undefined
  /** The runs of this page that are not part of the stored messages yet, oldest first. */
  readonly runs: readonly RunState<Answer>[]
  /** Why the messages cannot be read, or why the newest run failed. */
  readonly error: Error | undefined
}

/** A run on the thread, and the message that began it. */
interface Turn<Answer> {
  key: string
  /** Undefined for a run that was found live: its message is stored. */
  text: string | undefined
  run: RunStore<Answer>
  /** The messages that the last snapshot made of it. */
  made: { from: RunState<Answer>; messages: readonly ThreadMessage[] } | undefined
}

const PAGE = 100
/** Messages that are read of a thread; the page shows the first ones then. */
const MAX_MESSAGES = 10_000

export class ThreadStore<Answer = unknown> extends Store<ThreadState<Answer>> {
  readonly #agency: Pick<AgencyClient<Answer>, 'runs' | 'threads'>
  readonly #threadId: string
  readonly #options: FollowOptions
  #leaving = new AbortController()
  #isLoading = true
  #error: Error | undefined
  #stored: readonly ThreadMessage[] = []
  /** Messages of whole pages, and the cursor after them: only the last page is read again. */
  #whole: { messages: readonly ThreadMessage[]; after: string | undefined } = { messages: [], after: undefined }
  #turns: Turn<Answer>[] = []
  #last: { run: RunStore<Answer>; state: RunState<Answer> } | undefined
  #count = 0

  constructor(agency: Pick<AgencyClient<Answer>, 'runs' | 'threads'>, threadId: string, options: FollowOptions = {}) {
    super({ isLoading: true, isLive: false, messages: [], run: undefined, runs: [], error: undefined })
    this.#agency = agency
    this.#threadId = threadId
    this.#options = options
  }

  /** Reads the messages and follows the run that is live. @returns a function that closes every connection; runs go on */
  open(): () => void {
    const leaving = new AbortController()
    this.#leaving = leaving
    for (const turn of this.#turns) {
      const ending = turn.run.resume()
      if (ending !== undefined) void this.#watch(turn, ending)
    }
    void this.#load(leaving.signal)
    return () => {
      leaving.abort()
      for (const { run } of this.#turns) run.leave()
      this.stopUpdates()
    }
  }

  /** Reads everything again, such as after a change by another page. Never rejects. */
  async refresh(): Promise<void> {
    this.#whole = { messages: [], after: undefined }
    await this.#load(this.#leaving.signal)
  }

  /** Sends a message of the user; it is shown at once. Resolves when its run is over, and never rejects. */
  async send(message: RunMessage): Promise<RunState<Answer>> {
    const body: RunBody = typeof message === 'string' || Array.isArray(message) ? { message } : (message as RunBody)
    const run = new RunStore<Answer>(this.#agency.runs, this.#options)
    this.#turns = this.#turns.filter(({ run: { getState } }) => !isUnsent(getState()))
    const ending = run.start({ ...body, thread_id: this.#threadId })
    await this.#follow({ key: this.#newKey(), text: textOf(body.message), run, made: undefined }, ending)
    return run.getState()
  }

  /** Stops the live runs. @throws ClientError */
  async stop(options: CancelOptions = {}): Promise<void> {
    await Promise.all(this.#turns.map(({ run }) => run.stop(options)))
  }

  /** Lets a call of a live run go on. @throws ClientError */
  approve = async (...[approvalId, options]: Parameters<RunStore['approve']>): Promise<void> =>
    this.#runOf(approvalId).approve(approvalId, options)

  /** Refuses a call of a live run. @throws ClientError */
  reject = async (...[approvalId, options]: Parameters<RunStore['reject']>): Promise<void> =>
    this.#runOf(approvalId).reject(approvalId, options)

  #runOf(approvalId: string): RunStore<Answer> {
    const turn = this.#turns.find(({ run }) =>
      run.getState().approvals.some(({ approval_id }) => approval_id === approvalId),
    )
    if (turn === undefined) throw new TypeError('No run of this thread waits for this decision.')
    return turn.run
  }

  async #load(signal: AbortSignal): Promise<void> {
    try {
      if (this.#turns.length === 0) await this.#findLive(signal)
      await this.#readMessages(signal)
      this.#error = undefined
    } catch (error) {
      if (signal.aborted) return
      this.#error = error as Error
    }
    if (signal.aborted) return
    this.#isLoading = false
    this.change()
  }

  /** The live run is asked for before the messages: what it has stored since is shown once. */
  async #findLive(signal: AbortSignal): Promise<void> {
    const run = new RunStore<Answer>(this.#agency.runs, this.#options)
    const stream = await this.#agency.threads.stream(this.#threadId, { ...this.#options, signal })
    if (stream === undefined || signal.aborted || this.#turns.length > 0) return
    const ending = run.attach(() => stream)
    void this.#follow({ key: this.#newKey(), text: undefined, run, made: undefined }, ending)
  }

  async #follow(turn: Turn<Answer>, ending: Promise<unknown>): Promise<void> {
    this.#turns.push(turn)
    this.change()
    await this.#watch(turn, ending)
  }

  /** Shows what a run does until it is over, or this page has left it. */
  async #watch(turn: Turn<Answer>, ending: Promise<unknown>): Promise<void> {
    const stopListening = turn.run.subscribe(() => this.change())
    await ending
    stopListening()
    if (turn.run.getState().isLive) return
    this.#last = { run: turn.run, state: turn.run.getState() }
    const { signal } = this.#leaving
    const isOver = this.#turns.every(({ run }) => !run.getState().isLive)
    if (signal.aborted || !isOver || isUnsent(turn.run.getState())) return this.change()
    const over = new Set(this.#turns)
    await this.#readMessages(signal).then(
      () => {
        this.#turns = this.#turns.filter((one) => !over.has(one) || isUnsent(one.run.getState()))
      },
      (error: unknown) => {
        if (!signal.aborted) this.#error = error as Error
      },
    )
    if (!signal.aborted) this.change()
  }

  async #readMessages(signal: AbortSignal): Promise<void> {
    let { messages, after } = this.#whole
    for (;;) {
      const page = await this.#readPage(after, signal)
      const read = [
        ...messages,
        ...page.data.flatMap((message, index) => toMessages(message, `${after ?? ''}/${index}`)),
      ]
      signal.throwIfAborted()
      if (page.next === null || read.length >= MAX_MESSAGES) {
        this.#stored = read
        return
      }
      after = page.next
      messages = read
      this.#whole = { messages, after }
    }
  }

  /** A thread that is not there yet has no messages: its first run makes it. */
  async #readPage(after: string | undefined, signal: AbortSignal) {
    const list = this.#agency.threads.messages(this.#threadId, { limit: PAGE, ...(after && { after }) }, { signal })
    try {
      return await list.page()
    } catch (error) {
      if (error instanceof ClientError && error.code === 'NOT_FOUND') return { data: [], next: null }
      throw error
    }
  }

  #newKey(): string {
    return `turn-${++this.#count}`
  }

  protected read(): ThreadState<Answer> {
    const runs = this.#turns.map(({ run }) => run.getState())
    const run = runs.at(-1) ?? this.#last?.state
    return {
      isLoading: this.#isLoading,
      isLive: runs.some(({ isLive }) => isLive),
      messages: [...this.#stored.filter((message) => !this.#isShown(message)), ...this.#turns.flatMap(readTurn)],
      run,
      runs,
      error: this.#error ?? run?.error,
    }
  }

  /** True for a stored message that a live run shows itself. */
  #isShown({ role, message }: ThreadMessage): boolean {
    return this.#turns.some(
      ({ run, text }) => (role === 'assistant' || text !== undefined) && run.shows(message?.agent_run_id),
    )
  }
}

/** The server has never stored the run. */
const isUnsent = ({ error, runId }: RunState) => error !== undefined && runId === undefined

function readTurn<Answer>(turn: Turn<Answer>): readonly ThreadMessage[] {
  const from = turn.run.getState()
  if (turn.made?.from === from) return turn.made.messages
  const { key, text } = turn
  const asked: ThreadMessage[] =
    text === undefined
      ? []
      : [
          {
            key,
            role: 'user',
            text,
            agent: undefined,
            state: isUnsent(from) ? 'failed' : from.runId === undefined ? 'sending' : 'stored',
            message: undefined,
          },
        ]
  const agent = from.tree.at(-1)?.agent ?? undefined
  const said: ThreadMessage[] =
    from.text === ''
      ? []
      : [
          {
            key: `${key}/answer`,
            role: 'assistant',
            text: from.text,
            agent,
            state: from.isLive ? 'streaming' : 'stored',
            message: undefined,
          },
        ]
  turn.made = { from, messages: [...asked, ...said] }
  return turn.made.messages
}

/** A stored message as it is shown; what agents say to each other, calls and outputs are not. */
function toMessages(message: StoredMessage, key: string): ThreadMessage[] {
  const { role, agent } = message
  if (message.callerAgent !== null || (role !== 'user' && role !== 'assistant')) return []
  return [{ key, role, text: itemText(message), agent, state: 'stored', message }]
}

/** What a message of the user says. */
const textOf = (message: RunBody['message']): string =>
  typeof message === 'string' ? message : message.map(itemText).join('\n')
