/** Validation errors in FastAPI's shape, and zod issues translated to it. */
import { z } from 'zod'
import { AgencyError } from '../base/errors.ts'

/** One entry of FastAPI's 422 body. */
export interface ValidationDetail {
  type: string
  loc: (string | number)[]
  msg: string
  input: unknown
  ctx?: { [key: string]: unknown }
}

/** The schema of that type, for the OpenAPI document; tests/types compares the two. */
export const validationDetail = z
  .object({
    type: z.string().describe('What is wrong, such as missing or string_type.'),
    loc: z.array(z.union([z.string(), z.int()])).describe('Where it is wrong, such as body, message.'),
    msg: z.string(),
    input: z.unknown().exactOptional().describe('The value there; secrets are "[redacted]".'),
    ctx: z.record(z.string(), z.unknown()).exactOptional(),
  })
  .meta({ id: 'ValidationError' })
export const validationError = z
  .object({
    detail: z.array(validationDetail),
    code: z.string().exactOptional().describe('On routes of runs: why, such as IDEMPOTENCY_MISMATCH.'),
  })
  .meta({ id: 'HTTPValidationError' })

type Loc = readonly (string | number)[]

const SHOULD_BE = 'Input should be '
/** The sentence that lists the allowed names. */
export const listed = (names: readonly string[]): string =>
  `${SHOULD_BE}${names
    .map((name) => `'${name}'`)
    .join(', ')
    .replace(/, (?=[^,]*$)/, ' or ')}`
/** Most details in one answer; further ones are left out. */
export const MAX_DETAILS = 100
/** How much of a wrong input an answer repeats, in characters. */
const MAX_INPUT_CHARS = 4_096
const MAX_LOC_CHARS = 200

/** A request that is not valid; answered with 422 and these details. */
export class RequestInvalid extends AgencyError {
  readonly details: readonly ValidationDetail[]
  constructor(details: readonly ValidationDetail[]) {
    const first = details.slice(0, MAX_DETAILS).map(shorten)
    super('INVALID_REQUEST', 422, first.map((detail) => detail.msg).join(' '))
    this.details = first
  }
}

/** The detail without a long echo of the caller's input, so that a 422 stays small. */
export function shorten(detail: ValidationDetail): ValidationDetail {
  const long = detail.loc.some((part) => typeof part === 'string' && part.length > MAX_LOC_CHARS)
  const large = weigh(detail.input, MAX_INPUT_CHARS) < 0
  if (!long && !large) return detail
  const loc = detail.loc.map((part) => (typeof part === 'string' ? part.slice(0, MAX_LOC_CHARS) : part))
  return { ...detail, loc, input: large ? '[too large to repeat]' : detail.input }
}

/** The value of a discriminator as a short text. */
export const tagText = (tag: unknown): string =>
  typeof tag === 'object' ? 'object' : String(tag).slice(0, MAX_LOC_CHARS)

/** `budget` minus the characters of the value; stops early once that is negative. */
function weigh(value: unknown, budget: number): number {
  if (typeof value === 'string') return budget - value.length
  if (typeof value !== 'object' || value === null) return budget - 8
  let left = budget
  for (const key in value) {
    if (left < 0) break
    left = weigh((value as { [key: string]: unknown })[key], left - key.length - 4)
  }
  return left
}

export const tooLong = (loc: Loc, most: number, count: number): ValidationDetail => ({
  type: 'too_long',
  loc: [...loc],
  msg: `List should have at most ${most} items after validation, not ${count}`,
  input: null,
  ctx: { field_type: 'List', max_length: most, actual_length: count },
})

export const missing = (loc: Loc, input: unknown): ValidationDetail => ({
  type: 'missing',
  loc: [...loc],
  msg: 'Field required',
  input,
})

/** A body or value that should be an object. */
export const noObject = (loc: Loc, input: unknown): ValidationDetail => ({
  type: 'model_attributes_type',
  loc: [...loc],
  msg: 'Input should be a valid dictionary or object to extract fields from',
  input,
})

export const valueError = (loc: Loc, message: string, input: unknown): ValidationDetail => ({
  type: 'value_error',
  loc: [...loc],
  msg: `Value error, ${message}`,
  input,
  ctx: { error: {} },
})

/** Expected zod type -> the code and noun of FastAPI's validator. */
const TYPES: { [expected: string]: [code: string, noun: string] } = {
  string: ['string_type', 'a valid string'],
  number: ['float_type', 'a valid number'],
  int: ['int_type', 'a valid integer'],
  boolean: ['bool_type', 'a valid boolean'],
  array: ['list_type', 'a valid list'],
  object: ['model_attributes_type', 'a valid dictionary or object to extract fields from'],
  record: ['dict_type', 'a valid dictionary'],
}
const PARSED: { [code: string]: string } = {
  float_type: 'float_parsing',
  int_type: 'int_parsing',
  bool_type: 'bool_parsing',
}

