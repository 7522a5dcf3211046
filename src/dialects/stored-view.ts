/** A stored run as frames that carry their numbers: the view of one protocol on its log. */
import type { NumberedEvent } from '../runs/stored/events.ts'
import { type FrameText, frame, joinFrames, mapFrames, toJson } from '../wire/sse.ts'
import type { FrameWriter } from './dialect.ts'
import { END } from './native/writer.ts'

/** A pure fold: the same events give the same frames in every process. */
export interface StoredView {
  frames(events: readonly NumberedEvent[]): FrameText
}

/**
 * The frames of get_response_stream, each with the number of its event as id, and those that only stored runs have.
 * @param writer of the native dialect
 */
export function createNativeView(writer: FrameWriter): StoredView {
  return {
    frames: (events) => mapFrames(events, (event) => joinFrames([`id: ${event.number}\n`, toFrame(event, writer)])),
  }
}

function toFrame({ number, event }: NumberedEvent, writer: FrameWriter): FrameText {
  switch (event.kind) {
    case 'queued':
      return `event: queued\n${frame(toJson({ position: event.position }))}`
    case 'attempt':
      return `event: attempt\n${frame(toJson({ attempt: event.attempt, void_after: event.voidAfter }))}`
    case 'requires_action':
      return `event: requires_action\n${frame(toJson({ approvals: event.approvals.map(toApproval) }))}`
    case 'approval_decided': {
      const { approvalId: approval_id, callId: call_id, status, reason } = event
      return `event: approval_decided\n${frame(toJson({ approval_id, call_id, status, reason }))}`
    }
    case 'steer': {
      const { steerId: steer_id, agent, callId: call_id, status, text, reason } = event
      return `event: steer\n${frame(toJson({ steer_id, agent, call_id, status, text, reason }))}`
    }
    case 'branch': {
      const { agent, callId: call_id, state, expiresAt, reason } = event
      const expires_at = expiresAt === undefined ? undefined : new Date(expiresAt).toISOString()
      return `event: branch\n${frame(toJson({ agent, call_id, state, expires_at, reason }))}`
    }
    case 'truncated':
      return `event: truncated\n${frame(toJson({ detail: 'The run has produced more than is stored: pieces of texts are left out from here on.' }))}`
    case 'closed':
      return END
    case 'ended':
      return withoutEnd(writer.frames({ first: number, events: [event] }))
    default:
      return writer.frames({ first: number, events: [event] })
  }
}

/** The frames of `ended` without `end`, which stored runs have as an event of their own. */
const withoutEnd = (frames: FrameText): FrameText =>
  typeof frames === 'string' ? frames.slice(0, -END.length) : dropEnd(frames)

function* dropEnd(pieces: Iterable<string>): Generator<string> {
  for (const piece of pieces) if (piece !== END) yield piece
}

type Approval = Extract<NumberedEvent['event'], { kind: 'requires_action' }>['approvals'][number]

const toApproval = ({ approvalId, agent, tool, callId, arguments: args, expiresAt, consent }: Approval) => ({
  approval_id: approvalId,
  agent,
  tool,
  call_id: callId,
  arguments: args,
  expires_at: new Date(expiresAt).toISOString(),
  ...(consent && { consent }),
})
