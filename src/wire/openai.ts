/** What the bodies of the OpenAI endpoints share: models, tools, formats, errors. */
import { z } from 'zod'
import { checkCount } from './request-checks.ts'
import { asObject, parse, RequestInvalid, type RequestRules } from './requests.ts'
import { requiredName } from './scalars.ts'
import { valueError } from './validation.ts'

export const optionalText = z.string().nullish()
const schema = z.record(z.string(), z.unknown())

export const modelName = requiredName.describe('An agency, or `agency/Agent` for one of its agents.')
export const stream = z.boolean().nullish().describe('Answer with server-sent events. Default: false.')

/** A function that the client runs. */
export const functionFields = {
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'a name has 1 to 64 letters, digits, _ and -'),
  description: optionalText,
  parameters: schema.nullish(),
  strict: z.boolean().nullish(),
}
export type FunctionFields = z.infer<z.ZodObject<typeof functionFields>>

/** The mode of a choice that allows some of the client's tools. */
export const allowedMode = z.enum(['auto', 'required'])

/** The schema of an answer. */
export const answerSchema = z.object({
  name: z.string().max(64),
  description: optionalText,
  schema: schema.nullish(),
  strict: z.boolean().nullish(),
})

/** Most tools of one request. */
export const MAX_TOOLS = 128

/**
 * Parses a body whose list of messages may be long.
 * @param list the field that has the list
 * @throws RequestInvalid
 */
export function parseLong<Schema extends z.ZodType>(
  schema: Schema,
  body: unknown,
  { list, rules }: { list: string; rules: RequestRules },
): z.infer<Schema> {
  const object = asObject(body)
  checkCount(object[list], [list], rules.historyItems)
  checkCount(object.tools, ['tools'], MAX_TOOLS)
  return parse(schema, object, 'body')
}

/** @throws RequestInvalid always */
export const refuse = (loc: readonly (string | number)[], message: string): never => {
  throw new RequestInvalid([valueError(['body', ...loc], message, null)])
}

export const openAiModel = z
  .object({
    id: z.string().describe('What requests name as `model`.'),
    object: z.literal('model'),
    created: z.int().describe('When the server was started, in seconds since 1970.'),
    owned_by: z.string(),
  })
  .meta({ id: 'OpenAiModel' })
export const openAiModels = z
  .object({ object: z.literal('list'), data: z.array(openAiModel) })
  .meta({ id: 'OpenAiModels' })
export type OpenAiModel = z.infer<typeof openAiModel>

export const openAiError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable().describe('The field that is wrong.'),
      code: z.string().nullable(),
    }),
  })
  .meta({ id: 'OpenAiError' })
export type OpenAiError = z.infer<typeof openAiError>
