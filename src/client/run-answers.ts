/** Runs, threads and approvals as the client gives them, in the names of the wire. */
import type * as wire from '../wire/runs.ts'
import type * as steering from '../wire/steering.ts'
import type * as webhooks from '../wire/webhooks.ts'
import type { RequestBody } from './answers.ts'

/** A run as a resource. `response` is the answer of an ended run: a text, or an object when the agent has an output type. */
export type Run<Output = unknown> = Omit<wire.RunAnswer, 'response'> & { response: Output | null }
/** `queued`, `in_progress` and `requires_action` are live; the others are final. */
export type RunStatus = wire.RunAnswer['status']
/** What a cancel did; `receipt` says what became of each call of the run. */
export type RunCancelAnswer = wire.RunCancelAnswer
/** A call that waits, or waited, for the decision of a person. */
export type Approval = wire.Approval
/** A message to an agent of a live run, in the names of the wire. */
export type SteerBody = steering.SteerRequest
/** What the server says of a message that it has accepted. */
export type SteerReceipt = steering.SteerReceipt
/** What is to wait: an agent, or the whole run, and for how many seconds at most. */
export type PauseBody = steering.PauseRequest
/** What is to go on: an agent, or the whole run. */
export type ContinueBody = steering.ContinueRequest
/** A conversation that the server keeps. */
export type Thread = wire.ThreadAnswer
/** A webhook that waits to be sent, was sent (`delivered`), or was given up (`dead`). */
export type Webhook = webhooks.WebhookAnswer
/** The body of a webhook. */
export type WebhookPayload = webhooks.WebhookPayload
/** One page of a list; `next` is the `after` of the page that follows. */
export type ListPage<Row> = wire.ListAnswer<Row>

/** The body of a run, in the names of the wire. The server validates it. */
export type RunBody = Omit<wire.RunRequestBody, 'message' | 'chat_history' | 'stream'> &
  Pick<RequestBody, 'message' | 'chat_history'>
/** A text, a list of Responses input items, or a whole request body. */
export type RunMessage = RunBody['message'] | RunBody
