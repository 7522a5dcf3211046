/** Runs, threads and approvals over HTTP: the schemas of their bodies, queries and answers, and functions that parse them. */
import { z } from 'zod'
import { isObject } from './json.ts'
import { type StoredMessage, storedMessage, usage } from './message.ts'
import { checkHistory } from './request-checks.ts'
import { redactSecrets } from './request-secrets.ts'
import { type AgencyRequest, agencyRequestSchema, asObject, parse, type RequestRules, readRequest } from './requests.ts'
import { branchPause, steer } from './steering.ts'
import { detailsFromZod, RequestInvalid, type ValidationDetail, valueError } from './validation.ts'
import { webhook, webhookRequest, webhookStatus } from './webhooks.ts'

// ---- parts

/** The longest thread id, in characters. */
export const ID_CHARS = 256
export const threadId = z
  .string()
  .regex(/^[A-Za-z0-9._:~-]{1,256}$/, 'a thread id has 1 to 256 letters, digits and . _ : ~ -')
/** At most 16 names of 64 characters with texts of 512. */
const metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine((value) => Object.keys(value).length <= 16, 'metadata has at most 16 entries')
const cancelMode = z.enum(['immediate', 'after_turn'])
const STATUSES = ['queued', 'in_progress', 'requires_action', 'completed', 'failed', 'cancelled', 'incomplete'] as const
const status = z.enum(STATUSES)
const APPROVAL_STATUSES = ['pending', 'approved', 'rejected', 'expired', 'cancelled'] as const
const time = z.string().meta({ description: 'ISO 8601, UTC.', format: 'date-time' })
const anyJson = z.unknown()

// ---- requests

/** The fields that a run has beside those of get_response. */
const runFields = z.object({
  thread_id: threadId
    .nullish()
    .describe('The conversation that the server keeps. With it, chat_history is not allowed. Default: none.'),
  if_not_exists: z.enum(['create', 'reject']).nullish().describe('What an unknown thread_id does. Default: create.'),
  multitask_strategy: z
    .enum(['reject', 'enqueue', 'interrupt', 'rollback'])
    .nullish()
    .describe('What happens when the thread has a live run. Default: enqueue.'),
  stream: z.boolean().nullish().describe('Answer with the event stream, from its first frame. Default: false.'),
  on_disconnect: z
    .enum(['continue', 'cancel'])
    .nullish()
    .describe('With stream: what happens when its reader leaves. Default: continue.'),
  disconnect_grace_ms: z
    .int()
    .min(0)
    .max(600_000)
    .nullish()
    .describe('How long on_disconnect "cancel" waits for a reader to come back, in milliseconds. Default: 0.'),
  after_seconds: z
    .number()
    .min(0)
    .nullish()
    .describe('Start the run this many seconds from now; until then it is queued. Default: at once.'),
  start_at: z.iso
    .datetime({ offset: true })
    .nullish()
    .describe('The same as a time: ISO 8601 with Z or an offset. A time that has passed starts the run at once.'),
  webhook: webhookRequest.nullish().describe('Where to tell that the run has ended or waits for a person.'),
  metadata: metadata.nullish().describe('Kept with the run: at most 16 texts of 512 characters.'),
  max_turns: z.int().min(1).nullish().describe("Model turns. At most the server's limit, which is the default."),
  max_cost: z
    .number()
    .positive()
    .nullish()
    .describe(
      "US dollars for all model calls of the run together; at the bound it ends as incomplete. At most the server's bound, which is the default.",
    ),
})
export const runRequestSchema = agencyRequestSchema.extend(runFields.shape).meta({ id: 'RunRequest' })
export type RunRequestBody = z.infer<typeof runRequestSchema>
/** A checked request for a run. */
export type RunRequest = AgencyRequest & z.infer<typeof runFields>

export const runCancelRequest = z
  .object({
    mode: cancelMode.nullish().describe('Stop at once (default), or after the current turn and its tools.'),
    wait_ms: z
      .int()
      .min(0)
      .max(60_000)
      .nullish()
      .describe('How long to wait for the end, in milliseconds. Default: 10000.'),
  })
  .meta({ id: 'RunCancelRequest' })
