/** Spans: what takes time in a run, as telemetry listeners get it. */
import type { ToolCall } from '../agency/hooks.ts'
import type { Model, ModelResponse, ResponseUsage, TurnRequest } from '../models/model.ts'
import type { ToolOutput } from '../tools/output.ts'
import type { FunctionTool } from '../tools/tool.ts'
import type { InputItem, Usage } from '../wire/message.ts'
import type { Speaker } from './events.ts'

/** The place of a request in its caller's own trace: the W3C headers. */
export interface TraceContext {
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined
  /**
   * Made when a stored run was accepted, so that all attempts are in one trace. It goes before an active span, which may be that of
   * another request, and does not come from outside.
   */
  readonly accepted?: true
}

/** The acceptance of a stored run, which may be worked on later and by another process. */
export interface Acceptance {
  /** The parent of its attempts. */
  readonly traceContext: TraceContext | undefined
  /** Called once. @param failure why it was not accepted */
  end(failure?: Ending['failure']): void
}

/** What happens to stored runs and webhooks besides what spans tell. */
export type StoredNote =
  | {
      kind: 'claimed'
      agency: string
      /** `crash`: the worker before is gone; `hand_over`: it has let go of the run; `resume`: after a decision. */
      cause: 'start' | 'resume' | 'hand_over' | 'crash'
      /** Of a crash: how long nobody has worked on the run, in milliseconds. */
      lostMs: number | null
    }
  /** A write of a worker was refused, because another one has its run. */
  | { kind: 'fenced'; agency: string }
  /** Events were stored, and shown to readers, this long after the first of them was made. */
  | { kind: 'stored'; lagMs: number }
  | { kind: 'webhook'; outcome: 'delivered' | 'retry' | 'dead' }

/** What is known of each kind of span when it starts. */
export interface Starts {
  run: {
    runId: string
    agency: string
    recipient: string
    streaming: boolean
    /** The conversation's `run_trace_id`. */
    conversationId: string
    input: readonly InputItem[]
    /** The caller's own trace, from the headers of the request. */
    parent: TraceContext | undefined
    /** Masks the secrets that the server and this request know. */
    redact(text: string): string
  }
  /** An agent's part in a conversation, to its answer or to its handoff. */
  agent: { who: Speaker }
  model: { model: Model; request: TurnRequest; streaming: boolean; agent: string }
  /** `tool` is undefined for send_message and its siblings. */
  tool: { call: ToolCall; tool: FunctionTool | undefined; agent: string }
}

/** How a span ended. Both fields are unset when all went well. */
export interface Ending {
  /** `type` is a code of this library or the name of an error's class; secrets in the message are masked. */
  failure?: { type: string; message: string } | undefined
  cancelled?: boolean
}

/** What is known of each kind of span when it ends. */
export interface Ends {
  run: Ending & { usage: Usage; finalOutput: unknown }
  agent: Ending & { output?: unknown; handedOverTo?: string }
  model: Ending & {
    response?: Partial<ModelResponse> | undefined
    /** As reported, or a guess for a call that broke off. Undefined when nothing was used. */
    usage?: ResponseUsage | null | undefined
    estimated: boolean
    /** In US dollars; 0 for agents that are not counted. */
    cost: number
    /** From the call to the first piece of an answer, in milliseconds; undefined for plain calls. */
    firstDeltaMs: number | undefined
  }
  tool: Ending & { output?: ToolOutput }
}

export type SpanKind = keyof Starts

/**
 * One thing that takes time in a run. The parent is whatever `child` is called on: a value that the loop hands down, so
 * that agents who work side by side cannot take each other's.
 */
export interface Span<Kind extends SpanKind = SpanKind> {
  child<Part extends SpanKind>(kind: Part, start: Starts[Part]): Span<Part>
  /** Does work for which this span is the active one, such as a tool's own HTTP calls. */
  inside<T>(work: () => T): T
  /** Called once. */
  end(end: Ends[Kind]): void
}

/** A listener to runs, made by `openTelemetry()` and `createMetrics()` of `agency-swarm-js/otel`. */
export interface Telemetry {
  start(run: Starts['run']): Span<'run'>
  /** A request was refused, or failed, before a run began. */
  refused(code: string): void
  /** A stored run is about to be accepted. */
  accept?(run: Pick<Starts['run'], 'runId' | 'agency' | 'conversationId' | 'parent'>): Acceptance | undefined
  note?(note: StoredNote): void
}

/** Does work inside a span, where there is one. */
export const inside = <T>(span: Span | undefined, work: () => T): T => (span === undefined ? work() : span.inside(work))

/**
 * Several listeners as one; undefined for none.
 * @param complain gets the errors that listeners throw; they change nothing for the run
 */
export function joinTelemetry(
  listeners: readonly Telemetry[],
  complain: (error: unknown) => void,
): Telemetry | undefined {
  if (listeners.length === 0) return undefined
  const attempt = <T>(work: () => T): T[] => {
    try {
      return [work()]
    } catch (error) {
      complain(error)
      return []
    }
  }
  const join = <Kind extends SpanKind>(spans: readonly Span<Kind>[]): Span<Kind> => ({
    child: (kind, start) => join(spans.flatMap((span) => attempt(() => span.child(kind, start)))),
    inside: (work) => spans.reduceRight<typeof work>((inner, span) => () => span.inside(inner), work)(),
    end: (end) => {
      for (const span of spans) attempt(() => span.end(end))
    },
  })
  return {
    start: (run) => join(listeners.flatMap((listener) => attempt(() => listener.start(run)))),
    refused: (code) => {
      for (const listener of listeners) attempt(() => listener.refused(code))
    },
    accept: (run) => {
      const acceptances = listeners.flatMap((listener) => attempt(() => listener.accept?.(run)) ?? [])
      return {
        traceContext: acceptances.find((acceptance) => acceptance?.traceContext !== undefined)?.traceContext,
        end: (failure) => {
          for (const acceptance of acceptances) attempt(() => acceptance?.end(failure))
        },
      }
    },
    note: (note) => {
      for (const listener of listeners) attempt(() => listener.note?.(note))
    },
  }
}
