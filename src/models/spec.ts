/** What an agent's `model` may be, and how it is named. */
import type OpenAI from 'openai'
import { isLanguageModel, type LanguageModel, namespaceOf } from './ai-sdk/ai-sdk.ts'
import type { Model } from './model.ts'
import type { KnownModel } from './names.data.ts'

/**
 * What an agent's `model` may be: a name (docs/models.md), `responses(name)`, `chatCompletions(name)`, a language model of
 * the AI SDK, or an object that fulfils the Model interface.
 */
export type ModelSpec = ModelName | ApiModel | LanguageModel | Model

/** The name of a model: one of those that editors complete, or any other. */
export type ModelName = KnownModel | (string & {})

/** A model of an OpenAI-compatible API, by the name it has there. Made by `responses(name)` and `chatCompletions(name)`. */
export interface ApiModel {
  readonly kind: 'responses' | 'chat-completions'
  readonly name: string
  /** Its own way there. Default: the server's address and key. */
  readonly client?: OpenAI
}

/** Options of `responses` and `chatCompletions`. */
export interface ApiModelOptions {
  /** A client of the `openai` package, `AzureOpenAI` included. Default: the server's address and key. */
  client?: OpenAI
}

/** `model: responses('gpt-4.1', { client })`: over the Responses API, the name sent as it is. */
export const responses = (name: ModelName, options: ApiModelOptions = {}): ApiModel =>
  Object.freeze({ kind: 'responses', name, ...options })

/** `model: chatCompletions('gpt-4.1')`: over Chat Completions, the name sent as it is. */
export const chatCompletions = (name: ModelName, options: ApiModelOptions = {}): ApiModel =>
  Object.freeze({ kind: 'chat-completions', name, ...options })

/** Used by agents that name no model. */
export const DEFAULT_MODEL = 'gpt-5.6-luna'

/** True for a name, `responses(name)` and `chatCompletions(name)`; false for an object that makes its calls itself. */
export const isNamed = (spec: ModelSpec | undefined): spec is string | ApiModel | undefined =>
  typeof spec !== 'object' || 'kind' in spec

/** The name of a model as the metadata and errors show it. */
export function describeModel(spec: ModelSpec | undefined): string {
  if (typeof spec !== 'object') return spec ?? DEFAULT_MODEL
  return isLanguageModel(spec) ? `${namespaceOf(spec)}/${spec.modelId}` : spec.name
}
