/** Names and attributes of spans, without content. */
import type { ResponseUsage } from '../models/model.ts'
import { readTokens } from '../models/usage.ts'
import type { Ends, SpanKind, Starts } from '../runs/span.ts'
import { isObject } from '../wire/json.ts'
import * as names from './semantics.ts'

export type Attributes = { [name: string]: string | number | boolean | string[] | undefined }

/** Attributes without a name in the semantic conventions. Langfuse and others read `gen_ai.usage.cost`. */
export const OWN = {
  runId: 'agency_swarm.run.id',
  outcome: 'agency_swarm.run.outcome',
  streaming: 'agency_swarm.run.streaming',
  runCost: 'agency_swarm.run.cost',
  modelCalls: 'agency_swarm.run.model_calls',
  recipient: 'agency_swarm.run.recipient',
  caller: 'agency_swarm.agent.caller',
  agentRunId: 'agency_swarm.agent.run_id',
  handedOverTo: 'agency_swarm.agent.handed_over_to',
  cancelled: 'agency_swarm.cancelled',
  estimated: 'agency_swarm.usage.estimated',
  cost: 'gen_ai.usage.cost',
} as const

/** Callers and models choose some names, so their length is bounded. */
const MAX_NAME_CHARS = 256
const short = (name: string) => (name.length > MAX_NAME_CHARS ? `${name.slice(0, MAX_NAME_CHARS)}…` : name)

/** The name of a span and its attributes at the start. */
export const describeStart: { [Kind in SpanKind]: (start: Starts[Kind]) => [name: string, Attributes] } = {
  run: ({ agency, recipient, streaming }) => [
    `${names.GEN_AI_OPERATION_NAME_VALUE_INVOKE_WORKFLOW} ${agency}`,
    {
      [names.ATTR_GEN_AI_OPERATION_NAME]: names.GEN_AI_OPERATION_NAME_VALUE_INVOKE_WORKFLOW,
      [names.ATTR_GEN_AI_WORKFLOW_NAME]: agency,
      [OWN.recipient]: recipient,
      [OWN.streaming]: streaming,
    },
  ],
  agent: ({ who }) => [
    `${names.GEN_AI_OPERATION_NAME_VALUE_INVOKE_AGENT} ${who.agent}`,
    {
      [names.ATTR_GEN_AI_OPERATION_NAME]: names.GEN_AI_OPERATION_NAME_VALUE_INVOKE_AGENT,
      [names.ATTR_GEN_AI_AGENT_NAME]: who.agent,
      [names.ATTR_GEN_AI_AGENT_DESCRIPTION]: who.description === '' ? undefined : who.description,
      [OWN.agentRunId]: who.agentRunId,
      [OWN.caller]: who.callerAgent ?? undefined,
    },
  ],
  model: ({ model, request, streaming, agent }) => [
    `${names.GEN_AI_OPERATION_NAME_VALUE_CHAT} ${short(model.name)}`,
    {
      [names.ATTR_GEN_AI_OPERATION_NAME]: names.GEN_AI_OPERATION_NAME_VALUE_CHAT,
      [names.ATTR_GEN_AI_PROVIDER_NAME]: model.provider ?? UNKNOWN_PROVIDER,
      [names.ATTR_GEN_AI_REQUEST_MODEL]: short(model.name),
      [names.ATTR_GEN_AI_REQUEST_STREAM]: streaming,
      [names.ATTR_GEN_AI_REQUEST_TEMPERATURE]: request.settings.temperature,
      [names.ATTR_GEN_AI_REQUEST_TOP_P]: request.settings.topP,
      [names.ATTR_GEN_AI_REQUEST_MAX_TOKENS]: request.settings.maxTokens,
      [names.ATTR_GEN_AI_OUTPUT_TYPE]:
        request.outputSchema === undefined ? names.GEN_AI_OUTPUT_TYPE_VALUE_TEXT : names.GEN_AI_OUTPUT_TYPE_VALUE_JSON,
      [names.ATTR_GEN_AI_AGENT_NAME]: agent,
    },
  ],
  tool: ({ call, tool, agent }) => [
    `${names.GEN_AI_OPERATION_NAME_VALUE_EXECUTE_TOOL} ${call.name}`,
    {
      [names.ATTR_GEN_AI_OPERATION_NAME]: names.GEN_AI_OPERATION_NAME_VALUE_EXECUTE_TOOL,
      [names.ATTR_GEN_AI_TOOL_NAME]: call.name,
      [names.ATTR_GEN_AI_TOOL_CALL_ID]: short(call.callId),
      [names.ATTR_GEN_AI_TOOL_TYPE]: 'function',
      [names.ATTR_GEN_AI_TOOL_DESCRIPTION]: tool?.description === '' ? undefined : tool?.description,
      [names.ATTR_GEN_AI_AGENT_NAME]: agent,
    },
  ],
}

/** The attributes of a span at its end, except for its status. */
export const describeEnd: { [Kind in SpanKind]: (end: Ends[Kind]) => Attributes } = {
  run: (end) => ({
    [OWN.outcome]: outcomeName(end),
    [OWN.runCost]: end.usage.total_cost,
    [OWN.modelCalls]: end.usage.request_count,
    [OWN.estimated]: end.usage.estimated,
  }),
  agent: (end) => ({ [OWN.handedOverTo]: end.handedOverTo }),
  model: (end) => ({
    [names.ATTR_GEN_AI_RESPONSE_ID]: toText(end.response?.id),
    [names.ATTR_GEN_AI_RESPONSE_MODEL]: toText(end.response?.model),
    [names.ATTR_GEN_AI_RESPONSE_FINISH_REASONS]: end.response && [finishReason(end.response)],
    [names.ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK]: toSeconds(end.firstDeltaMs),
    [OWN.cost]: end.cost,
    [OWN.estimated]: end.estimated || undefined,
    ...describeUsage(end.usage),
  }),
  tool: () => ({}),
}

/** Value of the required provider attribute for a user's Model object, which need not name its provider. */
export const UNKNOWN_PROVIDER = 'custom'

export const outcomeName = ({ failure, cancelled }: Ends['run']): 'failed' | 'cancelled' | 'completed' =>
  failure !== undefined ? 'failed' : cancelled === true ? 'cancelled' : 'completed'

const toText = (value: unknown) => (typeof value === 'string' ? short(value) : undefined)

const toSeconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000)

function describeUsage(usage: ResponseUsage | null | undefined): Attributes {
  if (usage === null || usage === undefined) return {}
  const { input, output, cached, cacheWrite, reasoning } = readTokens(usage)
  return {
    [names.ATTR_GEN_AI_USAGE_INPUT_TOKENS]: input,
    [names.ATTR_GEN_AI_USAGE_OUTPUT_TOKENS]: output,
    [names.ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS]: cached || undefined,
    [names.ATTR_GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS]: cacheWrite || undefined,
    [names.ATTR_GEN_AI_USAGE_REASONING_OUTPUT_TOKENS]: reasoning || undefined,
  }
}

function finishReason({
  output,
  status,
  incomplete_details: details,
}: Partial<NonNullable<Ends['model']['response']>>) {
  if (status === 'failed') return 'error'
  if (status === 'incomplete') {
    const reason = isObject(details) ? details.reason : undefined
    return reason === 'content_filter' ? 'content_filter' : 'length'
  }
  return output?.some((item) => item.type === 'function_call') ? 'tool_call' : 'stop'
}
