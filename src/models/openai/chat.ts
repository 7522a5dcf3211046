/** Models over Chat Completions. */
import { modelFailed } from '../../base/model-errors.ts'
import { defineCalled } from '../../messages/functions.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { quirksOf } from '../families.ts'
import type { EventBatch, Model, ResponseEvent, TurnRequest } from '../model.ts'
import { type ApiOptions, apiModel, dropUnset, isEndMark, readSse, type StreamWait } from './api.ts'
import { type ChatQuirks, toMessages } from './chat-messages.ts'
import { ChunkReader } from './chat-reader.ts'
import { choiceOf, isMode, withoutIdleToolSettings } from './tool-choice.ts'

export interface ChatOptions extends ApiOptions {
  /** Kept in the `provider_data` of the model's items. Default: `label`. */
  origin?: string | undefined
  quirks?: ChatQuirks | undefined
}

/** A Model over Chat Completions: it yields Responses events, synthesised from the chunks in the original's order. */
export function chatModel(options: ChatOptions): Model {
  const model = options.origin ?? options.label ?? options.name
  return apiModel(options, {
    runsHostedTools: false,
    path: '/chat/completions',
    buildBody: (request, stream) => buildBody({ ...options, origin: model }, request, stream),
    readStream: (response, request, wait) => synthesise(new ChunkReader(model, request), response, wait),
    readAnswer(answer, request) {
      if (!isAnswer(answer)) return undefined
      const reader = new ChunkReader(model, request)
      reader.read(answer)
      return reader.finish()
    },
  })
}

/** False for JSON that is not an answer of this API. */
function isAnswer({ choices, output_text: text }: JsonObject): boolean {
  if (!Array.isArray(choices)) return typeof text === 'string'
  return choices.some((choice) => isObject(choice) && (isObject(choice.message) || Boolean(choice.finish_reason)))
}

async function* synthesise(
  reader: ChunkReader,
  response: Response,
  wait: StreamWait,
): AsyncGenerator<EventBatch, void, undefined> {
  let events: ResponseEvent[] = []
  let ended = false
  const onData = (data: string) => {
    if (isEndMark(data)) ended = true
    else events.push(...reader.read(JSON.parse(data)))
  }
  for await (const bytes of readSse(response, wait, onData)) {
    if (events.length > 0) yield { events, bytes }
    events = []
    if (ended) break
  }
  if (!ended && !reader.finished) throw modelFailed("The model's stream ended before the answer was complete.")
  reader.finish()
  yield { events: reader.take(), bytes: 0 }
}

async function buildBody(
  options: ChatOptions & { origin: string },
  request: TurnRequest,
  stream: boolean,
): Promise<JsonObject> {
  const { name: model, extraArgs } = options
  const quirks = { ...quirksOf(model), ...options.quirks }
  const { settings, outputSchema } = request
  const messages = await toMessages(request, { origin: options.origin, quirks })
  const called =
    request.tools.length === 0 && quirks.definesCalledTools === true ? defineCalled(calledIn(messages)) : []
  const choice = called.length > 0 ? 'none' : choiceOf(request)
  const named = typeof choice === 'string' && !isMode(choice)
  const tools = [
    ...called.map((definition) => ({ type: 'function', function: definition })),
    ...request.tools.map(({ name, description, parameters, strict }) => ({
      type: 'function',
      function: { name, description, parameters, ...(strict ? { strict } : {}) },
    })),
  ]
  const { max_tokens = settings.maxTokens, ...rest } = toChatArgs(extraArgs, quirks)
  const body = dropUnset({
    model,
    messages,
    tools: tools.length > 0 ? tools : undefined,
    temperature: settings.temperature,
    top_p: settings.topP,
    [REASONING_MODEL.test(model) ? 'max_completion_tokens' : 'max_tokens']: max_tokens,
    tool_choice: named ? { type: 'function', function: { name: choice } } : choice,
    parallel_tool_calls: settings.parallelToolCalls,
    reasoning_effort: settings.reasoning?.effort,
    verbosity: settings.verbosity,
    store: settings.store,
    metadata: settings.metadata,
    ...settings.extraBody,
    ...rest,
    // The answer must match the agent's outputType, so a request cannot replace it.
    ...(outputSchema === undefined ? {} : { response_format: toFormat(outputSchema, quirks) }),
    stream: stream || undefined,
    stream_options: stream && quirks.noStreamOptions !== true ? { include_usage: true } : undefined,
  })
  return withoutIdleToolSettings(body)
}

/** The names of the functions that were called in a conversation. */
const calledIn = (messages: readonly JsonObject[]): string[] =>
  messages.flatMap(({ tool_calls: calls }) =>
    (Array.isArray(calls) ? calls : []).map((call: { function: { name: string } }) => call.function.name),
  )

/** OpenAI's reasoning models refuse `max_tokens`. */
const REASONING_MODEL = /^(o\d|gpt-([5-9]|\d{2}))/

const toFormat = (schema: NonNullable<TurnRequest['outputSchema']>, { noJsonSchema }: ChatQuirks): JsonObject =>
  noJsonSchema === true ? { type: 'json_object' } : { type: 'json_schema', json_schema: schema }

/** `model_settings_extra_args` uses the original's names; these are the names of Chat Completions. */
function toChatArgs(args: JsonObject | undefined, quirks: ChatQuirks): JsonObject {
  if (args === undefined) return {}
  const { reasoning, reasoning_effort, reasoning_summary: _, effort, include: __, ...rest } = args
  const given = [reasoning_effort, effort, reasoning].map((value) => (isObject(value) ? value.effort : value))
  return dropUnset({
    ...rest,
    reasoning: quirks.reasoning === 'reasoning_details' ? reasoning : undefined,
    reasoning_effort: given.find((value) => typeof value === 'string'),
  })
}
