/**
 * The error that this library throws on purpose, its codes, and the errors of runs that are kept. The files beside this one make
 * the others: code, status and text of each {@link AgencyError}.
 */

/** The stable codes of these errors. docs/errors.md explains each one. */
export type ErrorCode =
  | 'INVALID_OPTION'
  | 'NOTHING_TO_SERVE'
  | 'DUPLICATE_NAME'
  | 'INVALID_FLOW'
  | 'UNKNOWN_AGENT'
  | 'AGENT_FROZEN'
  | 'MISSING_API_KEY'
  | 'MISSING_TOKEN'
  | 'MODEL_NOT_SUPPORTED'
  | 'PROVIDER_NOT_INSTALLED'
  | 'INVALID_TOOL'
  | 'INVALID_EVENT'
  | 'INVALID_REQUEST'
  | 'EMPTY_MESSAGE'
  | 'NOTHING_TO_ANSWER'
  | 'GUARDRAIL_TRIPPED'
  | 'MODEL_FAILED'
  | 'MODEL_REFUSED'
  | 'ANSWER_CUT'
  | 'MCP_FAILED'
  | 'CONSENT_NEEDED'
  | 'CONSENT_GONE'
  | 'CONSENT_FAILED'
  | 'UNKNOWN_TOOL'
  | 'AGENCY_CHANGED'
  | 'INVALID_OUTPUT'
  | 'TURN_LIMIT'
  | 'DEPTH_LIMIT'
  | 'TIME_LIMIT'
  | 'MEMORY_LIMIT'
  | 'RUN_NOT_FOUND'
  | 'SHUTTING_DOWN'
  | 'OVERLOADED'
  | 'RATE_LIMITED'
  | 'TOO_LARGE'
  | 'UNSUPPORTED_BODY'
  | 'UNKNOWN_EXPECTATION'
  | 'INVALID_HOST'
  | 'OTHER_SITE'
  | 'THREADS_FAILED'
  | 'GATEWAY_REFUSED'
  | 'FACTORY_FAILED'
  | 'FILE_FAILED'
  | 'FOLDER_FAILED'
  | 'CLIENT_GONE'
  | 'PACKAGE_MISSING'
  | 'PORT_TAKEN'
  | 'LISTEN_FAILED'
  | 'WORKER_FAILED'
  | 'NOT_FOUND'
  | 'THREAD_BUSY'
  | 'THREAD_EXISTS'
  | 'THREAD_QUEUE_FULL'
  | 'RUN_ACTIVE'
  | 'RUN_ENDED'
  | 'RUN_PAUSED'
  | 'STEER_LIMIT'
  | 'AGENT_NOT_IN_RUN'
  | 'AGENT_AMBIGUOUS'
  | 'IDEMPOTENCY_MISMATCH'
  | 'APPROVAL_DECIDED'
  | 'APPROVAL_EXPIRED'
  | 'INTERRUPT_OPEN'
  | 'EVENTS_EXPIRED'
  | 'TICKET_INVALID'
  | 'TICKET_EXPIRED'
  | 'TICKET_SCOPE'
  | 'FENCED'
  | 'SCRIPT_ENDED'
  | 'RECORDING_INVALID'
  | 'RECORDING_DIFFERS'
  | 'STORE_IN_USE'
  | 'STORE_UNAVAILABLE'
  | 'STORE_NOT_SHARED'
  | 'NOT_IDENTIFIED'
  | 'NOT_RECOVERABLE'
  | 'NOT_REPEATABLE'
  | 'CRASH_LOOP'
  | 'COST_LIMIT'
  | 'MODEL_NOT_PRICED'

/** What an error carries beside its sentence. */
export interface AgencyErrorOptions extends ErrorOptions {
  fields?: { readonly [field: string]: string }
  /** Of an error with status 422: the part of the request that it is about. Default: its body. */
  loc?: readonly string[]
}

/** Marks these errors, so that those of another copy of this package are recognized too. */
const BRAND = Symbol.for('agency-swarm-js.AgencyError')

