/** The counters and histograms of this package on a meter: their names, units and descriptions. */
import type { Meter } from './meter.ts'
import * as names from './semantics.ts'

/** Bucket bounds for durations in seconds: from a demo model to a long run of several agents. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
/** Bucket bounds for the time that storing events takes, in seconds. */
const LAG_SECONDS = [0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 5, 30]
/** Bucket bounds for tokens, as the semantic conventions advise. */
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576]

export function createInstruments(meter: Meter) {
  const { counter, histogram, seconds } = toMaker(meter)
  return {
    started: counter('agency_swarm.runs.started', '{run}', 'Runs that started.'),
    finished: counter(
      'agency_swarm.runs.finished',
      '{run}',
      'Runs that ended, by outcome: completed, cancelled or failed.',
    ),
    active: meter.createUpDownCounter('agency_swarm.runs.active', {
      unit: '{run}',
      description: 'Runs under way; those with stream="true" are open streams.',
    }),
    duration: seconds('agency_swarm.run.duration', 'How long runs take.'),
    firstDelta: seconds('agency_swarm.run.time_to_first_delta', "From a streamed run's start to its first piece."),
    toolDuration: seconds('agency_swarm.tool.duration', 'How long tool calls take; send_message with its agent.'),
    calls: seconds(names.METRIC_GEN_AI_CLIENT_OPERATION_DURATION, 'How long model calls take.'),
    firstChunk: seconds(
      names.METRIC_GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK,
      'From a streamed model call to the first piece of its answer.',
    ),
    tokenUsage: histogram(names.METRIC_GEN_AI_CLIENT_TOKEN_USAGE, '{token}', TOKENS, 'Tokens of model calls.'),
    tokens: counter(
      'agency_swarm.tokens',
      '{token}',
      'Tokens used; cached and cache_write are part of input, reasoning is part of output.',
    ),
    cost: counter('agency_swarm.cost', 'USD', 'What model calls cost.'),
    errors: counter('agency_swarm.errors', '{error}', 'Failed runs, model calls and tool calls by error.type.'),
    refused: counter(
      'agency_swarm.requests.refused',
      '{request}',
      'Requests that were refused or failed before a run started, by code.',
    ),
    ...createStoredInstruments(meter),
  }
}

/** The instruments of runs that are kept. */
function createStoredInstruments(meter: Meter) {
  const { counter, histogram, seconds } = toMaker(meter)
  return {
    attempts: counter(
      'agency_swarm.stored_runs.attempts',
      '{attempt}',
      'Stored runs that a worker took, by cause: start, resume, hand_over or crash.',
    ),
    fenced: counter(
      'agency_swarm.stored_runs.fenced',
      '{worker}',
      'Workers whose writes were refused, because another one has their run.',
    ),
    recovery: seconds('agency_swarm.stored_runs.recovery_time', 'How long nobody worked on runs of lost workers.'),
    eventLag: histogram(
      'agency_swarm.stored_runs.event_lag',
      's',
      LAG_SECONDS,
      'From an event of a stored run to the moment when readers may see it.',
    ),
    webhookAttempts: counter(
      'agency_swarm.webhooks.attempts',
      '{attempt}',
      'Attempts to send a webhook, by outcome: delivered, retry or dead.',
    ),
  }
}

/** Creates instruments on a meter, in short. */
function toMaker(meter: Meter) {
  const histogram = (name: string, unit: string, explicitBucketBoundaries: number[], description: string) =>
    meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries } })
  return {
    counter: (name: string, unit: string, description: string) => meter.createCounter(name, { unit, description }),
    histogram,
    seconds: (name: string, description: string) => histogram(name, 's', SECONDS, description),
  }
}
