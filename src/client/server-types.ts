/**
 * Types that the client derives from the type of a server: `createClient<typeof agencies>`, or the type of the options of
 * `serve()`. Types only: no server code reaches the client.
 */

/** The agencies of a server, by name. */
type AgenciesOf<Server> = Server extends { readonly agencies: infer Agencies }
  ? Agencies
  : Server extends { readonly tools: unknown }
    ? Record<never, never>
    : Server
type ToolsOf<Server> = Server extends { readonly tools: readonly (infer Tool)[] } ? Tool : never

/** The names of a server's agencies; `string` for an untyped server. */
export type AgencyName<Server> = unknown extends Server ? string : keyof AgenciesOf<Server> & string

/** The answer type of an agency or agency factory; `string` for an untyped server. */
export type AnswerOf<Server, Name> = unknown extends Server
  ? string
  : Name extends keyof AgenciesOf<Server>
    ? OutputOf<BuiltAgency<AgenciesOf<Server>[Name]>>
    : string
type BuiltAgency<Served> = Served extends (...args: never) => infer Agency ? Awaited<Agency> : Served
type OutputOf<Agency> = Agency extends { readonly '~types'?: { readonly output: infer Output } } ? Output : unknown

/** The name of a tool when its type has it; for a class, its `static readonly toolName`. */
type NameOf<Tool> = Tool extends { readonly toolName: infer Name extends string }
  ? Name
  : Tool extends { readonly name: infer Name extends string }
    ? Name
    : string

/** The names of a server's tools; `string` when the type of any tool lacks its name. */
export type ToolName<Server> = [ToolsOf<Server>] extends [never] ? string : NameOf<ToolsOf<Server>>

type ToolNamed<Tool, Name> = Tool extends unknown
  ? string extends NameOf<Tool>
    ? never
    : Name extends NameOf<Tool>
      ? Tool
      : never
  : never

/** The arguments of a tool, as a caller sends them. */
export type ToolInput<Server, Name> = InputOf<ToolNamed<ToolsOf<Server>, Name>>
type InputOf<Tool> = [Tool] extends [never]
  ? { [name: string]: unknown }
  : Tool extends { readonly fields: { readonly _zod: { readonly input: infer Input } } }
    ? Input
    : Tool extends { readonly '~types'?: { readonly input: infer Input } }
      ? Input
      : { [name: string]: unknown }

/** The result of a tool. */
export type ToolOutput<Server, Name> = ReturnOf<ToolNamed<ToolsOf<Server>, Name>>
type ReturnOf<Tool> = [Tool] extends [never]
  ? unknown
  : Tool extends new (
        ...args: never
      ) => { run(): infer Output }
    ? Awaited<Output>
    : Tool extends { readonly '~types'?: { readonly output: infer Output } }
      ? Output
      : unknown
