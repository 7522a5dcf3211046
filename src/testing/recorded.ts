/** Answers of a real model, recorded once and replayed offline. */
import { existsSync } from 'node:fs'
import { z } from 'zod'
import { once } from '../base/async.ts'
import { recordingDiffers, recordingInvalid } from '../base/errors.ts'
import { readLimits } from '../base/limits.ts'
import { invalidOption } from '../base/start-errors.ts'
import { isTerminal } from '../models/ending.ts'
import type { EventBatch, Model, ModelResponse, TurnRequest } from '../models/model.ts'
import { createModels } from '../models/models.ts'
import { playBack } from '../models/playback.ts'
import { describeModel, type ModelSpec } from '../models/spec.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { firstDifference, show } from './differences.ts'
import { createMask } from './masking.ts'
import { MAX_CALLS, pathOf, readRecording, writeRecording } from './recording-file.ts'
import { type ModelRequest, snapshot } from './script.ts'

const callSchema = z.object({
  agent: z.string().nullable(),
  request: z.record(z.string(), z.unknown()),
  response: z.looseObject({ output: z.array(z.looseObject({})) }),
})
const recordingSchema = z.object({
  kind: z.literal('model'),
  version: z.literal(1),
  model: z.string(),
  provider: z.string().nullable(),
  runsHostedTools: z.boolean(),
  calls: z.array(callSchema).max(MAX_CALLS),
})
type Recording = z.infer<typeof recordingSchema>
type RecordedCall = z.infer<typeof callSchema>

/** Options of `recorded()`. */
export interface RecordedOptions {
  /**
   * Changes what is kept and compared of each request, for parts that differ from run to run, such as the date in instructions.
   * @default the request as it is
   */
  normalize?: (request: ModelRequest) => ModelRequest
}

/**
 * A model whose answers come from a file. When the file is missing, or AGENCY_RECORD is 1, the real model is asked and the file
 * written anew; otherwise no network is used. Requests may come in any order. Pass the same value to all agents that share a
 * file. Secrets are masked (see docs/testing.md).
 * @param file relative to the working directory
 * @param model the model to record, as in an agent's `model`
 * @throws from the model: RECORDING_DIFFERS, which names the first difference, for a request that was not recorded;
 *   RECORDING_INVALID for a file that cannot be used
 */
export function recorded(file: string | URL, model: ModelSpec, { normalize }: RecordedOptions = {}): Model {
  if (model === undefined)
    throw invalidOption('recorded() needs the model to record: recorded("file.json", "gpt-5.4").')
  const path = pathOf(file)
  const mask = createMask()
  const readRequest = (request: TurnRequest): JsonObject => {
    const own = snapshot(request)
    return mask(toComparable(normalize === undefined ? own : normalize(own)))
  }
  let mode: Mode | undefined
  const open = (): Mode => {
    mode ??=
      process.env.AGENCY_RECORD === '1' || !existsSync(path) ? createRecorder(path, model, mask) : createReplayer(path)
    return mode
  }
  return {
    get name() {
      return open().about().model
    },
    get provider() {
      return open().about().provider ?? undefined
    },
    get runsHostedTools() {
      return open().about().runsHostedTools
    },
    completeTurn: (request, signal) => open().complete({ request, signal, kept: readRequest(request) }),
    streamTurn: (request, signal) => open().stream({ request, signal, kept: readRequest(request) }),
  }
}

interface Asked {
  request: TurnRequest
  signal: AbortSignal
  /** The request as it is kept and compared. */
  kept: JsonObject
}
interface Mode {
  about(): Pick<Recording, 'model' | 'provider' | 'runsHostedTools'>
  complete(asked: Asked): Promise<ModelResponse>
  stream(asked: Asked): AsyncIterable<EventBatch>
}