export const decisionRequest = z
  .object({
    decision: z.enum(['approve', 'reject']),
    arguments: z.record(z.string(), z.unknown()).nullish().describe('With approve: replace the arguments of the call.'),
    reason: z.string().max(4_096).nullish().describe('With reject: what the model reads.'),
  })
  .meta({ id: 'DecisionRequest' })
export const threadRequest = z
  .object({
    thread_id: threadId.nullish().describe('Default: one that the server makes.'),
    messages: z.array(z.record(z.string(), z.unknown())).nullish().describe('Stored messages that it starts with.'),
    metadata: metadata.nullish(),
  })
  .meta({ id: 'ThreadRequest' })
export const threadChange = z
  .object({
    metadata: z
      .record(z.string().max(64), z.string().max(512).nullable())
      .describe('Sets these entries and leaves the others as they are; null removes an entry.'),
  })
  .meta({ id: 'ThreadChange' })
export type RunCancelRequest = z.infer<typeof runCancelRequest>
export type DecisionRequest = z.infer<typeof decisionRequest>
/** What changes in a thread. */
export type ThreadChange = z.infer<typeof threadChange>
export type ThreadRequest = {
  thread_id?: string | null
  messages?: Partial<StoredMessage>[] | null
  metadata?: z.infer<typeof metadata> | null
}

/** What the operator allows a run. */
export interface RunBounds {
  /** A request may ask for less; null for no bound. */
  maxTurns: number | null
  maxCost: number | null
  /** How far ahead a run may start, in milliseconds. */
  startLaterMs: number
  /** Requests may name a webhook. */
  webhooks: boolean
}
export type RunRules = RequestRules & RunBounds

/** The body of POST /runs. @throws RequestInvalid */
export function parseRunRequest(body: unknown, agents: readonly string[], rules: RunRules): RunRequest {
  const object = asObject(body)
  const { request, details } = readRequest(object, agents, rules)
  const own = runFields.safeParse(object)
  const all = [
    ...details,
    ...(own.success ? checkRunFields(own.data, object, rules) : detailsFromZod(own.error.issues, object, ['body'])),
  ]
  if (all.length > 0) throw new RequestInvalid(all.map(redactSecrets))
  return { ...request, ...own.data }
}

function checkRunFields(
  fields: z.infer<typeof runFields>,
  body: { readonly [key: string]: unknown },
  rules: RunBounds,
): ValidationDetail[] {
  const { thread_id, max_turns, max_cost, webhook } = fields
  const refuse = (name: string, message: string) => valueError(['body', name], message, null)
  return [
    ...(thread_id != null && body.chat_history != null
      ? [refuse('chat_history', 'a run on a thread has its history there; leave chat_history out')]
      : []),
    ...checkStart(fields, rules),
    ...(webhook != null && !rules.webhooks ? [refuse('webhook', 'this server takes no webhooks of requests')] : []),
    ...checkBound('max_turns', max_turns, rules.maxTurns),
    ...checkBound('max_cost', max_cost, rules.maxCost),
  ]
}

function checkStart(
  { after_seconds, start_at, multitask_strategy: strategy }: z.infer<typeof runFields>,
  { startLaterMs }: RunBounds,
): ValidationDetail[] {
  if (after_seconds == null && start_at == null) return []
  const loc = ['body', start_at == null ? 'after_seconds' : 'start_at']
  const ms = start_at == null ? 1000 * (after_seconds ?? 0) : Date.parse(start_at) - Date.now()
  if (after_seconds != null && start_at != null)
    return [valueError(loc, 'a run has one start: give after_seconds or start_at', start_at)]
  if (ms > startLaterMs)
    return [valueError(loc, `a run starts at most ${startLaterMs / 1000} seconds from now`, start_at ?? after_seconds)]
  if (strategy == null || strategy === 'enqueue') return []
  const text = 'a run that starts later goes behind the runs of its thread then; leave multitask_strategy out'
  return [valueError(['body', 'multitask_strategy'], text, strategy)]
}

function checkBound(name: string, input: number | null | undefined, le: number | null): ValidationDetail[] {
  if (input == null || le === null || input <= le) return []
  const msg = `Input should be less than or equal to ${le}`
  return [{ type: 'less_than_equal', loc: ['body', name], msg, input, ctx: { le } }]
}

