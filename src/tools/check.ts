/** Checks (and converts) the arguments of a tool call. */
import { z } from 'zod'
import { errorText } from '../base/errors.ts'
import { isObject, type JsonObject, type JsonSchema } from '../wire/json.ts'
import { detailsFromZod, missing, noObject, type ValidationDetail, valueAt, valueError } from '../wire/validation.ts'
import { resolveRef } from './local-refs.ts'
import { toPortableShape } from './portable-schema.ts'
import { restoreNames } from './property-names.ts'
import { prune } from './prune.ts'
import { type StandardSchema, validateStandard } from './standard-schema.ts'
import type { FunctionTool, ToolInput } from './tool.ts'

/**
 * Creates the check of one tool's arguments. It converts values first ("5" -> 5 for an integer; a string field accepts strings
 * only), then validates. `extra` says what happens to fields that the schema does not define.
 */
export function createCheck(
  schema: JsonSchema,
  validator: z.ZodType | StandardSchema | undefined,
  extra: 'ignore' | 'as-schema',
): FunctionTool['check'] {
  const exact =
    validator === undefined
      ? fromJsonSchema(() => (extra === 'ignore' ? { ...schema, additionalProperties: true } : schema))
      : extra === 'as-schema' && schema.additionalProperties === false
        ? closed(validator)
        : validator
  const lenient = validator ?? exact ?? fromJsonSchema(() => toPortableShape(schema))
  return async (input, loc, from = 'caller') => {
    if (input === undefined) return { ok: false, details: [missing(loc, null)] }
    if (!isObject(input)) return { ok: false, details: [noObject(loc, input)] }
    const value = convert(restoreNames(input, schema), schema, schema)
    if (from === 'caller') return validate(exact, value, { input, loc, schema })
    const result = await validate(lenient, value, { input, loc, schema })
    if (result.ok) return result
    const pruned = prune(value, schema, { extras: validator === undefined })
    return validate(lenient, pruned, { input: pruned, loc, schema })
  }
}

/**
 * Creates the check of a tool of an MCP server. The server validates its arguments itself, so they are only converted, and
 * refused when a required one is missing. Patterns and alternatives from other servers are never evaluated here.
 */
export function createServerCheck(schema: JsonSchema, requiredFields: unknown): FunctionTool['check'] {
  const sent = (Array.isArray(requiredFields) ? requiredFields : []).map((name) => [String(name), true])
  const required = Object.keys(restoreNames(Object.fromEntries(sent), schema) as object)
  return async (input, loc) => {
    if (!isObject(input)) return { ok: false, details: [noObject(loc, input)] }
    const value = prune(convert(restoreNames(input, schema), schema, schema), schema, { extras: false }) as JsonObject
    const absent = required.filter((name) => !Object.hasOwn(value, name))
    return absent.length === 0
      ? { ok: true, value }
      : { ok: false, details: absent.map((name) => missing([...loc, name], input)) }
  }
}

/** Validates a value. `input` is repeated in the details. A rule that throws counts as a failure. */
async function validate(
  validator: z.ZodType | StandardSchema | undefined,
  value: unknown,
  { input, loc, schema }: { input: unknown; loc: readonly (string | number)[]; schema: JsonSchema },
): Promise<ToolInput> {
  if (validator === undefined) return { ok: true, value }
  try {
    return validator instanceof z.ZodType
      ? checkZod(await validator.safeParseAsync(value), { input, loc, schema })
      : await checkStandard(validator, value, loc)
  } catch (error) {
    return { ok: false, details: [valueError(loc, errorText(error), input)] }
  }
}

function checkZod(
  result: z.ZodSafeParseResult<unknown>,
  { input, loc, schema }: { input: unknown; loc: readonly (string | number)[]; schema: JsonSchema },
): ToolInput {
  if (result.success) return { ok: true, value: result.data }
  const details = detailsFromZod(result.error.issues, input, loc)
  return {
    ok: false,
    details: details.map((detail) => toIntegerDetail(detail, typeAt(schema, detail.loc.slice(loc.length)))),
  }
}

