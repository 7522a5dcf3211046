import { isObject, type JsonObject, type JsonSchema } from '../wire/json.ts'
import { asFunctionTool, type ToolLike } from './base-tool.ts'
import type { FunctionTool } from './tool.ts'

/** Parts of an OpenAPI 3.1 document. */
export interface ApiParts {
  paths: JsonObject
  schemas: { [name: string]: JsonSchema }
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
export const jsonContent = (schema: JsonSchema) => ({ 'application/json': { schema } })
export const schemaRef = ref
export const BEARER = [{ HTTPBearer: [] }]
export const INVALID = { description: 'Validation Error', content: jsonContent(ref('HTTPValidationError')) }

const securitySchemes = { HTTPBearer: { type: 'http', scheme: 'bearer' } }
const validationSchemas: ApiParts['schemas'] = {
  HTTPValidationError: {
    title: 'HTTPValidationError',
    type: 'object',
    properties: { detail: { title: 'Detail', type: 'array', items: ref('ValidationError') } },
  },
  ValidationError: {
    title: 'ValidationError',
    type: 'object',
    properties: {
      loc: { title: 'Location', type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'integer' }] } },
      msg: { title: 'Message', type: 'string' },
      type: { title: 'Error Type', type: 'string' },
      input: { title: 'Input' },
      ctx: { title: 'Context', type: 'object' },
    },
    required: ['loc', 'msg', 'type'],
  },
}

/** A whole document from its parts; the shapes of a 422 and the bearer scheme are always in it. */
export const toDocument = (info: JsonObject, url: string, { paths, schemas }: ApiParts): JsonObject => ({
  openapi: '3.1.0',
  info,
  servers: [{ url }],
  paths,
  components: { schemas: { ...schemas, ...validationSchemas }, securitySchemes },
})

/** `POST /tool/<name>` of every tool, with its arguments as a component, added to `parts`. */
export function describeTools(tools: readonly FunctionTool[], parts: ApiParts = { paths: {}, schemas: {} }): ApiParts {
  for (const { name, description, parameters, origin } of tools) {
    const component = addSchema(
      parts.schemas,
      toComponentName(origin === 'class' ? name : `${name}Request`),
      description === '' ? parameters : { description, ...parameters },
    )
    parts.paths[`/tool/${encodeURIComponent(name)}`] = {
      post: {
        tags: ['Tools'],
        summary: name.replace(/[_-]+/g, ' ').replace(/\b\w/g, (letter) => letter.toUpperCase()),
        ...(description === '' ? {} : { description }),
        operationId: name,
        requestBody: { content: jsonContent(ref(component)), required: true },
        responses: {
          200: {
            description: 'What the tool returned',
            content: jsonContent({ type: 'object', properties: { response: {} }, required: ['response'] }),
          },
          422: INVALID,
        },
        security: BEARER,
      },
    }
  }
  return parts
}

/**
 * Adds a schema as a component and tells its name; its `$defs` become components of their own. Where a name is taken by
 * a different schema, a definition gets its owner's name in front and a schema a number behind.
 */
export function addSchema(schemas: ApiParts['schemas'], wanted: string, schema: JsonSchema): string {
  const { $defs, definitions, ...own } = schema
  const free = (name: string, value: JsonSchema) => schemas[name] === undefined || sameSchema(schemas[name], value)
  let name = wanted
  for (let count = 2; !free(name, own); count++) name = `${wanted}_${count}`
  const defs = { ...asDefs(definitions), ...asDefs($defs) }
  const names = new Map<string, string>([['#', name]])
  for (const [key, def] of Object.entries(defs)) {
    const plain = toComponentName(key)
    names.set(key, plain !== name && free(plain, def) ? plain : `${name}_${plain}`)
  }
  schemas[name] = moveRefs(own, names) as JsonSchema
  for (const [key, def] of Object.entries(defs)) schemas[names.get(key) as string] = moveRefs(def, names) as JsonSchema
  return name
}

const asDefs = (value: unknown) => (isObject(value) ? (value as ApiParts['schemas']) : {})
const toComponentName = (name: string) => name.replace(/[^\w.-]/g, '_')
/** References aside: one definition looks different before and after it became a component. */
const sameSchema = (a: JsonSchema, b: JsonSchema) => withoutRefs(a) === withoutRefs(b)
const withoutRefs = (schema: JsonSchema) => JSON.stringify(schema, (key, value) => (key === '$ref' ? undefined : value))

function moveRefs(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((item) => moveRefs(item, names))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const name =
        key === '$ref' && typeof item === 'string'
          ? names.get(item.replace(/^#\/(\$defs|definitions)\//, ''))
          : undefined
      return [key, name === undefined ? moveRefs(item, names) : ref(name).$ref]
    }),
  )
}

/** Options of `toolFactory.getOpenApiSchema`. */
export interface OpenApiOptions {
  /** Where the tools are served, such as `https://tools.example.com`. */
  url: string
  /** Default `Agency Tools API`. */
  title?: string
  description?: string
}

/** What can be made of tools beside agents. */
export const toolFactory = {
  /**
   * The OpenAPI 3.1 document of standalone tools as a JSON string with two spaces of indent: `POST /tool/<name>` for
   * each, behind a bearer token.
   * @throws INVALID_TOOL for what is no tool
   */
  getOpenApiSchema(tools: readonly ToolLike[], options: OpenApiOptions): string {
    const { url, title = 'Agency Tools API', description = 'Tools that agents call over HTTP.' } = options
    const parts = describeTools(tools.map(asFunctionTool))
    return JSON.stringify(toDocument({ title, description, version: 'v1.0.0' }, url, parts), null, 2)
  },
}
