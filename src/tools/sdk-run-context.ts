/** The run context of the OpenAI Agents SDK. */
import type { ToolContext } from './tool.ts'

/** The run context that tools and guardrails of the Agents SDK expect. */
export interface SdkRunContext {
  /** The user context of the run. */
  readonly context: { [key: string]: unknown }
  /** Always zero: usage is counted per run, not per tool. */
  readonly usage: { requests: number; inputTokens: number; outputTokens: number; totalTokens: number; add(): void }
}

/** The run context of the Agents SDK for a run of this package. */
export const runContextOf = ({ userContext }: Pick<ToolContext, 'userContext'>): SdkRunContext => ({
  context: userContext,
  usage: { requests: 0, inputTokens: 0, outputTokens: 0, totalTokens: 0, add() {} },
})
