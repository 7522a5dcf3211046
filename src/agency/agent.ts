/** One agent of an agency: its options, validated at construction, and its setters. */
import type { z } from 'zod'
import { optionNames, refuseUnknown } from '../base/options.ts'
import { agentFrozen, invalidOption } from '../base/start-errors.ts'
import type { FilesFolder } from '../files/folder.ts'
import type { SdkModel } from '../models/agents-sdk/model.ts'
import type { ModelSettings } from '../models/model.ts'
import type { ModelSpec } from '../models/spec.ts'
import { asTool, type ToolLike } from '../tools/base-tool.ts'
import type { McpServerConfig } from '../tools/mcp/config.ts'
import type { McpServer } from '../tools/mcp/sdk-server.ts'
import { readMcpServers } from '../tools/mcp/source.ts'
import { onceEach } from '../tools/once-each.ts'
import type { Tool } from '../tools/tool.ts'
import type { UserContext } from '../tools/user-context.ts'
import { Chain } from './chain.ts'
import type { AgencyContext } from './context.ts'
import { readFilesFolder } from './files-folder.ts'
import { type InputGuardrail, type OutputGuardrail, readGuardrails, type SdkGuardrail } from './guardrails.ts'
import type { RunHooks } from './hooks.ts'
import { checkOutputType, checkSettings, readModel } from './model-options.ts'
import { AGENT_MOVED } from './moved-options.ts'
import { checkShapes } from './option-shapes.ts'
import { readReminders, type SystemReminder } from './reminders.ts'
import { readSchemasFolder, type SchemasFolderOptions } from './schemas-folder.ts'
import type { PromptFunction, StoredPrompt } from './stored-prompt.ts'
import { readText } from './text-file.ts'
import { checkToolUse, type ToolUseBehavior } from './tool-use.ts'
import { readToolsFolder } from './tools-folder.ts'

/** A text, the path of a file that holds it, or a function that is called before every model call. */
export type Instructions<Context extends object = UserContext> = string | InstructionsFunction<Context>
/** Declared as a method, because method parameters are bivariant: a function may type its agent as a subclass. */
type InstructionsFunction<Context extends object> = {
  make(context: AgencyContext<Context>, agent: Agent): string | Promise<string>
}['make']

/**
 * Options of `new Agent(options)`. `Context` is the type of the user context that its tools and functions use, `Output` the
 * type of its answers: that of `outputType`, otherwise text.
 */
