/** Creates OpenTelemetry spans for runs, agents, model calls and tool calls. */
import type * as api from '@opentelemetry/api'
import { dropUnset } from '../models/openai/api.ts'
import { withTraceHeaders } from '../net/trace-headers.ts'
import type { Acceptance, Ending, Ends, Span, SpanKind, Starts, Telemetry } from '../runs/span.ts'
import { type ContentWriter, createContentWriter, endContents, startContents } from './content.ts'
import { ATTR_ERROR_TYPE, ATTR_GEN_AI_CONVERSATION_ID, ATTR_SESSION_ID } from './semantics.ts'
import { type Attributes, describeEnd, describeStart, OWN } from './span-attributes.ts'
import { readTraceContext, writeTraceContext } from './trace-context.ts'

/** The installed `@opentelemetry/api`, the only part of OpenTelemetry this package calls. */
export type OpenTelemetryApi = typeof api

export interface TracingOptions {
  api: OpenTelemetryApi
  tracer: api.Tracer
  captureContent: boolean
  contentChars: number
  continueTraces: boolean
  propagateTo: 'trusted' | 'everywhere' | 'nobody'
}

/** Shared by all spans of one run. */
interface RunTrace {
  options: TracingOptions
  /** Ids of the run and its conversation; on every span, because backends search and group by them. */
  common: Attributes
  content: ContentWriter | undefined
}

/** Starts the span of a run. Its parent is the active span, or the caller's span, or none: then it starts a new trace. */
export function startRunSpan(options: TracingOptions, start: Starts['run']): Span<'run'> {
  const { api, captureContent, contentChars } = options
  const common = {
    [OWN.runId]: start.runId,
    [ATTR_GEN_AI_CONVERSATION_ID]: start.conversationId,
    [ATTR_SESSION_ID]: start.conversationId,
  }
  const content = captureContent ? createContentWriter(start.redact, contentChars) : undefined
  return open({ options, common, content }, 'run', start, chooseParent(start, options, api.context.active()))
}

/** The span of a POST that is stored: the parent of all attempts, exported before the first of them begins. */
export function startAcceptance(
  options: TracingOptions,
  start: Parameters<NonNullable<Telemetry['accept']>>[0],
): Acceptance {
  const { api, tracer } = options
  const span = tracer.startSpan(
    `accept_run ${start.agency}`,
    {
      kind: api.SpanKind.PRODUCER,
      attributes: {
        [OWN.runId]: start.runId,
        [ATTR_GEN_AI_CONVERSATION_ID]: start.conversationId,
        [ATTR_SESSION_ID]: start.conversationId,
      },
    },
    chooseParent(start, options, api.context.active()),
  )
  const spanContext = span.spanContext()
  const { traceparent, tracestate } = writeTraceContext(spanContext)
  return {
    traceContext: api.isSpanContextValid(spanContext) ? { traceparent, tracestate, accepted: true } : undefined,
    end(failure) {
      if (failure !== undefined) {
        span.setAttribute(ATTR_ERROR_TYPE, failure.type)
        span.setStatus({ code: api.SpanStatusCode.ERROR, message: failure.message.slice(0, MAX_MESSAGE_CHARS) })
      }
      span.end()
    },
  }
}

function chooseParent(
  { parent }: Pick<Starts['run'], 'parent'>,
  { api, continueTraces }: TracingOptions,
  active: api.Context,
): api.Context {
  const isOwn = parent?.accepted === true
  if (parent === undefined || !(isOwn || (continueTraces && api.trace.getSpan(active) === undefined))) return active
  const remote = readTraceContext(parent, api.createTraceState)
  return remote === undefined ? active : api.trace.setSpanContext(active, remote)
}

function open<Kind extends SpanKind>(
  trace: RunTrace,
  kind: Kind,
  start: Starts[Kind],
  parent: api.Context,
): Span<Kind> {
  const { options, common, content } = trace
  const { api, tracer, propagateTo } = options
  const [name, attributes] = describeStart[kind](start)
  const span = tracer.startSpan(
    name,
    {
      kind: kind === 'model' ? api.SpanKind.CLIENT : api.SpanKind.INTERNAL,
      attributes: onlySet({ ...common, ...attributes }),
    },
    parent,
  )
  if (content !== undefined && span.isRecording()) span.setAttributes(onlySet(startContents[kind](start, content)))
  const context = api.trace.setSpan(parent, span)
  const startedAt = Date.now()
  const inside = <T>(work: () => T): T => api.context.with(context, work)
  return {
    child: (part, details) => open(trace, part, details, context),
    inside:
      kind === 'model' && propagateTo !== 'nobody'
        ? (work) => {
            const spanContext = span.spanContext()
            if (!api.isSpanContextValid(spanContext)) return inside(work) // no SDK is installed
            const trace = { headers: writeTraceContext(spanContext), everywhere: propagateTo === 'everywhere' }
            return withTraceHeaders(trace, () => inside(work))
          }
        : inside,
    end: (end) => {
      if (span.isRecording()) finish({ api, span, startedAt, content }, kind, end)
      span.end()
    },
  }
}

const onlySet = (attributes: Attributes) => dropUnset(attributes) as api.Attributes

/** Longest status message, in characters: some providers answer an error with a whole page. */
const MAX_MESSAGE_CHARS = 1000

interface OpenSpan {
  api: OpenTelemetryApi
  span: api.Span
  startedAt: number
  content: ContentWriter | undefined
}

function finish<Kind extends SpanKind>({ api, span, startedAt, content }: OpenSpan, kind: Kind, end: Ends[Kind]): void {
  const { failure, cancelled }: Ending = end
  const contents = content === undefined ? {} : endContents[kind](end, content)
  span.setAttributes(onlySet({ ...describeEnd[kind](end), ...contents }))
  const firstDeltaMs = 'firstDeltaMs' in end ? end.firstDeltaMs : undefined
  if (firstDeltaMs !== undefined) span.addEvent('first_delta', startedAt + firstDeltaMs)
  if (cancelled) span.setAttribute(OWN.cancelled, true)
  if (failure === undefined) return
  span.setAttribute(ATTR_ERROR_TYPE, failure.type)
  span.setStatus({ code: api.SpanStatusCode.ERROR, message: failure.message.slice(0, MAX_MESSAGE_CHARS) })
}
