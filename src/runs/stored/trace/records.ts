/** What is recorded of a traced run: records that are only added, from which the tree of its spans is built. */
import type { TurnRequest } from '../../../models/model.ts'

/** The place of a value among the contents of the run, from 0; null for one that there was no room for. */
export type ContentRef = number | null

/** What a model was sent, with each value kept once for the whole run. */
export interface SentRecord {
  instructions?: ContentRef
  /** The items of an earlier call of the same agent that are sent again first, and those that follow. */
  input: { from: number | null; keep: number; added: ContentRef[] }
  tools: ContentRef[]
  hostedTools: ContentRef[]
  settings: ContentRef
  outputSchema?: ContentRef
  include?: TurnRequest['include']
}

/** What is known of each kind of span at its start. An attempt is the work of one claim, up to its pause or its end. */
export interface SpanStarts {
  attempt: { attempt: number }
  agent: { agent: string; caller: string | null; agentRunId: string }
  model: { agent: string; model: string; provider: string | null; streaming: boolean; sent: SentRecord }
  tool: { agent: string; tool: string; callId: string; arguments: ContentRef }
}

/** What is known of each kind of span at its end. */
export interface SpanEnds {
  attempt: object
  agent: { handedOverTo?: string }
  model: {
    received?: { id: string | null; model: string | null; status: string | null; items: ContentRef[] }
    usage: { input: number; output: number; cached: number; reasoning: number } | null
    estimated: boolean
    cost: number
    firstDeltaMs: number | null
  }
  tool: { output?: ContentRef }
}

export type TracedKind = keyof SpanStarts

/** Of a span; `parent` is null for an attempt. Times are epoch milliseconds. */
export type StartRecord = {
  [Kind in TracedKind]: {
    record: 'start'
    span: number
    parent: number | null
    at: number
    kind: Kind
    facts: SpanStarts[Kind]
  }
}[TracedKind]
export type EndRecord = {
  [Kind in TracedKind]: {
    record: 'end'
    span: number
    at: number
    kind: Kind
    failure?: { type: string; message: string }
    cancelled?: true
    facts: SpanEnds[Kind]
  }
}[TracedKind]

export type TraceRecord =
  | StartRecord
  | EndRecord
  /** The next value of the contents. */
  | { record: 'content'; value: unknown }
  /** From here on something is left out. */
  | { record: 'cut' }
