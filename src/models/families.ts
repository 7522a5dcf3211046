/** Facts about model families, by name. */
import type { ChatQuirks } from './openai/chat-messages.ts'

/** A model's name without provider and owner: `openai/gpt-4.1` and `ft:gpt-4.1:acme` are both `gpt-4.1`. */
const bareName = (model: string): string => model.slice(model.lastIndexOf('/') + 1).replace(/^ft:/, '')

/**
 * OpenAI's models that do not reason; they refuse items of reasoning ("Reasoning input items can only be provided to a reasoning or
 * computer use model"). Source: OpenAI's list of models, November 2026. An unknown name, such as that of a deployment,
 * counts as that of a model that reasons.
 */
const NOT_REASONING = /^(gpt-[34]|chatgpt-4|gpt-5-chat|davinci|babbage)/
export const takesReasoning = (model: string): boolean => !NOT_REASONING.test(bareName(model))

const MISTRAL = /(^|[-_.])(mistral|ministral|magistral|mixtral|codestral|devstral|pixtral|voxtral|mathstral)/i
const TEMPLATED = /^(gemma|medgemma)/i
const OPENAI = /^(gpt-(?!oss)|chatgpt-|o\d)/

/** True for the name of an OpenAI model; false for an unknown name, such as that of a deployment. */
export const isOpenAI = (model: string): boolean => OPENAI.test(bareName(model))

/** Mistral's validation, wherever its models are served (its package mistral-common is used by vLLM and NIM too). */
export const MISTRAL_QUIRKS: ChatQuirks = {
  callIds: { maxLength: 9, alphabet: 'a-zA-Z0-9', exact: true },
  answerAfterTools: true,
  endsWithUser: true,
  rolesAlternate: true,
}
/** The chat templates of many open models, wherever they are served ("Conversation roles must alternate"). */
export const TEMPLATE_QUIRKS: ChatQuirks = { rolesAlternate: true }
/** Anthropic refuses calls of tools that the request does not define, and so do gateways in front of it. */
export const CLAUDE_QUIRKS: ChatQuirks = { definesCalledTools: true }
/** The limit of OpenAI and Azure for ids of tool calls over Chat Completions. */
export const OPENAI_QUIRKS: ChatQuirks = { callIds: { maxLength: 40 } }

/** How a family of models differs over Chat Completions, at every provider. */
export function quirksOf(model: string): ChatQuirks {
  const name = bareName(model)
  if (MISTRAL.test(name)) return MISTRAL_QUIRKS
  if (TEMPLATED.test(name)) return TEMPLATE_QUIRKS
  if (/claude/i.test(name)) return CLAUDE_QUIRKS
  return OPENAI.test(name) ? OPENAI_QUIRKS : {}
}

/** Claude models that continue a last message of the assistant; later ones refuse it (Anthropic's guide on prefilling). */
const PREFILLED = /claude-(instant|[123]|(opus|sonnet|haiku)-4(-[015])?(-\d{8}|-latest|@|:|$))/
export const takesPrefill = (model: string): boolean => PREFILLED.test(model)
