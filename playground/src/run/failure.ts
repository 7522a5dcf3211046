/** Failures in plain words. */
import { ClientError } from 'agency-swarm-js/client'

/** A failure in plain words, with advice. */
export interface Failure {
  kind: string
  sentence: string
  wayOut: string
}

/** Kind of a ClientError -> advice. */
const WAYS_OUT: { [kind: string]: string } = {
  unauthorized: 'Enter the token again.',
  not_found: 'The server may have been restarted with other agencies. Reload the page.',
  too_large: "Leave attachments out, or raise the server's limits.bodyBytes.",
  invalid_request: 'Change the message or the request settings, then send it again.',
  rate_limited: 'Wait a little, then run it again.',
  unavailable: 'The server is busy or stopping. Run it again in a moment.',
  failed: "The server's log names the cause; exposeErrors: true shows it here. Run it again, or change the message.",
  network: 'Check that the server is running, then run it again.',
  incomplete: 'The connection closed before the answer was complete. Run it again.',
  bad_answer: 'Something between this page and the server may have changed the answer. Reload the page.',
  lost: 'Run it again.',
  aborted: 'The partial answer is not part of the history. Run it again, or continue.',
}
const SENTENCES: { [kind: string]: string } = {
  unauthorized: 'The server does not accept this token.',
  network: 'The server cannot be reached.',
  aborted: 'Stopped by closing the connection.',
}

/** Describes an error thrown by a call. */
export function describeFailure(error: unknown): Failure {
  if (!(error instanceof ClientError))
    return { kind: 'page', sentence: `This page failed: ${String(error)}`, wayOut: 'Reload the page.' }
  const sentence = SENTENCES[error.kind] ?? error.message
  const wait =
    error.retryAfterMs === undefined ? '' : ` The server asks to wait ${Math.ceil(error.retryAfterMs / 1000)} s.`
  return { kind: error.kind, sentence: sentence + wait, wayOut: WAYS_OUT[error.kind] ?? 'Run it again.' }
}

/** Advice for an error event of a stream; undefined when its text is enough, such as a guardrail's. */
export const wayOutOf = (text: string): string | undefined =>
  /^The run of agent .+ failed/.test(text) ? WAYS_OUT.failed : undefined

/** For an unfinished run that this page did not start. */
export const runsElsewhere: Failure = {
  kind: 'lost',
  sentence: 'This answer is being written in another tab, or its page was closed and the server stopped it.',
  wayOut: WAYS_OUT.lost as string,
}