/** The body of POST .../cancel, which may be missing. @throws RequestInvalid */
export const parseRunCancelRequest = (body: unknown): RunCancelRequest => parse(runCancelRequest, body ?? {}, 'body')
/** @throws RequestInvalid */
export const parseDecisionRequest = (body: unknown): DecisionRequest => parse(decisionRequest, body, 'body')
/** The body of PATCH /threads/{thread_id}. @throws RequestInvalid */
export const parseThreadChange = (body: unknown): ThreadChange => parse(threadChange, body, 'body')
/** The body of POST /threads, which may be missing. @throws RequestInvalid */
export function parseThreadRequest(body: unknown, { historyItems }: RequestRules): ThreadRequest {
  const object = asObject(body ?? {})
  const list = object.messages
  if (Array.isArray(list) && list.length > historyItems)
    parse(z.object({ messages: z.array(anyJson).max(historyItems) }), object, 'body')
  const wrong = checkHistory(list).map((detail) => ({
    ...detail,
    loc: detail.loc.map((part) => (part === 'chat_history' ? 'messages' : part)),
  }))
  if (wrong.length > 0) throw new RequestInvalid(wrong.map(redactSecrets))
  return parse(threadRequest, object, 'body') as ThreadRequest
}

// ---- queries

/** An integer of a query string, which is a text there. */
const queryInt = (min: number, max: number) =>
  z.preprocess((value, context) => {
    if (value === undefined || (typeof value === 'string' && /^[+-]?\d{1,15}$/.test(value)))
      return value === undefined ? value : Number(value)
    context.addIssue({ code: 'invalid_type', expected: 'int', input: value })
    return z.NEVER
  }, z.int().min(min).max(max))
const page = {
  limit: queryInt(1, 100).default(20).describe('Rows of the page, 1 to 100.'),
  after: z
    .string()
    .regex(/^\d{1,15}$/, 'a cursor is `next` of the page before')
    .optional()
    .describe('`next` of the page before.'),
}
const onThread = threadId.optional().describe('Only what belongs to this thread.')
export const runsQuery = z.object({
  ...page,
  thread_id: onThread,
  status: status.optional().describe('Only runs with this status.'),
})
export const approvalsQuery = z.object({
  ...page,
  status: z.enum(APPROVAL_STATUSES).default('pending').describe('Only approvals with this status.'),
  thread_id: onThread,
})
export const threadsQuery = z.object(page)
export const webhooksQuery = z.object({
  ...page,
  status: webhookStatus.optional().describe('Only webhooks with this status.'),
  run_id: z.string().max(256).optional().describe('Only webhooks of this run.'),
})
export const runQuery = z.object({
  wait: queryInt(0, 60).default(0).describe('Seconds to wait for the end or a pause of the run, at most 60.'),
})
const view = z
  .enum(['native', 'agui'])
  .optional()
  .describe('The protocol of the frames. Default: that of the stream endpoint of the agency.')
