/** What the OpenAPI document says of runs, approvals and threads. */
import { aguiStreamSchemas } from '../wire/agui-events.ts'
import { queryParameters } from '../wire/components.ts'
import { streamSchemas } from '../wire/events.ts'
import type { JsonObject } from '../wire/json.ts'
import { runFrameSchemas } from '../wire/run-events.ts'
import {
  approvalList,
  approvalsQuery,
  codedRefusal,
  decisionRequest,
  eventsQuery,
  messageList,
  runCancelRequest,
  runCancelResponse,
  runList,
  runQuery,
  runRequestSchema,
  runsQuery,
  threadChange,
  threadList,
  threadRequest,
  threadsQuery,
  viewQuery,
  webhookList,
  webhooksQuery,
} from '../wire/runs.ts'
import { continueRequest, pauseRequest, steerReceipt, steerRequest } from '../wire/steering.ts'
import { ticketAnswer, ticketRequest } from '../wire/tickets.ts'
import { trace } from '../wire/traces.ts'
import { webhook, webhookPayload } from '../wire/webhooks.ts'
import {
  answerOf,
  bodyOf,
  bodyRefusals,
  type Endpoint,
  header,
  type Operation,
  type Operations,
  RETRY_AFTER,
  streamOf,
} from './operations.ts'
import { EVENT_ID, IDEMPOTENCY_KEY } from './run-requests.ts'

const refuse = (description: string) => answerOf(description, 'CodedDetail')
const LOCATION = { Location: header('The path of what was made.') }
const REPLAYED = { 'Idempotent-Replayed': header('`true` when the Idempotency-Key was used before.') }
const BODY = bodyRefusals('CodedDetail')
/** Of a POST that reads neither body nor headers. */
const { 422: _, ...NO_BODY } = BODY
const AWAY = { 503: { ...refuse('The store of runs is not available.'), headers: RETRY_AFTER } }
const INVALID = { 422: answerOf('The query or a header is not valid.', 'HTTPValidationError') }
const UNKNOWN = { 404: refuse('There is nothing with this id, or it belongs to somebody else.') }
const EXPIRED = { 410: refuse('The events of the run are no longer kept (`EVENTS_EXPIRED`).') }

const pathParameter = (name: string) => ({ name, in: 'path', required: true, schema: { type: 'string' } })
const headerParameter = (name: string, pattern: RegExp, description: string) => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: { type: 'string', pattern: pattern.source },
})
const KEY = headerParameter(
  'Idempotency-Key',
  IDEMPOTENCY_KEY,
  'Of 1 to 255 visible ASCII characters. The same request with the same key again gives the answer of the first.',
)
const LAST_EVENT_ID = headerParameter('Last-Event-ID', EVENT_ID, 'The number of the last frame that is known.')

/** Endpoints that a ticket opens, by id. */
const OPEN_TO_TICKETS = new Set([
  'start_run',
  'list_runs',
  'get_run',
  'stream_run',
  'cancel_run',
  'decide_approval',
  'steer_run',
  'pause_run',
  'continue_run',
  'list_approvals',
  'get_thread',
  'list_messages',
  'stream_thread',
])

/** An endpoint; the parameters of its path are read from the path. */
function endpoint(method: Endpoint['method'], path: string, id: string, operation: Operation): Endpoint {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => pathParameter(name))
  const parameters = [...names, ...((operation.parameters ?? []) as JsonObject[])]
  return {
    method,
    path,
    id,
    coded: true,
    ticket: OPEN_TO_TICKETS.has(id),
    operation: { ...operation, ...(parameters.length > 0 ? { parameters } : {}) },
  }
}

const optionalBody = (component: string) => ({ ...bodyOf(component), required: false })
const events = (description: string) =>
  streamOf(
    `${description} Each frame has its number as \`id\`. They are those of get_response_stream, and \`queued\`, \`attempt\`, \`requires_action\`, \`approval_decided\`, \`steer\`, \`branch\` and \`truncated\`; or those of AG-UI.`,
    ['RunFrame', 'AguiFrame'],
  )

