import type { ModelResponse, TurnRequest } from '../models/model.ts'
import type { UserContext } from '../tools/user-context.ts'
import type { ContentPart } from '../wire/message.ts'
import type { AgencyContext, AgentInfo } from './context.ts'

/** One tool call as hooks see it. */
export interface ToolCall {
  name: string
  callId: string
  /** As the model wrote them. */
  argumentsJson: string
}

/**
 * What an application may listen to. Each may be async and is awaited; what it throws fails the run. Hooks of a run come
 * first, then the agency's, then the agent's own.
 */
export interface RunHooks<Context extends object = UserContext> {
  onAgentStart?(context: AgencyContext<Context>, agent: AgentInfo): unknown
  onAgentEnd?(context: AgencyContext<Context>, agent: AgentInfo, output: unknown): unknown
  onHandoff?(context: AgencyContext<Context>, from: AgentInfo, to: AgentInfo): unknown
  /** send_message counts as a tool. */
  onToolStart?(context: AgencyContext<Context>, agent: AgentInfo, call: ToolCall): unknown
  onToolEnd?(context: AgencyContext<Context>, agent: AgentInfo, call: ToolCall, output: string | ContentPart[]): unknown
  onLlmStart?(context: AgencyContext<Context>, agent: AgentInfo, request: TurnRequest): unknown
  /** `response` has the output items, and the usage where the provider reported it. */
  onLlmEnd?(
    context: AgencyContext<Context>,
    agent: AgentInfo,
    response: Pick<ModelResponse, 'output' | 'usage'>,
  ): unknown
}

type HookArguments<Name extends keyof RunHooks> = Parameters<NonNullable<RunHooks[Name]>>

/** Calls one hook of every listener, in their order. */
export async function callHooks<Name extends keyof RunHooks>(
  listeners: readonly (RunHooks | undefined)[],
  name: Name,
  ...args: HookArguments<Name>
): Promise<void> {
  for (const listener of listeners)
    await (listener?.[name] as ((...given: HookArguments<Name>) => unknown) | undefined)?.call(listener, ...args)
}
