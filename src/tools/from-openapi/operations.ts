/** Lists the operations of an OpenAPI document: names, parameters, body, server and security of each. */
import { invalidTool } from '../../base/start-errors.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { toToolNames } from '../names.ts'
import { type BodyPlan, readBody } from './bodies.ts'
import { follow, type OpenApiDocument } from './document.ts'
import type { Style } from './styles.ts'

/** What a selection of operations sees of each. */
export interface OpenApiOperation {
  /** `operationId` of the document; without one, the method and the path, such as `get_pets_id`. */
  readonly operationId: string
  /** The HTTP method in upper case. */
  readonly method: string
  /** The path as the document writes it, such as `/pets/{id}`. */
  readonly path: string
  readonly tags: readonly string[]
  readonly deprecated: boolean
  readonly summary: string
  readonly description: string
}

/** Where a parameter is sent, and how it is written. */
export interface Parameter extends Style {
  /** Its name in the arguments of the tool. */
  key: string
  name: string
  in: 'path' | 'query' | 'header' | 'cookie' | 'querystring'
  required: boolean
  schema: unknown
  description: string
  /** The media type of a value that is written as a whole; undefined for one in a style. */
  mediaType: string | undefined
}

export interface Operation extends OpenApiOperation {
  /** The name of its tool. */
  name: string
  parameters: readonly Parameter[]
  body: BodyPlan | undefined
  /** The servers that apply, as the document has them. */
  servers: readonly unknown[]
  /** The security requirements that apply, of which one is enough; undefined when the document has none. */
  security: readonly JsonObject[] | undefined
}

/** Methods of a path item; `query` came with OpenAPI 3.2. */
const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'query']

/** An operation as the document has it. */
interface Entry {
  facts: OpenApiOperation
  item: JsonObject
  raw: JsonObject
}

/** Which operations become tools: their ids, or a function that decides. */
export type OperationChoice = readonly string[] | ((operation: OpenApiOperation) => boolean)

/**
 * The chosen operations, in the order of the document.
 * @throws INVALID_TOOL for an id that is not there, and for a broken reference
 */
export function listOperations(
  document: OpenApiDocument,
  { operations, namePrefix }: { operations: OperationChoice | undefined; namePrefix: string },
): Operation[] {
  const entries = readEntries(document)
  const ids = entries.map(({ facts }) => facts.operationId)
  if (Array.isArray(operations)) requireKnown(document, operations, ids)
  const chosen = (facts: OpenApiOperation) =>
    typeof operations === 'function' ? operations(facts) : (operations?.includes(facts.operationId) ?? true)
  const names = toToolNames(ids.map((id) => namePrefix + id))
  return entries.flatMap((entry, index) =>
    chosen(entry.facts) ? [readOperation(document, entry, names[index] as string)] : [],
  )
}

function requireKnown({ label }: OpenApiDocument, wanted: readonly string[], ids: readonly string[]): void {
  const unknown = wanted.find((id) => !ids.includes(id))
  if (unknown === undefined) return
  const close = ids.filter((id) => id.toLowerCase().includes(unknown.toLowerCase()))
  const shown = (close.length > 0 ? close : ids).slice(0, 10).join(', ')
  throw invalidTool(`The OpenAPI document ${label} has no operation "${unknown}". It has, for example: ${shown}.`)
}

function readEntries(document: OpenApiDocument): Entry[] {
  return Object.entries(document.root.paths as JsonObject).flatMap(([path, given]) => {
    const item = follow(document, given, `the path "${path}"`)
    if (!path.startsWith('/') || !isObject(item)) return []
    const more = isObject(item.additionalOperations) ? Object.keys(item.additionalOperations) : []
    return [...METHODS, ...more].flatMap((method) => {
      const given = METHODS.includes(method) ? item[method] : (item.additionalOperations as JsonObject)[method]
      const raw = follow(document, given, `${method.toUpperCase()} ${path}`)
      return isObject(raw) ? [{ facts: factsOf(raw, method, path), item, raw }] : []
    })
  })
}

