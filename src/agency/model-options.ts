/** What an agent asks of its model: checks the options `model`, `modelSettings` and `outputType`. */
import { z } from 'zod'
import { errorText } from '../base/errors.ts'
import { optionNames, refuseUnknown } from '../base/options.ts'
import { invalidOption } from '../base/start-errors.ts'
import { fromSdkModel, isSdkModel, type SdkModel } from '../models/agents-sdk/model.ts'
import type { ModelSettings } from '../models/model.ts'
import { describeModel, isNamed, type ModelSpec } from '../models/spec.ts'
import { schemaOf } from '../tools/define.ts'
import { describesObject } from '../tools/portable-schema.ts'
import { isModelName, ownedFields } from '../wire/client-config.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { SETTINGS_MOVED } from './moved-options.ts'

/** Providers support structured output for objects only, so `outputType` must describe an object. @throws INVALID_OPTION */
export function checkOutputType(outputType: z.ZodType | undefined, agent: string): void {
  if (outputType === undefined) return
  const owner = `outputType of agent "${agent}"`
  if (!(outputType instanceof z.ZodType)) throw invalidOption(`${owner} must be a zod 4 object: z.object({ ... }).`)
  let schema: JsonSchema
  try {
    schema = schemaOf(outputType)
  } catch (error) {
    throw invalidOption(`${owner} cannot be written as a JSON Schema: ${errorText(error)}`)
  }
  if (!describesObject(schema, schema))
    throw invalidOption(
      `${owner} does not describe an object, and models return structured output as objects only. Wrap it: z.object({ answer: ... }).`,
    )
}

/** The model of an agent, with SDK models adapted. @throws INVALID_OPTION for a name with a blank part between its slashes */
export function readModel(model: ModelSpec | SdkModel | undefined, agent: string): ModelSpec | undefined {
  if (isSdkModel(model)) return fromSdkModel(model)
  const name: unknown = model !== null && isNamed(model) ? describeModel(model) : model
  if (!isObject(name) && !(typeof name === 'string' && isModelName(name)))
    throw invalidOption(
      `The model "${name}" of agent "${agent}" has no name: write "gpt-5.4", "<provider>/<model>" or "litellm/<provider>/<model>".`,
    )
  return model
}

const SETTINGS = optionNames<ModelSettings>({
  temperature: true,
  topP: true,
  maxTokens: true,
  toolChoice: true,
  parallelToolCalls: true,
  truncation: true,
  reasoning: true,
  verbosity: true,
  store: true,
  metadata: true,
  include: true,
  includeUsage: true,
  extraHeaders: true,
  extraBody: true,
})

/** @throws INVALID_OPTION for unknown settings, and for fields of `extraBody` that belong to the run */
export function checkSettings(settings: ModelSettings | undefined, agent: string): void {
  refuseUnknown(`modelSettings of agent "${agent}"`, settings ?? {}, SETTINGS, SETTINGS_MOVED)
  const [owned] = ownedFields(settings?.extraBody)
  if (owned !== undefined)
    throw invalidOption(
      `modelSettings.extraBody.${owned.join('.')} of agent "${agent}" is set by the run. Set it with the agent's own options (model, instructions, tools, ...).`,
    )
}
