/** Turns schemas of an OpenAPI document into JSON Schemas that stand alone, for the arguments of tools. */
import { isObject, type JsonObject, type JsonSchema } from '../../wire/json.ts'
import { SchemaTooLarge, toPortable } from '../portable-schema.ts'
import { follow, type OpenApiDocument } from './document.ts'

/** Keywords that are kept as they are. */
const PLAIN = [
  ...['type', 'format', 'enum', 'const', 'default', 'title', 'description', 'required', 'pattern', 'multipleOf'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength'],
  ...['minItems', 'maxItems', 'uniqueItems', 'minProperties', 'maxProperties'],
]
const LISTS = ['anyOf', 'oneOf', 'allOf', 'prefixItems']
const NODES = ['items', 'additionalProperties']
const MAX_DEPTH = 200

/** How far references are followed when a schema is too large to send; beyond that any value is taken. */
const LEVELS = [8, 4, 2, 1, 0]

/** What a model is told about bytes. */
export const BYTES_NOTE = 'The content as text, or any bytes as a data: URL in Base64.'

/** True for a schema whose value is bytes: a file to upload. */
export const isBytes = (schema: JsonObject): boolean =>
  schema.format === 'binary' ||
  (schema.contentMediaType !== undefined && schema.contentEncoding === undefined && !isObject(schema.contentSchema))

/** Translates the schemas of one document. Definitions are shared by all its tools. */
export class SchemaReader {
  readonly #document: OpenApiDocument
  /** Reference -> its name in `$defs`. */
  readonly #names = new Map<string, string>()
  readonly #definitions = new Map<string, JsonSchema>()

  constructor(document: OpenApiDocument) {
    this.#document = document
  }

  /** One part of a schema, with references to definitions that `complete` adds. @param place for errors */
  read(schema: unknown, place: string): JsonSchema {
    const node = this.#node(schema, place, 0)
    return node === false ? { not: {} } : node
  }

  /** Adds the definitions that a schema refers to; a schema that is too large to send is simplified. */
  complete(schema: JsonSchema): JsonSchema {
    for (const levels of [Number.POSITIVE_INFINITY, ...LEVELS]) {
      const whole = this.#withDefinitions(schema, levels)
      try {
        toPortable(whole)
        return whole
      } catch (error) {
        if (!(error instanceof SchemaTooLarge)) throw error
      }
    }
    return { type: 'object', properties: {}, additionalProperties: true }
  }

  #withDefinitions(schema: JsonSchema, levels: number): JsonSchema {
    const reached = new Map<string, JsonSchema>()
    let next = namesIn(schema)
    for (let level = 0; level < levels && next.size > 0; level++) {
      const found = [...next].filter((name) => !reached.has(name))
      for (const name of found) reached.set(name, this.#definitions.get(name) ?? {})
      next = new Set(found.flatMap((name) => [...namesIn(reached.get(name))]))
    }
    const open = [...next].filter((name) => !reached.has(name))
    const trim = (node: JsonSchema) => (open.length === 0 ? node : (withoutRefs(node, new Set(open)) as JsonSchema))
    if (reached.size === 0) return trim(schema)
    return { ...trim(schema), $defs: Object.fromEntries([...reached].map(([name, node]) => [name, trim(node)])) }
  }

  #node(schema: unknown, place: string, depth: number): JsonSchema | false {
    if (schema === false) return false
    if (!isObject(schema) || depth > MAX_DEPTH) return {}
    if (typeof schema.$ref === 'string') return { ...this.#reference(schema, schema.$ref, place), ...noteOf(schema) }
    const node: JsonSchema = {}
    for (const word of PLAIN) if (word in schema) node[word] = schema[word]
    for (const word of LISTS)
      if (Array.isArray(schema[word])) node[word] = schema[word].map((part) => this.#node(part, place, depth + 1))
    for (const word of NODES)
      if (word in schema)
        node[word] = isObject(schema[word]) ? this.#node(schema[word], place, depth + 1) : schema[word]
    if (isObject(schema.properties)) this.#addFields(node, schema.properties, place, depth)
    return withNull(withBounds(withBytes(node, schema)), schema)
  }

  /** Fields that only answers have are left out. */
  #addFields(node: JsonSchema, properties: JsonObject, place: string, depth: number): void {
    const fields = Object.entries(properties).filter(([, field]) => !isObject(field) || field.readOnly !== true)
    const names = new Set(fields.map(([name]) => name))
    node.properties = Object.fromEntries(
      fields.map(([name, field]) => [name, this.#node(field, `${place}.${name}`, depth + 1)]),
    )
    if (Array.isArray(node.required))
      node.required = node.required.filter((name) => names.has(name) || !Object.hasOwn(properties, name))
  }

  #reference(schema: JsonObject, ref: string, place: string): JsonSchema {
    const known = this.#names.get(ref)
    if (known !== undefined) return { $ref: `#/$defs/${known}` }
    const target = follow(this.#document, schema, place)
    const name = this.#freeName(ref)
    this.#names.set(ref, name)
    this.#definitions.set(name, {}) // ends the recursion of a definition that refers to itself
    this.#definitions.set(name, this.read(target, `"${ref}"`))
    return { $ref: `#/$defs/${name}` }
  }

  #freeName(ref: string): string {
    const base = (ref.split('/').pop() ?? '').replace(/[^\w.-]/g, '_') || 'schema'
    let name = base
    for (let count = 2; this.#definitions.has(name); count++) name = `${base}_${count}`
    return name
  }
}

const noteOf = ({ description }: JsonObject) => (typeof description === 'string' ? { description } : {})

/** The bytes of a file are a text here. */
function withBytes(node: JsonSchema, schema: JsonObject): JsonSchema {
  if (node.type === 'file') node.type = 'string'
  if (!isBytes(schema)) return node
  const { format: _, ...rest } = node
  const description = [node.description, BYTES_NOTE].filter((text) => typeof text === 'string').join(' ')
  return { ...rest, type: 'string', description }
}

/** OpenAPI 3.0 writes an exclusive bound as a flag beside the bound. */
function withBounds(node: JsonSchema): JsonSchema {
  for (const [flag, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof node[flag] !== 'boolean') continue
    const exclusive = node[flag] && typeof node[bound] === 'number'
    if (exclusive) node[flag] = node[bound]
    else delete node[flag]
    if (exclusive) delete node[bound]
  }
  return node
}

/** OpenAPI 3.0 writes a type that may be null as `nullable`. */
function withNull(node: JsonSchema, { nullable }: JsonObject): JsonSchema {
  if (nullable !== true) return node
  if (typeof node.type !== 'string')
    return LISTS.some((word) => word in node) ? { anyOf: [node, { type: 'null' }] } : node
  const values = Array.isArray(node.enum) && !node.enum.includes(null) ? { enum: [...node.enum, null] } : {}
  return { ...node, type: [node.type, 'null'], ...values }
}

/** The names of the definitions that a schema refers to. */
function namesIn(schema: unknown): Set<string> {
  const names = new Set<string>()
  const waiting: unknown[] = [schema]
  while (waiting.length > 0) {
    const node = waiting.pop()
    if (typeof node !== 'object' || node === null) continue
    const { $ref } = node as JsonObject
    if (typeof $ref === 'string') names.add($ref.slice('#/$defs/'.length))
    waiting.push(...Object.values(node))
  }
  return names
}

/** The schema with any value in the place of references to these definitions. */
function withoutRefs(node: unknown, open: ReadonlySet<string>): unknown {
  if (Array.isArray(node)) return node.map((part) => withoutRefs(part, open))
  if (!isObject(node)) return node
  if (typeof node.$ref === 'string' && open.has(node.$ref.slice('#/$defs/'.length))) return noteOf(node)
  return Object.fromEntries(Object.entries(node).map(([word, part]) => [word, withoutRefs(part, open)]))
}
