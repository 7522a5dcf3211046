/** Converts the settings of a turn to those of the AI SDK. */
import { defineCalled } from '../../messages/functions.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import type { TurnRequest } from '../model.ts'
import { dropUnset } from '../openai/api.ts'
import { choiceOf } from '../openai/tool-choice.ts'
import type { Prompt } from './prompt.ts'

/** The parts of an AI SDK call beside the prompt. `extraBody` has fields that only the provider understands. */
export type CallSettings = JsonObject & { extraBody: JsonObject }

/**
 * The settings of a turn for the AI SDK. `model_settings_extra_args` uses the original's names and those that its
 * clients use for Anthropic and Gemini; any other field goes into the provider's body unchanged.
 */
export function toCallSettings(request: TurnRequest, extraArgs: JsonObject | undefined): CallSettings {
  const { settings, outputSchema } = request
  const {
    reasoning_effort,
    reasoning_summary,
    reasoning,
    effort,
    thinking,
    thinkingConfig,
    thinkingBudget,
    thinkingLevel,
    max_tokens,
    temperature,
    top_p,
    top_k,
    stop,
    seed,
    tool_choice,
    parallel_tool_calls,
    include: _,
    verbosity: __,
    extra_body,
    ...rest
  } = extraArgs ?? {}
  const config = isObject(thinkingConfig) ? thinkingConfig : {}
  const asked = isObject(reasoning) ? reasoning : {}
  const given = [
    reasoning_effort,
    effort,
    asked.effort,
    thinkingLevel,
    config.thinkingLevel,
    settings.reasoning?.effort,
  ]
  const wanted = given.map((value) => (isObject(value) ? value.effort : value)).find(isEffort)
  const budget = budgetOf(thinking) ?? numberOf(thinkingBudget) ?? numberOf(config.thinkingBudget)
  const summary = reasoning_summary ?? asked.summary ?? settings.reasoning?.summary
  const thinks = wanted !== undefined || budget !== undefined || summary != null
  const parallel = parallel_tool_calls ?? settings.parallelToolCalls
  const anthropic = dropUnset({
    thinking:
      budget === undefined ? (isObject(thinking) ? thinking : undefined) : { type: 'enabled', budgetTokens: budget },
    disableParallelToolUse: parallel === false ? true : undefined,
  })
  const google = dropUnset({
    thinkingConfig: thinks ? dropUnset({ includeThoughts: true, thinkingBudget: budget }) : undefined,
  })
  const openai = dropUnset({ parallelToolCalls: parallel })
  const tools = request.tools.map(({ name, description, parameters, strict }) => ({
    type: 'function',
    name,
    description,
    inputSchema: parameters,
    // Only OpenAI's strict mode accepts bounds and lengths; others refuse a request with them.
    ...(strict && !hasBounds(parameters) ? { strict } : {}),
  }))
  return {
    ...dropUnset({
      maxOutputTokens: max_tokens ?? settings.maxTokens,
      temperature: temperature ?? settings.temperature,
      topP: top_p ?? settings.topP,
      topK: top_k,
      stopSequences: typeof stop === 'string' ? [stop] : stop,
      seed,
      reasoning: budget === undefined ? wanted : undefined,
      tools: tools.length > 0 ? tools : undefined,
      toolChoice: tools.length > 0 ? toToolChoice(tool_choice ?? choiceOf(request)) : undefined,
      responseFormat: outputSchema && { type: 'json', schema: outputSchema.schema, name: outputSchema.name },
      providerOptions: withoutEmpty({ anthropic, google, openai }),
    }),
    extraBody: { ...settings.extraBody, ...rest, ...(isObject(extra_body) ? extra_body : {}) },
  }
}

/** The settings of a call without thinking, for Claude. */
export function withoutThinking({ reasoning: _, ...settings }: JsonObject): JsonObject {
  const { providerOptions } = settings
  if (!isObject(providerOptions) || !isObject(providerOptions.anthropic)) return settings
  const { thinking: __, ...anthropic } = providerOptions.anthropic
  return { ...settings, providerOptions: withoutEmpty({ ...(providerOptions as JsonOptions), anthropic }) }
}

/**
 * The settings, with tools for the calls in the conversation where the agent has none; none of them may be called. Bedrock and
 * others refuse a conversation with calls of undefined tools ("The toolConfig field must be defined when using toolUse").
 */
export function withCalledTools(settings: JsonObject, prompt: Prompt): JsonObject {
  if (settings.tools !== undefined) return settings
  const names = prompt.flatMap(({ role, content }) =>
    role === 'assistant' ? content.flatMap((part) => (part.type === 'tool-call' ? [part.toolName] : [])) : [],
  )
  if (names.length === 0) return settings
  const tools = defineCalled(names).map(({ parameters: inputSchema, ...tool }) => ({
    type: 'function',
    ...tool,
    inputSchema,
  }))
  return { ...settings, tools, toolChoice: { type: 'none' } }
}

const EFFORTS = new Set(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])
const isEffort = (value: unknown): value is string => typeof value === 'string' && EFFORTS.has(value)
const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)
const budgetOf = (thinking: unknown) =>
  isObject(thinking) ? numberOf(thinking.budget_tokens ?? thinking.budgetTokens) : undefined

type JsonOptions = { [provider: string]: JsonObject }
const withoutEmpty = (options: JsonOptions) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => Object.keys(value).length > 0))

function toToolChoice(choice: unknown): JsonObject | undefined {
  if (choice === undefined || choice === null) return undefined
  if (typeof choice === 'string')
    return ['auto', 'required', 'none'].includes(choice) ? { type: choice } : { type: 'tool', toolName: choice }
  const named = isObject(choice) ? (isObject(choice.function) ? choice.function.name : choice.name) : undefined
  return typeof named === 'string' ? { type: 'tool', toolName: named } : undefined
}

const BOUNDS = new Set([
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'uniqueItems',
  'pattern',
])

function hasBounds(schema: unknown, names = false): boolean {
  if (Array.isArray(schema)) return schema.some((part) => hasBounds(part))
  if (!isObject(schema)) return false
  // The keys of `properties` are names that the user chose.
  return Object.entries(schema).some(
    ([key, value]) => (!names && BOUNDS.has(key)) || hasBounds(value, !names && PROPERTIES.has(key)),
  )
}
const PROPERTIES = new Set(['properties', '$defs', 'definitions'])
