import type { ContextAccess, UserContext } from '../tools/user-context.ts'

/** The user context of one run: read and written by tools, shared with sub-agents, never shown to a model. */
export interface AgencyContext<Context extends object = UserContext> extends ContextAccess<Context> {
  /** The agent whose turn it is; null for a tool that is served alone. */
  readonly currentAgentName: string | null
}

/** The context that runs make. */
export class RunContext implements AgencyContext {
  readonly userContext: { [key: string]: unknown }
  readonly currentAgentName: string | null
  constructor(userContext: { [key: string]: unknown }, currentAgentName: string | null = null) {
    this.userContext = userContext
    this.currentAgentName = currentAgentName
  }
  get<T = unknown>(key: string, fallback?: T): T {
    return (Object.hasOwn(this.userContext, key) ? this.userContext[key] : fallback) as T
  }
  set(key: string, value: unknown): void {
    Object.defineProperty(this.userContext, key, { value, writable: true, enumerable: true, configurable: true })
  }
}

/** What listeners and guardrails are told about an agent. */
export interface AgentInfo {
  readonly name: string
  readonly description: string
}

/**
 * A copy of a context for one request: objects, lists, maps and sets are copied to any depth; functions and instances of
 * classes (a database, a client) are shared.
 */
export function copyContext<T>(value: T, copies = new Map<unknown, unknown>()): T {
  if (typeof value !== 'object' || value === null) return value
  const known = copies.get(value)
  if (known !== undefined) return known as T
  const make = <C>(copy: C): C => {
    copies.set(value, copy)
    return copy
  }
  const each = (item: unknown) => copyContext(item, copies)
  if (Array.isArray(value)) {
    const copy = make<unknown[]>([])
    for (const item of value) copy.push(each(item))
    return copy as T
  }
  if (value instanceof Map) {
    const copy = make(new Map())
    for (const [key, item] of value) copy.set(each(key), each(item))
    return copy as T
  }
  if (value instanceof Set) {
    const copy = make(new Set())
    for (const item of value) copy.add(each(item))
    return copy as T
  }
  if (value instanceof Date) return make(new Date(value)) as T
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const copy: { [key: string]: unknown } = make(Object.create(prototype))
  for (const [key, item] of Object.entries(value))
    Object.defineProperty(copy, key, { value: each(item), writable: true, enumerable: true, configurable: true })
  return copy as T
}
