/** Every limit that users can set, with its default and what it bounds, and fixed bounds of data from others. */
import { getHeapStatistics } from 'node:v8'
import { invalidOption } from './start-errors.ts'

export interface Limit {
  /** The default. */
  value: number
  unit: 'bytes' | 'ms' | ''
  /** What it bounds and what happens beyond it; the documentation repeats it word for word. */
  text: string
  /** The smallest value that makes sense. Default 1. */
  least?: number
  /** The largest value. Default: the longest time a timer can wait, for times that timers wait for. */
  most?: number
  /** The default in words, where it depends on the machine. */
  shown?: string
}

const KiB = 1024
const MiB = 1024 * KiB
const DAY = 24 * 3_600_000

/**
 * Every bound that can be set, with `limits: { name }` or the environment variable; the option takes precedence. Fixed bounds that
 * users meet follow below; constants of one implementation stay in their file.
 */
export const LIMITS = {
  bodyBytes: { value: 32 * MiB, unit: 'bytes', text: 'a request body; 413 beyond it' },
  heldBytes: {
    value: Math.floor(getHeapStatistics().heap_size_limit / 2),
    unit: 'bytes',
    shown: 'half of the heap',
    text: 'everything that all requests and runs hold, together, as estimated heap; 503 with `Retry-After` beyond it',
  },
  runBytes: {
    value: 256 * MiB,
    unit: 'bytes',
    text: 'everything that one request and its run hold: body, history, model answers, tool outputs, unread events; 413 beyond it, or the run fails',
  },
  jsonDepth: { value: 64, unit: '', text: 'how deep a body may be nested; 422 beyond it' },
  jsonKeys: { value: 10_000, unit: '', text: 'keys of one object in a body; 422 beyond it' },
  jsonValues: { value: 1_000_000, unit: '', text: 'values in a body; 422 beyond it' },
  historyItems: {
    value: 50_000,
    unit: '',
    text: 'items of a `chat_history`, and of a `message` that is a list; 422 beyond it',
  },
  headerBytes: { value: 16 * KiB, unit: 'bytes', text: 'request line and headers together; 431 beyond it' },
  urlBytes: { value: 8 * KiB, unit: 'bytes', text: 'the address of a request; 414 beyond it' },
  headersTimeoutMs: {
    value: 15_000,
    unit: 'ms',
    text: 'how long the headers of a request may take; then the connection is cut with 408',
  },
  bodyTimeoutMs: {
    value: 30_000,
    unit: 'ms',
    text: 'how long a whole request may take to arrive; then the connection is cut with 408',
  },
  idleTimeoutMs: {
    value: 75_000,
    unit: 'ms',
    text: 'how long a connection may stay open without a request, and how long a reader may take nothing before its run is stopped',
  },
  connections: {
    value: 20_000,
    unit: '',
    text: 'open connections, and never more than half of the file descriptors that the process may have; one more is closed at once',
  },
  peerConnections: {
    value: 10_000,
    unit: '',
    text: 'open connections of one address (IPv6: of its /64), and never more than three quarters of all; 503 beyond it. A proxy in front is one address',
  },
  pipelinedRequests: {
    value: 16,
    unit: '',
    text: 'requests of one connection that wait for the answer before theirs; beyond it the connection is not read',
  },
  peerPipelinedRequests: {
    value: 4_000,
    unit: '',
    text: 'such requests of all connections of one address together; beyond it a connection with more than `pipelinedRequests` is cut',
  },
  fileBytes: { value: 64 * MiB, unit: 'bytes', text: 'one file of `file_urls`' },
  fileTotalBytes: {
    value: 256 * MiB,
    unit: 'bytes',
    text: 'all files of one request together; they count towards `heldBytes`, too',
  },
  fileTimeoutMs: { value: 30_000, unit: 'ms', text: 'how long fetching the files of one request may take' },
  fileCount: { value: 20, unit: '', text: 'files of one request' },
  fileConcurrency: { value: 4, unit: '', text: 'files of one request that are fetched or stored at the same time' },
  upstreamFirstByteMs: {
    value: 120_000,
    unit: 'ms',
    text: 'how long a model may take to begin its answer, which is the first event of a stream, or a plain answer complete; then the run fails',
  },
  upstreamIdleMs: {
    value: 120_000,
    unit: 'ms',
    text: 'how long a model may send no event in the middle of a stream; then the run fails',
  },
  runMs: { value: 3_600_000, unit: 'ms', text: 'how long a run may take; then it fails' },
  maxTurns: {
    value: 100,
    unit: '',
    text: 'model turns of one request over its whole tree of agents; the run fails beyond it. `null` lifts the limit',
  },
  callbackMs: {
    value: 30_000,
    unit: 'ms',
    text: 'how long an agency factory, `loadThreads` and `saveThreads` may take; then the request fails, or goes on unsaved',
  },
  slowReaderBytes: {
    value: 4 * MiB,
    unit: 'bytes',
    text: "how far a stream's reader may fall behind before the model's stream waits for it",
  },
  concurrentRuns: { value: 5_000, unit: '', text: 'runs side by side; 503 with `Retry-After` beyond it' },
  drainMs: {
    value: 30_000,
    unit: 'ms',
    least: 0,
    text: 'how long a stop waits for running work before it ends it',
  },
  queuedRuns: {
    value: 10_000,
    unit: '',
    text: 'stored runs that wait to be worked on; 503 with `Retry-After` beyond it',
  },
  scheduledRuns: {
    value: 10_000,
    unit: '',
    text: 'stored runs whose `start_at` has not come; 503 with `Retry-After` beyond it',
  },
  startLaterMs: {
    value: 30 * DAY,
    unit: 'ms',
    text: 'how far ahead the start of a stored run may lie; 422 beyond it',
    most: 3_650 * DAY,
  },
  webhookMs: { value: 15_000, unit: 'ms', text: 'how long one attempt to send a webhook may take' },
  webhookAttempts: {
    value: 8,
    unit: '',
    text: 'attempts to send a webhook, over about a day; then it is dead, until it is redriven',
  },
  threadQueue: { value: 20, unit: '', text: 'runs that wait in one thread; 429 beyond it' },
  attempts: {
    value: 3,
    unit: '',
    text: 'how often a stored run may take its process down without a turn in between; then it fails with `CRASH_LOOP`',
  },
  eventBatchMs: { value: 15, unit: 'ms', text: 'how long events of a stored run are gathered for one write' },
  runEventBytes: {
    value: 32 * MiB,
    unit: 'bytes',
    text: 'events of one stored run; beyond it pieces of texts and events of tools are no longer stored, whole items are, and an event says so',
  },
  traceBytes: {
    value: 4 * MiB,
    unit: 'bytes',
    text: 'what models and tools were sent and answered, in the trace of one stored run; beyond it new texts are left out, beyond twice as much spans are, and the trace says so',
  },
  toolEventBytes: {
    value: 64 * KiB,
    unit: 'bytes',
    text: 'the JSON of one event that a tool sends with `context.emit()`; a larger one throws `INVALID_EVENT`',
  },
  storedBodyBytes: {
    value: 8 * MiB,
    unit: 'bytes',
    text: 'the request of a stored run, and the messages that a thread begins with; 413 beyond it',
  },
  runEventsMs: { value: DAY, unit: 'ms', text: 'how long the events of a stored run are kept after its end; then 410' },
  runsKeptMs: {
    value: 30 * DAY,
    unit: 'ms',
    text: 'how long a stored run is kept after its end; then 404',
    most: 3_650 * DAY,
  },
  idempotencyMs: { value: DAY, unit: 'ms', text: 'how long an `Idempotency-Key` is kept' },
  approvalMs: {
    value: DAY,
    unit: 'ms',
    text: 'how long a person may take to decide about a call; then it is rejected',
  },
  steers: {
    value: 16,
    unit: '',
    text: 'messages to agents of one run that wait to be taken; 429 beyond it',
    most: 100,
  },
  steerBytes: {
    value: 64 * KiB,
    unit: 'bytes',
    text: 'texts of the messages to agents of one run that wait to be taken; 429 beyond it',
  },
  pauseMs: {
    value: 900_000,
    unit: 'ms',
    text: 'the longest pause of a run or of one of its agents; then it goes on by itself, and 422 for a longer one',
    least: 1_000,
  },
  consentMs: {
    value: DAY,
    unit: 'ms',
    text: 'how long a person may take to give consent at an MCP server; then the address is void and the call is rejected',
  },
  readerReturnMs: {
    value: 10_000,
    unit: 'ms',
    text: 'how long readers of a run with `on_disconnect: "cancel"` have at least to come back after a restart; then the run is cancelled',
  },
  storeMs: {
    value: 30_000,
    unit: 'ms',
    text: 'how long a stored run repeats a write while the store is away; then it leaves the process and is taken up later',
  },
  ticketMs: {
    value: 3_600_000,
    unit: 'ms',
    text: 'the longest time for which a ticket can be asked; 422 beyond it',
    least: 1_000,
  },
  mcpSessions: {
    value: 1_000,
    unit: '',
    text: 'sessions of MCP hosts; beyond it the one that was idle longest ends, or 503 when all are in use',
  },
  mcpSessionMs: {
    value: 1_800_000,
    unit: 'ms',
    text: 'how long a session of an MCP host may be idle; then it ends, and the host begins a new one',
  },
  logBytes: { value: MiB, unit: 'bytes', text: 'one request log; it takes no more lines beyond it' },
  logFiles: { value: 1_000, unit: '', text: 'request logs that are kept; the oldest go' },
} satisfies { [name: string]: Limit }

