import { existsSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { z } from 'zod'
import { agentFrozen, invalidOption } from '../errors.ts'
import type { ModelSettings } from '../models/model.ts'
import type { ModelSpec } from '../models/provider.ts'
import { asFunctionTool, type ToolClass } from '../tools/base-tool.ts'
import type { FunctionTool } from '../tools/tool.ts'
import { Chain } from './chain.ts'
import type { AgencyContext } from './context.ts'
import { type InputGuardrail, type OutputGuardrail, readGuardrails } from './guardrails.ts'
import type { RunHooks } from './hooks.ts'
import { checkReminders, type SystemReminder } from './reminders.ts'

/** A text, the path of a file that holds it, or a function that makes it anew for every model call. */
export type Instructions = string | ((context: AgencyContext, agent: Agent) => string | Promise<string>)

export interface AgentOptions {
  /** Unique inside an agency. Required. */
  name: string
  /** What others are told about this agent: in send_message, in handoffs, in the metadata. */
  description?: string
  /** Default: none. A string that names an existing file (with a slash or an extension, relative to the working folder) is read. */
  instructions?: Instructions
  /** A model name (`"gpt-5.4"`, `"demo"`), `chatCompletions(name)` or a Model object. */
  model?: ModelSpec
  modelSettings?: ModelSettings
  /** Tools made by `tool()`, or BaseTool classes. */
  tools?: readonly (FunctionTool | ToolClass)[]
  /** Structured output: the final answer has to fit this zod object. */
  outputType?: z.ZodType
  conversationStarters?: readonly string[]
  quickReplies?: readonly string[]
  /** Told to this agent when a conversation is handed to it; a default sentence otherwise. */
  handoffReminder?: string
  /** Run before the model is asked, in the conversation this agent starts with. */
  inputGuardrails?: readonly InputGuardrail[]
  /** Run on this agent's final answer. A trip gives the agent its guidance and another try. */
  outputGuardrails?: readonly OutputGuardrail[]
  /** How often an answer may be tried again after an output guardrail tripped. Default 1. */
  validationAttempts?: number
  /** Default false: a tripped input guardrail answers with its guidance. True: the run fails. */
  raiseInputGuardrailError?: boolean
  /** Notes for the model that are never stored. */
  systemReminders?: readonly SystemReminder[]
  hooks?: RunHooks
}

const OPTIONS = new Set([
  'name',
  'description',
  'instructions',
  'model',
  'modelSettings',
  'tools',
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
])

/** Options of older versions of the original, and where they went. */
const MOVED: { [option: string]: string } = {
  temperature: 'modelSettings: { temperature }',
  topP: 'modelSettings: { topP }',
  maxCompletionTokens: 'modelSettings: { maxTokens }',
  maxPromptTokens: 'modelSettings: { truncation: "auto" }',
  reasoningEffort: 'modelSettings: { reasoning: { effort } }',
  truncationStrategy: 'modelSettings: { truncation }',
  parallelToolCalls: 'modelSettings: { parallelToolCalls }',
  toolChoice: 'modelSettings: { toolChoice }',
  responseValidator: 'outputGuardrails',
  responseFormat: 'outputType',
  returnInputGuardrailErrors: 'raiseInputGuardrailError',
  throwInputGuardrailError: 'raiseInputGuardrailError',
  handoffDescription: 'description',
  sendMessageToolClass: 'a class in communicationFlows: [[a, b, MyMessage]]',
  fileIds: 'file parts in the message',
  examples: 'the instructions',
}

/**
 * One agent: a name, instructions, a model and tools. Requests never change it; after its first run its setters throw
 * AGENT_FROZEN, since other requests are using it.
 * @throws INVALID_OPTION for a missing name, an unknown option or empty starters; INVALID_TOOL for what is no tool
 */
export class Agent {
  readonly name: string
  #options: AgentOptions
  #tools: readonly FunctionTool[]
  #guards: Guards
  #frozen = false

  constructor(options: AgentOptions) {
    if (typeof options?.name !== 'string' || options.name.trim() === '')
      throw invalidOption('An Agent needs a name: new Agent({ name: "CEO", ... }).')
    for (const key of Object.keys(options)) if (!OPTIONS.has(key)) throw invalidOption(unknownOption(key, options.name))
    for (const key of ['conversationStarters', 'quickReplies'] as const) {
      const list = options[key]
      if (
        list !== undefined &&
        !(Array.isArray(list) && list.every((text) => typeof text === 'string' && text.trim() !== ''))
      )
        throw invalidOption(`${key} of agent "${options.name}" has to be a list of non-empty strings.`)
    }
    this.name = options.name
    this.#options = { ...options, ...resolveText(options.instructions) }
    this.#tools = readTools(options.tools ?? [])
    this.#guards = readGuards(options)
  }

  get description(): string {
    return this.#options.description ?? ''
  }
  set description(value: string) {
    this.#change('description', value)
  }
  get instructions(): Instructions | undefined {
    return this.#options.instructions
  }
  set instructions(value: Instructions) {
    this.#change('instructions', value)
  }
  get model(): ModelSpec | undefined {
    return this.#options.model
  }
  set model(value: ModelSpec) {
    this.#change('model', value)
  }
  get modelSettings(): ModelSettings {
    return this.#options.modelSettings ?? {}
  }
  set modelSettings(value: ModelSettings) {
    this.#change('modelSettings', value)
  }
  get tools(): readonly FunctionTool[] {
    return this.#tools
  }
  set tools(value: readonly (FunctionTool | ToolClass)[]) {
    this.#change('tools', value)
    this.#tools = readTools(value)
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
    return this.#options.systemReminders ?? []
  }
  get hooks(): RunHooks | undefined {
    return this.#options.hooks
  }

  /** Adds one tool; refused after the first run like every other change. */
  addTool(tool: FunctionTool | ToolClass): void {
    this.tools = [...this.#tools, tool]
  }

  /** A changed copy of this agent, free to be used in another agency. */
  clone(changes: Partial<AgentOptions> = {}): Agent {
    return new Agent({ ...this.#options, tools: this.#tools, ...changes })
  }

  /** `ceo.to(dev).to(qa)`: a chain for `communicationFlows`. */
  to(agent: Agent): Chain<Agent> {
    return new Chain<Agent>([this, agent])
  }

  /** From now on the agent is shared by requests and cannot change. Called by the first run. */
  freeze(): void {
    this.#frozen = true
  }

  #change<K extends keyof AgentOptions>(option: K, value: AgentOptions[K]): void {
    if (this.#frozen) throw agentFrozen(this.name, option)
    this.#options = {
      ...this.#options,
      [option]: value,
      ...(option === 'instructions' ? resolveText(value as Instructions) : {}),
    }
  }
}

interface Guards {
  input: readonly InputGuardrail[]
  output: readonly OutputGuardrail[]
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
  checkReminders(systemReminders, name)
  return { input: readGuardrails(inputGuardrails, 'input'), output: readGuardrails(outputGuardrails, 'output') }
}

const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

const unknownOption = (key: string, agent: string) =>
  MOVED[camel(key)] !== undefined
    ? `Agent "${agent}" has the option "${key}"; here that is ${MOVED[camel(key)]}.`
    : OPTIONS.has(camel(key)) && camel(key) !== key
      ? `Agent "${agent}" has the option "${key}"; here it is written "${camel(key)}".`
      : `Agent "${agent}" has the unknown option "${key}". Known options: ${[...OPTIONS].join(', ')}.`

/** First of two tools with one name wins, as in the original. */
function readTools(tools: readonly unknown[]): readonly FunctionTool[] {
  const byName = new Map<string, FunctionTool>()
  for (const value of tools) {
    const tool = asFunctionTool(value)
    if (!byName.has(tool.name)) byName.set(tool.name, tool)
  }
  return [...byName.values()]
}

function resolveText(instructions: Instructions | undefined): { instructions?: Instructions } {
  return instructions === undefined
    ? {}
    : { instructions: typeof instructions === 'string' ? readText(instructions) : instructions }
}

/** The text itself, or the content of the file it names. */
export function readText(text: string): string {
  if (text.length > 1024 || !/^[^\n]*(\/|\\|\.\w+$)/.test(text)) return text // no path: spare the disk
  const path = resolve(text)
  return existsSync(path) && statSync(path).isFile() ? readFileSync(path, 'utf8') : text
}
