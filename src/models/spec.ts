/** The values that an agent's `model` accepts, and their names. */
import type OpenAI from 'openai'
import { isLanguageModel, type LanguageModel, namespaceOf } from './ai-sdk/ai-sdk.ts'
import type { Model } from './model.ts'
import type { KnownModel } from './names.data.ts'

/**
 * What an agent's `model` may be: a name (docs/models.md), `responses(name)`, `chatCompletions(name)`, a language model of
 * the AI SDK, or an object that implements the Model interface.
 */
export type ModelSpec = ModelName | ApiModel | LanguageModel | Model

/** The name of a model: editors complete the known ones, and any other text is allowed. */
export type ModelName = KnownModel | (string & {})

/** A model of an OpenAI-compatible API, by its name in that API. Made by `responses(name)` and `chatCompletions(name)`. */
export interface ApiModel {
  readonly kind: 'responses' | 'chat-completions'
  readonly name: string
  /** The client that makes its calls. Default: the server's address and key. */
  readonly client?: OpenAI
}

/** Options of `responses` and `chatCompletions`. */
export interface ApiModelOptions {
  /** A client of the `openai` package, `AzureOpenAI` included. Default: the server's address and key. */
  client?: OpenAI
}

/** `model: responses('gpt-4.1', { client })`: called over the Responses API, with the name unchanged. */
export const responses = (name: ModelName, options: ApiModelOptions = {}): ApiModel =>
  Object.freeze({ kind: 'responses', name, ...options })

/** `model: chatCompletions('gpt-4.1')`: called over Chat Completions, with the name unchanged. */
export const chatCompletions = (name: ModelName, options: ApiModelOptions = {}): ApiModel =>
  Object.freeze({ kind: 'chat-completions', name, ...options })

/** The model of agents without one. */
export const DEFAULT_MODEL = 'gpt-5.6-luna'

/** True for a name, `responses(name)` and `chatCompletions(name)`; false for an object that makes its own calls. */
export const isNamed = (spec: ModelSpec | undefined): spec is string | ApiModel | undefined =>
  typeof spec !== 'object' || 'kind' in spec

/** The name of a model as the metadata and errors show it. */
export function describeModel(spec: ModelSpec | undefined): string {
  if (typeof spec !== 'object') return spec ?? DEFAULT_MODEL
  return isLanguageModel(spec) ? `${namespaceOf(spec)}/${spec.modelId}` : spec.name
}