// biome-ignore lint/suspicious/noExplicitAny: options of any agent, which a subclass can pass to super()
export interface AgentOptions<Context extends object = any, Output = any> extends SchemasFolderOptions {
  /** The agent's name, unique inside an agency. Required. */
  name: string
  /** Describes the agent to other agents (in send_message and handoffs) and in the metadata. @default '' */
  description?: string | undefined
  /**
   * A text, the path of a file (relative to the module that creates the agent, or to the working directory), a `file:` URL, or
   * a function. Files must be UTF-8 or UTF-16. A text that looks like a path but names no file throws INVALID_OPTION.
   * @default no instructions
   */
  instructions?: Instructions<Context> | URL | undefined
  /** A model name (`"gpt-5.4"`, `"demo"`), `chatCompletions(name)`, a Model object, or a model of the OpenAI Agents SDK. */
  model?: ModelSpec | SdkModel | undefined
  /** Parameters of every model call. @default { truncation: 'auto' } */
  modelSettings?: ModelSettings | undefined
  /** Function tools from `tool()`, BaseTool classes, hosted tools such as `webSearch()`, tools of the OpenAI Agents SDK. @default [] */
  tools?: readonly ToolLike<Context>[] | undefined
  /**
   * A folder with tools: every tool that its .ts, .js and .mjs files export is added to `tools`. Relative to the module that
   * creates the agent, or to the working directory. Modules that use `await` at their top level need `loadTools()` instead.
   * @default none
   */
  toolsFolder?: string | URL | undefined
  /**
   * A folder with files for the agent, stored with the server's own OpenAI key before the first run: documents in a vector store
   * for file search, code, data and images for the code interpreter. The folder is renamed to `<name>_vs_<id>`, and each file
   * gets the id under which it is stored; later starts store what is new or changed, and remove what was deleted.
   * @default none
   */
  filesFolder?: string | URL | undefined
  /**
   * MCP servers whose tools this agent gets: `{ command, args }`, `{ url }`, or objects of the OpenAI Agents SDK. Each is connected
   * on first use; agents that list the same object share its connection. Needs the package `@modelcontextprotocol/client`.
   * @default []
   */
  mcpServers?: readonly (McpServerConfig | McpServer)[] | undefined
  /** What happens after a turn's tool calls. @default 'run_llm_again' */
  toolUseBehavior?: ToolUseBehavior<Context> | undefined
  /** Drop `toolChoice` once the agent has used a tool, so that `required` cannot loop. @default true */
  resetToolChoice?: boolean | undefined
  /** Request the passages that a hosted file search finds, and keep them in the conversation. @default false */
  includeSearchResults?: boolean | undefined
  /** Request the addresses of the sources that a hosted web search used. @default true */
  includeWebSearchSources?: boolean | undefined
  /** Structured output: the final answer is parsed by this zod type, which must describe an object (else INVALID_OPTION). @default text */
  outputType?: z.ZodType<Output> | undefined
  /**
   * A prompt that is stored at OpenAI, sent with every model call: its id, and a version and variables. For models that are
   * reached through the Responses API. Instructions of the agent replace those of the prompt. A function chooses it before every
   * model call. @default none
   */
  prompt?: StoredPrompt | PromptFunction<Context> | undefined
  /** The voice for realtime sessions, such as "marin"; shown in the metadata. @default none */
  voice?: string | undefined
  /** Suggested first messages; shown in the metadata. @default [] */
  conversationStarters?: readonly string[] | undefined
  /** Suggested replies; shown in the metadata. @default [] */
  quickReplies?: readonly string[] | undefined
  /**
   * Keep the answers to conversation starters and quick replies that begin a conversation, in `.agency_swarm/starter_cache` of
   * the working directory or of AGENCY_SWARM_CHATS_DIR, and give them again without asking the model. Answers that call tools
   * are not kept. @default false
   */
  cacheConversationStarters?: boolean | undefined
  /** The system message this agent gets when a conversation is handed to it. @default a sentence with its name */
  handoffReminder?: string | undefined
  /** Check the user's messages before the first model call, when this agent starts the run. @default [] */
  inputGuardrails?: readonly (InputGuardrail<Context> | SdkGuardrail)[] | undefined
  /** Check this agent's final answer. When one trips, the agent gets its guidance and answers again. @default [] */
  outputGuardrails?: readonly (OutputGuardrail<Context, NoInfer<Output>> | SdkGuardrail)[] | undefined
  /** How often the agent may answer again after an output guardrail tripped. @default 1 */
  validationAttempts?: number | undefined
  /** What a tripped input guardrail does: true fails the run, false answers with its guidance. @default false */
  raiseInputGuardrailError?: boolean | undefined
  /** System messages that the model gets but that are never stored: one, or a list. @default [] */
  systemReminders?: SystemReminder<Context> | readonly SystemReminder<Context>[] | undefined
  /** Hooks called for this agent's part of every run. */
  hooks?: RunHooks<Context> | undefined
}

const OPTIONS = optionNames<AgentOptions>({
  name: true,
  description: true,
  instructions: true,
  model: true,
  modelSettings: true,
  tools: true,
  toolsFolder: true,
  filesFolder: true,
  mcpServers: true,
  schemasFolder: true,
  apiHeaders: true,
  apiParams: true,
  toolUseBehavior: true,
  resetToolChoice: true,
  includeSearchResults: true,
  includeWebSearchSources: true,
  outputType: true,
  prompt: true,
  voice: true,
  conversationStarters: true,
  quickReplies: true,
  cacheConversationStarters: true,
  handoffReminder: true,
  inputGuardrails: true,
  outputGuardrails: true,
  validationAttempts: true,
  raiseInputGuardrailError: true,
  systemReminders: true,
  hooks: true,
})

