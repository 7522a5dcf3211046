import { z } from 'zod'
import { agentFrozen, errorText, invalidOption } from '../errors.ts'
import type { ModelSettings } from '../models/model.ts'
import { fromSdkModel, isSdkModel, type SdkModel } from '../models/sdk-model.ts'
import { describeModel, isNamed, type ModelSpec } from '../models/spec.ts'
import { refuseUnknown } from '../options.ts'
import { asTool, type ToolLike } from '../tools/base-tool.ts'
import { schemaOf } from '../tools/define.ts'
import { type McpServer, type McpSource, readMcpServers } from '../tools/mcp.ts'
import { onceEach } from '../tools/once-each.ts'
import { describesObject } from '../tools/portable-schema.ts'
import type { Tool } from '../tools/tool.ts'
import type { UserContext } from '../tools/user-context.ts'
import { isModelName, ownedFields } from '../wire/client-config.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { Chain } from './chain.ts'
import type { AgencyContext } from './context.ts'
import { type InputGuardrail, type OutputGuardrail, readGuardrails, type SdkGuardrail } from './guardrails.ts'
import type { RunHooks } from './hooks.ts'
import { AGENT_MOVED } from './moved-options.ts'
import { readReminders, type SystemReminder } from './reminders.ts'
import { readText } from './text-file.ts'
import { checkToolUse, type ToolUseBehavior } from './tool-use.ts'

/** A text, the path of a file that holds it, or a function that is called for every model call. */
export type Instructions<Context extends object = UserContext> = string | InstructionsFunction<Context>
/** Taken from a method, so that the function may name its parameter by any subclass of Agent. */
type InstructionsFunction<Context extends object> = {
  make(context: AgencyContext<Context>, agent: Agent): string | Promise<string>
}['make']

/**
 * Options of `new Agent(options)`. `Context` names the keys of the user context that its tools and functions use, `Output` is
 * what its answers are: the value of `outputType`, otherwise text.
 */
// biome-ignore lint/suspicious/noExplicitAny: options of any agent
export interface AgentOptions<Context extends object = any, Output = unknown> {
  /** Unique inside an agency. Required. */
  name: string
  /** What others are told about this agent: in send_message, in handoffs, in the metadata. */
  description?: string
  /**
   * A text, the path of a file (relative to the module that makes the agent, or to the working folder), a `file:` URL, or a
   * function. Files are UTF-8 or UTF-16. A text that looks like a path and names no file is an error. Default: none.
   */
  instructions?: Instructions<Context> | URL
  /** A model name (`"gpt-5.4"`, `"demo"`), `chatCompletions(name)`, a Model object, or one of the OpenAI Agents SDK. */
  model?: ModelSpec | SdkModel
  /** How the model is asked. Default: `{ truncation: 'auto' }`. */
  modelSettings?: ModelSettings
  /** Tools made by `tool()`, BaseTool classes, `webSearch()` and its siblings, or tools of the OpenAI Agents SDK. */
  tools?: readonly ToolLike<Context>[]
  /** MCP servers whose tools this agent gets: objects of the OpenAI Agents SDK. They are connected when they are needed. */
  mcpServers?: readonly McpServer[]
  /** What happens after tools have answered. Default: the model is asked again. */
  toolUseBehavior?: ToolUseBehavior<Context>
  /** Once the agent has used a tool, its `toolChoice` no longer holds, so that `required` cannot loop. Default true. */
  resetToolChoice?: boolean
  /** Ask for the passages that a hosted file search finds, and keep them in the conversation. Default false. */
  includeSearchResults?: boolean
  /** Ask for the addresses that a hosted web search has used. Default true. */
  includeWebSearchSources?: boolean
  /** Structured output: the final answer has to fit this zod object, and is its value. @throws INVALID_OPTION for a schema of anything but an object */
  outputType?: z.ZodType<Output>
  /** Questions a page may offer before the first message; shown in the metadata. */
  conversationStarters?: readonly string[]
  /** Answers a page may offer; shown in the metadata. */
  quickReplies?: readonly string[]
  /** Told to this agent when a conversation is handed to it; a default sentence otherwise. */
  handoffReminder?: string
  /** Run before the model is asked, in the conversation this agent starts with. */
  inputGuardrails?: readonly (InputGuardrail<Context> | SdkGuardrail)[]
  /** Run on this agent's final answer. A trip gives the agent its guidance and another try. */
  outputGuardrails?: readonly (OutputGuardrail<Context, NoInfer<Output>> | SdkGuardrail)[]
  /** How often an answer may be tried again after an output guardrail tripped. Default 1. */
  validationAttempts?: number
  /** Default false: a tripped input guardrail answers with its guidance. True: the run fails. */
  raiseInputGuardrailError?: boolean
  /** Notes for the model that are never stored: one, or a list. */
  systemReminders?: SystemReminder<Context> | readonly SystemReminder<Context>[]
  /** Listeners of this agent's part of every run. */
  hooks?: RunHooks<Context>
}

