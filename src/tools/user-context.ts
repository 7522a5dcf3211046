/** The user context as code of the user sees it: with the types of its keys where the compiler knows them. */

/** A context whose keys the compiler does not know. Every object fits it, and it gives `unknown` by `ContextAccess`. */
// biome-ignore lint/suspicious/noExplicitAny: an interface fits an index signature of any alone
export type UserContext = { [key: string]: any }

/** With keys of its own a context is what its type says; without, its values are unknown. */
export type KnownContext<Context extends object> = string extends keyof Context ? { [key: string]: unknown } : Context

/** Reads and writes the user context of one run. `Context` names its keys; what a request sends is not checked against it. */
export interface ContextAccess<Context extends object = UserContext> {
  /** The object itself: the agency's `userContext` merged with the request's `user_context`. It never reaches the model. */
  readonly userContext: KnownContext<Context>
  /** Reads one key; `fallback` (default undefined) when it is absent. */
  readonly get: ContextGetter<Context>
  /** Writes one key; later tools and sub-agents of the same run see it. */
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