function createRecorder(path: string, spec: ModelSpec, mask: <Value>(value: Value) => Value): Mode {
  const calls: (RecordedCall | undefined)[] = []
  const models = once(() =>
    createModels({ env: { ...process.env }, trustedModelOrigins: [], limits: readLimits(), log: () => {} }).of(),
  )
  let known: Model | undefined
  const find = async ({ request }: Asked): Promise<Model> => {
    known ??= (await models()).model(spec, request.agent ?? '')
    return known
  }
  const about = () => ({
    model: known?.name ?? describeModel(spec),
    provider: known?.provider ?? null,
    runsHostedTools: known?.runsHostedTools ?? false,
  })
  /** Keeps the place of a call, so that the file has them in the order in which they began. */
  const begin = ({ request, kept }: Asked) => {
    if (calls.length === MAX_CALLS) throw recordingInvalid(path, `it has ${MAX_CALLS} model calls, which is the limit.`)
    const index = calls.push(undefined) - 1
    return (response: ModelResponse) => {
      calls[index] = mask({ agent: request.agent ?? null, request: kept, response: toKept(response) })
      writeRecording(path, { kind: 'model', version: 1, ...about(), calls: calls.filter((call) => call !== undefined) })
    }
  }
  return {
    about,
    async complete(asked) {
      const model = await find(asked)
      const keep = begin(asked)
      const response = await model.completeTurn(asked.request, asked.signal)
      keep(response)
      return response
    },
    async *stream(asked) {
      const model = await find(asked)
      const keep = begin(asked)
      for await (const batch of model.streamTurn(asked.request, asked.signal)) {
        const last = batch.events.find((event) => isTerminal(event.type) && isObject(event.response))
        const response = last?.response as ModelResponse | undefined
        if (response !== undefined && response.status !== 'failed') keep(response)
        yield batch
      }
    },
  }
}

function createReplayer(path: string): Mode {
  const { calls, ...about } = readRecording(path, recordingSchema)
  const left = [...calls]
  // The error of a sub-agent reaches its caller as a text: what the caller is asked next differs only because of it.
  let first: Error | undefined
  const find = ({ request, kept }: Asked): ModelResponse => {
    if (first !== undefined) throw first
    const isOwn = ({ agent }: RecordedCall) => agent === (request.agent ?? null)
    const index = left.findIndex((call) => isOwn(call) && firstDifference(kept, call.request) === undefined)
    if (index < 0) {
      first = describeMiss(path, request.agent, kept, { calls: calls.filter(isOwn), next: left.find(isOwn) })
      throw first
    }
    return structuredClone((left.splice(index, 1)[0] as RecordedCall).response) as ModelResponse
  }
  return {
    about: () => about,
    complete: async (asked) => find(asked),
    async *stream(asked) {
      for (const event of playBack(find(asked))) yield { events: [event], bytes: JSON.stringify(event).length }
    },
  }
}

const RECORD_ANEW = 'If this is intended, record anew: run the test with AGENCY_RECORD=1.'

function describeMiss(
  path: string,
  agent: string | undefined,
  kept: JsonObject,
  { calls, next }: { calls: readonly RecordedCall[]; next: RecordedCall | undefined },
): Error {
  const who = agent === undefined ? 'no agent' : agent
  if (next === undefined)
    return recordingDiffers(
      path,
      `${who} makes model call ${calls.length + 1}, and ${calls.length} are recorded`,
      RECORD_ANEW,
    )
  const found = firstDifference(kept, next.request)
  const call = `model call ${calls.indexOf(next) + 1} of ${who}`
  return recordingDiffers(
    path,
    `${call}: ${found?.path ?? ''} is ${show(found?.actual)}, recorded ${show(found?.expected)}`,
    RECORD_ANEW,
  )
}

/** The parts of a request that say what is asked, without ids that differ from run to run. */
const toComparable = ({ instructions, input, tools, hostedTools, outputSchema, settings }: ModelRequest): JsonObject =>
  JSON.parse(
    JSON.stringify({
      instructions,
      input: input.map(({ id, provider_data, ...item }) => item),
      tools,
      hostedTools,
      outputSchema,
      settings,
    }),
  )

/** Some providers repeat the whole request in their response. */
function toKept({ id, status, model, output, usage, incomplete_details }: ModelResponse): RecordedCall['response'] {
  return JSON.parse(JSON.stringify({ id, status, model, output, usage, incomplete_details }))
}
