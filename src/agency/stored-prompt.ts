/** Options of an agent that are checked and passed on: a prompt stored at OpenAI, and a voice. */
import { isObject, type JsonObject } from '../wire/json.ts'

/** A prompt that is stored at OpenAI. */
export interface StoredPrompt {
  /** The id: `pmpt_...` */
  id: string
  /** @default the current version */
  version?: string | undefined
  /** Values for the variables of the prompt: texts, or content parts. @default {} */
  variables?: { readonly [name: string]: string | JsonObject } | undefined
}

/** The voices of OpenAI and xAI, as in the Python original. */
export const VOICES = 'alloy ash ballad cedar coral echo marin sage shimmer verse ara eve leo rex sal'.split(' ')
export const isVoice = (value: unknown) => typeof value === 'string' && VOICES.includes(value.trim().toLowerCase())
export const isStoredPrompt = (value: unknown) =>
  isObject(value) &&
  typeof value.id === 'string' &&
  value.id !== '' &&
  Object.keys(value).every((key) => ['id', 'version', 'variables'].includes(key))
