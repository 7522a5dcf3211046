import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { expect } from 'vitest'
import { type OpenTelemetryOptions, openTelemetry } from '../../src/otel.ts'

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())

/** The real SDK with an exporter in memory, and how many spans are open. */
export function collectSpans(options: OpenTelemetryOptions = {}, exporter: SpanExporter = new InMemorySpanExporter()) {
  let open = 0
  let ended = 0
  const counter: SpanProcessor = {
    onStart: () => void open++,
    onEnd: () => {
      open--
      ended++
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  }
  const provider = new TracerProvider({ spanProcessors: [counter, new SimpleSpanProcessor({ exporter })] })
  /** All spans, once none is open. */
  const spans = async (): Promise<ReadableSpan[]> => {
    await expect.poll(() => ended > 0 && open === 0).toBe(true)
    await provider.forceFlush()
    return (exporter as InMemorySpanExporter).getFinishedSpans()
  }
  return {
    telemetry: openTelemetry({ tracerProvider: provider, ...options }),
    tracer: provider.getTracer('test'),
    provider,
    spans,
    open: () => open,
    /** The spans as an indented text, children in the order of their names. */
    tree: async () => draw(await spans()),
  }
}

export function draw(spans: readonly ReadableSpan[], parent: string | undefined = undefined, depth = 0): string {
  const known = new Set(spans.map((span) => span.spanContext().spanId))
  return spans
    .filter(({ parentSpanContext: above }) =>
      parent === undefined ? above === undefined || !known.has(above.spanId) : above?.spanId === parent,
    )
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map((span) => `${'  '.repeat(depth)}${span.name}\n${draw(spans, span.spanContext().spanId, depth + 1)}`)
    .join('')
}

export const named = (spans: readonly ReadableSpan[], name: string): ReadableSpan => {
  const found = spans.find((span) => span.name === name)
  if (found === undefined) throw new Error(`There is no span "${name}" in\n${draw(spans)}`)
  return found
}
