/** Options of an agent that are checked and passed on: a prompt stored at OpenAI, and a voice. */
import { invalidOption } from '../base/start-errors.ts'
import type { ModelSettings } from '../models/model.ts'
import type { UserContext } from '../tools/user-context.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { AgencyContext, AgentInfo } from './context.ts'

/** A prompt that is stored at OpenAI. */
export interface StoredPrompt {
  /** The id: `pmpt_...` */
  id: string
  /** @default the current version */
  version?: string | undefined
  /** Values for the variables of the prompt: texts, or content parts. @default {} */
  variables?: { readonly [name: string]: string | JsonObject } | undefined
}

/** Chooses a prompt before every model call; undefined for none. */
export type PromptFunction<Context extends object = UserContext> = {
  choose(
    context: AgencyContext<Context>,
    agent: AgentInfo,
  ): StoredPrompt | undefined | Promise<StoredPrompt | undefined>
}['choose']

/**
 * The prompt of an agent's next model call.
 * @throws INVALID_OPTION when a function gives something else; what the function throws
 */
export async function choosePrompt(
  agent: AgentInfo,
  prompt: StoredPrompt | PromptFunction | undefined,
  context: AgencyContext,
): Promise<StoredPrompt | undefined> {
  if (typeof prompt !== 'function') return prompt
  const chosen = (await prompt(context, agent)) ?? undefined
  if (chosen === undefined || isStoredPrompt(chosen)) return chosen
  throw invalidOption(
    `The prompt function of agent "${agent.name}" must return { id: "pmpt_...", version, variables }.`,
  )
}

/** Settings that ask for the prompt; `extraBody.prompt` of the agent comes first. */
export const withPrompt = (settings: ModelSettings, prompt: StoredPrompt | undefined): ModelSettings =>
  prompt === undefined ? settings : { ...settings, extraBody: { prompt, ...settings.extraBody } }

/** The voices of OpenAI and xAI, as in the Python original. */
export const VOICES = 'alloy ash ballad cedar coral echo marin sage shimmer verse ara eve leo rex sal'.split(' ')
export const isVoice = (value: unknown) => typeof value === 'string' && VOICES.includes(value.trim().toLowerCase())
export const isStoredPrompt = (value: unknown) =>
  isObject(value) &&
  typeof value.id === 'string' &&
  value.id !== '' &&
  Object.keys(value).every((key) => ['id', 'version', 'variables'].includes(key))