/** An error with a stable `code`, the HTTP status of its response, and a text for people. Callers never see its `cause`. */
export class AgencyError extends Error {
  override readonly name = 'AgencyError'
  readonly code: ErrorCode
  readonly statusCode: number
  /** Further fields of the answer's body, such as the `run_id` of THREAD_BUSY. */
  readonly fields: { readonly [field: string]: string } | undefined
  /** The part of the request that the error is about, as in the answer's `loc`. */
  readonly loc: readonly string[] | undefined
  constructor(code: ErrorCode, statusCode: number, message: string, options?: AgencyErrorOptions) {
    super(message, options)
    this.code = code
    this.statusCode = statusCode
    this.fields = options?.fields
    this.loc = options?.loc
  }

  /** True for an error of this kind. Unlike `instanceof`, also for one that another copy of this package made. */
  static isInstance(error: unknown): error is AgencyError {
    return typeof error === 'object' && error !== null && BRAND in error
  }
}
Object.defineProperty(AgencyError.prototype, BRAND, { value: true })

/** The text of any thrown value, even of one without a message. */
export function errorText(error: unknown): string {
  try {
    if (error instanceof Error)
      return String(error.message || (error instanceof AggregateError ? joinTexts(error) : error.name))
    const text = String(error)
    if (typeof error !== 'object' || error === null || text !== '[object Object]') return text
    return 'message' in error ? String(error.message) : JSON.stringify(error)
  } catch {
    return 'an error without a text'
  }
}

/** The cause of an error; undefined for none. */
export const causeOf = (error: unknown): unknown => (error instanceof Error ? error.cause : undefined)

const joinTexts = ({ errors, name }: AggregateError): string => errors.map(errorText).join('; ') || name

// ---- runs that are kept
/** Unknown, or of another owner: both get the same answer. @param what such as `run` */
export const notFound = (what: 'run' | 'thread' | 'approval' | 'webhook' | 'agency' | 'tool') =>
  new AgencyError('NOT_FOUND', 404, `The ${what} was not found.`)
/** In the words of OpenAI's clients, which look for this code. */
export const modelNotFound = (model: string) =>
  new AgencyError('NOT_FOUND', 404, `The model "${model}" does not exist. GET /v1/models lists the models.`, {
    fields: { code: 'model_not_found' },
  })
/** @param as `previous` where a request continues it: its clients look for 400 with another code */
export const responseNotFound = (id: string, as?: 'previous') =>
  new AgencyError(
    'NOT_FOUND',
    as === undefined ? 404 : 400,
    `The response "${id}" does not exist.`,
    as === undefined ? undefined : { fields: { code: 'previous_response_not_found' } },
  )
export const threadBusy = (runId: string) =>
  new AgencyError(
    'THREAD_BUSY',
    409,
    `Run ${runId} is active on the thread. Wait until it ends, or choose another multitask_strategy.`,
    {
      fields: { run_id: runId },
    },
  )
export const threadExists = () =>
  new AgencyError('THREAD_EXISTS', 409, 'A thread with this id already exists. Choose another id, or none.')
export const metadataFull = (entries: number) =>
  new AgencyError(
    'INVALID_REQUEST',
    422,
    `metadata has at most ${entries} entries. Remove one by setting it to null.`,
    {
      loc: ['body', 'metadata'],
    },
  )
export const threadQueueFull = (threadQueue: number) =>
  new AgencyError(
    'THREAD_QUEUE_FULL',
    429,
    `The thread is at its limit of ${threadQueue} waiting runs. Try again when one has ended.`,
  )
/** More runs wait for a worker than limits.queuedRuns allows; answered with Retry-After. */
export const runBacklogFull = (queuedRuns: number) =>
  new AgencyError('OVERLOADED', 503, `The server is at its limit of ${queuedRuns} queued runs. Try again in a moment.`)
export const scheduledRunsFull = (scheduledRuns: number) =>
  new AgencyError(
    'OVERLOADED',
    503,
    `The server is at its limit of ${scheduledRuns} runs that start later. Try again when some of them have started.`,
  )
