/** The user context of one run: read and written by tools, shared with sub-agents, never shown to a model. */
export class AgencyContext {
  readonly userContext: { [key: string]: unknown }
  /** The agent whose turn it is. */
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
