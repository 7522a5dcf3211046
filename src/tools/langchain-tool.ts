/** Adapts tools of LangChain.js, recognized by their shape: the package itself is not needed. */
import { z } from 'zod'
import { invalidTool } from '../base/start-errors.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { tool, zodToJsonSchema } from './define.ts'
import { toToolNames } from './names.ts'
import type { FunctionTool } from './tool.ts'

/** A tool of LangChain.js: what `tool()` of `@langchain/core/tools` creates, and what its packages export. */
export interface LangchainTool {
  readonly name: string
  readonly description: string
  /** A zod 4 type or a JSON Schema. */
  readonly schema: unknown
  // biome-ignore lint/suspicious/noExplicitAny: LangChain types the input by the tool's own schema
  invoke(input: any, config?: { signal?: AbortSignal }): Promise<unknown>
}

/**
 * A function tool that calls a tool of LangChain.js. The tool checks its arguments itself.
 * @throws INVALID_TOOL for anything else, and for a schema of zod 3, which has no JSON Schema
 */
export function fromLangchainTool(given: LangchainTool): FunctionTool {
  if (!isObject(given) || typeof given.name !== 'string' || typeof given.invoke !== 'function')
    throw invalidTool('This is not a tool of LangChain: it needs a name, a schema and a method invoke().')
  return tool({
    name: toToolNames([given.name])[0] as string,
    description: given.description ?? '',
    parameters: readSchema(given.name, given.schema),
    execute: async (input, { signal }) => readContent(await given.invoke(input, { signal })),
  })
}

function readSchema(name: string, schema: unknown): JsonSchema {
  if (schema instanceof z.ZodType) return zodToJsonSchema(name, schema)
  if (isObject(schema) && !('_def' in schema) && !('~standard' in schema)) return schema
  if (isTextSchema(schema)) return { type: 'object', properties: { input: { type: 'string' } }, required: ['input'] }
  throw invalidTool(
    `The LangChain tool "${name}" has a schema that is neither of zod 4 nor a JSON Schema. Give it one of these, or call it from a tool() of yours.`,
  )
}

/** The schema that LangChain gives to tools of one text (`DynamicTool`): of zod 3, an object with `input` that is turned into the text. */
function isTextSchema(schema: unknown): boolean {
  if (!isObject(schema) || !isObject(schema._def) || !isObject(schema._def.schema)) return false
  const { shape } = schema._def.schema
  return isObject(shape) && Object.keys(shape).join() === 'input'
}

/** Some tools answer with a message, whose content is the result. */
const readContent = (result: unknown): unknown =>
  isObject(result) && 'content' in result && 'tool_call_id' in result ? result.content : result
