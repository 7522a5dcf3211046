/** The user context of a run, and its copy for each served request. */
import { STATE } from '../tools/state.ts'
import type { ContextAccess, UserContext } from '../tools/user-context.ts'

/** The user context of one run. Tools read and write it, sub-agents share it, and models never see it. */
export interface AgencyContext<Context extends object = UserContext> extends ContextAccess<Context> {
  /** The agent whose turn is running; null for a standalone tool. */
  readonly currentAgentName: string | null
}

/** The context object that runs create. */
export class RunContext implements AgencyContext {
  readonly userContext: { [key: string]: unknown }
  readonly currentAgentName: string | null
  constructor(userContext: { [key: string]: unknown }, currentAgentName: string | null = null) {
    this.userContext = userContext
    this.currentAgentName = currentAgentName
  }
  get state(): unknown {
    return this.get(STATE)
  }
  set state(value: unknown) {
    this.set(STATE, value)
  }
  get<T = unknown>(key: string, fallback?: T): T {
    return (Object.hasOwn(this.userContext, key) ? this.userContext[key] : fallback) as T
  }
  set(key: string, value: unknown): void {
    Object.defineProperty(this.userContext, key, { value, writable: true, enumerable: true, configurable: true })
  }
}

/** An agent as hooks and guardrails see it. */
export interface AgentInfo {
  readonly name: string
  readonly description: string
}

/**
 * Copies a context for one request. Objects, arrays, maps, sets and dates are copied at every depth; functions and instances
 * of other classes (a database, a client) are shared.
 */
export function copyContext<T>(value: T, copies = new Map<unknown, unknown>()): T {
  if (typeof value !== 'object' || value === null) return value
  const known = copies.get(value)
  if (known !== undefined) return known as T
  const register = <C>(copy: C): C => {
    copies.set(value, copy)
    return copy
  }
  const copyItem = (item: unknown) => copyContext(item, copies)
  if (Array.isArray(value)) {
    const copy = register<unknown[]>([])
    for (const item of value) copy.push(copyItem(item))
    return copy as T
  }
  if (value instanceof Map) {
    const copy = register(new Map())
    for (const [key, item] of value) copy.set(copyItem(key), copyItem(item))
    return copy as T
  }
  if (value instanceof Set) {
    const copy = register(new Set())
    for (const item of value) copy.add(copyItem(item))
    return copy as T
  }
  if (value instanceof Date) return register(new Date(value)) as T
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const copy: { [key: string]: unknown } = register(Object.create(prototype))
  for (const [key, item] of Object.entries(value))
    Object.defineProperty(copy, key, { value: copyItem(item), writable: true, enumerable: true, configurable: true })
  return copy as T
}