const runEndpoints = (): readonly Endpoint[] => [
  endpoint('post', '/runs', 'start_run', {
    summary: 'Start a run that is kept',
    parameters: [KEY],
    requestBody: bodyOf('RunRequest', { message: 'Hello' }),
    responses: {
      200: { ...events('With `stream`: the events of the run.'), headers: { ...LOCATION, ...REPLAYED } },
      202: { ...answerOf('The run is stored.', 'Run'), headers: { ...LOCATION, ...REPLAYED } },
      404: refuse('The thread is unknown, or the run of the key was deleted.'),
      409: refuse('The thread is busy (`THREAD_BUSY`).'),
      ...EXPIRED,
      ...BODY,
      429: { ...refuse('Too many runs wait in the thread (`THREAD_QUEUE_FULL`).'), headers: RETRY_AFTER },
      500: refuse('The run could not be accepted.'),
    },
  }),
  endpoint('get', '/runs', 'list_runs', {
    summary: 'List runs, newest first',
    parameters: queryParameters(runsQuery),
    responses: { 200: answerOf('A page of runs.', 'RunList'), ...INVALID, ...AWAY },
  }),
  endpoint('get', '/runs/{run_id}', 'get_run', {
    summary: 'The state and result of a run',
    parameters: queryParameters(runQuery),
    responses: { 200: answerOf('The run.', 'Run'), ...UNKNOWN, ...INVALID, ...AWAY },
  }),
  endpoint('delete', '/runs/{run_id}', 'delete_run', {
    summary: 'Forget an ended run',
    responses: {
      204: { description: 'It is forgotten; its messages stay in the thread.' },
      ...UNKNOWN,
      409: refuse('The run has not ended (`RUN_ACTIVE`).'),
      ...AWAY,
    },
  }),
  endpoint('get', '/runs/{run_id}/events', 'stream_run', {
    summary: 'The events of a run, replayed and then live',
    parameters: [...queryParameters(eventsQuery), LAST_EVENT_ID],
    responses: {
      200: events('Server-sent events after the given number, to the end of the run.'),
      204: { description: 'The run has ended, and the reader has all its events.' },
      ...UNKNOWN,
      ...EXPIRED,
      ...INVALID,
      ...AWAY,
    },
  }),
  endpoint('post', '/runs/{run_id}/cancel', 'cancel_run', {
    summary: 'Stop a run',
    parameters: [KEY],
    requestBody: optionalBody('RunCancelRequest'),
    responses: {
      200: { ...answerOf('The run is cancelled.', 'RunCancelResponse'), headers: REPLAYED },
      202: {
        ...answerOf('The run has not ended in time; the request to stop it stands.', 'RunCancelResponse'),
        headers: REPLAYED,
      },
      ...UNKNOWN,
      409: refuse('The run has ended, and was not cancelled (`RUN_ENDED`).'),
      ...BODY,
    },
  }),
  endpoint('post', '/runs/{run_id}/retry', 'retry_run', {
    summary: 'Start a run from the request of one that has ended',
    parameters: [KEY],
    responses: {
      202: { ...answerOf('The new run is stored.', 'Run'), headers: { ...LOCATION, ...REPLAYED } },
      ...UNKNOWN,
      409: refuse('The run has not ended (`RUN_ACTIVE`), or it used keys that are gone (`NOT_REPEATABLE`).'),
      ...EXPIRED,
      ...BODY,
      429: { ...refuse('Too many runs wait in the thread (`THREAD_QUEUE_FULL`).'), headers: RETRY_AFTER },
    },
  }),
  endpoint('post', '/runs/{run_id}/approvals/{approval_id}', 'decide_approval', {
    summary: 'Decide about a call that waits for a person',
    parameters: [KEY],
    requestBody: bodyOf('DecisionRequest', { decision: 'approve' }),
    responses: {
      200: { ...answerOf('The run.', 'Run'), headers: REPLAYED },
      ...UNKNOWN,
      409: refuse('It is decided already (`APPROVAL_DECIDED`).'),
      410: refuse('Its time is over (`APPROVAL_EXPIRED`).'),
      ...BODY,
    },
  }),
  endpoint('get', '/approvals', 'list_approvals', {
    summary: 'List calls that wait for a person, oldest first',
    parameters: queryParameters(approvalsQuery),
    responses: { 200: answerOf('A page of approvals.', 'ApprovalList'), ...INVALID, ...AWAY },
  }),
  endpoint('get', '/webhooks', 'list_webhooks', {
    summary: 'List webhooks of runs, newest first',
    parameters: queryParameters(webhooksQuery),
    responses: { 200: answerOf('A page of webhooks.', 'WebhookList'), ...INVALID, ...AWAY },
  }),
  endpoint('post', '/webhooks/{webhook_id}/redrive', 'redrive_webhook', {
    summary: 'Send a webhook again',
    responses: { 200: answerOf('It is sent again, with all its attempts.', 'Webhook'), ...UNKNOWN, ...NO_BODY },
  }),
]

const ENDED = '`RUN_ENDED`: the run has ended.'
const AMBIGUOUS = '`AGENT_AMBIGUOUS`: the agent works for several calls; name one with `call_id`.'
const NO_AGENT = {
  404: refuse('There is no such run, it belongs to somebody else, or no such agent works in it (`AGENT_NOT_IN_RUN`).'),
}

