import { errorText } from '../errors.ts'
import { isObject, parseJson } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import type { FunctionTool, ToolContext } from './tool.ts'

/** What a model gets back from a call: a text, or content parts. */
export type ToolOutput = string | InputItem[]

/** The sentence a model reads when a tool threw. */
export const toolFailure = (name: string, error: unknown) =>
  `An error occurred in the tool "${name}": ${errorText(error)}. Check the arguments, or find another way.`

/** How large the arguments that a model writes may be in their parts. */
const BOUNDS = { depth: 64, keys: 10_000, values: 1_000_000 }

/**
 * Runs one call of a model. Bad arguments and a tool that throws become texts for the model, with known secrets masked.
 * @throws the signal's reason when the run was stopped meanwhile; nothing else
 */
export async function runTool(
  tool: FunctionTool,
  argumentsJson: string,
  context: ToolContext,
  redact: (text: string) => string,
): Promise<ToolOutput> {
  let input: unknown
  try {
    input = argumentsJson.trim() === '' ? {} : parseJson(argumentsJson, BOUNDS)
  } catch (error) {
    return `Error: the arguments for tool "${tool.name}" are not valid JSON (${errorText(error)}).`
  }
  const checked = tool.check(input, [])
  if (!checked.ok) {
    const problems = checked.details.map((detail) => `${detail.loc.join('.') || 'arguments'}: ${detail.msg}`)
    return `Error: the arguments for tool "${tool.name}" do not fit. ${problems.join('; ')}`
  }
  try {
    return toOutput(await tool.run(checked.value, context))
  } catch (error) {
    context.signal.throwIfAborted()
    return redact(toolFailure(tool.name, error))
  }
}

const isContentPart = (value: unknown) => isObject(value) && /^input_(text|image|file)$/.test(String(value.type))

function toOutput(value: unknown): ToolOutput {
  if (typeof value === 'string') return value
  if (value === undefined || value === null) return ''
  const parts: unknown[] = Array.isArray(value) ? value : [value]
  if (parts.length > 0 && parts.every(isContentPart)) return JSON.parse(JSON.stringify(parts)) // plain data from here on
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
