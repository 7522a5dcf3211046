import type OpenAI from 'openai'
import { errorText, modelFailed } from '../errors.ts'
import { withoutServerState } from '../messages/items.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { EventBatch, Model, ModelResponse, ResponseEvent, TurnRequest } from './model.ts'
import { readSse } from './sse.ts'

const TERMINAL = new Set(['response.completed', 'response.failed', 'response.incomplete', 'error'])

export interface ResponsesOptions {
  /** Made on first use, because importing the client costs start-up time. */
  client: () => Promise<OpenAI>
  name: string
  /** `client_config.model_settings_extra_args`: merged into every body. */
  extraArgs?: JsonObject | undefined
}

/** A Model over the Responses API. The client keeps authentication, retries and base URLs; the parsing is ours, once per event. */
export function responsesModel({ client, name, extraArgs }: ResponsesOptions): Model {
  const call = async (request: TurnRequest, stream: boolean, signal: AbortSignal): Promise<Response> => {
    try {
      const openai = await client()
      const body = buildBody(name, request, stream, extraArgs)
      const headers = request.settings.extraHeaders
      return await openai.responses.create(body as never, { signal, ...(headers ? { headers } : {}) }).asResponse()
    } catch (error) {
      signal.throwIfAborted()
      throw modelFailed(errorText(error), error)
    }
  }
  return {
    name,
    async *streamTurn(request, signal) {
      yield* parse(await call(request, true, signal), signal)
    },
    async completeTurn(request, signal) {
      const response = await call(request, false, signal)
      try {
        const answer: unknown = await response.json()
        if (isObject(answer) && Array.isArray(answer.output)) return answer as ModelResponse
      } catch (error) {
        signal.throwIfAborted()
        throw modelFailed(`The model's answer could not be read: ${errorText(error)}`, error)
      }
      throw modelFailed('The model answered with something that is no response.')
    },
  }
}

/** One array of parsed events per network chunk. */
async function* parse(response: Response, signal: AbortSignal): AsyncGenerator<EventBatch> {
  let events: ResponseEvent[] = []
  let texts: string[] = []
  let ended = false
  const onData = (data: string) => {
    if (data === '[DONE]') return
    const event: ResponseEvent = JSON.parse(data)
    if (TERMINAL.has(event.type)) ended = true
    events.push(event)
    texts.push(isCompact(data) ? data : JSON.stringify(event))
  }
  for await (const bytes of readSse(response, signal, onData)) {
    if (events.length === 0) continue
    const batch = { events, texts, bytes }
    events = []
    texts = []
    yield batch
    if (ended) return
  }
  if (!ended) throw modelFailed("The model's stream ended before the response was complete.")
}

/** False for JSON with blanks after its colons and commas, as some gateways write it; now and then for a text that looks so. */
const isCompact = (json: string) => !json.includes('": ') && !json.includes(', "')

/** The request body; what is not set is left to the provider. Never `previous_response_id` or a conversation. */
function buildBody(
  model: string,
  request: TurnRequest,
  stream: boolean,
  extraArgs: JsonObject | undefined,
): JsonObject {
  const { settings, tools, outputSchema } = request
  const text: JsonObject = {}
  if (outputSchema !== undefined) text.format = { type: 'json_schema', ...outputSchema }
  if (settings.verbosity !== undefined) text.verbosity = settings.verbosity
  const choice = settings.toolChoice
  const unstored = settings.store === false
  const include = [...(settings.include ?? []), ...(unstored ? ['reasoning.encrypted_content'] : [])]
  const named = typeof choice === 'string' && !['auto', 'required', 'none'].includes(choice)
  return dropUnset({
    model,
    instructions: request.instructions,
    input: unstored ? withoutServerState(request.input) : request.input,
    tools,
    include: [...new Set(include)],
    truncation: settings.truncation ?? 'auto',
    temperature: settings.temperature,
    top_p: settings.topP,
    max_output_tokens: settings.maxTokens,
    tool_choice: named ? { type: 'function', name: choice } : choice,
    parallel_tool_calls: settings.parallelToolCalls,
    reasoning: settings.reasoning,
    text: Object.keys(text).length > 0 ? text : undefined,
    store: settings.store,
    metadata: settings.metadata,
    ...settings.extraBody,
    ...toBodyFields(extraArgs),
    stream: stream || undefined,
  })
}

/** `model_settings_extra_args` speaks the original's names; these are the Responses API's. */
function toBodyFields(args: JsonObject | undefined): JsonObject {
  if (args === undefined) return {}
  const { reasoning_effort, reasoning_summary, max_tokens, verbosity, extra_body, ...rest } = args
  const reasoning = dropUnset({ effort: reasoning_effort, summary: reasoning_summary })
  return dropUnset({
    ...rest,
    ...(isObject(extra_body) ? extra_body : {}),
    max_output_tokens: max_tokens ?? rest.max_output_tokens,
    reasoning: Object.keys(reasoning).length > 0 ? reasoning : rest.reasoning,
    text: verbosity === undefined ? rest.text : { verbosity },
  })
}

const dropUnset = (value: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined))