export type LimitName = keyof typeof LIMITS
/** Whole numbers; {@link LIMITS} and docs/security.md say what each bounds, and its default. */
export type Limits = { [Name in Exclude<LimitName, 'maxTurns'>]: number } & { maxTurns: number | null }

/** How long a model is waited for. */
export type UpstreamLimits = Pick<Limits, 'upstreamFirstByteMs' | 'upstreamIdleMs'>
export const UPSTREAM_LIMITS: UpstreamLimits = {
  upstreamFirstByteMs: LIMITS.upstreamFirstByteMs.value,
  upstreamIdleMs: LIMITS.upstreamIdleMs.value,
}

/** How much of a model's answer is accepted, for every provider; the run fails beyond it. */
export const ANSWER_LIMITS = {
  /** One event of a stream, and a plain answer. Pictures come in them as Base64: some MiB each, more for several. */
  eventBytes: 48 * MiB,
  /** All events of one stream. */
  streamBytes: 256 * MiB,
  /** One event, and a plain answer: parsing that many takes about 50 ms at worst. */
  json: { values: 100_000, keys: 100_000, depth: Number.POSITIVE_INFINITY },
  /** Output items of one answer. */
  items: 1_000,
  /** Tool calls of one answer, which run side by side. */
  calls: 256,
} as const

