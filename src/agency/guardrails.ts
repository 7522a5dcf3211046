import { invalidOption } from '../errors.ts'
import { runContextOf } from '../tools/sdk-tool.ts'
import type { UserContext } from '../tools/user-context.ts'
import { isObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import type { AgencyContext, AgentInfo } from './context.ts'

/** What a guardrail found. `guidance` is said to the user (input) or to the agent, which then tries again (output). */
export interface GuardrailResult {
  tripwire: boolean
  guidance?: string
}
/** Looks at the user's last messages (one text, or several in a list) before the model sees them. */
export type InputGuardrail<Context extends object = UserContext> = (
  input: string | string[],
  context: AgencyContext<Context>,
  agent: AgentInfo,
) => GuardrailResult | Promise<GuardrailResult>
/** Looks at an agent's final answer: a text, or the parsed value of an agent with `outputType`. */
export type OutputGuardrail<Context extends object = UserContext, Output = unknown> = (
  output: Output,
  context: AgencyContext<Context>,
  agent: AgentInfo,
) => GuardrailResult | Promise<GuardrailResult>

/** A guardrail of the OpenAI Agents SDK, known by its shape; a text in `outputInfo` is its guidance. */
export interface SdkGuardrail {
  readonly name: string
  readonly execute?: SdkCheck
  /** Where `defineOutputGuardrail` puts it. */
  readonly guardrailFunction?: SdkCheck
}
type SdkCheck = (args: never) => Promise<{ tripwireTriggered: boolean; outputInfo?: unknown }>

/**
 * Guardrails as functions; objects of the Agents SDK (`{ name, execute }`) are adapted.
 * @throws INVALID_OPTION for anything else
 */
export function readGuardrails(given: readonly unknown[] | undefined, kind: 'input' | 'output') {
  return (given ?? []).map((value): InputGuardrail & OutputGuardrail => {
    if (typeof value === 'function') return value as InputGuardrail & OutputGuardrail
    const execute = isObject(value) ? (value.execute ?? value.guardrailFunction) : undefined
    if (typeof execute !== 'function')
      throw invalidOption(
        `${kind}Guardrails is a list of functions (${kind}, context, agent) => ({ tripwire, guidance }).`,
      )
    return async (subject: unknown, agencyContext, agent) => {
      const context = runContextOf(agencyContext)
      const found = await execute.call(
        value,
        kind === 'input' ? { input: asSdkInput(subject), context, agent } : { agentOutput: subject, context, agent },
      )
      const { tripwireTriggered, outputInfo } = isObject(found) ? found : {}
      return {
        tripwire: tripwireTriggered === true,
        guidance: typeof outputInfo === 'string' ? outputInfo : JSON.stringify(outputInfo ?? ''),
      }
    }
  })
}

/** The Agents SDK's guardrails see one text, or a list of messages. */
const asSdkInput = (texts: unknown) =>
  Array.isArray(texts) ? texts.map((content) => ({ type: 'message', role: 'user', content })) : texts

/** The guidance of the first guardrail that trips; undefined when none does. All run side by side. */
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

/** The texts of the user messages at the end of a conversation; undefined when there are none. */
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
