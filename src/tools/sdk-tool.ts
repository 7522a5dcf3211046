/** Adapts tools of the OpenAI Agents SDK. */
import { inspect } from 'node:util'
import { invalidTool } from '../base/start-errors.ts'
import { isObject, type JsonObject, type JsonSchema } from '../wire/json.ts'
import { createCheck, createServerCheck } from './check.ts'
import { hostedTool } from './hosted.ts'
import { requireToolName } from './names.ts'
import { fromSdkNative } from './sdk-native.ts'
import { runContextOf, type SdkRunContext } from './sdk-run-context.ts'
import type { FunctionTool, HostedTool, Tool, ToolOwner } from './tool.ts'

/** A function tool of the OpenAI Agents SDK (`tool({ ... })` of `@openai/agents`), recognized by its shape. */
export interface SdkFunctionTool {
  readonly type: 'function'
  readonly name: string
  readonly description: string
  readonly parameters: object
  readonly strict?: boolean
  invoke(runContext: never, input: string, details?: never): Promise<unknown>
  needsApproval?(runContext: never, input: never, callId?: string): Promise<boolean>
  isEnabled?(runContext: never, agent: never): Promise<boolean>
}

/** A hosted tool of the Agents SDK (`webSearchTool()`, `fileSearchTool(...)`, `hostedMcpTool(...)`, ...). */
export interface SdkHostedTool {
  readonly type: 'hosted_tool'
  readonly name: string
  readonly providerData?: Record<string, unknown>
}

/**
 * Adapts a tool of the Agents SDK; undefined for anything else. The SDK itself need not be installed.
 * @throws INVALID_TOOL for features this package does not support: tool guardrails, computers created per run
 */
export function fromSdkTool(value: unknown): Tool | undefined {
  if (!isObject(value) || typeof value.name !== 'string') return undefined
  const tool = adaptedTools.get(value) ?? readSdkTool(value)
  if (tool !== undefined) adaptedTools.set(value, tool)
  return tool
}

/** The adapted tool of each SDK tool, so that one that is listed twice counts as one tool. */
const adaptedTools = new WeakMap<object, Tool>()

function readSdkTool(value: JsonObject): Tool | undefined {
  if (value.type === 'function' && typeof value.invoke === 'function')
    return fromSdkFunction(value as unknown as SdkShape)
  if (value.type === 'hosted_tool') return fromSdkHosted(value)
  return fromSdkNative(value)
}

/** The members of an SDK function tool used here, with the types used to call them. */
interface SdkShape {
  name: string
  description: string
  parameters: JsonSchema
  strict?: boolean
  invoke(runContext: SdkRunContext, input: string, details: JsonObject): Promise<unknown>
  needsApproval?(runContext: SdkRunContext, input: unknown, callId: string): Promise<boolean>
  isEnabled?(runContext: SdkRunContext, agent: ToolOwner): Promise<boolean>
  deferLoading?: boolean
  inputGuardrails?: readonly unknown[]
  outputGuardrails?: readonly unknown[]
}

function fromSdkFunction(sdk: SdkShape): FunctionTool {
  const { name, strict = true, isEnabled } = sdk
  if ((sdk.inputGuardrails?.length ?? 0) + (sdk.outputGuardrails?.length ?? 0) > 0)
    throw invalidTool(
      `The tool "${name}" has guardrails of its own, which this version does not support. Check inside execute, or use the agent's inputGuardrails and outputGuardrails.`,
    )
  requireToolName(name)
  const { $schema: _, ...parameters } = sdk.parameters
  const exact = createCheck(parameters, undefined, 'as-schema')
  // The SDK does not validate these, and they may come from an MCP server: getAllMcpTools() creates such tools.
  const loose = createServerCheck(parameters, parameters.required)
  return Object.freeze<FunctionTool>({
    kind: 'function',
    origin: 'function',
    name,
    description: sdk.description,
    parameters,
    strict,
    oneCallAtATime: false,
    ...readPlace(sdk),
    isEnabled: isEnabled && ((context, agent) => isEnabled(runContextOf(context), agent)),
    needsApproval: readNeedsApproval(sdk),
    check: (input, loc, from) => (strict || from !== 'model' ? exact : loose)(input, loc, from),
    async run(value, context) {
      const runContext = runContextOf(context)
      const { toolCallId: callId, signal } = context
      const isStandalone = context.currentAgentName === null // a call of an agent was approved before
      if (isStandalone && (await sdk.needsApproval?.(runContext, value, callId)) === true)
        return `The call of "${name}" needs a person's approval, which is not available here. It was not run.`
      const input = JSON.stringify(value)
      const toolCall = { type: 'function_call', callId, name, arguments: input, status: 'completed' }
      return sdk.invoke(runContext, input, { toolCall, signal })
    },
  })
}

/** How a search finds the tool. The SDK keeps the namespace under symbols of its own. */
function readPlace(sdk: SdkShape): Pick<FunctionTool, 'deferLoading' | 'namespace'> {
  const read = (name: string): unknown => {
    const key = Object.getOwnPropertySymbols(sdk).find(({ description }) => description === name)
    return key && (sdk as unknown as { [key: symbol]: unknown })[key]
  }
  const [name, description] = [read('functionToolNamespace'), read('functionToolNamespaceDescription')]
  return {
    ...(sdk.deferLoading === true ? { deferLoading: true } : {}),
    ...(typeof name === 'string' && typeof description === 'string' ? { namespace: { name, description } } : {}),
  }
}

/**
 * The `needsApproval` of an SDK tool. The SDK wraps a boolean in a function without parameters that returns a settled promise;
 * only `inspect` can read it without waiting. Any other function is called before each call of the tool.
 */
function readNeedsApproval({ needsApproval }: SdkShape): FunctionTool['needsApproval'] {
  if (needsApproval === undefined) return undefined
  const wrapped = needsApproval.length > 0 ? undefined : readSettled(needsApproval as () => unknown)
  return wrapped ?? ((value, context) => needsApproval(runContextOf(context), value, context.toolCallId))
}

/** The boolean that a function returns or has settled on; undefined for anything else. */
function readSettled(ask: () => unknown): boolean | undefined {
  let answer: unknown
  try {
    answer = ask()
  } catch {
    return undefined // a function that fails without input is called again with it
  }
  if (answer instanceof Promise) answer.catch(() => {})
  const text = inspect(answer)
  return /^(Promise \{ )?true( \})?$/.test(text) ? true : /^(Promise \{ )?false( \})?$/.test(text) ? false : undefined
}

function fromSdkHosted({ name, providerData }: JsonObject): HostedTool {
  if (!isObject(providerData) || typeof providerData.type !== 'string')
    throw invalidTool(`The hosted tool "${name}" of the Agents SDK has no type (providerData.type).`)
  const { name: _, on_approval: __, ...definition } = providerData
  return hostedTool(definition as { type: string })
}
