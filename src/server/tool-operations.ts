/** The operations of standalone tools in OpenAPI documents, and the document of tools alone. */
import { asFunctionTool, type ToolLike } from '../tools/base-tool.ts'
import { fromLangchainTool, type LangchainTool } from '../tools/langchain-tool.ts'
import { onceEach } from '../tools/once-each.ts'
import type { FunctionTool } from '../tools/tool.ts'
import { type Components, schemaRef } from '../wire/components.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import {
  type ApiParts,
  addOperation,
  answerOf,
  BODY_REFUSALS,
  bodyOf,
  emptyParts,
  jsonContent,
  toDocument,
} from './operations.ts'

/** Adds `POST /tool/<name>` for every tool, with its arguments and its declared result, if any, as components. */
export function describeTools(tools: readonly FunctionTool[], parts: ApiParts): ApiParts {
  for (const { name, description, parameters, returns, origin } of tools) {
    const isClass = origin === 'class'
    // A tool class ignores unknown fields over HTTP; only the schema for models forbids them.
    const { additionalProperties, ...open } = parameters
    const body = addSchema(parts.schemas, toComponentName(isClass ? name : `${name}Request`), {
      ...(description === '' ? {} : { description }),
      ...(isClass && additionalProperties === false ? open : parameters),
    })
    const response = returns === undefined ? {} : describeResult(name, returns, isClass, parts.schemas)
    addOperation(parts, `/tool/${encodeURIComponent(name)}`, 'post', {
      tags: ['Tools'],
      summary: name.replace(/[_-]+/g, ' ').replace(/\b\w/g, (letter) => letter.toUpperCase()),
      ...(description === '' ? {} : { description }),
      operationId: name,
      requestBody: bodyOf(body),
      responses: {
        200: {
          description: `The result of the tool${isClass ? '' : ', or a text that describes its failure'}.`,
          content: jsonContent({ type: 'object', properties: { response }, required: ['response'] }),
        },
        ...BODY_REFUSALS,
        ...(isClass ? { 500: answerOf('The tool failed.', 'ToolFailure') } : {}),
      },
    })
  }
  return parts
}

function describeResult(name: string, returns: JsonSchema, isClass: boolean, schemas: Components): JsonSchema {
  const result = schemaRef(addSchema(schemas, toComponentName(`${name}Result`), returns))
  return isClass ? result : { anyOf: [result, { type: 'string' }] }
}

/**
 * Adds a schema as a component and returns its name; its `$defs` become components, too. When a different schema has the name,
 * a definition gets its owner's name as a prefix, and a schema gets a number as a suffix.
 */
export function addSchema(schemas: Components, wanted: string, schema: JsonSchema): string {
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

const asDefs = (value: unknown) => (isObject(value) ? (value as Components) : {})
const toComponentName = (name: string) => name.replace(/[^\w.-]/g, '_')
/** Compares schemas without their references, which change when a definition becomes a component. */
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
      return [key, name === undefined ? moveRefs(item, names) : schemaRef(name).$ref]
    }),
  )
}

/** Options of `toolFactory.getOpenApiSchema`. */
export interface OpenApiOptions {
  /** The address of the server, such as `https://tools.example.com`. */
  url: string
  /** The document's title. @default 'Agency Tools API' */
  title?: string
  /** The document's description. @default 'Tools that agents call over HTTP.' */
  description?: string
}

/** Uses of tools without an agent, and tools of other makers. */
export const toolFactory = {
  /**
   * A function tool that calls a tool of LangChain.js: `tools: [toolFactory.fromLangchainTool(new Calculator())]`.
   * @throws INVALID_TOOL for anything else, and for a schema of zod 3
   */
  fromLangchainTool(tool: LangchainTool): FunctionTool {
    return fromLangchainTool(tool)
  },
  /**
   * The OpenAPI 3.1 document of standalone tools as a JSON string, indented by two spaces: `POST /tool/<name>` for each tool,
   * with a bearer token.
   * @throws INVALID_TOOL for an entry that is not a function tool; DUPLICATE_NAME for two different tools with one name
   *
   * @example
   * ```ts
   * import { tool, toolFactory } from 'agency-swarm-js'
   *
   * const clock = tool({ name: 'clock', description: 'The time', execute: () => new Date().toISOString() })
   * console.log(toolFactory.getOpenApiSchema([clock], { url: 'https://tools.example.com' }))
   * ```
   */
  getOpenApiSchema(tools: readonly ToolLike[], options: OpenApiOptions): string {
    const { url, title = 'Agency Tools API', description = 'Tools that agents call over HTTP.' } = options
    const parts = describeTools(
      onceEach(tools.map(asFunctionTool), 'The list'),
      emptyParts({ token: 'required', rateLimit: false }),
    )
    return JSON.stringify(toDocument({ title, description, version: 'v1.0.0' }, url, parts), null, 2)
  },
}
