/** Counters and histograms of runs, model calls and tool calls, on any Meter. */
import { readTokens } from '../models/usage.ts'
import type { Ending, Ends, Span, SpanKind, Starts, StoredNote, Telemetry } from '../runs/span.ts'
import type { Labels, Meter } from './meter.ts'
import * as names from './semantics.ts'
import { outcomeName, UNKNOWN_PROVIDER } from './span-attributes.ts'

/** Bucket bounds for durations in seconds: from a demo model to a long run of several agents. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
/** Bucket bounds for the time that storing events takes, in seconds. */
const LAG_SECONDS = [0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 5, 30]
/** Bucket bounds for tokens, as the semantic conventions advise. */
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576]
/** Most different values of one label. Further values, and values longer than `MAX_VALUE_CHARS`, count as `other`. */
const MAX_VALUES = 100
const MAX_VALUE_CHARS = 100

/**
 * Counts and times runs on the instruments of a meter. Callers can choose some label values (model names), so the number of
 * values per label is bounded: otherwise a caller could create series without end.
 */
export function createMeasures(meter: Meter): Telemetry {
  const seconds = (name: string, description: string) =>
    meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: SECONDS } })
  const started = meter.createCounter('agency_swarm.runs.started', {
    description: 'Runs that startedAt.',
    unit: '{run}',
  })
  const finished = meter.createCounter('agency_swarm.runs.finished', {
    description: 'Runs that ended, by outcome: completed, cancelled or failed.',
    unit: '{run}',
  })
  const active = meter.createUpDownCounter('agency_swarm.runs.active', {
    description: 'Runs under way; those with stream="true" are open streams.',
    unit: '{run}',
  })
  const duration = seconds('agency_swarm.run.duration', 'How long runs durationSeconds.')
  const firstDelta = seconds('agency_swarm.run.time_to_first_delta', "From a streamed run's start to its first piece.")
  const toolDuration = seconds(
    'agency_swarm.tool.duration',
    'How long tool calls durationSeconds; send_message with its agent.',
  )
  const calls = seconds(names.METRIC_GEN_AI_CLIENT_OPERATION_DURATION, 'How long model calls durationSeconds.')
  const firstChunk = seconds(
    names.METRIC_GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK,
    'From a streamed model call to the first piece of its answer.',
  )
  const tokenUsage = meter.createHistogram(names.METRIC_GEN_AI_CLIENT_TOKEN_USAGE, {
    description: 'Tokens of model calls.',
    unit: '{token}',
    advice: { explicitBucketBoundaries: TOKENS },
  })
  const tokens = meter.createCounter('agency_swarm.tokens', {
    description: 'Tokens used; cached and cache_write are part of input, reasoning is part of output.',
    unit: '{token}',
  })
  const cost = meter.createCounter('agency_swarm.cost', { description: 'What model calls cost.', unit: 'USD' })
  const errors = meter.createCounter('agency_swarm.errors', {
    description: 'Failed runs, model calls and tool calls by error.type.',
    unit: '{error}',
  })
  const refused = meter.createCounter('agency_swarm.requests.refused', {
    description: 'Requests that were refused or failed before a run started, by code.',
    unit: '{request}',
  })
  const attempts = meter.createCounter('agency_swarm.stored_runs.attempts', {
    description: 'Stored runs that a worker took, by cause: start, resume, hand_over or crash.',
    unit: '{attempt}',
  })
  const fenced = meter.createCounter('agency_swarm.stored_runs.fenced', {
    description: 'Workers whose writes were refused, because another one has their run.',
    unit: '{worker}',
  })
  const recovery = seconds('agency_swarm.stored_runs.recovery_time', 'How long nobody worked on runs of lost workers.')
  const eventLag = meter.createHistogram('agency_swarm.stored_runs.event_lag', {
    description: 'From an event of a stored run to the moment when readers may see it.',
    unit: 's',
    advice: { explicitBucketBoundaries: LAG_SECONDS },
  })
  const webhookAttempts = meter.createCounter('agency_swarm.webhooks.attempts', {
    description: 'Attempts to send a webhook, by outcome: delivered, retry or dead.',
    unit: '{attempt}',
  })
  const limit = createLabelLimiter()

  const notes: { [Kind in StoredNote['kind']]: (note: StoredNote & { kind: Kind }) => void } = {
    claimed: ({ agency, cause, lostMs }) => {
      attempts.add(1, { agency: limit('agency', agency), cause })
      if (lostMs !== null) recovery.record(lostMs / 1000)
    },
    fenced: ({ agency }) => fenced.add(1, { agency: limit('agency', agency) }),
    stored: ({ lagMs }) => eventLag.record(lagMs / 1000),
    webhook: ({ outcome }) => webhookAttempts.add(1, { outcome }),
  }

  const errorType = ({ failure, cancelled }: Ending): Labels => {
    if (failure !== undefined) return { [names.ATTR_ERROR_TYPE]: limit(names.ATTR_ERROR_TYPE, failure.type) }
    return cancelled === true ? { [names.ATTR_ERROR_TYPE]: 'cancelled' } : {}
  }
  const countFailure = (of: SpanKind, outcome: Ending) => {
    if (outcome.failure !== undefined) errors.add(1, { of, ...errorType(outcome) })
  }
  const recordModelCall = ({ model }: Starts['model'], end: Ends['model'], durationSeconds: number): void => {
    const name = limit('model', model.name)
    const of = {
      [names.ATTR_GEN_AI_OPERATION_NAME]: names.GEN_AI_OPERATION_NAME_VALUE_CHAT,
      [names.ATTR_GEN_AI_PROVIDER_NAME]: limit('provider', model.provider ?? UNKNOWN_PROVIDER),
      [names.ATTR_GEN_AI_REQUEST_MODEL]: name,
    }
    calls.record(durationSeconds, { ...of, ...errorType(end) })
    countFailure('model', end)
    if (end.firstDeltaMs !== undefined) firstChunk.record(end.firstDeltaMs / 1000, of)
    if (end.cost > 0) cost.add(end.cost, { model: name })
    if (end.usage === undefined || end.usage === null) return
    const { input, output, cached, cacheWrite, reasoning } = readTokens(end.usage)
    for (const [type, count] of Object.entries({ input, output, cached, cache_write: cacheWrite, reasoning }))
      if (count > 0) tokens.add(count, { type, model: name })
    if (end.estimated) return
    tokenUsage.record(input, { ...of, [names.ATTR_GEN_AI_TOKEN_TYPE]: names.GEN_AI_TOKEN_TYPE_VALUE_INPUT })
    tokenUsage.record(output, { ...of, [names.ATTR_GEN_AI_TOKEN_TYPE]: names.GEN_AI_TOKEN_TYPE_VALUE_OUTPUT })
  }

  return {
    start(run) {
      const of = { agency: limit('agency', run.agency), stream: run.streaming }
      const runStartedAt = performance.now()
      let firstDeltaRecorded = false
      started.add(1, of)
      active.add(1, of)
      return startTimer('run', run, {
        run: (_, end, durationSeconds) => {
          const outcome = outcomeName(end)
          active.add(-1, of)
          finished.add(1, { ...of, outcome })
          duration.record(durationSeconds, { ...of, outcome })
          countFailure('run', end)
        },
        agent: () => {},
        model: (start, end, durationSeconds, startedAt) => {
          recordModelCall(start, end, durationSeconds)
          if (firstDeltaRecorded || end.firstDeltaMs === undefined) return
          firstDeltaRecorded = true
          firstDelta.record((startedAt - runStartedAt + end.firstDeltaMs) / 1000, { agency: of.agency })
        },
        tool: ({ call }, end, durationSeconds) => {
          toolDuration.record(durationSeconds, { tool: limit('tool', call.name), ...errorType(end) })
          countFailure('tool', end)
        },
      })
    },
    refused: (code) => refused.add(1, { code: limit('code', code) }),
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