/**
 * One agent: a name, instructions, a model and tools. Requests never change it. After its first run its setters throw
 * AGENT_FROZEN, because other requests may be using it.
 * @throws INVALID_OPTION for a missing name, an unknown option or a wrong value; INVALID_TOOL for an entry of `tools` that is
 *   not a tool, or a document of `schemasFolder` that cannot be used; DUPLICATE_NAME for two different tools with one name
 */
export class Agent {
  readonly name: string
  #options: AgentOptions
  #model: ModelSpec | undefined
  #tools: readonly Tool[]
  #filesFolder: FilesFolder | undefined
  #guards: Guards
  #frozen = false

  constructor(options: AgentOptions) {
    if (typeof options?.name !== 'string' || options.name.trim() === '')
      throw invalidOption('An Agent needs a name: new Agent({ name: "CEO", ... }).')
    refuseUnknown(`Agent "${options.name}"`, options, OPTIONS, AGENT_MOVED)
    for (const key of ['conversationStarters', 'quickReplies'] as const) {
      const list = options[key]
      if (
        list !== undefined &&
        !(Array.isArray(list) && list.every((text) => typeof text === 'string' && text.trim() !== ''))
      )
        throw invalidOption(`${key} of agent "${options.name}" must be a list of non-empty strings.`)
    }
    this.name = options.name
    checkShapes(options.name, { ...options })
    checkOutputType(options.outputType, options.name)
    checkToolUse(options.toolUseBehavior, options.name)
    const { toolsFolder, schemasFolder, apiHeaders, apiParams, ...rest } = options // their tools are loaded here
    this.#options = { ...rest, ...this.#readInstructions(options.instructions) }
    this.#model = readModel(options.model, options.name)
    checkSettings(options.modelSettings, options.name)
    const owner = `agent "${this.name}"`
    const fromFolders = [
      ...readToolsFolder(toolsFolder, owner, 'toolsFolder'),
      ...readSchemasFolder({ schemasFolder, apiHeaders, apiParams }, owner),
    ]
    this.#tools = readTools([...(options.tools ?? []), ...fromFolders], this.name)
    this.#filesFolder = readFilesFolder(options.filesFolder, owner, 'filesFolder')
    readMcpServers(options.mcpServers, options.name)
    this.#guards = readGuards(options)
  }

