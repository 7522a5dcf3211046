/** Default settings of OpenAI's reasoning models. */
import type { ModelSettings } from './model.ts'

const DATED = '(?:-\\d{4}-\\d{2}-\\d{2})?'
/** Reasoning effort by model: the table of openai-agents 0.18.1, `agents/models/default_models.py`. */
const EFFORTS: readonly (readonly [names: RegExp, effort: string])[] = [
  [new RegExp(`^gpt-5${DATED}$`), 'low'],
  [new RegExp(`^gpt-5\\.[12]${DATED}$`), 'none'],
  [new RegExp(`^gpt-5\\.[24]-pro${DATED}$`), 'medium'],
  [/^gpt-5\.2-codex$/, 'low'],
  [/^gpt-5\.3-codex$/, 'none'],
  [new RegExp(`^gpt-5\\.4(?:-mini|-nano)?${DATED}$`), 'none'],
  [new RegExp(`^gpt-5\\.5${DATED}$`), 'none'],
  [new RegExp(`^gpt-5\\.6(?:-sol|-terra|-luna)?${DATED}$`), 'none'],
]
/** These models refuse an effort and a verbosity. */
const CHAT_ONLY = /^gpt-5(?:\.[123])?-chat-latest$/

/**
 * The default reasoning effort and verbosity of a model, as in the original.
 * @param name as an agent or a request writes it; the prefixes `openrouter/` and `openrouter/openai/` are ignored
 * @returns `{}` for every model whose name does not begin with `gpt-5`
 */
export function defaultSettings(name: string): ModelSettings {
  const bare = name.startsWith('openrouter/') ? name.replace(/^openrouter\/(openai\/)?/, '') : name
  if (!bare.startsWith('gpt-5') || CHAT_ONLY.test(bare)) return {}
  const effort = EFFORTS.find(([names]) => names.test(bare))?.[1]
  return { verbosity: 'low', ...(effort === undefined ? {} : { reasoning: { effort } }) }
}

/** An agent's settings over the defaults; the default applies where the agent leaves a field out or sets it to null. */
export function overDefaults(defaults: ModelSettings, { reasoning, verbosity, ...rest }: ModelSettings): ModelSettings {
  const settings = { ...defaults, ...rest }
  if (reasoning != null) settings.reasoning = reasoning
  if (verbosity != null) settings.verbosity = verbosity
  return settings
}
