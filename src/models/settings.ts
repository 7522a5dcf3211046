/** Adapts an agent's settings to one endpoint. */
import { isObject } from '../wire/json.ts'
import { overDefaults } from './defaults.ts'
import type { Model, ModelSettings, TurnRequest } from './model.ts'
import { genericIncludes, takesEffort } from './openai/extra-args.ts'
import type { AddressEndpoint, ClientEndpoint } from './resolve.ts'

/** The same model; each call gets only the settings that its endpoint accepts. */
export function withSettings(model: Model, endpoint: ClientEndpoint | AddressEndpoint): Model {
  const settle = (request: TurnRequest): TurnRequest => ({ ...request, settings: settingsAt(endpoint, request) })
  return {
    ...model,
    streamTurn: (request, signal) => model.streamTurn(settle(request), signal),
    completeTurn: (request, signal) => model.completeTurn(settle(request), signal),
  }
}

/** The agent's settings over the model's defaults, without those that the model or the address refuses. */
function settingsAt(endpoint: ClientEndpoint | AddressEndpoint, request: TurnRequest): ModelSettings {
  const { defaults, replaced, name, family, hostedTools } = endpoint
  const { reasoning: _, verbosity: __, ...rest } = request.settings
  // A setting for the agent's own family of models does not apply to the model that a request chose instead.
  const settings = overDefaults(defaults, replaced ? rest : request.settings)
  if (!takesEffort(name, family)) delete settings.reasoning
  return hostedTools ? settings : withoutHosted(settings, request)
}

/** Settings for an address that runs no hosted tools: a choice of such a tool becomes a choice of the function that replaces it. */
function withoutHosted(settings: ModelSettings, { tools }: TurnRequest): ModelSettings {
  const { include, extraBody, toolChoice, ...rest } = settings
  const kept: ModelSettings = rest
  if (include !== undefined) kept.include = genericIncludes(include)
  if (extraBody !== undefined)
    kept.extraBody = Array.isArray(extraBody.include)
      ? { ...extraBody, include: genericIncludes(extraBody.include) }
      : extraBody
  const choice = isHostedChoice(toolChoice) ? standInFor(String(toolChoice.type)) : toolChoice
  if (choice !== undefined && (choice === toolChoice || tools.some((tool) => tool.name === choice)))
    kept.toolChoice = choice
  return kept
}

/** Types of a choice that do not name a hosted tool. */
const OTHER_CHOICES = new Set(['function', 'custom', 'allowed_tools', 'tool', 'auto', 'any', 'none'])
const isHostedChoice = (choice: unknown): choice is { type: string } =>
  isObject(choice) && typeof choice.type === 'string' && !OTHER_CHOICES.has(choice.type)

/** The name of the function (tools/hosted.ts) that replaces a type of hosted tool. */
const standInFor = (type: string): string => (type === 'mcp' ? 'hosted_mcp' : (type.split('_preview', 1)[0] as string))
