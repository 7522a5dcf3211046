import { inspect } from 'node:util'
import { invalidTool } from '../errors.ts'
import { isObject, type JsonObject, type JsonSchema } from '../wire/json.ts'
import { createCheck, createServerCheck } from './check.ts'
import { hostedTool } from './hosted.ts'
import { requireToolName } from './names.ts'
import type { FunctionTool, HostedTool, Tool, ToolContext, ToolOwner } from './tool.ts'

/** A function tool of the OpenAI Agents SDK (`tool({ ... })` of `@openai/agents`), known by its shape. */
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

/** What the Agents SDK hands to tools and guardrails beside their input. */
export interface SdkRunContext {
  /** The run's user context itself. */
  readonly context: { [key: string]: unknown }
  /** Always zero: usage is counted per run, not per tool. */
  readonly usage: { requests: number; inputTokens: number; outputTokens: number; totalTokens: number; add(): void }
}

export const runContextOf = ({ userContext }: Pick<ToolContext, 'userContext'>): SdkRunContext => ({
  context: userContext,
  usage: { requests: 0, inputTokens: 0, outputTokens: 0, totalTokens: 0, add() {} },
})

/**
 * A tool of the Agents SDK as one of ours; undefined for anything else. The SDK itself is not needed.
 * @throws INVALID_TOOL for what cannot be honoured here: computer, shell and patch tools, approvals, tool guardrails
 */
export function fromSdkTool(value: unknown): Tool | undefined {
  if (!isObject(value) || typeof value.name !== 'string') return undefined
  const made = ofSdk.get(value) ?? readSdkTool(value)
  if (made !== undefined) ofSdk.set(value, made)
  return made
}

/** One tool for each of the SDK's, so that one that is given twice stays one tool. */
const ofSdk = new WeakMap<object, Tool>()

function readSdkTool(value: JsonObject): Tool | undefined {
  if (value.type === 'function' && typeof value.invoke === 'function')
    return fromSdkFunction(value as unknown as SdkShape)
  if (value.type === 'hosted_tool') return fromSdkHosted(value)
  if (/^(computer|shell|apply_patch)$/.test(String(value.type)))
    throw invalidTool(
      `The ${value.type} tool "${value.name}" of the Agents SDK cannot run here: this version gives models no ${value.type} of yours to use. Write what it is needed for with tool({ ... }).`,
    )
  return undefined
}

/** The parts of an SDK function tool that are used here, with the types they are called with. */
interface SdkShape {
  name: string
  description: string
  parameters: JsonSchema
  strict?: boolean
  invoke(runContext: SdkRunContext, input: string, details: JsonObject): Promise<unknown>
  needsApproval?(runContext: SdkRunContext, input: unknown, callId: string): Promise<boolean>
  isEnabled?(runContext: SdkRunContext, agent: ToolOwner): Promise<boolean>
  inputGuardrails?: readonly unknown[]
  outputGuardrails?: readonly unknown[]
}

function fromSdkFunction(sdk: SdkShape): FunctionTool {
  const { name, strict = true, isEnabled } = sdk
  if (alwaysNeedsApproval(sdk))
    throw invalidTool(
      `The tool "${name}" needs approval (needsApproval), and this version has nobody to ask. Leave needsApproval out, and refuse inside execute what must not happen.`,
    )
  if ((sdk.inputGuardrails?.length ?? 0) + (sdk.outputGuardrails?.length ?? 0) > 0)
    throw invalidTool(
      `The tool "${name}" has guardrails of its own, which this version does not run. Check inside execute, or use the agent's inputGuardrails and outputGuardrails.`,
    )
  requireToolName(name)
  const { $schema: _, ...parameters } = sdk.parameters
  const exact = createCheck(parameters, undefined, 'as-schema')
  // The SDK does not check these itself, and they may be an MCP server's: getAllMcpTools() makes such tools.
  const loose = createServerCheck(parameters, parameters.required)
  return Object.freeze<FunctionTool>({
    kind: 'function',
    origin: 'function',
    name,
    description: sdk.description,
    parameters,
    strict,
    oneCallAtATime: false,
    isEnabled: isEnabled && ((context, agent) => isEnabled(runContextOf(context), agent)),
    check: (input, loc, from) => (strict || from !== 'model' ? exact : loose)(input, loc, from),
    async run(value, context) {
      const runContext = runContextOf(context)
      const { toolCallId: callId, signal } = context
      if ((await sdk.needsApproval?.(runContext, value, callId)) === true)
        return `The call of "${name}" needs a person's approval, and there is nobody to ask here. It was not carried out.`
      const input = JSON.stringify(value)
      const toolCall = { type: 'function_call', callId, name, arguments: input, status: 'completed' }
      return sdk.invoke(runContext, input, { toolCall, signal })
    },
  })
}

/**
 * True when the answer is fixed: the SDK wraps a boolean into a function without parameters whose promise is settled at
 * once, which only `inspect` can see without waiting. Anything else is asked before each call.
 */
function alwaysNeedsApproval({ needsApproval }: SdkShape): boolean {
  if (needsApproval === undefined || needsApproval.length > 0) return false
  let answer: unknown
  try {
    answer = (needsApproval as () => unknown)()
  } catch {
    return false // a policy that fails without input is asked again with some
  }
  if (answer instanceof Promise) answer.catch(() => {})
  return answer === true || inspect(answer) === 'Promise { true }'
}

function fromSdkHosted({ name, providerData }: JsonObject): HostedTool {
  if (!isObject(providerData) || typeof providerData.type !== 'string')
    throw invalidTool(`The hosted tool "${name}" of the Agents SDK does not say what it is (providerData.type).`)
  const { name: _, on_approval: __, ...definition } = providerData
  return hostedTool(definition as { type: string })
}
