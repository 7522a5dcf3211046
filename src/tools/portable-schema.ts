/**
 * Reduces schemas to the part of JSON Schema that every provider accepts. A provider refuses the whole request for one schema
 * it cannot read, so everything else is left out. The result accepts every value the schema accepts, and often more:
 * arguments are still validated against the full schema, here or by the MCP server.
 *
 * Sources: OpenAI "Structured outputs, supported schemas"; reports of refused requests: patterns are compiled with Python's
 * `re` even where `strict` is off ("is not a 'regex'"), lookaround is refused in strict mode, no `anyOf`, `oneOf`, `allOf`,
 * `not` or `enum` at the top, arrays need `items`, and llama.cpp takes only patterns between "^" and "$".
 */
import { isObject, type JsonSchema } from '../wire/json.ts'
import { atPointer, resolveRef } from './local-refs.ts'
import { isPortablePattern } from './portable-pattern.ts'
import { toSentNames } from './property-names.ts'

/** Limits of a schema that is sent. */
const BOUNDS = { depth: 64, parts: 10_000, chars: 500_000 }

/** Formats of OpenAI's strict mode. A schema with one of them is sent without its pattern. */
const FORMATS = new Set(['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'])
const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']
const NUMBERS = ['multipleOf', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minItems', 'maxItems']
const LENGTHS = ['minLength', 'maxLength']

/** Thrown when a schema is larger or nested deeper than `BOUNDS` allow. */
export class SchemaTooLarge extends Error {
  constructor() {
    super(`more than ${BOUNDS.parts} parts, ${BOUNDS.depth} levels or ${BOUNDS.chars} characters`)
  }
}

const portable = new WeakMap<JsonSchema, JsonSchema>()

/**
 * The schema of an object, as it is sent. Alternatives at the top become one object with the fields of all of them.
 * @throws SchemaTooLarge
 */
export function toPortable(schema: JsonSchema): JsonSchema {
  const result = portable.get(schema) ?? new Translation(schema).translate()
  portable.set(schema, result)
  return result
}

/** The portable schema with the schema's own names of properties, for a check that takes the place of the schema's own. */
export const toPortableShape = (schema: JsonSchema): JsonSchema => new Translation(schema, true).translate()

const OBJECT_WORDS = ['properties', 'required', 'additionalProperties', 'patternProperties']

/** True when every value that fits the schema is an object or null. `known` caches results, so shared references cost linear time. */
export function describesObject(schema: unknown, root: JsonSchema, known: Map<object, boolean> = new Map()): boolean {
  const target = resolveRef(schema, root)
  if (!isObject(target) || known.size > BOUNDS.parts) return false
  const before = known.get(target)
  if (before !== undefined) return before
  known.set(target, false) // a schema that only refers to itself does not decide
  const within = (part: unknown) => describesObject(part, root, known)
  const types = readTypes(target)?.filter((type) => type !== 'null')
  const alternatives = listAlternatives(target).filter((part) => !isNull(part))
  const result =
    types !== undefined
      ? types.length === 1 && types[0] === 'object'
      : toList(target.allOf).some(within) ||
        (alternatives.length > 0 ? alternatives.every(within) : OBJECT_WORDS.some((word) => word in target))
  known.set(target, result)
  return result
}

const toList = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const listAlternatives = ({ anyOf, oneOf }: JsonSchema) =>
  [...toList(anyOf), ...toList(oneOf)].filter((part) => part !== false)

/** The types of a schema; undefined when it names no valid one. */
function readTypes({ type, nullable }: JsonSchema): string[] | undefined {
  const names = (Array.isArray(type) ? type : [type]).map((name) => String(name).toLowerCase())
  const types = TYPES.filter((name) => names.includes(name))
  if (types.length === 0) return undefined
  return nullable === true && !types.includes('null') ? [...types, 'null'] : types
}

/** The fields of an object, merged from its alternatives and parts. */
interface Fields {
  properties: Map<string, unknown[]>
  required: Set<string>
  /** `additionalProperties`; undefined when not set. */
  additional: unknown
}

/** Translates one schema into its portable form. */
class Translation {
  readonly #root: JsonSchema
  readonly #keepsNames: boolean
  readonly #definitions = new Map<string, JsonSchema>()
  /** Reference -> the name of its definition, as it is sent. */
  readonly #names = new Map<string, string>()
  #parts = 0

  constructor(root: JsonSchema, keepsNames = false) {
    this.#root = root
    this.#keepsNames = keepsNames
  }

  translate(): JsonSchema {
    try {
      if (JSON.stringify(this.#root).length > BOUNDS.chars) throw new SchemaTooLarge()
    } catch {
      throw new SchemaTooLarge() // JSON.stringify throws for a schema that is circular or nested too deep
    }
    const root = resolveRef(this.#root, this.#root)
    const described = isObject(root) ? { ...readNotes(root), ...readNotes(this.#root) } : {}
    const object = this.#object(this.#fields(root, 0), 0, [])
    const definitions = this.#definitions.size === 0 ? {} : { $defs: Object.fromEntries(this.#definitions) }
    return { type: 'object', ...described, ...object, ...definitions }
  }

  /** `refs` are the references followed on the way to this node. */
  #node(schema: unknown, depth: number, refs: readonly string[]): JsonSchema {
    if (!isObject(schema)) return {}
    if (++this.#parts > BOUNDS.parts || depth > BOUNDS.depth) throw new SchemaTooLarge()
    if (typeof schema.$ref === 'string') return this.#reference(schema, schema.$ref, depth, refs)
    const alternatives = listAlternatives(schema)
    const parts = toList(schema.allOf).filter(isObject)
    if (
      (isObject(schema.properties) && alternatives.length > 0) ||
      (parts.length > 0 && describesObject(schema, this.#root))
    )
      return {
        ...typeWord(readTypes(schema) ?? ['object']),
        ...readNotes(schema),
        ...this.#object(this.#fields(schema, depth), depth, refs),
      }
    if (parts.length > 0) {
      // Where parts contradict each other, the first one is sent; all of them are validated.
      const { allOf: _, ...own } = schema
      const nodes = [own, ...parts].map((part) => this.#node(part, depth + 1, refs))
      return Object.assign({}, ...nodes.reverse())
    }
    if (alternatives.length === 0) return this.#plain(schema, depth, refs)
    const { type } = schema
    const typed = (part: unknown) =>
      isObject(part) && type !== undefined && isUntyped(part) ? { type, ...part } : part
    return { ...readNotes(schema), anyOf: alternatives.map((part) => this.#node(typed(part), depth + 1, refs)) }
  }

  #plain(schema: JsonSchema, depth: number, refs: readonly string[]): JsonSchema {
    const values = 'const' in schema ? [schema.const] : [...new Set(toList(schema.enum))]
    const types = readTypes(schema) ?? impliedTypes(schema, values)
    const node: JsonSchema = { ...typeWord(types), ...readNotes(schema) }
    if (values.length > 0) node.enum = values
    if (types.includes('object')) {
      const fields = this.#fields(schema, depth)
      // An object without `properties` accepts any fields; strict mode would make it an empty object.
      if (schema.properties === undefined) fields.additional ??= true
      Object.assign(node, this.#object(fields, depth, refs))
    }
    if (types.includes('array')) Object.assign(node, this.#list(schema, depth, refs))
    if (types.includes('string') || types.length === 0) Object.assign(node, textRules(schema))
    for (const word of NUMBERS) if (Number.isFinite(schema[word])) node[word] ??= schema[word]
    return node
  }

  #list({ items, prefixItems }: JsonSchema, depth: number, refs: readonly string[]): JsonSchema {
    const places = Array.isArray(items) ? items : toList(prefixItems)
    if (places.length === 0) return { items: this.#node(items, depth + 1, refs) }
    const rest = isObject(items) ? [items] : []
    return { items: this.#oneOf([...places, ...rest], depth, refs) }
  }

  /** One schema for several: each different one once. */
  #oneOf(schemas: readonly unknown[], depth: number, refs: readonly string[]): JsonSchema {
    if (schemas.length === 1) return this.#node(schemas[0], depth + 1, refs)
    const nodes = schemas.map((schema) => this.#node(schema, depth + 1, refs))
    const different = [...new Map(nodes.map((node) => [JSON.stringify(node), node])).values()]
    const [only, second] = different
    if (second === undefined) return only ?? {}
    return joinValues(different) ?? { anyOf: different }
  }

  #object({ properties, required, additional }: Fields, depth: number, refs: readonly string[]): JsonSchema {
    const sent: ReadonlyMap<string, string> = this.#keepsNames ? new Map() : toSentNames(properties.keys())
    const nameOf = (name: string) => sent.get(name) ?? name
    const entries = [...properties].map(([name, schemas]) => {
      const node = this.#oneOf(schemas, depth, refs)
      // A reference takes nothing beside it.
      return [nameOf(name), nameOf(name) === name || '$ref' in node ? node : { title: name, ...node }] as const
    })
    const names = [...required].filter((name) => properties.has(name)).map(nameOf)
    const open = additional === true || (isObject(additional) && Object.keys(additional).length === 0)
    return {
      properties: Object.fromEntries(entries),
      ...(names.length === 0 ? {} : { required: names }),
      ...(additional === undefined
        ? {}
        : { additionalProperties: isObject(additional) && !open ? this.#node(additional, depth + 1, refs) : open }),
    }
  }

  /** The fields of a schema, including those of its parts and alternatives. */
  #fields(schema: unknown, depth: number): Fields {
    const target = resolveRef(schema, this.#root)
    const fields: Fields = { properties: new Map(), required: new Set(), additional: undefined }
    if (!isObject(target)) return fields
    if (++this.#parts > BOUNDS.parts || depth > BOUNDS.depth) throw new SchemaTooLarge()
    for (const [name, schema] of Object.entries(isObject(target.properties) ? target.properties : {}))
      if (schema !== false) fields.properties.set(name, [schema])
    for (const name of toList(target.required)) if (typeof name === 'string') fields.required.add(name)
    fields.additional = isObject(target.patternProperties) ? true : target.additionalProperties
    for (const part of toList(target.allOf)) this.#join(fields, [this.#fields(part, depth + 1)])
    const alternatives = listAlternatives(target).filter((part) => !isNull(part))
    if (alternatives.length > 0)
      this.#join(
        fields,
        alternatives.map((part) => this.#fields(part, depth + 1)),
      )
    return fields
  }

  /** Merges alternatives of which one applies: a field is required when all of them require it. */
  #join(fields: Fields, alternatives: readonly Fields[]): void {
    const own = new Set(fields.properties.keys())
    for (const { properties } of alternatives)
      for (const [name, schemas] of properties)
        if (!own.has(name)) fields.properties.set(name, [...(fields.properties.get(name) ?? []), ...schemas])
    for (const name of alternatives[0]?.required ?? [])
      if (alternatives.every(({ required }) => required.has(name))) fields.required.add(name)
    if (alternatives.every(({ additional }) => additional === false)) fields.additional = false
    else if (alternatives.some(({ additional }) => additional === true || isObject(additional)))
      fields.additional = true
  }

  #reference(schema: JsonSchema, ref: string, depth: number, refs: readonly string[]): JsonSchema {
    const target = resolveRef(schema, this.#root)
    if (!isObject(target)) return {}
    const { $ref: _, $defs: __, definitions: ___, ...beside } = schema
    const name = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(ref)?.[1]
    const named = ref === '#' || name !== undefined
    // Providers accept a reference only to a definition, and only without other keywords next to it.
    if (named && (Object.keys(beside).length === 0 || refs.includes(ref))) return this.#link(ref, name, depth)
    return refs.includes(ref) ? {} : this.#node({ ...target, ...beside }, depth + 1, [...refs, ref])
  }

  #link(ref: string, name: string | undefined, depth: number): JsonSchema {
    if (name === undefined) return { $ref: '#' }
    const plain = this.#names.get(ref) ?? freeName(name.replace(/[^\w.-]/g, '_'), this.#definitions)
    if (!this.#names.has(ref)) {
      this.#names.set(ref, plain)
      this.#definitions.set(plain, {}) // ends the recursion for a definition that refers to itself
      const target = resolveRef(atPointer(ref, this.#root), this.#root)
      this.#definitions.set(plain, this.#node(target, depth + 1, []))
    }
    return { $ref: `#/$defs/${plain}` }
  }
}

/** The name, with a number behind it where it is taken. */
function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  let free = name
  for (let count = 2; taken.has(free); count++) free = `${name}_${count}`
  return free
}

const isNull = (schema: unknown) => isObject(schema) && schema.type === 'null'

const isUntyped = (schema: JsonSchema) =>
  !['type', '$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const'].some((word) => word in schema)

/** The annotations of a schema: title, description, default. */
function readNotes(schema: JsonSchema): JsonSchema {
  const texts = ['title', 'description'].filter((word) => typeof schema[word] === 'string')
  return {
    ...Object.fromEntries(texts.map((word) => [word, schema[word]])),
    ...('default' in schema ? { default: schema.default } : {}),
  }
}

const typeWord = (types: readonly string[]): JsonSchema =>
  types.length === 0 ? {} : { type: types.length === 1 ? types[0] : types }

/** The types of a schema without `type`, derived from its values or keywords. */
function impliedTypes(schema: JsonSchema, values: readonly unknown[]): string[] {
  if (values.length > 0) return TYPES.filter((type) => values.some((value) => readValueType(value) === type))
  if (isObject(schema.properties) || isObject(schema.additionalProperties)) return ['object']
  return 'items' in schema || 'prefixItems' in schema ? ['array'] : []
}

function readValueType(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

/** Format, pattern and length of a text. A format that providers know replaces the pattern. */
function textRules(schema: JsonSchema): JsonSchema {
  const rules: JsonSchema = {}
  if (FORMATS.has(String(schema.format))) rules.format = schema.format
  else if (typeof schema.pattern === 'string' && isPortablePattern(schema.pattern)) rules.pattern = schema.pattern
  for (const word of LENGTHS) if (Number.isFinite(schema[word])) rules[word] = schema[word]
  return rules
}

/** Merges schemas that all have an `enum` into one; undefined when any has none. */
function joinValues(nodes: readonly JsonSchema[]): JsonSchema | undefined {
  if (!nodes.every((node) => Array.isArray(node.enum))) return undefined
  const values = [...new Set(nodes.flatMap((node) => node.enum as unknown[]))]
  return {
    ...nodes[0],
    ...typeWord(TYPES.filter((type) => values.some((value) => readValueType(value) === type))),
    enum: values,
  }
}
