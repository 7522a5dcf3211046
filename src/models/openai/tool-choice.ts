/** Chooses among the tools of a turn. */
import { isObject, type JsonObject } from '../../wire/json.ts'
import type { TurnRequest } from '../model.ts'

const MODES = new Set(['auto', 'required', 'none'])
/** True for a mode of choice, false for the name of a tool. */
export const isMode = (choice: string): boolean => MODES.has(choice)

/** The choice among the tools of this turn. A tool's name counts only while the tool is in the list; providers refuse any other. */
export function choiceOf({ settings: { toolChoice }, tools, hostedTools = [] }: TurnRequest): unknown {
  const named = nameIn(toolChoice)
  if (named === undefined) return toolChoice
  const isThere = tools.some(({ name }) => name === named) || hostedTools.some(({ type }) => type === named)
  return isThere ? toolChoice : undefined
}

/** The function that a choice asks for; undefined for any other choice. */
function nameIn(choice: TurnRequest['settings']['toolChoice']): unknown {
  if (typeof choice === 'string') return isMode(choice) ? undefined : choice
  if (choice?.type !== 'function') return undefined
  return isObject(choice.function) ? choice.function.name : choice.name
}

/** The body without settings that providers refuse when there are no tools ("'tool_choice' is only allowed when 'tools' are specified"). */
export function withoutIdleToolSettings(body: JsonObject): JsonObject {
  if (Array.isArray(body.tools) && body.tools.length > 0) return body
  const { tool_choice: _, parallel_tool_calls: __, ...rest } = body
  return rest
}