  get description(): string {
    return this.#options.description ?? ''
  }
  set description(value: string) {
    this.#change('description', value)
  }
  get instructions(): Instructions | undefined {
    return this.#options.instructions as Instructions | undefined
  }
  set instructions(value: Instructions | URL) {
    this.#change('instructions', value)
  }
  get model(): ModelSpec | undefined {
    return this.#model
  }
  set model(value: ModelSpec | SdkModel) {
    const model = readModel(value, this.name)
    this.#change('model', value)
    this.#model = model
  }
  get modelSettings(): ModelSettings {
    return this.#options.modelSettings ?? {}
  }
  set modelSettings(value: ModelSettings) {
    checkSettings(value, this.name)
    this.#change('modelSettings', value)
  }
  get tools(): readonly Tool[] {
    return this.#tools
  }
  set tools(value: readonly ToolLike[]) {
    this.#change('tools', value)
    this.#tools = readTools(value, this.name)
  }
  /**
   * The folder with the agent's files.
   * @internal
   */
  get filesFolder(): FilesFolder | undefined {
    return this.#filesFolder
  }
  get mcpServers(): readonly (McpServerConfig | McpServer)[] {
    return this.#options.mcpServers ?? []
  }
  get toolUseBehavior(): ToolUseBehavior {
    return this.#options.toolUseBehavior ?? 'run_llm_again'
  }
  get resetToolChoice(): boolean {
    return this.#options.resetToolChoice ?? true
  }
  get includeSearchResults(): boolean {
    return this.#options.includeSearchResults ?? false
  }
  get includeWebSearchSources(): boolean {
    return this.#options.includeWebSearchSources ?? true
  }
  get outputType(): z.ZodType | undefined {
    return this.#options.outputType
  }
  get conversationStarters(): readonly string[] {
    return (this.#options.conversationStarters ?? []).map((text) => text.trim())
  }
  get quickReplies(): readonly string[] {
    return (this.#options.quickReplies ?? []).map((text) => text.trim())
  }
  get cacheConversationStarters(): boolean {
    return this.#options.cacheConversationStarters ?? false
  }
  get prompt(): StoredPrompt | PromptFunction | undefined {
    return this.#options.prompt as StoredPrompt | PromptFunction | undefined
  }
  get voice(): string | undefined {
    return this.#options.voice?.trim().toLowerCase()
  }
  get handoffReminder(): string | undefined {
    return this.#options.handoffReminder
  }

  get inputGuardrails(): readonly InputGuardrail[] {
    return this.#guards.input
  }
  get outputGuardrails(): readonly OutputGuardrail[] {
    return this.#guards.output
  }
  get validationAttempts(): number {
    return this.#options.validationAttempts ?? 1
  }
  get raiseInputGuardrailError(): boolean {
    return this.#options.raiseInputGuardrailError ?? false
  }
  get systemReminders(): readonly SystemReminder[] {
    return this.#guards.reminders
  }
  get hooks(): RunHooks | undefined {
    return this.#options.hooks
  }

  /** Adds one tool. @throws AGENT_FROZEN after the first run; INVALID_TOOL, DUPLICATE_NAME */
  addTool(tool: ToolLike): void {
    this.tools = [...this.#tools, tool]
  }

  /** A copy of this agent with changed options, for use in another agency. */
  clone(changes: Partial<AgentOptions> = {}): this {
    const Class = this.constructor as new (options: AgentOptions) => this
    const { instructions, ...options } = this.#options
    const filesFolder = this.#filesFolder?.path
    const copy = new Class({ ...options, filesFolder, tools: this.#tools, ...changes })
    if (!('instructions' in changes) && instructions !== undefined) copy.#options = { ...copy.#options, instructions } // already read, so it is a text and no longer a path
    return copy
  }

  /** Starts a chain for `communicationFlows`: `ceo.to(dev).to(qa)`. */
  to<Next extends Agent>(agent: Next): Chain<this | Next> {
    return new Chain<this | Next>([this, agent])
  }

  /**
   * Makes the setters throw from now on, because requests share the agent. Called by the first run.
   * @internal
   */
  freeze(): void {
    this.#frozen = true
  }
  /** True after the first run. */
  get frozen(): boolean {
    return this.#frozen
  }

  #readInstructions(instructions: Instructions | URL | undefined): { instructions?: Instructions } {
    if (instructions === undefined || instructions === null) return {}
    if (typeof instructions === 'function') return { instructions }
    if (typeof instructions !== 'string' && !(instructions instanceof URL))
      throw invalidOption(`instructions of agent "${this.name}" must be a text, the path of a file, or a function.`)
    return { instructions: readText(instructions, `agent "${this.name}"`, 'instructions') }
  }

  #change<K extends keyof AgentOptions>(option: K, value: AgentOptions[K]): void {
    if (this.#frozen) throw agentFrozen(this.name, option)
    this.#options = {
      ...this.#options,
      [option]: value,
      ...(option === 'instructions' ? this.#readInstructions(value as Instructions | URL) : {}),
    }
  }
}

interface Guards {
  input: readonly InputGuardrail[]
  output: readonly OutputGuardrail[]
  reminders: readonly SystemReminder[]
}

function readGuards({
  name,
  inputGuardrails,
  outputGuardrails,
  validationAttempts,
  systemReminders,
}: AgentOptions): Guards {
  if (validationAttempts !== undefined && !(Number.isInteger(validationAttempts) && validationAttempts >= 0))
    throw invalidOption(`validationAttempts of agent "${name}" must be a whole number, 0 or more.`)
  return {
    input: readGuardrails(inputGuardrails, 'input'),
    output: readGuardrails(outputGuardrails, 'output'),
    reminders: readReminders(systemReminders, name),
  }
}

function readTools(list: readonly unknown[], agent: string): readonly Tool[] {
  const tools = onceEach(list.map(asTool), `Agent "${agent}"`)
  for (const tool of tools)
    if (tool.kind === 'function' && tool.origin === 'class' && tool.description === '')
      process.emitWarning(
        `The tool class ${tool.name} has no description, so a model must guess what it does. Add one: static description = '...'.`,
      )
  return tools
}