const textOf = (value: unknown) => (typeof value === 'string' ? value.trim() : '')

function factsOf(raw: JsonObject, method: string, path: string): OpenApiOperation {
  const words = path.split(/[^\p{L}\p{N}_-]+/u).filter((word) => word !== '')
  return {
    operationId: textOf(raw.operationId) || [method.toLowerCase(), ...words].join('_'),
    method: METHODS.includes(method) ? method.toUpperCase() : method,
    path,
    tags: (Array.isArray(raw.tags) ? raw.tags : []).map(String),
    deprecated: raw.deprecated === true,
    summary: textOf(raw.summary),
    description: textOf(raw.description),
  }
}

const isFilled = (list: readonly unknown[]) => list.length > 0
const listOf = (...values: unknown[]): unknown[] => values.find(Array.isArray) ?? []

function readOperation(document: OpenApiDocument, { facts, item, raw }: Entry, name: string): Operation {
  const place = `${facts.method} ${facts.path}`
  return {
    ...facts,
    name,
    parameters: readParameters(
      document,
      [...undeclared(facts.path), ...listOf(item.parameters), ...listOf(raw.parameters)],
      place,
    ),
    body: readBody(document, raw.requestBody, `the body of ${place}`),
    servers: [raw.servers, item.servers, document.root.servers].map((list) => listOf(list)).find(isFilled) ?? [],
    security: [raw.security, document.root.security].find(Array.isArray)?.filter(isObject),
  }
}

/** A parameter for each place of a path; the document's own description of it replaces this one. */
const undeclared = (path: string): JsonObject[] =>
  [...path.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => ({ name, in: 'path', schema: { type: 'string' } }))

/** OpenAPI 3.1, "Parameter Object": these are described elsewhere. */
const NO_PARAMETERS = new Set(['accept', 'content-type', 'authorization'])
const PLACES = new Set(['path', 'query', 'header', 'cookie', 'querystring'])

function readParameters(document: OpenApiDocument, list: readonly unknown[], place: string): Parameter[] {
  const found = new Map<string, Omit<Parameter, 'key'>>()
  for (const given of list) {
    const raw = follow(document, given, place)
    if (!isObject(raw) || typeof raw.name !== 'string' || !PLACES.has(String(raw.in))) continue
    if (raw.in === 'header' && NO_PARAMETERS.has(raw.name.toLowerCase())) continue
    // One of the operation replaces that of the path.
    found.set(`${raw.in} ${raw.name}`, readParameter(document, raw as JsonObject & { name: string }, place))
  }
  const all = [...found.values()]
  const texts = all.map(({ name, in: where }, index) =>
    all.findIndex((other) => other.name === name) === index ? name : `${name}_${where}`,
  )
  const keys = toToolNames(texts)
  return all.map((parameter, index) => ({ ...parameter, key: keys[index] as string }))
}

const DEFAULT_STYLES = { path: 'simple', query: 'form', header: 'simple', cookie: 'form', querystring: 'form' }

function readParameter(
  document: OpenApiDocument,
  raw: JsonObject & { name: string },
  place: string,
): Omit<Parameter, 'key'> {
  const where = raw.in as Parameter['in']
  const style = typeof raw.style === 'string' ? raw.style : DEFAULT_STYLES[where]
  const [content] = Object.entries(isObject(raw.content) ? raw.content : {})
  const media = content === undefined ? undefined : follow(document, content[1], place)
  return {
    name: raw.name,
    in: where,
    required: raw.required === true || where === 'path',
    schema: (isObject(media) ? media.schema : raw.schema) ?? {},
    description: textOf(raw.description),
    mediaType: content?.[0],
    style,
    explode: typeof raw.explode === 'boolean' ? raw.explode : style === 'form' || style === 'cookie',
    allowReserved: raw.allowReserved === true,
  }
}
