/** Frames of the streams of stored runs: those of every stream, and those that only a stored run has. */
import { z } from 'zod'
import { jsonOf } from './components.ts'
import { commonFrames } from './events.ts'
import { consent } from './runs.ts'
import { runBranch, runSteer } from './steering.ts'

const runQueued = z
  .object({ position: z.int().describe('1 is next after the live run of the thread.') })
  .meta({ id: 'RunQueued' })
const runAttempt = z
  .object({
    attempt: z.int(),
    void_after: z.int().describe('Drop what frames after this number brought: their turn did not happen.'),
  })
  .meta({ id: 'RunAttempt', description: 'Another process goes on with the run.' })
const requestedApproval = z
  .object({
    approval_id: z.string(),
    agent: z.string(),
    tool: z.string(),
    call_id: z.string(),
    arguments: z.unknown(),
    expires_at: z.string().meta({ format: 'date-time' }),
    consent: consent.exactOptional(),
  })
  .meta({ id: 'RequestedApproval' })
const runRequiresAction = z.object({ approvals: z.array(requestedApproval) }).meta({ id: 'RunRequiresAction' })
const runApprovalDecided = z
  .object({
    approval_id: z.string(),
    call_id: z.string(),
    status: z.enum(['approved', 'rejected', 'expired']),
    reason: z.string().nullable().describe('Of `rejected`: why, if the person said so.'),
  })
  .meta({ id: 'RunApprovalDecided' })
const runTruncated = z.object({ detail: z.string() }).meta({ id: 'RunTruncated' })

export type RunQueued = z.infer<typeof runQueued>
export type RunAttempt = z.infer<typeof runAttempt>
export type RunRequiresAction = z.infer<typeof runRequiresAction>
export type RunApprovalDecided = z.infer<typeof runApprovalDecided>
export type RunTruncated = z.infer<typeof runTruncated>

/** A server-sent event of a stored run; its number, the `id`, is not part of the schema. */
const runFrame = z
  .discriminatedUnion('event', [
    ...commonFrames,
    z
      .object({ event: z.literal('queued'), data: jsonOf(runQueued) })
      .meta({ id: 'QueuedFrame', description: 'The place of a waiting run in its thread.' }),
    z
      .object({ event: z.literal('attempt'), data: jsonOf(runAttempt) })
      .meta({ id: 'AttemptFrame', description: 'The run was taken up again: some frames are void.' }),
    z
      .object({ event: z.literal('requires_action'), data: jsonOf(runRequiresAction) })
      .meta({ id: 'RequiresActionFrame', description: 'Calls wait for a person.' }),
    z
      .object({ event: z.literal('approval_decided'), data: jsonOf(runApprovalDecided) })
      .meta({ id: 'ApprovalDecidedFrame', description: 'A call waits no longer: every page drops its question.' }),
    z
      .object({ event: z.literal('steer'), data: jsonOf(runSteer) })
      .meta({ id: 'SteerFrame', description: 'What became of a message to an agent of the run.' }),
    z
      .object({ event: z.literal('branch'), data: jsonOf(runBranch) })
      .meta({ id: 'BranchFrame', description: 'An agent waits at a turn boundary, or goes on.' }),
    z
      .object({ event: z.literal('truncated'), data: jsonOf(runTruncated) })
      .meta({ id: 'TruncatedFrame', description: 'From here on pieces of texts are left out.' }),
  ])
  .meta({ id: 'RunFrame' })

/** A frame, and the contents of its data. */
export const runFrameSchemas: readonly z.ZodType[] = [
  runFrame,
  runQueued,
  runAttempt,
  runRequiresAction,
  runApprovalDecided,
  runSteer,
  runBranch,
  runTruncated,
]