const steeringEndpoints = (): readonly Endpoint[] => [
  endpoint('post', '/runs/{run_id}/steer', 'steer_run', {
    summary: 'Send a message to an agent of a run that goes on',
    parameters: [KEY],
    requestBody: bodyOf('SteerRequest', { agent: 'Billing', text: 'Use the new price list.' }),
    responses: {
      202: {
        ...answerOf('It is stored; the agent reads it before its next model call.', 'SteerReceipt'),
        headers: REPLAYED,
      },
      ...NO_AGENT,
      409: refuse(`${ENDED} ${AMBIGUOUS}`),
      ...BODY,
      429: refuse('Too many messages wait for the agents of the run (`STEER_LIMIT`).'),
    },
  }),
  endpoint('post', '/runs/{run_id}/pause', 'pause_run', {
    summary: 'Let a run, or one of its agents, wait at the next turn boundary',
    parameters: [KEY],
    requestBody: optionalBody('PauseRequest'),
    responses: {
      200: { ...answerOf('The run, with what is paused.', 'Run'), headers: REPLAYED },
      ...NO_AGENT,
      409: refuse(`${ENDED} ${AMBIGUOUS}`),
      ...BODY,
      429: refuse('Too many branches of the run are paused (`STEER_LIMIT`).'),
    },
  }),
  endpoint('post', '/runs/{run_id}/continue', 'continue_run', {
    summary: 'Let a paused run, or one of its agents, go on',
    parameters: [KEY],
    requestBody: optionalBody('ContinueRequest'),
    responses: {
      200: { ...answerOf('The run, with what is still paused.', 'Run'), headers: REPLAYED },
      ...NO_AGENT,
      409: refuse(`${ENDED} ${AMBIGUOUS} \`RUN_PAUSED\`: the whole run is paused.`),
      ...BODY,
    },
  }),
]

const threadEndpoints = (): readonly Endpoint[] => [
  endpoint('post', '/threads', 'create_thread', {
    summary: 'Make a thread',
    parameters: [KEY],
    requestBody: optionalBody('ThreadRequest'),
    responses: {
      201: { ...answerOf('The thread.', 'Thread'), headers: { ...LOCATION, ...REPLAYED } },
      404: refuse('The thread of the key was deleted.'),
      409: refuse('There is a thread with this id (`THREAD_EXISTS`).'),
      ...BODY,
    },
  }),
  endpoint('get', '/threads', 'list_threads', {
    summary: 'List threads, newest first',
    parameters: queryParameters(threadsQuery),
    responses: { 200: answerOf('A page of threads.', 'ThreadList'), ...INVALID, ...AWAY },
  }),
  endpoint('get', '/threads/{thread_id}', 'get_thread', {
    summary: 'The state of a thread',
    responses: { 200: answerOf('The thread.', 'Thread'), ...UNKNOWN, ...AWAY },
  }),
  endpoint('patch', '/threads/{thread_id}', 'change_thread', {
    summary: 'Change the metadata of a thread, such as its title',
    requestBody: bodyOf('ThreadChange'),
    responses: { 200: answerOf('The thread.', 'Thread'), ...UNKNOWN, ...BODY, ...AWAY },
  }),
  endpoint('delete', '/threads/{thread_id}', 'delete_thread', {
    summary: 'Forget a thread with its runs',
    responses: {
      204: { description: 'It is forgotten.' },
      ...UNKNOWN,
      409: refuse('A run of the thread has not ended (`RUN_ACTIVE`).'),
      ...AWAY,
    },
  }),
  endpoint('get', '/threads/{thread_id}/messages', 'list_messages', {
    summary: 'The messages of a thread, oldest first',
    parameters: queryParameters(threadsQuery),
    responses: { 200: answerOf('A page of messages.', 'MessageList'), ...UNKNOWN, ...INVALID, ...AWAY },
  }),
  endpoint('get', '/threads/{thread_id}/stream', 'stream_thread', {
    summary: 'The events of the live run of a thread, from its first',
    parameters: queryParameters(viewQuery),
    responses: {
      200: {
        ...events('Server-sent events, to the end of the run.'),
        headers: { 'Content-Location': header('The path of the run.') },
      },
      204: { description: 'No run is live, or there is no such thread.' },
      ...INVALID,
      ...AWAY,
    },
  }),
]

const TICKETS: readonly Endpoint[] = [
  endpoint('post', '/tickets', 'create_ticket', {
    summary: 'Make a ticket: the right to use one run or thread without the token',
    requestBody: bodyOf('TicketRequest', { thread_id: 't-42', verbs: ['watch', 'post'] }),
    responses: { 201: answerOf('The ticket.', 'Ticket'), ...UNKNOWN, ...BODY },
  }),
]

const TRACE = endpoint('get', '/runs/{run_id}/trace', 'get_trace', {
  summary: 'The trace of a run: its spans, and what models and tools were sent',
  responses: { 200: answerOf('The trace, also of a run that goes on.', 'Trace'), ...UNKNOWN, ...EXPIRED, ...AWAY },
})

/** The endpoints of runs below an agency. @param traces whether traces are served */
export const describeRuns = (traces: boolean): Operations => ({
  schemas: [
    runRequestSchema,
    runCancelRequest,
    decisionRequest,
    steerRequest,
    pauseRequest,
    continueRequest,
    steerReceipt,
    threadRequest,
    threadChange,
    runList,
    approvalList,
    threadList,
    messageList,
    webhookList,
    webhook,
    webhookPayload,
    runCancelResponse,
    codedRefusal,
    ticketRequest,
    ticketAnswer,
    ...(traces ? [trace] : []),
    ...streamSchemas,
    ...runFrameSchemas,
    ...aguiStreamSchemas,
  ],
  endpoints: [...runEndpoints(), ...steeringEndpoints(), ...(traces ? [TRACE] : []), ...threadEndpoints(), ...TICKETS],
})
