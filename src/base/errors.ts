/** Creates every error that this library throws on purpose: code, status and text of each {@link AgencyError}. */

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

/** The error of a run that a guardrail ended. */
export class GuardrailTripped extends AgencyError {
  readonly kind: 'InputGuardrail' | 'OutputGuardrail'
  /** What the guardrail says to the agent, or to the caller. */
  readonly guidance: string
  constructor(kind: GuardrailTripped['kind'], guidance: string) {
    super('GUARDRAIL_TRIPPED', 500, `Guardrail ${kind} triggered tripwire`, { cause: new Error(guidance) })
    this.kind = kind
    this.guidance = guidance
  }
}

/** One of our own limits on a model's answer has passed: a further attempt would only double the wait. */
export class ModelTimeout extends Error {
  override readonly name = 'ModelTimeout'
  /** What did not arrive in time. */
  readonly kind: 'headers' | 'event'
  constructor(kind: ModelTimeout['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

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

// ---- construction
export const invalidOption = (message: string) => new AgencyError('INVALID_OPTION', 500, message)
export const duplicateName = (message: string) => new AgencyError('DUPLICATE_NAME', 500, message)
export const invalidFlow = (message: string) => new AgencyError('INVALID_FLOW', 500, message)
export const invalidTool = (message: string) => new AgencyError('INVALID_TOOL', 500, message)
export const invalidEvent = (reason: string) =>
  new AgencyError('INVALID_EVENT', 500, `context.emit() cannot send this event: ${reason}.`)
export const agentFrozen = (agent: string, option: string) =>
  new AgencyError(
    'AGENT_FROZEN',
    500,
    `Agent "${agent}" has already run, so its ${option} can no longer change: other requests use it. Make a changed copy with agent.clone({ ${option}: ... }) and build a new Agency from it.`,
  )

export const nothingToServe = () =>
  new AgencyError('NOTHING_TO_SERVE', 500, 'There is nothing to serve. Give serve() at least one agency or one tool.')
/** The server cannot listen on this address. @param cause the error of the operating system */
export const listenFailed = (host: string, port: number, cause: unknown) => {
  const code = String((cause as { code?: unknown } | undefined)?.code ?? '')
  if (code === 'EADDRINUSE')
    return new AgencyError(
      'PORT_TAKEN',
      500,
      `Port ${port} is in use by another program. Stop that program, or choose another port (PORT=8001, or the port option).`,
      { cause },
    )
  const reason =
    code === 'EACCES'
      ? `This process is not allowed to listen on port ${port}. Choose a port above 1023 (PORT=8000, or the port option).`
      : ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_NONAME', 'EAFNOSUPPORT', 'EINVAL'].includes(code)
        ? `This machine has no address "${host}". Set HOST, or the host option, to an address that it has: 127.0.0.1 for this machine only, 0.0.0.0 for all its addresses.`
        : `The server cannot listen on ${host}, port ${port}: ${errorText(cause)}`
  return new AgencyError('LISTEN_FAILED', 500, reason, { cause })
}
/** A worker of `serve({ workers })` has ended, or could not begin. */
export const workerFailed = (reason: string) =>
  new AgencyError('WORKER_FAILED', 500, `A worker process could not start: ${reason}`)
export const missingToken = (variable: string) =>
  new AgencyError(
    'MISSING_TOKEN',
    500,
    `requireAuth is set, but ${variable} is empty. Set ${variable} to the bearer token that callers must send.`,
  )
export const factoryFailed = (agency: string, cause: unknown) =>
  new AgencyError('FACTORY_FAILED', 500, `The agency "${agency}" could not be created.`, { cause })

/** @param feature the function or option that needs the package */
export const packageMissing = (feature: string, name: string, cause: unknown) =>
  new AgencyError('PACKAGE_MISSING', 500, `${feature} needs the package ${name}. Install it: npm install ${name}`, {
    cause,
  })

// ---- requests
export const unknownAgent = (name: string, known: readonly string[]) =>
  new AgencyError('UNKNOWN_AGENT', 422, `There is no agent "${name}". This agency has: ${known.join(', ')}.`)
export const runNotFound = (runId: string) =>
  new AgencyError('RUN_NOT_FOUND', 404, `Run '${runId.slice(0, 100)}' not found or already completed`)
export const shuttingDown = () =>
  new AgencyError('SHUTTING_DOWN', 503, 'The server is shutting down and accepts no new work. Try again in a moment.')

export const clientGone = () => new AgencyError('CLIENT_GONE', 499, 'The client disconnected before the response.')
/** A limit of concurrent work is reached; the response has Retry-After. */
export const overloaded = (work: 'concurrent runs' | 'name lookups' | 'questions to other workers') =>
  new AgencyError('OVERLOADED', 503, `The server is at its limit of ${work}. Try again in a moment.`)
/** The process is at its memory budget; the response has Retry-After. */
export const processFull = (heldBytes: number) =>
  new AgencyError(
    'OVERLOADED',
    503,
    `The server is at its limit of data in memory (limits.heldBytes: ${heldBytes} bytes). Try again in a moment.`,
  )
export const tooManyRequests = (seconds: number) =>
  new AgencyError('RATE_LIMITED', 429, `Too many requests. Try again in ${seconds} seconds.`)
export const tooLarge = (statusCode: 413 | 414, part: 'body' | 'address', bytes: number) =>
  new AgencyError('TOO_LARGE', statusCode, `The ${part} is larger than this server's limit of ${bytes} bytes.`)
/** @param bytes the limit */
export const tooLargeToStore = (bytes: number) =>
  new AgencyError(
    'TOO_LARGE',
    413,
    `The request is larger than ${bytes} bytes, the most that this server stores of one (limits.storedBodyBytes). Send large data as files, or use an endpoint that stores nothing, such as get_response_stream.`,
  )
export const unsupportedBody = (feature: string) =>
  new AgencyError('UNSUPPORTED_BODY', 415, `${feature} is not supported. Send uncompressed JSON in UTF-8.`)
export const unknownExpectation = () =>
  new AgencyError('UNKNOWN_EXPECTATION', 417, 'The only supported value of the Expect header is 100-continue.')
export const invalidHost = () =>
  new AgencyError(
    'INVALID_HOST',
    400,
    'The request needs exactly one Host header, with a host name and an optional port.',
  )
/** @param header the header that names the other site */
export const otherSite = (header: 'Origin' | 'Host', value: string) =>
  new AgencyError(
    'OTHER_SITE',
    403,
    `This server has no token, so it only answers programs and pages of its own machine, not the ${header} ${JSON.stringify(value.slice(0, 100))}. Set a token, or list the allowed pages in corsOrigins.`,
  )
export const pageNotListed = (origin: string) =>
  new AgencyError(
    'OTHER_SITE',
    403,
    `Pages of ${JSON.stringify(origin.slice(0, 100))} may not use /mcp. List the origin by name in corsOrigins; "*" does not count here.`,
  )
export const crossSiteRead = () =>
  new AgencyError(
    'OTHER_SITE',
    403,
    'Reading a log deletes it, so a page of another site must send POST instead of GET.',
  )
export const threadsFailed = (cause: unknown) =>
  new AgencyError('THREADS_FAILED', 500, 'The conversation could not be loaded.', { cause })

// ---- files: the native endpoints answer 200 and `{ error }`, as the original does (docs/wire.md, "Files")
const fileFailed = (sentence: string, cause: unknown) =>
  new AgencyError('FILE_FAILED', 422, sentence, cause === undefined ? undefined : { cause })
export const fileUrlFailed = (reason: string, cause?: unknown) =>
  fileFailed(`Error downloading file from provided urls: ${reason}`, cause)
export const fileIdFailed = (reason: string, cause?: unknown) =>
  fileFailed(`Error attaching file_ids: ${reason}`, cause)

/** @param field the field of `client_config` that would carry OpenAI's key */
export const filesNeedKey = (agent: string, field: 'api_key' | 'litellm_keys.openai') =>
  fileFailed(
    `The files for agent ${agent} cannot be stored, because there is no key for the Files API. Set OPENAI_API_KEY, or send client_config.${field}.`,
    undefined,
  )

/** The files of a folder could not be stored; the folder is one of the operator's own. */
export const folderFailed = (path: string, reason: string, cause?: unknown) =>
  new AgencyError(
    'FOLDER_FAILED',
    500,
    `The files of the folder ${path} could not be stored: ${reason}.`,
    cause === undefined ? undefined : { cause },
  )

// ---- models
/** @param variables the environment variables that can hold the provider's key */
export const missingApiKey = (
  agent: string,
  model: string,
  { provider, variables }: { provider: string; variables: readonly string[] },
) => {
  const names = variables.join(' or ')
  const ways =
    provider === 'openai'
      ? `Set ${names}, or set model: "demo" on the agent to try it offline.`
      : `Set ${names}, or start with keyPerRequest: true and let every request send its key in client_config.litellm_keys.${provider}.`
  return new AgencyError(
    'MISSING_API_KEY',
    500,
    `Agent "${agent}" uses the model "${model}", but ${names} is not set. ${ways}`,
  )
}
export const providerNotSupported = (model: string, agent: string, known: readonly string[]) =>
  new AgencyError(
    'MODEL_NOT_SUPPORTED',
    500,
    `The model "${model}" of agent "${agent}" has an unknown provider. Known providers: ${known.join(', ')}. Other providers need an OpenAI-compatible address: OPENAI_BASE_URL, or client_config.base_url in the request.`,
  )
export const providerAddressMissing = (model: string, agent: string, variable: string) =>
  new AgencyError(
    'MODEL_NOT_SUPPORTED',
    500,
    `The model "${model}" of agent "${agent}" has no default address. Set ${variable}, or send client_config.base_url with the request.`,
  )
export const languageModelVersion = (model: string, agent: string, version: string) =>
  new AgencyError(
    'MODEL_NOT_SUPPORTED',
    500,
    `The model "${model}" of agent "${agent}" implements version "${version}" of the AI SDK's model specification, but "v4" (AI SDK 7) is needed. Install a newer version of its package.`,
  )
export const providerNotInstalled = (model: string, agent: string, packageName: string) =>
  new AgencyError(
    'PROVIDER_NOT_INSTALLED',
    500,
    `The model "${model}" of agent "${agent}" needs the package ${packageName}, which is not installed. Install it: npm install ${packageName}`,
  )
/** How much of a provider's error text is kept, in characters. */
const MAX_PROVIDER_CHARS = 10_000
/** The model named by client_config.model is unavailable: a 422 whose text tells the caller how to fix the request. */
export const choiceRefused = (
  code: 'MISSING_API_KEY' | 'MODEL_NOT_SUPPORTED' | 'PROVIDER_NOT_INSTALLED',
  model: string,
  reason: string,
) => new AgencyError(code, 422, `client_config.model "${model}" cannot be used: ${reason}`)
export const modelFailed = (message: string, cause?: unknown) =>
  new AgencyError(
    'MODEL_FAILED',
    502,
    message.slice(0, MAX_PROVIDER_CHARS),
    cause === undefined ? undefined : { cause },
  )
export const tooManyCalls = (limit: number) =>
  modelFailed(`The model made more than ${limit} tool calls in one response, which is the limit.`)
/** The model refused to answer. Its reason is part of the text, because it is written for users. */
export const modelRefused = (refusal: string) =>
  new AgencyError('MODEL_REFUSED', 502, `Model refused to produce output: ${refusal.slice(0, MAX_PROVIDER_CHARS)}`)
/** @param reason the provider's reason, such as `max_output_tokens` */
export const answerCut = (agent: string, reason: string) =>
  new AgencyError(
    'ANSWER_CUT',
    502,
    `The answer of agent ${agent} was cut off (${reason}) before it contained text or a complete tool call. Raise maxTokens, or ask for a shorter answer.`,
  )
/** @param server its name, unless that may be its address with a key in it */
export const mcpFailed = (agent: string, cause: unknown, server?: string) =>
  new AgencyError(
    'MCP_FAILED',
    502,
    `${server === undefined ? 'An MCP server' : `The MCP server "${server}"`} of agent "${agent}" could not be reached.`,
    { cause },
  )

/** The list would be sent to the model with every call. @param server as for `mcpFailed` */
export const tooManyMcpTools = (agent: string, limit: number, server?: string) =>
  new AgencyError(
    'MCP_FAILED',
    502,
    `${server === undefined ? 'An MCP server' : `The MCP server "${server}"`} of agent "${agent}" lists more than ${limit} tools, which is the limit.`,
  )

/** @param server the label of the server */
export const consentNeeded = (server: string) =>
  new AgencyError('CONSENT_NEEDED', 403, `The MCP server "${server}" needs the consent of the user.`)
export const isConsentNeeded = (error: unknown): error is AgencyError =>
  AgencyError.isInstance(error) && error.code === 'CONSENT_NEEDED'
/** One sentence for all reasons: a state says nothing of others. */
export const consentGone = () =>
  new AgencyError(
    'CONSENT_GONE',
    410,
    'The request for consent is unknown, was used already or has expired. Ask again.',
  )
export const consentFailed = (server: string, cause: unknown) =>
  new AgencyError('CONSENT_FAILED', 502, `The login at the MCP server "${server}" failed. Ask again.`, { cause })
/** Somebody else has opened the address, or nobody who is known. */
export const consentNotYours = () =>
  new AgencyError(
    'CONSENT_FAILED',
    403,
    'The request for consent belongs to another user. Sign in as that user, and open the address again.',
  )

export const gatewayRefused = (host: string) =>
  new AgencyError(
    'GATEWAY_REFUSED',
    422,
    `The server does not send requests to ${host}. Its operator can allow the address with trustedModelOrigins.`,
  )

// ---- runs
/** The error as that of a guardrail; undefined for any other error. */
export const guardrailError = (error: unknown): GuardrailTripped | undefined =>
  AgencyError.isInstance(error) && error.code === 'GUARDRAIL_TRIPPED' ? (error as GuardrailTripped) : undefined
export const nothingToAnswer = (reason: string) =>
  new AgencyError('NOTHING_TO_ANSWER', 422, `There is nothing to answer: ${reason}.`)
export const emptyMessage = () => new AgencyError('EMPTY_MESSAGE', 422, 'message cannot be empty')
/** @param guidance the guardrail's text, kept in `cause` */
export const guardrailTripped = (kind: GuardrailTripped['kind'], guidance: string) =>
  new GuardrailTripped(kind, guidance)
export const unknownTool = (tool: string, agent: string) =>
  new AgencyError('UNKNOWN_TOOL', 500, `Tool ${tool} not found in agent ${agent}`)
/** @param what is gone, such as `agent "Billing"` */
export const agencyChanged = (what: string) =>
  new AgencyError(
    'AGENCY_CHANGED',
    500,
    `The run cannot go on: the agency has changed since it was stored, and its ${what} is gone. Start a new run.`,
  )
export const invalidOutput = (agent: string, reason: string) =>
  new AgencyError('INVALID_OUTPUT', 500, `The answer of agent ${agent} does not match its outputType: ${reason}`)
export const turnLimit = (maxTurns: number) =>
  new AgencyError(
    'TURN_LIMIT',
    500,
    `The run was stopped at its limit of ${maxTurns} model turns. Raise maxTurns if the task needs more.`,
  )
export const depthLimit = (maxDepth: number) =>
  new AgencyError('DEPTH_LIMIT', 500, `The run was stopped at its limit of ${maxDepth} nested agents.`)
export const timeLimit = (runMs: number) =>
  new AgencyError('TIME_LIMIT', 500, `The run was stopped at its limit of ${runMs / 1000} seconds.`)
/** A request and its run hold more data than limits.runBytes. */
export const runTooLarge = (runBytes: number) =>
  new AgencyError(
    'MEMORY_LIMIT',
    413,
    `The run was stopped at its limit of ${runBytes} bytes of data: its request, history, model answers and tool outputs together (limits.runBytes).`,
  )

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
export const agentNotInRun = (agent: string, agents: readonly string[]) =>
  new AgencyError(
    'AGENT_NOT_IN_RUN',
    404,
    `No agent "${agent}" works in the run now. These do: ${agents.join(', ')}.`,
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
