/** Models over the Responses API. */
import { modelFailed } from '../../base/model-errors.ts'
import { joinNamespaces } from '../../tools/tool-search.ts'
import { isObject, isShallow, type JsonObject } from '../../wire/json.ts'
import { failureIn, failureOf, isTerminal } from '../ending.ts'
import type { EventBatch, Model, ModelResponse, ResponseEvent, ToolSchema, TurnRequest } from '../model.ts'
import { type ApiOptions, apiModel, dropUnset, isEndMark, readSse, type StreamWait } from './api.ts'
import { toResponsesInput } from './responses-input.ts'
import { choiceOf, isMode, withoutIdleToolSettings } from './tool-choice.ts'

/** How deep an event may be nested: deeper ones could not be written out again. */
const MAX_DEPTH = 200
/** No shorter text is nested deeper than that, and most deltas are shorter. */
const DEEP_CHARS = 2 * MAX_DEPTH

/** A Model over the Responses API; each event is parsed once. */
export const responsesModel = (options: ApiOptions): Model =>
  apiModel(options, {
    runsHostedTools: true,
    path: '/responses',
    buildBody: (request, stream, portable) => buildBody(options, request, { stream, portable }),
    refusesState: (error) => isObject(error) && refusesState(`${error.code} ${error.message}`),
    readStream: (response, _request, wait) => parse(response, wait),
    readAnswer(answer) {
      const failure = failureIn(answer)
      // An answer with usage is passed on so that it is counted. Otherwise its code decides about a retry.
      if (failure !== undefined && answer.usage == null) throw modelFailed(failure.message, failure)
      return Array.isArray(answer.output) ? (answer as ModelResponse) : undefined
    },
  })

/**
 * Refusals of reasoning or ids that another key, deployment or server wrote: "The encrypted content ... could not be verified", "Item
 * with id 'rs_1' not found", "provided without its required following item", "Invalid 'input[1].content': array too long".
 */
const STATE_REFUSALS: readonly (readonly string[])[] = [
  ['invalid_encrypted_content'],
  ['encrypted content ', 'could not be'],
  ['item ', 'not found'],
  ['without its required'],
  ['.content: array too long'],
  [".content': array too long"],
]

function refusesState(text: string): boolean {
  const lower = text.toLowerCase()
  return STATE_REFUSALS.some((parts) => {
    let from = 0
    return parts.every((part) => {
      const at = lower.indexOf(part, from)
      from = at + part.length
      return at >= 0
    })
  })
}

/** One array of parsed events per network chunk. */
async function* parse(response: Response, wait: StreamWait): AsyncGenerator<EventBatch, void, undefined> {
  let events: ResponseEvent[] = []
  let texts: string[] = []
  let begun = false
  let ended = false
  const onData = (data: string) => {
    if (isEndMark(data)) return
    const parsed: unknown = JSON.parse(data)
    const event = toEvent(parsed)
    if (event === undefined) return
    if (data.length > DEEP_CHARS && !isShallow(event, MAX_DEPTH)) throw new Error('an event nested too deep')
    if (isTerminal(event.type)) {
      const failure = begun ? undefined : failureOf(event)
      // Nothing was passed on yet, so its code decides about a retry.
      if (failure !== undefined && !isObject(event.response)) throw modelFailed(failure.message, failure)
      ended = true
    }
    begun = true
    events.push(event)
    texts.push(event === parsed && isCompact(data) ? data : JSON.stringify(event))
  }
  const takeBatch = (bytes: number): EventBatch => {
    const batch = { events, texts, bytes }
    events = []
    texts = []
    return batch
  }
  for await (const bytes of readSse(response, wait, onData)) {
    if (events.length > 0) yield takeBatch(bytes)
    if (ended) return
  }
  if (!ended) throw modelFailed("The model's stream ended before the response was complete.")
}

/**
 * Parses one event; undefined for an empty one. A whole answer instead of events becomes `response.completed`.
 * @throws MODEL_FAILED for a failure without a type
 */
function toEvent(data: unknown): ResponseEvent | undefined {
  if (isObject(data) && typeof data.type === 'string') return data as ResponseEvent
  const failure = failureIn(data, true)
  if (failure !== undefined) throw modelFailed(failure.message, failure)
  if (!isObject(data)) throw new Error('an event without a type')
  return Array.isArray(data.output) ? { type: 'response.completed', response: data } : undefined
}

