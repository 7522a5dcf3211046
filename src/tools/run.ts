import { errorText } from '../errors.ts'
import { parseJson } from '../wire/json.ts'
import type { ValidationDetail } from '../wire/validation.ts'
import { type ToolAnswer, toAnswer } from './output.ts'
import type { FunctionTool, ToolContext } from './tool.ts'

/** The sentence a model reads when a tool threw. */
export const toolFailure = (name: string, error: unknown) =>
  `An error occurred in the tool "${name}": ${errorText(error)}. Check the arguments, or find another way.`

/** How large the arguments that a model writes may be in their parts. */
const BOUNDS = { depth: 64, keys: 10_000, values: 1_000_000 }
/** What a run lends to its tools. */
export interface ToolSurroundings {
  /** Masks known secrets in what the model is told. */
  redact(text: string): string
  /** Is given what the tool threw. */
  note(error: unknown): void
}

/**
 * Runs one call of a model. Bad arguments and a tool that throws become texts for the model, with known secrets masked.
 * @throws the signal's reason when the run was stopped meanwhile; nothing else
 */
export async function runTool(
  tool: FunctionTool,
  argumentsJson: string,
  context: ToolContext,
  { redact, note }: ToolSurroundings,
): Promise<ToolAnswer> {
  let input: unknown
  try {
    input = argumentsJson.trim() === '' ? {} : (parseJson(argumentsJson, BOUNDS) ?? {})
  } catch (error) {
    return toAnswer(`Error: the arguments for tool "${tool.name}" are not valid JSON (${errorText(error)}).`)
  }
  const checked = tool.check(input, [], 'model')
  if (!checked.ok) return toAnswer(misfit(tool.name, checked.details))
  try {
    return toAnswer(await tool.run(checked.value, context))
  } catch (error) {
    context.signal.throwIfAborted()
    note(error)
    return toAnswer(redact(toolFailure(tool.name, error)))
  }
}

/** What is wrong with the arguments. Where only the tool's own rules object, their words stand alone. */
export function misfit(tool: string, details: readonly ValidationDetail[]): string {
  const own = details.every((detail) => detail.type === 'value_error')
  const problems = details.map(({ loc, msg }) => {
    const words = own ? msg.replace(/^Value error, /, '') : msg
    return loc.length > 0 ? `${loc.join('.')}: ${words}` : own ? words : `arguments: ${words}`
  })
  return own
    ? `Error: ${problems.join('; ')}`
    : `Error: the arguments for tool "${tool}" do not fit. ${problems.join('; ')}`
}
