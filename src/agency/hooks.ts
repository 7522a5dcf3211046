/** Hooks: functions of the application that runs call and await. */
import type { ModelResponse, TurnRequest } from '../models/model.ts'
import type { UserContext } from '../tools/user-context.ts'
import type { ContentPart } from '../wire/message.ts'
import type { AgencyContext, AgentInfo } from './context.ts'

/** One tool call, as hooks see it. */
export interface ToolCall {
  name: string
  callId: string
  /** The arguments as the model wrote them; not validated. */
  argumentsJson: string
}

/**
 * Functions called at steps of a run. Each may be async and is awaited; when one throws, the run fails. The hooks of the run
 * are called first, then the agency's, then the agent's own.
 */
export interface RunHooks<Context extends object = UserContext> {
  onAgentStart?(context: AgencyContext<Context>, agent: AgentInfo): unknown
  onAgentEnd?(context: AgencyContext<Context>, agent: AgentInfo, output: unknown): unknown
  onHandoff?(context: AgencyContext<Context>, from: AgentInfo, to: AgentInfo): unknown
  /** Called for send_message, too. */
  onToolStart?(context: AgencyContext<Context>, agent: AgentInfo, call: ToolCall): unknown
  onToolEnd?(context: AgencyContext<Context>, agent: AgentInfo, call: ToolCall, output: string | ContentPart[]): unknown
  onLlmStart?(context: AgencyContext<Context>, agent: AgentInfo, request: TurnRequest): unknown
  /** `response` has the output items, and the usage when the provider reported it. */
  onLlmEnd?(
    context: AgencyContext<Context>,
    agent: AgentInfo,
    response: Pick<ModelResponse, 'output' | 'usage'>,
  ): unknown
}

type HookArguments<Name extends keyof RunHooks> = Parameters<NonNullable<RunHooks[Name]>>

/** Calls one hook of every listener, in order. */
export async function callHooks<Name extends keyof RunHooks>(
  listeners: readonly (RunHooks | undefined)[],
  name: Name,
  ...args: HookArguments<Name>
): Promise<void> {
  for (const listener of listeners)
    await (listener?.[name] as ((...args: HookArguments<Name>) => unknown) | undefined)?.call(listener, ...args)
}
