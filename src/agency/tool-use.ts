/** `toolUseBehavior`: what happens after the tool calls of a turn. */
import { invalidOption } from '../base/start-errors.ts'
import type { ToolOutput } from '../tools/output.ts'
import type { UserContext } from '../tools/user-context.ts'
import { isObject } from '../wire/json.ts'
import type { AgencyContext } from './context.ts'

/** The output of one tool call in a turn. */
export interface ToolResult {
  name: string
  callId: string
  output: ToolOutput
}

/**
 * What happens after the tool calls of a turn: `run_llm_again` calls the model again, `stop_on_first_tool` ends the run with
 * the first tool's output, `stopAtToolNames` ends it with the output of a named tool, and a function decides itself.
 */
export type ToolUseBehavior<Context extends object = UserContext> =
  | 'run_llm_again'
  | 'stop_on_first_tool'
  | { stopAtToolNames: readonly string[] }
  | ((context: AgencyContext<Context>, results: readonly ToolResult[]) => ToolUseVerdict | Promise<ToolUseVerdict>)

/** Whether the run ends after a turn's tool calls, and with which answer. */
export interface ToolUseVerdict {
  isFinalOutput: boolean
  finalOutput?: unknown
}

/** @throws INVALID_OPTION for a value that is not a ToolUseBehavior */
export function checkToolUse(behavior: ToolUseBehavior | undefined, agent: string): void {
  if (behavior === undefined || typeof behavior === 'function') return
  if (behavior === 'run_llm_again' || behavior === 'stop_on_first_tool') return
  if (isObject(behavior) && Array.isArray(behavior.stopAtToolNames)) return
  throw invalidOption(
    `toolUseBehavior of agent "${agent}" must be "run_llm_again", "stop_on_first_tool", { stopAtToolNames: [...] } or a function.`,
  )
}

/** The tool output that ends the run; undefined when the model is called again. */
export async function finalToolOutput(
  behavior: ToolUseBehavior,
  context: AgencyContext,
  results: readonly ToolResult[],
): Promise<{ output: unknown } | undefined> {
  if (behavior === 'run_llm_again' || results.length === 0) return undefined
  if (typeof behavior === 'function') {
    const { isFinalOutput, finalOutput } = await behavior(context, results)
    return isFinalOutput ? { output: finalOutput } : undefined
  }
  if (behavior === 'stop_on_first_tool') return results[0]
  return results.find(({ name }) => behavior.stopAtToolNames.includes(name))
}
