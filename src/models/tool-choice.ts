/** Which tool an agent's `toolChoice` names, whichever API's words it is written in. */
import { isObject, type JsonObject } from '../wire/json.ts'
import type { TurnRequest } from './model.ts'

/** A mode, one function, or a choice that only the Responses API knows. */
export type ToolChoice =
  | { kind: 'mode'; mode: Mode }
  | { kind: 'function'; name: string }
  | { kind: 'hosted'; choice: JsonObject }

/**
 * Reads the choice of a turn. A hosted tool that is not part of the turn is chosen by the function that stands for it;
 * undefined when nothing does.
 */
export function readToolChoice({ settings, tools, hostedTools = [] }: TurnRequest): ToolChoice | undefined {
  const { toolChoice: choice } = settings
  if (choice === undefined || choice === null) return undefined
  if (isMode(choice)) return { kind: 'mode', mode: choice }
  const type = typeof choice === 'string' ? choice : String(choice.type)
  if (hostedTools.some((tool) => tool.type === type))
    return { kind: 'hosted', choice: typeof choice === 'string' ? { type } : choice }
  if (typeof choice === 'string') return { kind: 'function', name: choice }
  const name = isObject(choice.function) ? choice.function.name : choice.name
  if (type === 'function' && typeof name === 'string') return { kind: 'function', name }
  if (type === 'allowed_tools' || type === 'custom') return { kind: 'hosted', choice }
  const standIn = type === 'mcp' ? 'hosted_mcp' : type.replace(/_preview.*$/, '')
  return tools.some((tool) => tool.name === standIn) ? { kind: 'function', name: standIn } : undefined
}

type Mode = 'auto' | 'required' | 'none'
const isMode = (choice: unknown): choice is Mode => choice === 'auto' || choice === 'required' || choice === 'none'
