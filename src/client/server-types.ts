/**
 * What the compiler reads from the type of a server: `createClient<typeof agencies>`, or the type of the options of `serve()`.
 * Types alone: nothing of the server gets into the client.
 */

/** The agencies of a server by their names; of an untyped one nothing is known. */
type AgenciesOf<Server> = Server extends { readonly agencies: infer Agencies }
  ? Agencies
  : Server extends { readonly tools: unknown }
    ? Record<never, never>
    : Server
type ToolsOf<Server> = Server extends { readonly tools: readonly (infer Tool)[] } ? Tool : never

/** The names of a server's agencies; any name where the type does not say. */
export type AgencyName<Server> = unknown extends Server ? string : keyof AgenciesOf<Server> & string

/** What an agency, or one that a factory makes, answers; text where the type does not say. */
export type AnswerOf<Server, Name> = unknown extends Server
  ? string
  : Name extends keyof AgenciesOf<Server>
    ? OutputOf<Made<AgenciesOf<Server>[Name]>>
    : string
type Made<Served> = Served extends (...args: never) => infer Agency ? Awaited<Agency> : Served
type OutputOf<Agency> = Agency extends { readonly '~types'?: { readonly output: infer Output } } ? Output : unknown

/** The name of a tool, as far as its type has it: of a class its `static readonly toolName`. */
type NameOf<Tool> = Tool extends { readonly toolName: infer Name extends string }
  ? Name
  : Tool extends { readonly name: infer Name extends string }
    ? Name
    : string

/** The names of a server's tools; any name where one of them has no name in its type. */
export type ToolName<Server> = [ToolsOf<Server>] extends [never] ? string : NameOf<ToolsOf<Server>>

type ToolNamed<Tool, Name> = Tool extends unknown
  ? string extends NameOf<Tool>
    ? never
    : Name extends NameOf<Tool>
      ? Tool
      : never
  : never

/** The arguments of a tool as a caller writes them. */
export type ToolInput<Server, Name> = InputOf<ToolNamed<ToolsOf<Server>, Name>>
type InputOf<Tool> = [Tool] extends [never]
  ? { [name: string]: unknown }
  : Tool extends { readonly fields: { readonly _zod: { readonly input: infer Input } } }
    ? Input
    : Tool extends { readonly '~types'?: { readonly input: infer Input } }
      ? Input
      : { [name: string]: unknown }

/** What a tool returns. */
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
