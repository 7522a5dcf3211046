/** Runs one tool call of a model. */
import { errorText } from '../base/errors.ts'
import { parseJson } from '../wire/json.ts'
import type { ValidationDetail } from '../wire/validation.ts'
import { type ToolAnswer, toAnswer } from './output.ts'
import type { FunctionTool, ToolContext } from './tool.ts'

/** The text the model gets when a tool threw. */
export const toolFailure = (name: string, error: unknown) =>
  `An error occurred in the tool "${name}": ${errorText(error)}. Check the arguments, or find another way.`

/** Limits of the arguments that a model writes; larger ones are refused with a text for the model. */
const BOUNDS = { depth: 64, keys: 10_000, values: 100_000 }
/** What a tool call needs from its run. */
export interface ToolSurroundings {
  /** Masks known secrets in the text for the model. */
  redact(text: string): string
  /** Reports what the tool threw. */
  note(error: unknown): void
}

/**
 * Runs one tool call of a model. Invalid arguments and errors of the tool become texts for the model, with known secrets masked.
 * @throws the signal's reason when the run was cancelled meanwhile; nothing else
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
  const checked = await tool.check(input, [], 'model')
  if (!checked.ok) return toAnswer(misfit(tool.name, checked.details))
  try {
    return toAnswer(await tool.run(checked.value, context))
  } catch (error) {
    context.signal.throwIfAborted()
    note(error)
    return toAnswer(redact(toolFailure(tool.name, error)))
  }
}

/** The text for invalid arguments. When only the tool's own rules failed, the text is theirs. */
export function misfit(tool: string, details: readonly ValidationDetail[]): string {
  const onlyOwnRules = details.every((detail) => detail.type === 'value_error')
  const problems = details.map(({ loc, msg }) => {
    const text = onlyOwnRules ? msg.replace(/^Value error, /, '') : msg
    return loc.length > 0 ? `${loc.join('.')}: ${text}` : onlyOwnRules ? text : `arguments: ${text}`
  })
  return onlyOwnRules
    ? `Error: ${problems.join('; ')}`
    : `Error: the arguments for tool "${tool}" do not fit. ${problems.join('; ')}`
}