export type ViewName = NonNullable<z.infer<typeof view>>
export const viewQuery = z.object({ view })
export const eventsQuery = z.object({
  view,
  starting_after: queryInt(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('The number of the last frame that is known. The header Last-Event-ID takes precedence.'),
})
/** @throws RequestInvalid at `["query", name]` */
export const parseQuery = <Schema extends z.ZodType>(schema: Schema, query: unknown): z.infer<Schema> =>
  parse(schema, isObject(query) ? query : {}, 'query')

// ---- answers

const receiptCall: z.ZodType<ReceiptCall> = z
  .object({
    kind: z.enum(['agent', 'model', 'tool']),
    name: z.string().describe('Of the agent, model or tool.'),
    call_id: z.string().exactOptional(),
    state: z
      .enum(['stopped', 'finished_first', 'abandoned', 'never_started'])
      .describe('abandoned: it ignores the request to stop; what it does further is not waited for.'),
    ms: z.number().exactOptional().describe('How long it ran.'),
    output_tokens: z.int().exactOptional(),
    estimated: z.boolean().exactOptional(),
    get calls() {
      return z.array(receiptCall).exactOptional()
    },
  })
  .meta({ id: 'ReceiptCall' }) as z.ZodType<ReceiptCall>
/** What became of one call of a cancelled run. */
export interface ReceiptCall {
  kind: 'agent' | 'model' | 'tool'
  name: string
  call_id?: string
  state: 'stopped' | 'finished_first' | 'abandoned' | 'never_started'
  ms?: number
  output_tokens?: number
  estimated?: boolean
  calls?: ReceiptCall[]
}
const receipt = z
  .object({ agent: z.string(), state: z.string(), calls: z.array(receiptCall) })
  .meta({ id: 'Receipt', description: 'What a cancel stopped.' })
export type Receipt = z.infer<typeof receipt>

export const consent = z
  .object({
    server: z.string().describe('The label of the MCP server.'),
    url: z.string().describe('The address where the user gives consent.'),
  })
  .meta({ id: 'Consent', description: 'What the call waits for instead of an approval: access to an MCP server.' })

export const approval = z
  .object({
    approval_id: z.string(),
    run_id: z.string(),
    thread_id: z.string().nullable(),
    agent: z.string(),
    tool: z.string(),
    call_id: z.string(),
    parent_run_id: z
      .string()
      .nullable()
      .describe('The call for which the agent works; null for the agent of the user.'),
    arguments: z.unknown(),
    status: z.enum(APPROVAL_STATUSES),
    reason: z.string().nullable(),
    created_at: time,
    expires_at: time,
    decided_at: time.nullable(),
    consent: consent.exactOptional(),
  })
  .meta({ id: 'Approval' })
export type Approval = z.infer<typeof approval>

export const run = z
  .object({
    run_id: z.string(),
    agency: z.string(),
    thread_id: z.string().nullable(),
    status,
    queue_position: z.int().nullable().describe('1 is next after the live run of the thread; null unless queued.'),
    recipient_agent: z.string(),
    attempt: z.int().describe('Claims after a crash or hand-over count; 0 before the first.'),
    recoverable: z.boolean().describe('False for a run that only its process can continue.'),
    last_event_id: z.int().describe('Number of the newest event.'),
    created_at: time,
    start_at: time.nullable().describe('When the request asked for it to start; null for at once.'),
    started_at: time.nullable(),
    ended_at: time.nullable(),
    required_action: z.object({ approvals: z.array(approval) }).nullable(),
    response: z.unknown().describe('The answer of an ended run.'),
    new_messages: z.array(storedMessage).nullable(),
    usage: usage.nullable(),
    incomplete_details: z.object({ reason: z.string() }).exactOptional(),
    file_ids_map: z.record(z.string(), z.string()).exactOptional(),
    chat_name: z.string().exactOptional(),
    rolled_back: z.boolean().exactOptional().describe('Its messages were taken out of the thread.'),
    paused: z
      .array(branchPause)
      .exactOptional()
      .describe('What waits at its next turn boundary until it is continued.'),
    steers: z.array(steer).exactOptional().describe('Messages to its agents, the last 100, oldest first.'),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Run' })
export type RunAnswer = z.infer<typeof run>

export const runCancelResponse = z
  .object({
    run_id: z.string(),
    status,
    mode: cancelMode,
    settled: z.boolean().describe('False: the run has not ended within wait_ms; the request to stop stands.'),
    ms: z.number().describe('How long the cancel took.'),
    new_messages: z.array(storedMessage).nullable(),
    usage: usage.nullable(),
    receipt: receipt.nullable(),
  })
  .meta({ id: 'RunCancelResponse' })
export type RunCancelAnswer = z.infer<typeof runCancelResponse>

export const thread = z
  .object({
    thread_id: z.string(),
    status: z.enum(['idle', 'busy', 'requires_action']),
    active_run_id: z.string().nullable(),
    message_count: z.int(),
    created_at: time,
    updated_at: time,
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Thread' })
export type ThreadAnswer = z.infer<typeof thread>

const listOf = <Row extends z.ZodType>(row: Row, id: string) =>
  z
    .object({ data: z.array(row), has_more: z.boolean(), next: z.string().nullable().describe('Send it as after.') })
    .meta({ id })
export const runList = listOf(run, 'RunList')
export const approvalList = listOf(approval, 'ApprovalList')
export const threadList = listOf(thread, 'ThreadList')
export const webhookList = listOf(webhook, 'WebhookList')
export const messageList = listOf(storedMessage, 'MessageList')
export interface ListAnswer<Row> {
  data: Row[]
  has_more: boolean
  next: string | null
}

/** A refusal with its code and what belongs to it, such as `run_id`. */
export const codedRefusal = z.looseObject({ detail: z.string(), code: z.string() }).meta({ id: 'CodedDetail' })
