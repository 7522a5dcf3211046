import { invalidOption } from '../errors.ts'
import type { ToolOutput } from '../tools/output.ts'
import type { UserContext } from '../tools/user-context.ts'
import { isObject } from '../wire/json.ts'
import type { AgencyContext } from './context.ts'

/** One tool's answer of a turn. */
export interface ToolResult {
  name: string
  callId: string
  output: ToolOutput
}

/**
 * What happens after tools have answered: the model is asked again, or the run ends with a tool's output as its answer -
 * the first one's, that of a tool that is named, or what a function says.
 */
export type ToolUseBehavior<Context extends object = UserContext> =
  | 'run_llm_again'
  | 'stop_on_first_tool'
  | { stopAtToolNames: readonly string[] }
  | ((context: AgencyContext<Context>, results: readonly ToolResult[]) => ToolUseVerdict | Promise<ToolUseVerdict>)

/** Whether the run ends after a turn's tools, and with what as its answer. */
export interface ToolUseVerdict {
  isFinalOutput: boolean
  finalOutput?: unknown
}

/** @throws INVALID_OPTION */
export function checkToolUse(behavior: ToolUseBehavior | undefined, agent: string): void {
  if (behavior === undefined || typeof behavior === 'function') return
  if (behavior === 'run_llm_again' || behavior === 'stop_on_first_tool') return
  if (isObject(behavior) && Array.isArray(behavior.stopAtToolNames)) return
  throw invalidOption(
    `toolUseBehavior of agent "${agent}" is "run_llm_again", "stop_on_first_tool", { stopAtToolNames: [...] } or a function.`,
  )
}

/** The output that ends the run here; undefined when the model is to be asked again. */
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
