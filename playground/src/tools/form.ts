/** A form from the JSON Schema of a tool's arguments: its fields, and the arguments that their values make. */

type Schema = { readonly [name: string]: unknown }

export type FieldKind = 'text' | 'number' | 'boolean' | 'choice' | 'lines' | 'json'

export interface Field {
  name: string
  kind: FieldKind
  /** What the field may be, in a few words. */
  hint: string
  description: string
  isRequired: boolean
  /** Of `choice`: the JSON of each value. */
  options: readonly string[]
  /** The text that the field starts with. */
  initial: string
  schema: Schema
}

/** What is in the fields: a text for each. `true` and `false` for a boolean, empty for none. */
export type Values = { readonly [name: string]: string }

/** The fields of an object's properties. */
export function fieldsOf(schema: Schema): Field[] {
  const required = new Set(Array.isArray(schema.required) ? schema.required : [])
  return Object.entries(isObject(schema.properties) ? schema.properties : {}).map(([name, given]) => {
    const described = isObject(given) ? given : {}
    const { isNullable, ...plain } = plainSchema(described, schema)
    const own: Schema = plain.schema
    const { kind, options } = kindOf(own)
    const start = described.default ?? own.default
    return {
      name,
      kind,
      hint: hintOf(kind, own),
      description: String(described.description ?? own.description ?? ''),
      isRequired: required.has(name) && !isNullable,
      options,
      initial: start === undefined ? '' : textOf(kind, start),
      schema: own,
    }
  })
}

export const initialValues = (fields: readonly Field[]): Values =>
  Object.fromEntries(fields.map(({ name, initial }) => [name, initial]))

/** The arguments, and what is wrong with each field that does not fit. Optional fields without a value are left out. */
export function readForm(fields: readonly Field[], values: Values) {
  const args: { [name: string]: unknown } = {}
  const problems: { [name: string]: string } = {}
  for (const field of fields) {
    const text = values[field.name] ?? ''
    if (text.trim() === '' && !(field.kind === 'text' && (text !== '' || field.isRequired))) {
      if (field.isRequired) problems[field.name] = 'This field is required.'
      continue
    }
    const read = readValue(field, text)
    if ('problem' in read) problems[field.name] = read.problem
    else args[field.name] = read.value
  }
  return { args, problems }
}

type Read = { value: unknown } | { problem: string }

function readValue({ kind, schema }: Field, text: string): Read {
  switch (kind) {
    case 'text':
      return { value: text }
    case 'boolean':
      return { value: text === 'true' }
    case 'choice':
      return { value: JSON.parse(text) }
    case 'number':
      return readNumber(text, schema)
    case 'lines':
      return readLines(text, isObject(schema.items) ? schema.items : {})
    case 'json':
      return readJson(text, schema)
    default:
      return kind satisfies never
  }
}

function readNumber(text: string, { type, minimum, maximum }: Schema): Read {
  const value = Number(text)
  if (!Number.isFinite(value)) return { problem: 'Enter a number.' }
  if (type === 'integer' && !Number.isInteger(value)) return { problem: 'Enter a whole number.' }
  if (typeof minimum === 'number' && value < minimum) return { problem: `At least ${minimum}.` }
  if (typeof maximum === 'number' && value > maximum) return { problem: `At most ${maximum}.` }
  return { value }
}

function readLines(text: string, items: Schema): Read {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (items.type === 'string') return { value: lines }
  const values: unknown[] = []
  for (const line of lines) {
    const read = readNumber(line, items)
    if ('problem' in read) return { problem: `“${line.trim()}”: ${read.problem}` }
    values.push(read.value)
  }
  return { value: values }
}

function readJson(text: string, { type }: Schema): Read {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { problem: `This is not valid JSON: ${(error as Error).message}.` }
  }
  if (type === 'object' && !isObject(value)) return { problem: 'Enter a JSON object, such as {"name": "value"}.' }
  if (type === 'array' && !Array.isArray(value)) return { problem: 'Enter a JSON list, such as [1, 2].' }
  return { value }
}

/** The schema behind a reference, and without the null that it allows. */
function plainSchema(given: Schema, root: Schema): { schema: Schema; isNullable: boolean } {
  const schema = follow(given, root)
  const { type } = schema
  if (Array.isArray(type) && type.includes('null')) {
    const rest = type.filter((one) => one !== 'null')
    return { schema: { ...schema, type: rest.length === 1 ? rest[0] : rest }, isNullable: true }
  }
  const ways = schema.anyOf ?? schema.oneOf
  if (!Array.isArray(ways)) return { schema, isNullable: false }
  const others = ways.filter((way) => !(isObject(way) && way.type === 'null'))
  const isNullable = others.length < ways.length
  const [only] = others
  return others.length === 1 && isObject(only) ? { schema: follow(only, root), isNullable } : { schema, isNullable }
}

/** References within the schema; one that leads nowhere, or to another reference, stays. */
function follow(schema: Schema, root: Schema): Schema {
  const [, place, name = ''] = /^#\/(\$defs|definitions)\/(.+)$/.exec(String(schema.$ref ?? '')) ?? []
  const defs = place === undefined ? undefined : root[place]
  const found = isObject(defs) ? defs[name.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined
  return isObject(found) ? found : schema
}

function kindOf(schema: Schema): { kind: FieldKind; options: readonly string[] } {
  const choices = Array.isArray(schema.enum) ? schema.enum : 'const' in schema ? [schema.const] : undefined
  if (choices !== undefined) return { kind: 'choice', options: choices.map((choice) => JSON.stringify(choice)) }
  const { type, items } = schema
  if (type === 'string') return { kind: 'text', options: [] }
  if (type === 'number' || type === 'integer') return { kind: 'number', options: [] }
  if (type === 'boolean') return { kind: 'boolean', options: [] }
  const isSimple = isObject(items) && !('enum' in items) && /^(string|number|integer)$/.test(String(items.type))
  return { kind: type === 'array' && isSimple ? 'lines' : 'json', options: [] }
}

function hintOf(kind: FieldKind, { type, minimum, maximum, format }: Schema): string {
  if (kind === 'lines') return 'list, one on each line'
  if (kind === 'choice') return 'one of these'
  if (kind === 'json') return typeof type === 'string' ? `${type} as JSON` : 'JSON'
  const bounds = [
    typeof minimum === 'number' ? `from ${minimum}` : undefined,
    typeof maximum === 'number' ? `to ${maximum}` : undefined,
    typeof format === 'string' ? format : undefined,
  ]
  return [String(type), ...bounds.filter((bound) => bound !== undefined)].join(' ')
}

function textOf(kind: FieldKind, value: unknown): string {
  if (kind === 'lines' && Array.isArray(value)) return value.join('\n')
  if (kind === 'choice' || typeof value !== 'string')
    return kind === 'json' ? JSON.stringify(value, null, 2) : JSON.stringify(value)
  return value
}

const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
