/** An agent's settings as they are right for one endpoint. */
import { isObject } from '../wire/json.ts'
import { overDefaults } from './defaults.ts'
import type { Model, ModelSettings, TurnRequest } from './model.ts'
import { genericIncludes, takesEffort } from './openai/extra-args.ts'
import type { AddressEndpoint, ClientEndpoint } from './resolve.ts'

/** The model, asked with the settings that its endpoint takes. */
export function withSettings(model: Model, endpoint: ClientEndpoint | AddressEndpoint): Model {
  const settle = (request: TurnRequest): TurnRequest => ({ ...request, settings: settingsAt(endpoint, request) })
  return {
    ...model,
    streamTurn: (request, signal) => model.streamTurn(settle(request), signal),
    completeTurn: (request, signal) => model.completeTurn(settle(request), signal),
  }
}

/** The defaults of the model, the agent's settings over them, and nothing that the model or the address refuses. */
function settingsAt(endpoint: ClientEndpoint | AddressEndpoint, request: TurnRequest): ModelSettings {
  const { defaults, replaced, name, family, hostedTools } = endpoint
  const { reasoning: _, verbosity: __, ...rest } = request.settings
  // What an agent set for its own family of models is not for the one that a request put in its place.
  const settings = overDefaults(defaults, replaced ? rest : request.settings)
  if (!takesEffort(name, family)) delete settings.reasoning
  return hostedTools ? settings : withoutHosted(settings, request)
}

/** Settings for an address that runs no hosted tools: a choice of one becomes that of the function that stands for it. */
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

/** Choices that name something else than a hosted tool by its type. */
const OTHER_CHOICES = new Set(['function', 'custom', 'allowed_tools', 'tool', 'auto', 'any', 'none'])
const isHostedChoice = (choice: unknown): choice is { type: string } =>
  isObject(choice) && typeof choice.type === 'string' && !OTHER_CHOICES.has(choice.type)

/** The name of the function (tools/hosted.ts) that stands for a type of hosted tools. */
const standInFor = (type: string): string => (type === 'mcp' ? 'hosted_mcp' : (type.split('_preview', 1)[0] as string))
