/** Types of the user context in tools, guardrails and hooks. */

/** An untyped user context. Every object is assignable to it; `ContextAccess` reads its values as `unknown`. */
// biome-ignore lint/suspicious/noExplicitAny: an interface fits an index signature of any alone
export type UserContext = { [key: string]: any }

/** The context's own type; an untyped context has `unknown` values. */
export type KnownContext<Context extends object> = string extends keyof Context ? { [key: string]: unknown } : Context

/** Reads and writes the user context of one run. `Context` is its type; the values of a request are not validated against it. */
export interface ContextAccess<Context extends object = UserContext> {
  /** The object itself: the agency's `userContext` merged with the request's `user_context`. It is never sent to a model. */
  readonly userContext: KnownContext<Context>
  /**
   * What tools and the application of the run's caller share: an AG-UI client sends it, and sees each change. Undefined until
   * somebody sets it. Assign it, or change it in place: a change is sent when it is assigned, at the next `emit`, and when the
   * call ends. JSON only; it is the key `agui_state` of the user context.
   */
  state?: unknown
  /** Returns the value of a key, or `fallback` (default undefined) when the key is absent. */
  readonly get: ContextGetter<Context>
  /** Sets the value of a key. Later tools and sub-agents of the same run see it. */
  readonly set: ContextSetter<Context>
}

/** `context.get(key, fallback)`. */
export type ContextGetter<Context extends object> = string extends keyof Context
  ? <T = unknown>(key: string, fallback?: T) => T
  : {
      <Key extends keyof Context>(key: Key): Context[Key]
      <Key extends keyof Context>(
        key: Key,
        fallback: Exclude<Context[Key], undefined>,
      ): Exclude<Context[Key], undefined>
    }

/** `context.set(key, value)`. */
export type ContextSetter<Context extends object> = string extends keyof Context
  ? (key: string, value: unknown) => void
  : <Key extends keyof Context>(key: Key, value: Context[Key]) => void