/** @param what cannot be deleted while the run is active; `repeated`: the run cannot be repeated */
export const runActive = (what: 'run' | 'thread' | 'repeated', runId: string) =>
  new AgencyError(
    'RUN_ACTIVE',
    409,
    what === 'repeated'
      ? `Run ${runId} cannot be repeated while it is active. Wait for its end, or cancel it.`
      : `The ${what} cannot be deleted while run ${runId} is active. Cancel the run first.`,
    {
      fields: { run_id: runId },
    },
  )
/** The operator's `identify` knows no owner for the request. */
export const notIdentified = (cause: unknown) =>
  new AgencyError(
    'NOT_IDENTIFIED',
    401,
    'The request does not say whose runs it is about.',
    cause === undefined ? undefined : { cause },
  )
export const notRecoverable = () =>
  new AgencyError(
    'NOT_RECOVERABLE',
    500,
    'The process that worked on the run is gone, and with it what the run needs: keys of the request, or values in the context that are not JSON.',
  )
/** @param attempts that ended without a turn in between */
export const crashLoop = (attempts: number) =>
  new AgencyError(
    'CRASH_LOOP',
    500,
    `The run has taken down ${attempts} processes, one after the other, and is not tried again.`,
  )
/** What a model call would have reserved, and the bound that has no room for it. */
export interface CostRefusal {
  of: 'run' | 'thread' | 'owner'
  limitUsd: number
  spentUsd: number
  /** For calls that go on. */
  reservedUsd: number
  worst: { usd: number; inputTokens: number; outputTokens: number }
}

export const costLimit = ({ of, limitUsd, spentUsd, reservedUsd, worst }: CostRefusal) => {
  const reserved = reservedUsd > 0 ? ` and ${toUsd(reservedUsd)} are reserved` : ''
  return new AgencyError(
    'COST_LIMIT',
    500,
    `The run was stopped before a model call that may cost up to ${toUsd(worst.usd)} (${worst.inputTokens} tokens in, ${worst.outputTokens} out): of the ${toUsd(limitUsd)} for this ${of}, ${toUsd(spentUsd)} are spent${reserved}.`,
  )
}
const toUsd = (usd: number) => `$${Number(usd.toPrecision(3))}`
export const unpricedModel = (model: string) =>
  new AgencyError(
    'MODEL_NOT_PRICED',
    500,
    `There is no price for the model "${model.replace(/\p{Cc}/gu, ' ').slice(0, 100)}", so its calls cannot be kept below a cost limit. Give one with the prices option.`,
  )
export const secretsNeedWorker = () =>
  new AgencyError(
    'INVALID_REQUEST',
    422,
    'client_config with keys needs AGENCY_STORE_KEY on a server that leaves the work to other processes.',
    { loc: ['body', 'client_config'] },
  )
export const webhookKeyMissing = () =>
  new AgencyError(
    'INVALID_REQUEST',
    422,
    'The secret of a webhook needs AGENCY_STORE_KEY on the server, so that it is stored encrypted.',
    { loc: ['body', 'webhook', 'secret'] },
  )
export const webhookRefused = (host: string) =>
  new AgencyError(
    'INVALID_REQUEST',
    422,
    `The server sends no webhooks to ${host}. Its operator can allow the address with runs.webhooks.trustedOrigins.`,
    { loc: ['body', 'webhook', 'url'] },
  )
export const notRepeatable = () =>
  new AgencyError(
    'NOT_REPEATABLE',
    409,
    'The run used keys of its request, which are not kept after its end. Send the request again.',
  )
export const runEnded = (status: string) =>
  new AgencyError('RUN_ENDED', 409, `The run has already ended with status ${status}.`, { fields: { status } })
/** More messages wait for the agents of a run, or more of its branches are paused, than is allowed. */
export const steerLimit = (limit: string) =>
  new AgencyError('STEER_LIMIT', 429, `The run is at its limit of ${limit}. Try again when its agents have gone on.`)
