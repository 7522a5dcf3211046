/** Messages to agents of a run that goes on, and pauses, over HTTP: the schemas of their requests and answers. */
import { z } from 'zod'
import { parse } from './requests.ts'
import { RequestInvalid, valueError } from './validation.ts'

const time = z.string().meta({ description: 'ISO 8601, UTC.', format: 'date-time' })
const callId = z
  .string()
  .min(1)
  .max(256)
  .nullish()
  .describe(
    'The call for which the agent works, or `main` for the conversation with the user. Needed where the agent works for several.',
  )
const agentName = z.string().min(1).max(256)

export const steerRequest = z
  .object({
    agent: agentName.describe('An agent that works in the run.'),
    text: z.string().min(1).describe('What the agent reads as a message of the user before its next model call.'),
    call_id: callId,
  })
  .meta({ id: 'SteerRequest' })
export const continueRequest = z
  .object({
    agent: agentName.nullish().describe('An agent that works in the run. Default: the whole run.'),
    call_id: callId,
  })
  .meta({ id: 'ContinueRequest' })
export const pauseRequest = continueRequest
  .extend({
    expires_in: z
      .int()
      .min(1)
      .nullish()
      .describe("Seconds after which it goes on by itself. At most the server's limit, which is the default."),
  })
  .meta({ id: 'PauseRequest' })
export type SteerRequest = z.infer<typeof steerRequest>
export type PauseRequest = z.infer<typeof pauseRequest>
export type ContinueRequest = z.infer<typeof continueRequest>

const STATUSES = ['accepted', 'taken', 'not_taken'] as const
const REASONS = ['run_ended', 'agent_ended', 'guardrail'] as const
const callOf = z.string().nullable().describe('The call for which the agent works; null for the agent of the user.')

export const steer = z
  .object({
    steer_id: z.string(),
    agent: z.string(),
    call_id: callOf,
    status: z.enum(STATUSES).describe('`accepted` until the agent has taken it, or cannot take it any more.'),
    reason: z.enum(REASONS).nullable().describe('Of `not_taken`.'),
    created_at: time,
    settled_at: time.nullable(),
  })
  .meta({ id: 'Steer', description: 'A message to an agent of a run that goes on.' })
export type SteerAnswer = z.infer<typeof steer>

/** The answer of POST .../steer. */
export const steerReceipt = steer.extend({ run_id: z.string() }).meta({ id: 'SteerReceipt' })
export type SteerReceipt = z.infer<typeof steerReceipt>

export const branchPause = z
  .object({
    agent: z.string().nullable().describe('Null: the whole run.'),
    call_id: callOf,
    expires_at: time,
  })
  .meta({ id: 'BranchPause', description: 'A part of the run that waits at its next turn boundary.' })
export type BranchPauseAnswer = z.infer<typeof branchPause>

/** Of the event `steer`. */
export const runSteer = z
  .object({
    steer_id: z.string(),
    agent: z.string(),
    call_id: callOf,
    status: z.enum(STATUSES),
    text: z.string().exactOptional().describe('Of `accepted` and `taken`.'),
    reason: z.enum(REASONS).nullable().exactOptional().describe('Of `not_taken`.'),
  })
  .meta({ id: 'RunSteer' })
/** Of the event `branch`. */
export const runBranch = z
  .object({
    agent: z.string(),
    call_id: callOf,
    state: z.enum(['paused', 'continued']),
    expires_at: time.exactOptional().describe('Of `paused`: it goes on then by itself.'),
    reason: z.enum(['asked', 'expired']).exactOptional().describe('Of `continued`.'),
  })
  .meta({ id: 'RunBranch' })
export type RunSteer = z.infer<typeof runSteer>
export type RunBranch = z.infer<typeof runBranch>

/** @throws RequestInvalid, also for a text that alone is more than may wait */
export function parseSteerRequest(body: unknown, { steerBytes }: { steerBytes: number }): SteerRequest {
  const request = parse(steerRequest, body, 'body')
  const { text } = request
  if (text.trim() === '') throw new RequestInvalid([valueError(['body', 'text'], 'text cannot be empty', text)])
  if (new TextEncoder().encode(text).length > steerBytes)
    throw new RequestInvalid([valueError(['body', 'text'], `text has at most ${steerBytes} bytes`, null)])
  return request
}

/** The body of POST .../pause, which may be missing. @throws RequestInvalid */
export function parsePauseRequest(body: unknown, { pauseMs }: { pauseMs: number }): PauseRequest & { ms: number } {
  const request = checkAddress(parse(pauseRequest, body ?? {}, 'body'))
  const most = Math.floor(pauseMs / 1000)
  const seconds = request.expires_in ?? most
  if (seconds <= most) return { ...request, ms: seconds * 1000 }
  const text = `a pause lasts at most ${most} seconds`
  throw new RequestInvalid([valueError(['body', 'expires_in'], text, request.expires_in)])
}

/** The body of POST .../continue, which may be missing. @throws RequestInvalid */
export const parseContinueRequest = (body: unknown): ContinueRequest =>
  checkAddress(parse(continueRequest, body ?? {}, 'body'))

function checkAddress<Request extends ContinueRequest>(request: Request): Request {
  if (request.call_id == null || request.agent != null) return request
  throw new RequestInvalid([valueError(['body', 'agent'], 'call_id needs an agent', request.agent)])
}
