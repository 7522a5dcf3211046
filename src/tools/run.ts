import { errorText } from '../errors.ts'
import { isObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import type { FunctionTool, ToolContext } from './tool.ts'

/** What a model gets back from a call: a text, or content parts. */
export type ToolOutput = string | InputItem[]

/** The sentence a model reads when a tool threw. */
export const toolFailure = (name: string, error: unknown) =>
  `An error occurred in the tool "${name}": ${errorText(error)}. Check the arguments, or find another way.`

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
    input = argumentsJson.trim() === '' ? {} : JSON.parse(argumentsJson)
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
  if (parts.length > 0 && parts.every(isContentPart)) return parts as InputItem[]
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
