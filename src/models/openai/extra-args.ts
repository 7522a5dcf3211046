/** Translates `client_config.model_settings_extra_args` for the API and the model family of a call. */
import { isObject, type JsonObject } from '../../wire/json.ts'
import { dropUnset } from './api.ts'

/** The family whose settings a model understands, at every address. */
export type ModelFamily = 'openai' | 'anthropic' | 'google' | 'xai' | 'other'

/** @param name at its address: `gpt-5.4`, `anthropic/claude-sonnet-4-5` */
export function familyOf(name: string, provider: string): ModelFamily {
  if (provider === 'xai') return 'xai'
  const slash = name.indexOf('/')
  if (slash === -1) return 'openai'
  switch (name.slice(0, slash).toLowerCase()) {
    case 'openai':
    case 'azure':
    case 'azure_ai':
      return 'openai'
    case 'anthropic':
      return 'anthropic'
    case 'google':
    case 'gemini':
    case 'vertex_ai':
      return 'google'
    case 'xai':
    case 'x-ai':
      return 'xai'
    default:
      return 'other'
  }
}

/** The xAI models that accept a reasoning effort, as listed by LiteLLM 1.91.5. Others refuse a request with one. */
const XAI_EFFORT = /^grok-(3-mini|4[.-]1-fast|4[.-]20-.*(reasoning|multi-agent)|4[.-]3|code-fast)/

/** True for a model that accepts a reasoning effort. */
export function takesEffort(name: string, family: ModelFamily): boolean {
  const bare = name.slice(name.lastIndexOf('/') + 1).toLowerCase()
  return family !== 'xai' || (XAI_EFFORT.test(bare) && !bare.includes('non-reasoning'))
}

/** Values that only OpenAI's hosted tools have: `web_search_call.action.sources`, `computer_call_output.output.image_url`. */
const HOSTED_INCLUDE = /^\w+_call(_output)?\./

/** The values of `include` that an address without hosted tools understands. */
export const genericIncludes = (include: readonly unknown[]): string[] =>
  include.filter((value) => typeof value === 'string').filter((value) => !HOSTED_INCLUDE.test(value))

/**
 * The arguments for `responses` and `chat`: with `reasoning_effort` and `thinking.budget_tokens` for every name that the
 * caller's client uses, without arguments that the model family does not know.
 * @param hostedTools false: the address runs no hosted tools
 */
export function translateArgs(
  args: JsonObject | null | undefined,
  { name, family, hostedTools }: { name: string; family: ModelFamily; hostedTools: boolean },
): JsonObject | undefined {
  if (args == null) return undefined
  const { extra_body, ...own } = args
  const { include, ...rest } = { ...own, ...(isObject(extra_body) ? extra_body : {}) }
  switch (family) {
    case 'openai':
      return dropUnset({
        ...rest,
        include: Array.isArray(include) && !hostedTools ? genericIncludes(include) : include,
      })
    case 'anthropic':
      return toAnthropic(rest)
    case 'google':
      return toGoogle(rest)
    case 'xai':
      return toXai(rest, takesEffort(name, family))
    default:
      return rest
  }
}

function toAnthropic({ effort, reasoning_summary: _, thinking, reasoning_effort, ...rest }: JsonObject): JsonObject {
  const thoughts = withBudget(thinking)
  const budgeted = isObject(thoughts) && thoughts.type === 'enabled' && typeof thoughts.budget_tokens === 'number'
  const wanted = reasoning_effort ?? (typeof effort === 'string' ? effort : undefined)
  const given = wanted ?? (budgeted && !isObject(rest.reasoning) ? 'high' : undefined)
  return dropUnset({ ...rest, thinking: thoughts, reasoning_effort: given })
}

function toGoogle(args: JsonObject): JsonObject {
  const { thinkingConfig, thinkingLevel, thinkingBudget, includeThoughts: _, ...rest } = args
  const { effort, thinking, reasoning_effort, reasoning_summary, ...others } = rest
  const config = isObject(thinkingConfig) ? thinkingConfig : {}
  const budget = [thinkingBudget, config.thinkingBudget].find((value) => typeof value === 'number')
  const levels = [reasoning_effort, effort, config.thinkingLevel, thinkingLevel]
  // A budget and an effort exclude each other.
  const wanted = budget === undefined ? levels.find((value) => value != null) : undefined
  const thoughts = budget === undefined ? withBudget(thinking) : { type: 'enabled', budget_tokens: budget }
  const thinks = wanted !== undefined || thoughts !== undefined
  return dropUnset({
    ...others,
    thinking: thoughts,
    reasoning_effort: wanted,
    reasoning_summary: reasoning_summary ?? (thinks ? 'auto' : undefined),
  })
}

function toXai(args: JsonObject, effortTaken: boolean): JsonObject {
  const { effort, reasoning_effort, reasoning_summary: _, reasoning, ...rest } = args
  if (!effortTaken) return rest
  return dropUnset({ ...rest, reasoning, reasoning_effort: reasoning_effort ?? effort })
}

/** Some clients write `budgetTokens`; the APIs expect `budget_tokens`. */
function withBudget(thinking: unknown): unknown {
  if (!isObject(thinking) || thinking.budgetTokens === undefined) return thinking
  const { budgetTokens, ...rest } = thinking
  return { ...rest, budget_tokens: rest.budget_tokens ?? budgetTokens }
}