/** Without a catchall, a zod object drops unknown fields; its JSON Schema forbids them, so the check must, too. */
const closed = (validator: z.ZodType | StandardSchema) =>
  validator instanceof z.ZodObject && validator.def.catchall === undefined ? validator.strict() : validator

async function checkStandard(
  schema: StandardSchema,
  value: unknown,
  loc: readonly (string | number)[],
): Promise<ToolInput> {
  const result = await validateStandard(schema, value)
  if (result.ok) return result
  const details = result.issues.map(({ path, message }) => valueError([...loc, ...path], message, valueAt(value, path)))
  return { ok: false, details }
}

/**
 * A zod type for a JSON Schema; undefined when zod cannot express it. Over HTTP the tool then accepts the body unchecked, as in
 * the original; the arguments of a model are validated against the schema that was sent to it.
 */
function fromJsonSchema(make: () => JsonSchema): z.ZodType | undefined {
  try {
    return z.fromJSONSchema(make() as never)
  } catch {
    return undefined
  }
}

/** Converts texts, numbers and booleans to the type of the schema, where that loses nothing. */
function convert(value: unknown, schema: unknown, root: JsonSchema, depth = 0): unknown {
  const target = withoutNull(schema, root)
  if (!isObject(target) || depth > 64) return value
  if (typeof value === 'string') return convertText(value, target.type)
  if (typeof value === 'number') return target.type === 'boolean' && (value === 0 || value === 1) ? value === 1 : value
  if (typeof value === 'boolean') return /^(integer|number)$/.test(String(target.type)) ? Number(value) : value
  if (Array.isArray(value))
    return target.items === undefined ? value : value.map((item) => convert(item, target.items, root, depth + 1))
  const properties = target.properties
  if (!isObject(value) || !isObject(properties)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      Object.hasOwn(properties, key) ? convert(item, properties[key], root, depth + 1) : item,
    ]),
  )
}

function convertText(text: string, type: unknown): unknown {
  if (type === 'integer' && /^\s*[+-]?\d{1,15}(\.0+)?\s*$/.test(text)) return Number(text)
  if (type === 'number' && /^\s*[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\s*$/.test(text)) return Number(text)
  if (type === 'boolean' && /^(true|t|yes|y|on|1)$/i.test(text)) return true
  if (type === 'boolean' && /^(false|f|no|n|off|0)$/i.test(text)) return false
  return text
}

/** The schema without its `null` alternative, with references resolved. */
function withoutNull(schema: unknown, root: JsonSchema): unknown {
  const target = resolveRef(schema, root)
  if (!isObject(target)) return target
  if (Array.isArray(target.type)) {
    const [type, second] = target.type.filter((one) => one !== 'null')
    return second === undefined ? { ...target, type } : target
  }
  if (!Array.isArray(target.anyOf)) return target
  const [only, second] = target.anyOf.filter((part) => !isObject(part) || part.type !== 'null')
  return second === undefined ? resolveRef(only, root) : target
}

/** The schema's type at a path in the arguments. */
function typeAt(schema: JsonSchema, path: readonly (string | number)[]): unknown {
  let target: unknown = schema
  for (const part of path) {
    const place = withoutNull(target, schema)
    if (!isObject(place)) return undefined
    target = typeof part === 'number' ? place.items : isObject(place.properties) ? place.properties[part] : undefined
  }
  const place = withoutNull(target, schema)
  return isObject(place) ? place.type : undefined
}

/** zod reports a wrong integer as a wrong number; pydantic, and so the wire, has separate codes for integers. */
function toIntegerDetail(detail: ValidationDetail, type: unknown): ValidationDetail {
  if (type !== 'integer') return detail
  if (detail.type.endsWith('_type') && typeof detail.input === 'number' && !Number.isInteger(detail.input))
    return {
      ...detail,
      type: 'int_from_float',
      msg: 'Input should be a valid integer, got a number with a fractional part',
    }
  if (!detail.type.startsWith('float_')) return detail
  const msg = detail.msg.replace('valid number', 'valid integer').replace('as a number', 'as an integer')
  return { ...detail, type: detail.type.replace('float', 'int'), msg }
}