const OPTIONS = new Set<string>([
  'name',
  'description',
  'instructions',
  'model',
  'modelSettings',
  'tools',
  'mcpServers',
  'toolUseBehavior',
  'resetToolChoice',
  'includeSearchResults',
  'includeWebSearchSources',
  'outputType',
  'conversationStarters',
  'quickReplies',
  'handoffReminder',
  'inputGuardrails',
  'outputGuardrails',
  'validationAttempts',
  'raiseInputGuardrailError',
  'systemReminders',
  'hooks',
] satisfies (keyof AgentOptions)[])

/**
 * One agent: a name, instructions, a model and tools. Requests never change it; after its first run its setters throw
 * AGENT_FROZEN, since other requests are using it.
 * @throws INVALID_OPTION for a missing name, an unknown option or empty starters; INVALID_TOOL for what is no tool;
 *   DUPLICATE_NAME for two different tools with one name
 */
export class Agent {
  readonly name: string
  #options: AgentOptions
  #model: ModelSpec | undefined
  #tools: readonly Tool[]
  #mcpSources: readonly McpSource[]
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
        throw invalidOption(`${key} of agent "${options.name}" has to be a list of non-empty strings.`)
    }
    this.name = options.name
    checkShapes(options)
    checkOutputType(options)
    checkToolUse(options.toolUseBehavior, options.name)
    this.#options = { ...options, ...this.#resolve(options.instructions) }
    this.#model = readModel(options.model, options.name)
    checkSettings(options.modelSettings, options.name)
    this.#tools = readTools(options.tools ?? [], this.name)
    this.#mcpSources = readMcpServers(options.mcpServers, options.name)
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
   * Where further tools come from while it runs.
   * @internal
   */
  get mcpSources(): readonly McpSource[] {
    return this.#mcpSources
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

  /** Adds one tool; refused after the first run like every other change. */
  addTool(tool: ToolLike): void {
    this.tools = [...this.#tools, tool]
  }

  /** A changed copy of this agent, free to be used in another agency. */
  clone(changes: Partial<AgentOptions> = {}): this {
    const Same = this.constructor as new (options: AgentOptions) => this
    const { instructions, ...options } = this.#options
    const copy = new Same({ ...options, tools: this.#tools, ...changes })
    if (!('instructions' in changes) && instructions !== undefined) copy.#options = { ...copy.#options, instructions } // read already: no longer a path
    return copy
  }

  /** `ceo.to(dev).to(qa)`: a chain for `communicationFlows`. */
  to<Next extends Agent>(agent: Next): Chain<this | Next> {
    return new Chain<this | Next>([this, agent])
  }

  /**
   * From now on the agent is shared by requests and cannot change. Called by the first run.
   * @internal
   */
  freeze(): void {
    this.#frozen = true
  }
  /** True once it has run. */
  get frozen(): boolean {
    return this.#frozen
  }

  #resolve(given: Instructions | URL | undefined): { instructions?: Instructions } {
    if (given === undefined || given === null) return {}
    if (typeof given === 'function') return { instructions: given }
    if (typeof given !== 'string' && !(given instanceof URL))
      throw invalidOption(`instructions of agent "${this.name}" have to be a text, the path of a file, or a function.`)
    return { instructions: readText(given, `agent "${this.name}"`, 'instructions') }
  }

  #change<K extends keyof AgentOptions>(option: K, value: AgentOptions[K]): void {
    if (this.#frozen) throw agentFrozen(this.name, option)
    this.#options = {
      ...this.#options,
      [option]: value,
      ...(option === 'instructions' ? this.#resolve(value as Instructions | URL) : {}),
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
    throw invalidOption(`validationAttempts of agent "${name}" has to be a whole number, 0 or more.`)
  return {
    input: readGuardrails(inputGuardrails, 'input'),
    output: readGuardrails(outputGuardrails, 'output'),
    reminders: readReminders(systemReminders, name),
  }
}

const isText = (value: unknown) => typeof value === 'string'
/** What options look like that nothing else reads at construction. */
const SHAPES: [names: readonly (keyof AgentOptions)[], fits: (value: unknown) => boolean, words: string][] = [
  [['description', 'handoffReminder'], isText, 'a text'],
  [
    ['instructions'],
    (value) => isText(value) || typeof value === 'function' || value instanceof URL,
    'a text, a file URL or a function',
  ],
  [['tools', 'mcpServers', 'inputGuardrails', 'outputGuardrails'], Array.isArray, 'a list'],
  [['modelSettings', 'hooks'], isObject, 'an object'],
]

function checkShapes(options: AgentOptions): void {
  for (const [names, fits, words] of SHAPES)
    for (const name of names)
      if (options[name] !== undefined && !fits(options[name]))
        throw invalidOption(`${name} of agent "${options.name}" has to be ${words}.`)
}

/** Providers give structured output as an object, so the JSON Schema of `outputType` has to be one's. */
function checkOutputType({ name, outputType }: AgentOptions): void {
  if (outputType === undefined) return
  const owner = `outputType of agent "${name}"`
  if (!(outputType instanceof z.ZodType))
    throw invalidOption(`${owner} has to be an object of zod 4: z.object({ ... }).`)
  let schema: JsonSchema
  try {
    schema = schemaOf(outputType)
  } catch (error) {
    throw invalidOption(`${owner} cannot be written as a JSON Schema: ${errorText(error)}`)
  }
  if (!describesObject(schema, schema))
    throw invalidOption(
      `${owner} does not describe an object, and models give structured output as objects only. Wrap it: z.object({ answer: ... }).`,
    )
}

/** @throws INVALID_OPTION for a name that is blank, as a whole or between its slashes */
function readModel(model: ModelSpec | SdkModel | undefined, agent: string): ModelSpec | undefined {
  if (isSdkModel(model)) return fromSdkModel(model)
  const name: unknown = model !== null && isNamed(model) ? describeModel(model) : model
  if (!isObject(name) && !(typeof name === 'string' && isModelName(name)))
    throw invalidOption(
      `The model "${name}" of agent "${agent}" has no name: write "gpt-5.4", "<provider>/<model>" or "litellm/<provider>/<model>".`,
    )
  return model
}

/** @throws INVALID_OPTION for fields of `extraBody` that belong to the run */
function checkSettings(settings: ModelSettings | undefined, agent: string): void {
  const [owned] = ownedFields(settings?.extraBody)
  if (owned !== undefined)
    throw invalidOption(
      `modelSettings.extraBody.${owned.join('.')} of agent "${agent}" belongs to the run. Set it with the agent's own options (model, instructions, tools, ...).`,
    )
}

function readTools(given: readonly unknown[], agent: string): readonly Tool[] {
  const tools = onceEach(given.map(asTool), `Agent "${agent}"`)
  for (const tool of tools)
    if (tool.kind === 'function' && tool.origin === 'class' && tool.description === '')
      process.emitWarning(
        `The tool class ${tool.name} has no description, so a model has to guess what it does: static description = '...'.`,
      )
  return tools
}