/** zod issues as FastAPI-shaped details; `loc` is put before each path. */
export function detailsFromZod(issues: readonly z.core.$ZodIssue[], input: unknown, loc: Loc): ValidationDetail[] {
  return issues.slice(0, MAX_DETAILS).flatMap((issue) => {
    const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
    const at = [...loc, ...path]
    const value = valueAt(input, path)
    switch (issue.code) {
      case 'invalid_type':
        return [
          value === undefined && path.length > 0
            ? missing(at, valueAt(input, path.slice(0, -1)))
            : wrongType(issue.expected, at, value),
        ]
      case 'unrecognized_keys':
        return issue.keys.map((key) => ({
          type: 'extra_forbidden',
          loc: [...at, key],
          msg: 'Extra inputs are not permitted',
          input: valueAt(value, [key]),
        }))
      case 'invalid_key': {
        const msg = issue.issues[0]?.message ?? 'Input should be a known name'
        const expected = msg.replace(SHOULD_BE, '')
        return [{ type: 'enum', loc: [...at, '[key]'], msg, input: path.at(-1), ctx: { expected } }]
      }
      case 'invalid_value':
        return [
          value === undefined
            ? missing(at, valueAt(input, path.slice(0, -1)))
            : {
                type: 'literal_error',
                loc: at,
                msg: `Input should be ${issue.values.map((allowed) => `'${String(allowed)}'`).join(' or ')}`,
                input: value,
                ctx: { expected: issue.values.map((allowed) => `'${String(allowed)}'`).join(' or ') },
              },
        ]
      case 'too_small':
      case 'too_big':
        return [outOfBounds(issue, at, value)]
      case 'invalid_union':
        return wrongUnion(issue, input, at, path)
      default:
        return [valueError(at, issue.message, value)]
    }
  })
}

/** For a discriminated union, the known tags; for another union, the details of the alternative that matched furthest. */
function wrongUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  input: unknown,
  at: Loc,
  path: readonly (string | number)[],
): ValidationDetail[] {
  const { discriminator } = issue
  if (discriminator === undefined) {
    const closest = issue.errors.find(([first]) => first !== undefined && first.path.length > 0)
    const value = valueAt(input, path)
    return closest === undefined ? [valueError(at, issue.message, value)] : detailsFromZod(closest, value, at)
  }
  const tag = valueAt(input, path)
  const loc = at.slice(0, -1)
  const object = valueAt(input, path.slice(0, -1))
  const by = `'${discriminator}'`
  if (tag === undefined) {
    const msg = `Unable to extract tag using discriminator ${by}`
    return [{ type: 'union_tag_not_found', loc, msg, input: object, ctx: { discriminator: by } }]
  }
  const options = (issue as { options?: readonly unknown[] }).options ?? []
  const expected_tags = options.map((option) => `'${String(option)}'`).join(', ')
  const shown = tagText(tag)
  const msg = `Input tag '${shown}' found using ${by} does not match any of the expected tags: ${expected_tags}`
  const ctx = { discriminator: by, tag: shown, expected_tags }
  return [{ type: 'union_tag_invalid', loc, msg, input: object, ctx }]
}

function wrongType(expected: string, loc: Loc, value: unknown): ValidationDetail {
  const [code, noun] = TYPES[expected] ?? ['value_error', expected]
  const parsed =
    typeof value === 'string' || (code === 'bool_type' && Number.isInteger(value)) ? PARSED[code] : undefined
  const unable =
    code === 'bool_type' ? 'interpret input' : `parse string as ${code === 'int_type' ? 'an integer' : 'a number'}`
  const suffix = parsed === undefined ? '' : `, unable to ${unable}`
  return { type: parsed ?? code, loc: [...loc], msg: `Input should be ${noun}${suffix}`, input: value }
}

function outOfBounds(
  issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig,
  loc: Loc,
  value: unknown,
): ValidationDetail {
  const small = issue.code === 'too_small'
  const limit = Number(small ? issue.minimum : issue.maximum)
  if (issue.origin === 'number' || issue.origin === 'int') {
    const equal = issue.inclusive !== false
    const type = `${small ? 'greater' : 'less'}_than${equal ? '_equal' : ''}`
    const msg = `Input should be ${small ? 'greater' : 'less'} than ${equal ? 'or equal to ' : ''}${limit}`
    return {
      type,
      loc: [...loc],
      msg,
      input: value,
      ctx: { [small ? (equal ? 'ge' : 'gt') : equal ? 'le' : 'lt']: limit },
    }
  }
  const text = issue.origin === 'string'
  const type = `${text ? 'string_' : ''}too_${small ? 'short' : 'long'}`
  const msg = `${text ? 'String' : 'List'} should have at ${small ? 'least' : 'most'} ${limit} ${text ? 'characters' : 'items'}`
  return { type, loc: [...loc], msg, input: value, ctx: { [small ? 'min_length' : 'max_length']: limit } }
}

/** The value at a path; undefined when there is none. */
export function valueAt(input: unknown, path: readonly (string | number)[]): unknown {
  let value = input
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as { [key: string | number]: unknown })[part]
  }
  return value
}
