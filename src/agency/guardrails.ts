/** Guardrails: their types, adapters for the Agents SDK, and how they run. */
import { invalidOption } from '../base/start-errors.ts'
import { runContextOf } from '../tools/sdk-run-context.ts'
import type { UserContext } from '../tools/user-context.ts'
import { isObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import type { AgencyContext, AgentInfo } from './context.ts'

/** The result of a guardrail. The user gets the `guidance` of an input guardrail. The agent gets that of an output guardrail, and answers again. */
export interface GuardrailResult {
  tripwire: boolean
  guidance?: string
}
/** Checks the user's latest messages (one text, or a list of several) before the model sees them. */
export type InputGuardrail<Context extends object = UserContext> = (
  input: string | string[],
  context: AgencyContext<Context>,
  agent: AgentInfo,
) => GuardrailResult | Promise<GuardrailResult>
/** Checks an agent's final answer: a text, or the parsed value of an agent with `outputType`. */
export type OutputGuardrail<Context extends object = UserContext, Output = unknown> = (
  output: Output,
  context: AgencyContext<Context>,
  agent: AgentInfo,
) => GuardrailResult | Promise<GuardrailResult>

/** A guardrail of the OpenAI Agents SDK, recognized by its shape. A text in `outputInfo` is its guidance. */
export interface SdkGuardrail {
  readonly name: string
  readonly execute?: SdkCheck
  /** The function of guardrails created by `defineOutputGuardrail`. */
  readonly guardrailFunction?: SdkCheck
}
type SdkCheck = (args: never) => Promise<{ tripwireTriggered: boolean; outputInfo?: unknown }>

/**
 * Returns guardrails as functions; objects of the Agents SDK (`{ name, execute }`) are adapted.
 * @throws INVALID_OPTION for anything else
 */
export function readGuardrails(list: readonly unknown[] | undefined, kind: 'input' | 'output') {
  return (list ?? []).map((value): InputGuardrail & OutputGuardrail => {
    if (typeof value === 'function') return value as InputGuardrail & OutputGuardrail
    const execute = isObject(value) ? (value.execute ?? value.guardrailFunction) : undefined
    if (typeof execute !== 'function')
      throw invalidOption(
        `${kind}Guardrails is a list of functions (${kind}, context, agent) => ({ tripwire, guidance }).`,
      )
    return async (subject: unknown, agencyContext, agent) => {
      const context = runContextOf(agencyContext)
      const result = await execute.call(
        value,
        kind === 'input' ? { input: toSdkInput(subject), context, agent } : { agentOutput: subject, context, agent },
      )
      const { tripwireTriggered, outputInfo } = isObject(result) ? result : {}
      return {
        tripwire: tripwireTriggered === true,
        guidance: typeof outputInfo === 'string' ? outputInfo : JSON.stringify(outputInfo ?? ''),
      }
    }
  })
}

/** Guardrails of the Agents SDK get one text, or a list of messages. */
const toSdkInput = (texts: unknown) =>
  Array.isArray(texts) ? texts.map((content) => ({ type: 'message', role: 'user', content })) : texts

/** Runs all guardrails concurrently. Returns the guidance of the first in the list that tripped; undefined when none did. */
export async function tripped(
  guardrails: readonly ((subject: never, context: AgencyContext, agent: AgentInfo) => unknown)[],
  subject: unknown,
  context: AgencyContext,
  agent: AgentInfo,
): Promise<string | undefined> {
  const results = await Promise.all(guardrails.map((check) => check(subject as never, context, agent)))
  const hit = results.find((result) => isObject(result) && result.tripwire === true)
  return isObject(hit) ? String(hit.guidance ?? '') : undefined
}

/** The texts of the user messages at the end of a conversation: one text, a list of several, or undefined for none. */
export function latestUserTexts(items: readonly InputItem[]): string | string[] | undefined {
  const texts: string[] = []
  for (const item of items.toReversed()) {
    if (item.role !== 'user') break
    const text = userText(item.content)
    if (text !== '') texts.unshift(text)
  }
  return texts.length > 1 ? texts : texts[0]
}

function userText(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .flatMap((part) =>
      isObject(part) && part.type === 'input_text' && typeof part.text === 'string' ? [part.text] : [],
    )
    .join('\n')
}
