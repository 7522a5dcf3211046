/** Runs one tool call of a model. */
import { errorText } from '../base/errors.ts'
import { isObject, parseJson } from '../wire/json.ts'
import type { ValidationDetail } from '../wire/validation.ts'
import { type ToolAnswer, toAnswer } from './output.ts'
import type { FunctionTool, ToolContext } from './tool.ts'

/** The text the model gets when a tool threw. */
export function toolFailure(name: string, error: unknown): string {
  const text = errorText(error).trimEnd()
  return `An error occurred in the tool "${name}": ${text}${/[.!?]$/.test(text) ? '' : '.'} Check the arguments, or find another way.`
}

/** Limits of the arguments that a model writes; larger ones are refused with a text for the model. */
const BOUNDS = { depth: 64, keys: 10_000, values: 100_000 }
/** What a tool call needs from its run. */
export interface ToolSurroundings {
  /** Masks known secrets in the text for the model. */
  redact(text: string): string
  /** Reports what the tool threw. */
  note(error: unknown): void
}

/**
 * Runs one tool call of a model. Invalid arguments, objections of guardrails, a call that takes too long and errors of the tool
 * become texts for the model, with known secrets masked.
 * @throws the signal's reason when the run was cancelled meanwhile; what a guardrail threw; nothing else
 */
export async function runTool(
  tool: FunctionTool,
  argumentsJson: string,
  context: ToolContext,
  { redact, note }: ToolSurroundings,
): Promise<ToolAnswer> {
  const input = await readCallArguments(tool, argumentsJson)
  if (typeof input === 'string') return toFailure(input)
  const objection = await findObjection(tool.inputGuardrails, input.value, context)
  if (objection !== undefined) return toFailure(objection)
  let output: unknown
  let answer: ToolAnswer
  try {
    output = await runInTime(tool, input.value, context)
    answer = toAnswer(output)
  } catch (error) {
    context.signal.throwIfAborted()
    note(error)
    return toFailure(redact(describeFailure(tool, error, input.value)))
  }
  const complaint = await findObjection(tool.outputGuardrails, output, context)
  return complaint === undefined ? answer : toFailure(complaint)
}

function describeFailure({ name, describeFailure: describe }: FunctionTool, error: unknown, input: unknown): string {
  try {
    const text = describe?.(error instanceof Error ? error : new Error(errorText(error)), input)
    if (typeof text === 'string') return text
  } catch {
    // The failure of the tool matters more than that of its description.
  }
  return error instanceof ToolTimeout ? error.message : toolFailure(name, error)
}

const toFailure = (text: string): ToolAnswer => ({ ...toAnswer(text), failed: true })

/** The checked arguments of a call, or the text for the model that says what is wrong with them. */
export async function readCallArguments(
  tool: FunctionTool,
  argumentsJson: string,
): Promise<{ value: unknown } | string> {
  let input: unknown
  try {
    input = argumentsJson.trim() === '' ? {} : (parseJson(argumentsJson, BOUNDS) ?? {})
  } catch (error) {
    return `Error: the arguments for tool "${tool.name}" are not valid JSON (${errorText(error)}).`
  }
  const checked = await tool.check(input, [], 'model')
  return checked.ok ? { value: checked.value } : misfit(tool.name, checked.details)
}

/** What the first guardrail that objects has to say; undefined when none does. */
async function findObjection(
  guardrails: readonly ((subject: unknown, context: ToolContext) => unknown)[] = [],
  subject: unknown,
  context: ToolContext,
): Promise<string | undefined> {
  if (guardrails.length === 0) return undefined
  const results = await Promise.all(guardrails.map((guardrail) => guardrail(subject, context)))
  const hit = results.find((result) => isObject(result) && result.tripwire === true)
  return isObject(hit) ? String(hit.guidance ?? '') : undefined
}

class ToolTimeout extends Error {
  override readonly name = 'ToolTimeout'
}

/** @throws ToolTimeout when the tool's time is over: its signal is aborted, and what it does further is not waited for */
async function runInTime(tool: FunctionTool, value: unknown, context: ToolContext): Promise<unknown> {
  const { timeoutMs, name } = tool
  if (timeoutMs === undefined) return tool.run(value, context)
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = new AbortController()
  const timer = setTimeout(() => {
    const late = new ToolTimeout(
      `Error: the tool "${name}" took longer than its limit of ${timeoutMs} ms. It may have taken effect; check before you call it again.`,
    )
    reject(late)
    abort.abort(late)
  }, timeoutMs)
  const signal = AbortSignal.any([context.signal, abort.signal])
  try {
    return await Promise.race([tool.run(value, Object.assign(Object.create(context), { signal })), promise])
  } finally {
    clearTimeout(timer)
  }
}

/** The text for invalid arguments. When only the tool's own rules failed, the text is theirs. */
export function misfit(tool: string, details: readonly ValidationDetail[]): string {
  const onlyOwnRules = details.every((detail) => detail.type === 'value_error')
  const problems = details.map(({ loc, msg }) => {
    const text = onlyOwnRules ? msg.replace(/^Value error, /, '') : msg
    return loc.length > 0 ? `${loc.join('.')}: ${text}` : onlyOwnRules ? text : `arguments: ${text}`
  })
  return onlyOwnRules
    ? `Error: ${problems.join('; ')}`
    : `Error: the arguments for tool "${tool}" do not fit. ${problems.join('; ')}`
}
