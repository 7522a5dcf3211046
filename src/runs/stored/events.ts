/** The events of a stored run: what they are beside those of every run, and their JSON in the store. */
import { Pace } from '../../base/async.ts'
import { parseInTurns } from '../../wire/json-pieces.ts'
import { LONG_CHARS, slices, toJsonInTurns } from '../../wire/json-write.ts'
import type { RunEvent, Speaker } from '../events.ts'
import type { StoredEvent, StoreEvent } from '../run-store.ts'
import type { Branch } from '../steering.ts'

/** A worker took the run over: readers drop every frame after number `voidAfter` that came before this one. */
export interface AttemptStarted {
  kind: 'attempt'
  attempt: number
  voidAfter: number
}

/** Calls wait for a person. */
export interface ApprovalsRequested {
  kind: 'requires_action'
  approvals: readonly {
    approvalId: string
    agent: string
    tool: string
    callId: string
    arguments: unknown
    /** Epoch milliseconds. */
    expiresAt: number
    /** What a person gives instead of an approval. */
    consent?: { server: string; url: string }
  }[]
}

/** An agent stops at a turn boundary because somebody has asked for it, or goes on. */
export interface BranchHeld extends Branch {
  kind: 'branch'
  state: 'paused' | 'continued'
  /** Of `paused`, in epoch milliseconds: it goes on then by itself. */
  expiresAt?: number
  /** Of `continued`. */
  reason?: 'asked' | 'expired'
}

/** The run has produced more than its events may take: from here on pieces of texts are not stored, whole items are. */
export interface EventsTruncated {
  kind: 'truncated'
}

/** The end of the stream, which the store adds; the event before it is `ended` with the result. */
export interface StreamClosed {
  kind: 'closed'
}

export type LoggedEvent =
  | RunEvent
  | Extract<StoreEvent, { kind: 'queued' | 'approval_decided' | 'steer' }>
  | BranchHeld
  | StreamClosed
  | AttemptStarted
  | ApprovalsRequested
  | EventsTruncated

/** An event with its number. */
export interface NumberedEvent {
  readonly number: number
  readonly event: LoggedEvent
}

/** An event as it was stored. */
export interface DecodedEvent extends NumberedEvent {
  /** Where it was emitted; undefined for one that is final as soon as it is stored. */
  readonly scope: string | undefined
}

/** The first event of every run, which is stored with its admission. */
export const startedEvent = (runId: string): RunEvent & { kind: 'started' } => ({ kind: 'started', runId, notes: [] })

/** Where the raw event of a model begins in the JSON of its event: no name before it contains this text. */
const RAW = ',"event":'

/** Compact JSON. The provider's own text is not serialized again. */
export function createEncoder(): (event: LoggedEvent, scope: string | undefined) => string {
  const starts = new WeakMap<Speaker, { scope: string; json: string }>()
  /** A delta's JSON up to the model's own: a speaker stays in one scope. */
  const startOf = (who: Speaker, scope: string) => {
    const known = starts.get(who)
    if (known?.scope === scope) return known.json
    const json = `{"kind":"model","scope":${JSON.stringify(scope)},"who":${JSON.stringify(who)}${RAW}`
    starts.set(who, { scope, json })
    return json
  }
  return (event, scope) =>
    event.kind === 'model'
      ? `${startOf(event.who, scope ?? '')}${event.text ?? JSON.stringify(event.event)}}`
      : JSON.stringify(toPlain(event, scope))
}

/** As an encoder does it, in turns with other work. */
export const encodeInTurns = async (event: LoggedEvent, scope: string | undefined): Promise<string> =>
  toJsonInTurns(toPlain(event, scope))

/** An event as it is stored: of a model's event, its own comes last. */
function toPlain(event: LoggedEvent, scope: string | undefined) {
  if (event.kind === 'model') return { kind: event.kind, scope: scope ?? '', who: event.who, event: event.event }
  const plain = event.kind === 'ended' ? { ...event, summary: { ...event.summary, error: undefined } } : event
  return scope === undefined ? plain : { ...plain, scope }
}

/** Reads the JSON of events, in turns with other work. Events of one speaker share one object, as those of a live run do. */
export function createDecoder(): (stored: readonly StoredEvent[]) => Promise<DecodedEvent[]> {
  const speakers = new Map<string, Speaker>()
  const share = (who: Speaker): Speaker => {
    const known = speakers.get(who.agentRunId)
    if (known !== undefined && known.agent === who.agent) return known
    speakers.set(who.agentRunId, who)
    return who
  }
  const decode = ({ number, event: json }: StoredEvent, value: unknown): DecodedEvent => {
    const { scope, ...event } = value as LoggedEvent & { scope?: string }
    if (event.kind === 'ended' && !('summary' in event)) return { number, scope, event: { kind: 'closed' } }
    if ('who' in event && event.who != null) event.who = share(event.who)
    if (event.kind === 'model') event.text = json.slice(json.indexOf(RAW) + RAW.length, -1)
    return { number, scope, event }
  }
  return async (stored) => {
    const decoded: DecodedEvent[] = []
    const pace = new Pace()
    for (const one of stored) {
      const { event: json } = one
      decoded.push(decode(one, json.length < LONG_CHARS ? JSON.parse(json) : await parseInTurns(slices(json))))
      const next = pace.step()
      if (next !== undefined) await next
    }
    return decoded
  }
}

/** Events that are not stored any more once a run has too many: pieces of texts, and what tools send. */
export const isMinor = (event: LoggedEvent): boolean =>
  event.kind === 'custom' || (event.kind === 'model' && event.event.type.endsWith('.delta'))