/** Look-ups of host names that callers wrote; beyond them the request gets 503. */
export const LOOKUP_LIMITS = {
  /** How long a look-up may take, in milliseconds, including its time in the queue. */
  ms: 4_000,
  /** Names that are looked up at the same time. */
  concurrent: 32,
  /** Names that wait. */
  queued: 256,
} as const

/** How much of an MCP server is accepted; the run fails beyond it. */
export const MCP_LIMITS = {
  /** Tools that one server lists. Models take some hundreds of tools at most. */
  tools: 2_000,
} as const

/** The longest time that a timer of Node can wait. */
export const MAX_MS = 2 ** 31 - 1

/** Limits that were replaced, and by what. */
const MOVED: { readonly [name: string]: string } = {
  openBodyBytes: 'heldBytes, which bounds all that requests and runs hold, their bodies too',
}

/** `bodyBytes` -> `AGENCY_BODY_BYTES`. */
export const variableOf = (name: string): string =>
  `AGENCY_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`

/**
 * The limits in effect: option, else environment, else default.
 * @throws INVALID_OPTION for an unknown name, and for a value that is not a whole number in range
 */
export function readLimits(given: Partial<Limits> = {}, env: NodeJS.ProcessEnv = process.env): Limits {
  for (const [name, target] of Object.entries(MOVED))
    if (Object.hasOwn(given, name) || env[variableOf(name)]?.trim())
      throw invalidOption(
        `limits.${name} (${variableOf(name)}) was removed: set ${target}. Its variable is ${variableOf(target.split(',')[0] as string)}.`,
      )
  for (const name of Object.keys(given))
    if (!Object.hasOwn(LIMITS, name))
      throw invalidOption(`limits.${name} is not a limit of this server. Known: ${Object.keys(LIMITS).join(', ')}.`)
  const entries = Object.entries(LIMITS).map(([name, limit]: [string, Limit]) => {
    const option = given[name as LimitName]
    if (option === null && name === 'maxTurns') return [name, null]
    if (option !== undefined) return [name, check(`limits.${name}`, option, limit)]
    const variable = env[variableOf(name)]?.trim()
    return [
      name,
      variable ? check(variableOf(name), /^\d+$/.test(variable) ? Number(variable) : variable, limit) : limit.value,
    ]
  })
  return Object.fromEntries(entries)
}

function check(
  name: string,
  value: unknown,
  { unit, least = 1, most = unit === 'ms' ? MAX_MS : Number.MAX_SAFE_INTEGER }: Limit,
): number {
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value)
  throw invalidOption(`${name} must be a whole number from ${least} to ${most}, not ${JSON.stringify(value)}.`)
}
