/** Counters and histograms of runs, model calls and tool calls, on any Meter. */
import { readTokens } from '../models/usage.ts'
import type { Ending, Ends, Span, SpanKind, Starts, StoredNote, Telemetry } from '../runs/span.ts'
import { createInstruments } from './instruments.ts'
import type { Labels, Meter } from './meter.ts'
import * as names from './semantics.ts'
import { outcomeName, UNKNOWN_PROVIDER } from './span-attributes.ts'

/** Most different values of one label. Further values, and values longer than `MAX_VALUE_CHARS`, count as `other`. */
const MAX_VALUES = 100
const MAX_VALUE_CHARS = 100

/**
 * Counts and times runs on the instruments of a meter. Callers can choose some label values (model names), so the number of
 * values per label is bounded: otherwise a caller could create series without end.
 */
export function createMeasures(meter: Meter): Telemetry {
  const counts = createInstruments(meter)
  const limit = createLabelLimiter()

  const notes: { [Kind in StoredNote['kind']]: (note: StoredNote & { kind: Kind }) => void } = {
    claimed: ({ agency, cause, lostMs }) => {
      counts.attempts.add(1, { agency: limit('agency', agency), cause })
      if (lostMs !== null) counts.recovery.record(lostMs / 1000)
    },
    fenced: ({ agency }) => counts.fenced.add(1, { agency: limit('agency', agency) }),
    stored: ({ lagMs }) => counts.eventLag.record(lagMs / 1000),
    webhook: ({ outcome }) => counts.webhookAttempts.add(1, { outcome }),
  }

  const errorType = ({ failure, cancelled }: Ending): Labels => {
    if (failure !== undefined) return { [names.ATTR_ERROR_TYPE]: limit(names.ATTR_ERROR_TYPE, failure.type) }
    return cancelled === true ? { [names.ATTR_ERROR_TYPE]: 'cancelled' } : {}
  }
  const countFailure = (of: SpanKind, outcome: Ending) => {
    if (outcome.failure !== undefined) counts.errors.add(1, { of, ...errorType(outcome) })
  }
  const recordModelCall = ({ model }: Starts['model'], end: Ends['model'], durationSeconds: number): void => {
    const name = limit('model', model.name)
    const of = {
      [names.ATTR_GEN_AI_OPERATION_NAME]: names.GEN_AI_OPERATION_NAME_VALUE_CHAT,
      [names.ATTR_GEN_AI_PROVIDER_NAME]: limit('provider', model.provider ?? UNKNOWN_PROVIDER),
      [names.ATTR_GEN_AI_REQUEST_MODEL]: name,
    }
    counts.calls.record(durationSeconds, { ...of, ...errorType(end) })
    countFailure('model', end)
    if (end.firstDeltaMs !== undefined) counts.firstChunk.record(end.firstDeltaMs / 1000, of)
    if (end.cost > 0) counts.cost.add(end.cost, { model: name })
    if (end.usage === undefined || end.usage === null) return
    const { input, output, cached, cacheWrite, reasoning } = readTokens(end.usage)
    for (const [type, count] of Object.entries({ input, output, cached, cache_write: cacheWrite, reasoning }))
      if (count > 0) counts.tokens.add(count, { type, model: name })
    if (end.estimated) return
    counts.tokenUsage.record(input, { ...of, [names.ATTR_GEN_AI_TOKEN_TYPE]: names.GEN_AI_TOKEN_TYPE_VALUE_INPUT })
    counts.tokenUsage.record(output, { ...of, [names.ATTR_GEN_AI_TOKEN_TYPE]: names.GEN_AI_TOKEN_TYPE_VALUE_OUTPUT })
  }

  return {
    start(run) {
      const of = { agency: limit('agency', run.agency), stream: run.streaming }
      const runStartedAt = performance.now()
      let firstDeltaRecorded = false
      counts.started.add(1, of)
      counts.active.add(1, of)
      return startTimer('run', run, {
        run: (_, end, durationSeconds) => {
          const outcome = outcomeName(end)
          counts.active.add(-1, of)
          counts.finished.add(1, { ...of, outcome })
          counts.duration.record(durationSeconds, { ...of, outcome })
          countFailure('run', end)
        },
        agent: () => {},
        model: (start, end, durationSeconds, startedAt) => {
          recordModelCall(start, end, durationSeconds)
          if (firstDeltaRecorded || end.firstDeltaMs === undefined) return
          firstDeltaRecorded = true
          counts.firstDelta.record((startedAt - runStartedAt + end.firstDeltaMs) / 1000, { agency: of.agency })
        },
        tool: ({ call }, end, durationSeconds) => {
          counts.toolDuration.record(durationSeconds, { tool: limit('tool', call.name), ...errorType(end) })
          countFailure('tool', end)
        },
      })
    },
    refused: (code) => counts.refused.add(1, { code: limit('code', code) }),
    note: (note) => notes[note.kind](note as never),
  }
}

/** Called when a span of the kind ends. `startedAt` is the `performance.now()` at its start. */
type EndListeners = {
  [Kind in SpanKind]: (start: Starts[Kind], end: Ends[Kind], durationSeconds: number, startedAt: number) => void
}

function startTimer<Kind extends SpanKind>(kind: Kind, start: Starts[Kind], listeners: EndListeners): Span<Kind> {
  const startedAt = performance.now()
  return {
    child: (part, details) => startTimer(part, details, listeners),
    inside: (work) => work(),
    end: (end) => listeners[kind](start, end, (performance.now() - startedAt) / 1000, startedAt),
  }
}

/** Returns the first `MAX_VALUES` values of each label unchanged, and `other` for all further ones. */
function createLabelLimiter(): (label: string, value: string) => string {
  const known = new Map<string, Set<string>>()
  return (label, value) => {
    const values = known.get(label) ?? new Set()
    known.set(label, values)
    if (values.has(value)) return value
    if (values.size >= MAX_VALUES || value.length > MAX_VALUE_CHARS) return 'other'
    values.add(value)
    return value
  }
}