export const runPaused = () =>
  new AgencyError('RUN_PAUSED', 409, 'The whole run is paused: continue it without naming an agent.')
/** @param agents those that work in the run */
/** @param callId the call that was named with the agent; `agents` are then given with their calls */
export const agentNotInRun = (agent: string, agents: readonly string[], callId: string | null = null) =>
  new AgencyError(
    'AGENT_NOT_IN_RUN',
    404,
    `No agent "${agent}" works ${callId === null ? '' : `for the call "${callId}" `}in the run now. These do: ${agents.join(', ')}.`,
    { fields: { agent } },
  )
/** @param callIds the calls for which the agent works */
export const agentAmbiguous = (agent: string, callIds: readonly string[]) =>
  new AgencyError(
    'AGENT_AMBIGUOUS',
    409,
    `The agent "${agent}" works ${callIds.length} times in the run. Name one with call_id: ${callIds.join(', ')}.`,
    { fields: { agent } },
  )
export const idempotencyMismatch = () =>
  new AgencyError(
    'IDEMPOTENCY_MISMATCH',
    422,
    'The Idempotency-Key was already used with another request. Use a new key for a new request.',
    { loc: ['header', 'idempotency-key'] },
  )
export const approvalDecided = (status: string) =>
  new AgencyError('APPROVAL_DECIDED', 409, `The approval is no longer pending: it is ${status}.`, {
    fields: { status },
  })
export const approvalExpired = () =>
  new AgencyError('APPROVAL_EXPIRED', 410, 'The approval has expired. The call was rejected.')
/** An AG-UI request passes over calls that wait for a person. */
export const interruptOpen = (count: number) =>
  new AgencyError(
    'INTERRUPT_OPEN',
    409,
    `The run of this thread waits for ${count === 1 ? 'a decision' : `${count} decisions`}: resume has to answer every interrupt.`,
  )
export const eventsExpired = () =>
  new AgencyError(
    'EVENTS_EXPIRED',
    410,
    'The events of the run are no longer kept. Read the run itself for its result.',
  )
export const ticketInvalid = () =>
  new AgencyError('TICKET_INVALID', 401, 'The ticket is not one of this server, or it was changed.')
export const ticketExpired = () => new AgencyError('TICKET_EXPIRED', 401, 'The ticket has expired. Ask for a new one.')
/** @param allowed what the ticket is for, in words */
export const ticketScope = (allowed: string) =>
  new AgencyError('TICKET_SCOPE', 403, `The ticket does not allow this request. It allows: ${allowed}.`)
/** A worker writes to a run that another worker has taken over. */
export const fenced = (runId: string) =>
  new AgencyError('FENCED', 409, `Run ${runId} is no longer in the hands of this worker; its write was refused.`)
export const storeInUse = (path: string, cause: unknown) =>
  new AgencyError(
    'STORE_IN_USE',
    500,
    `The store ${path} is in use by another process. Stop that process, give each process a file of its own, or use PostgreSQL.`,
    { cause },
  )
/** @param cause the database's own error, for the log */
export const storeUnavailable = (cause: unknown) =>
  new AgencyError('STORE_UNAVAILABLE', 503, 'The store of runs is not available. Try again in a moment.', { cause })
/** @param asked the request, in words */
export const scriptEnded = (asked: string) =>
  new AgencyError('SCRIPT_ENDED', 500, `The script has no answer for ${asked}`)
export const recordingInvalid = (file: string, reason: string) =>
  new AgencyError('RECORDING_INVALID', 500, `The recording ${file} cannot be used: ${reason}`)
/** @param place where the first difference is, and what it is */
export const recordingDiffers = (file: string, place: string, remedy: string) =>
  new AgencyError('RECORDING_DIFFERS', 500, `This run differs from ${file}: ${place}. ${remedy}`)
/** Several workers serve without a store that all of them can use. */
export const storeNotShared = () =>
  new AgencyError(
    'STORE_NOT_SHARED',
    501,
    'This server keeps no runs and threads: it has several worker processes, and no store that all of them can use. Give it one: runs: { store: postgres(url) }.',
  )
