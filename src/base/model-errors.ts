/** Errors of models, gateways and MCP servers. */
import { AgencyError } from './errors.ts'

/** One of our own limits on a model's answer has passed: a further attempt would only double the wait. */
export class ModelTimeout extends Error {
  override readonly name = 'ModelTimeout'
  /** What did not arrive in time. */
  readonly kind: 'headers' | 'event'
  constructor(kind: ModelTimeout['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/** @param variables the environment variables that can hold the provider's key */
export const missingApiKey = (
  agent: string,
  model: string,
  { provider, variables }: { provider: string; variables: readonly string[] },
) => {
  const names = variables.join(' or ')
  const ways =
    provider === 'openai'
      ? `Set ${names}, or set model: "demo" on the agent to try it offline.`
      : `Set ${names}, or start with keyPerRequest: true and let every request send its key in client_config.litellm_keys.${provider}.`
  return new AgencyError(
    'MISSING_API_KEY',
    500,
    `Agent "${agent}" uses the model "${model}", but ${names} is not set. ${ways}`,
  )
}
export const providerNotSupported = (model: string, agent: string, known: readonly string[]) =>
  new AgencyError(
    'MODEL_NOT_SUPPORTED',
    500,
    `The model "${model}" of agent "${agent}" has an unknown provider. Known providers: ${known.join(', ')}. Other providers need an OpenAI-compatible address: OPENAI_BASE_URL, or client_config.base_url in the request.`,
  )
export const providerAddressMissing = (model: string, agent: string, variable: string) =>
  new AgencyError(
    'MODEL_NOT_SUPPORTED',
    500,
    `The model "${model}" of agent "${agent}" has no default address. Set ${variable}, or send client_config.base_url with the request.`,
  )
export const languageModelVersion = (model: string, agent: string, version: string) =>
  new AgencyError(
    'MODEL_NOT_SUPPORTED',
    500,
    `The model "${model}" of agent "${agent}" implements version "${version}" of the AI SDK's model specification, but "v4" (AI SDK 7) is needed. Install a newer version of its package.`,
  )
export const providerNotInstalled = (model: string, agent: string, packageName: string) =>
  new AgencyError(
    'PROVIDER_NOT_INSTALLED',
    500,
    `The model "${model}" of agent "${agent}" needs the package ${packageName}, which is not installed. Install it: npm install ${packageName}`,
  )
/** How much of a provider's error text is kept, in characters. */
const MAX_PROVIDER_CHARS = 10_000
/** The model named by client_config.model is unavailable: a 422 whose text tells the caller how to fix the request. */
export const choiceRefused = (
  code: 'MISSING_API_KEY' | 'MODEL_NOT_SUPPORTED' | 'PROVIDER_NOT_INSTALLED',
  model: string,
  reason: string,
) => new AgencyError(code, 422, `client_config.model "${model}" cannot be used: ${reason}`)
export const modelFailed = (message: string, cause?: unknown) =>
  new AgencyError(
    'MODEL_FAILED',
    502,
    message.slice(0, MAX_PROVIDER_CHARS),
    cause === undefined ? undefined : { cause },
  )
export const tooManyCalls = (limit: number) =>
  modelFailed(`The model made more than ${limit} tool calls in one response, which is the limit.`)
/** The model refused to answer. Its reason is part of the text, because it is written for users. */
export const modelRefused = (refusal: string) =>
  new AgencyError('MODEL_REFUSED', 502, `Model refused to produce output: ${refusal.slice(0, MAX_PROVIDER_CHARS)}`)
/** @param reason the provider's reason, such as `max_output_tokens` */
export const answerCut = (agent: string, reason: string) =>
  new AgencyError(
    'ANSWER_CUT',
    502,
    `The answer of agent ${agent} was cut off (${reason}) before it contained text or a complete tool call. Raise maxTokens, or ask for a shorter answer.`,
  )
/** @param server its name, unless that may be its address with a key in it */
export const mcpFailed = (agent: string, cause: unknown, server?: string) =>
  new AgencyError(
    'MCP_FAILED',
    502,
    `${server === undefined ? 'An MCP server' : `The MCP server "${server}"`} of agent "${agent}" could not be reached.`,
    { cause },
  )

/** The list would be sent to the model with every call. @param server as for `mcpFailed` */
export const tooManyMcpTools = (agent: string, limit: number, server?: string) =>
  new AgencyError(
    'MCP_FAILED',
    502,
    `${server === undefined ? 'An MCP server' : `The MCP server "${server}"`} of agent "${agent}" lists more than ${limit} tools, which is the limit.`,
  )

/** @param server the label of the server */
export const consentNeeded = (server: string) =>
  new AgencyError('CONSENT_NEEDED', 403, `The MCP server "${server}" needs the consent of the user.`)
export const isConsentNeeded = (error: unknown): error is AgencyError =>
  AgencyError.isInstance(error) && error.code === 'CONSENT_NEEDED'
/** One sentence for all reasons: a state says nothing of others. */
export const consentGone = () =>
  new AgencyError(
    'CONSENT_GONE',
    410,
    'The request for consent is unknown, was used already or has expired. Ask again.',
  )
export const consentFailed = (server: string, cause: unknown) =>
  new AgencyError('CONSENT_FAILED', 502, `The login at the MCP server "${server}" failed. Ask again.`, { cause })
/** The address was opened by another person, or by a person whom the server does not know. */
export const consentNotYours = () =>
  new AgencyError(
    'CONSENT_FAILED',
    403,
    'The request for consent belongs to another user. Sign in as that user, and open the address again.',
  )

export const gatewayRefused = (host: string) =>
  new AgencyError(
    'GATEWAY_REFUSED',
    422,
    `The server does not send requests to ${host}. Its operator can allow the address with trustedModelOrigins.`,
  )