/**
 * False for JSON with spaces after its colons and commas, as some gateways write it; also for a text that happens to look so.
 * Also false for JSON over several lines, which would break an SSE line.
 */
const isCompact = (json: string) => !json.includes('": ') && !json.includes(', "') && !json.includes('\n')

/** The request body; unset fields are left to the provider. Never `previous_response_id` or a conversation. */
async function buildBody(
  { name: model, extraArgs }: ApiOptions,
  request: TurnRequest,
  { stream, portable }: { stream: boolean; portable: boolean },
): Promise<JsonObject> {
  const { settings, hostedTools = [], outputSchema } = request
  const { reasoning, text: moreText, include, ...args } = { ...settings.extraBody, ...toBodyFields(extraArgs) }
  const text: JsonObject = isObject(moreText) ? { ...moreText } : {}
  if (outputSchema !== undefined) text.format = { type: 'json_schema', ...outputSchema }
  if (settings.verbosity !== undefined) text.verbosity ??= settings.verbosity
  const store = args.store ?? settings.store
  const made = toResponsesInput(request.input, { model, unstored: store === false, portable })
  const body = dropUnset({
    model,
    instructions: request.instructions,
    input: made instanceof Promise ? await made : made,
    tools: [...joinNamespaces(placeTools(request)), ...hostedTools],
    include: includesOf(request, include),
    truncation: settings.truncation ?? 'auto',
    temperature: settings.temperature,
    top_p: settings.topP,
    max_output_tokens: settings.maxTokens,
    tool_choice: toToolChoice(request),
    parallel_tool_calls: settings.parallelToolCalls,
    reasoning: isObject(reasoning) ? { ...settings.reasoning, ...reasoning } : settings.reasoning,
    text: Object.keys(text).length > 0 ? text : undefined,
    store: settings.store,
    metadata: settings.metadata,
    ...args,
    stream: stream || undefined,
  })
  return withoutIdleToolSettings(body)
}

/** The tools as the API defines them, with their namespaces. A tool that must be called is sent as if nothing had to be searched. */
function placeTools(request: TurnRequest) {
  const chosen = choiceOf(request)
  return request.tools.map(({ native, deferLoading, namespace, ...plain }: ToolSchema) => {
    const definition: JsonObject = native ?? { ...plain }
    if (chosen === plain.name) return { definition }
    return { definition: deferLoading ? { ...definition, defer_loading: true } : definition, namespace }
  })
}

/** The values of `include`, each once. */
export const includesOf = ({ settings, include = [] }: TurnRequest, more?: unknown): string[] => [
  ...new Set<string>([
    ...(settings.include ?? []),
    ...include,
    ...(Array.isArray(more) ? more : []),
    ...(settings.store === false ? ['reasoning.encrypted_content'] : []),
  ]),
]

/** A tool choice in the API's form: hosted and native tools are chosen by their type. */
function toToolChoice(request: TurnRequest): unknown {
  const { tools, hostedTools = [] } = request
  const toolChoice = choiceOf(request)
  if (typeof toolChoice !== 'string' || isMode(toolChoice)) return toolChoice
  const native = tools.find(({ name }) => name === toolChoice)?.native
  if (native !== undefined)
    return native.type === 'custom' ? { type: 'custom', name: toolChoice } : { type: native.type }
  return hostedTools.some(({ type }) => type === toolChoice)
    ? { type: toolChoice }
    : { type: 'function', name: toolChoice }
}

/** `model_settings_extra_args` uses the original's names; these are the names of the Responses API. */
function toBodyFields(args: JsonObject | undefined): JsonObject {
  if (args === undefined) return {}
  const { reasoning_effort, reasoning_summary, max_tokens, verbosity, ...fields } = args
  const reasoning = dropUnset({ effort: reasoning_effort, summary: reasoning_summary })
  if (Object.keys(reasoning).length > 0) fields.reasoning = joined(fields.reasoning, reasoning)
  if (max_tokens !== undefined) fields.max_output_tokens = max_tokens
  if (verbosity !== undefined) fields.text = joined(fields.text, { verbosity })
  return fields
}

const joined = (given: unknown, more: JsonObject): JsonObject => (isObject(given) ? { ...given, ...more } : more)
