/** Gives the calls of one answer valid ids and arguments, and finds those that must not run. */
import { errorText } from '../base/errors.ts'
import { isEmptyObject, withoutEmptyStart } from '../messages/items.ts'
import { readNativeCall } from '../messages/native-calls.ts'
import { isObject, parseInnerJson } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import { CallIds } from './ids.ts'

/** Why a call does not run. */
export interface CallProblem {
  /** The text that the model reads instead of the tool's output. */
  told: string
  /** The answer was cut off within this call. */
  half: boolean
}

/**
 * The calls of one answer as they are run, stored and sent back: each has a unique id and JSON arguments. Providers
 * refuse a conversation with other calls.
 */
export class TurnCalls {
  /** Why a call must not run, by its settled item. */
  readonly problems = new Map<InputItem, CallProblem>()
  readonly #newIds: CallIds
  /** Ids by the position of the call: a repeated item keeps its id. */
  readonly #ids: string[] = []

  readonly #tools: ReadonlySet<string>

  /**
   * @param input the conversation so far; its call ids are in use
   * @param tools the names of the tools that the model was offered
   */
  constructor(input: readonly InputItem[], tools: Iterable<string> = []) {
    this.#newIds = new CallIds(input)
    this.#tools = new Set(tools)
  }

  /** The call at position `place` of the answer, with a valid id, arguments, and the name of an offered tool where it is meant. */
  settle(item: InputItem, place: number): InputItem {
    this.#ids[place] ??= this.#newIds.take(item.call_id)
    const call_id = this.#ids[place]
    const { json } = readArguments(item.arguments)
    const name = this.#nameOf(String(item.name))
    const isSame = call_id === item.call_id && json === item.arguments && name === item.name
    return isSame ? item : { ...item, call_id, arguments: json, name }
  }

  /**
   * The tool that a name means: servers leave marks of the chat template in it, as `get_weather<|channel|>json` (gpt-oss) and
   * `functions.get_weather:0` (Kimi). Sources: vllm-project/vllm/issues/22578, ggml-org/llama.cpp/issues/15170.
   */
  #nameOf(name: string): string {
    if (this.#tools.has(name)) return name
    const plain = name
      .split('<|', 1)[0]
      ?.trim()
      .replace(/^functions?[.:]/, '')
      .replace(/:\d{1,6}$/, '')
    return plain !== undefined && this.#tools.has(plain) ? plain : name
  }

  /**
   * All items of an answer; its calls have valid ids and arguments.
   * @param cut why the answer is incomplete
   */
  settleAll(items: readonly InputItem[], cut: string | undefined): InputItem[] {
    let place = 0
    return items.map((item, index) => {
      const isLast = index === items.length - 1
      const native = readNativeCall(item)
      if (native !== undefined && (item.status === 'incomplete' || (cut !== undefined && isLast)))
        this.problems.set(item, { told: describeHalf(native.name, cut), half: true })
      if (item.type !== 'function_call') return item
      const settled = this.settle(item, place++)
      const problem = problemOf(item, { cut, isLast })
      if (problem !== undefined) this.problems.set(settled, problem)
      return settled
    })
  }
}

const describeHalf = (tool: string, cut: string | undefined) =>
  `Error: the call of tool "${tool}" was cut off before it was complete (${cut ?? 'incomplete'}), so it did not run. Call it again, with shorter arguments if they were long.`

/** A call in a cut answer runs only when it is complete: its JSON object is closed, or another item follows. */
function problemOf(
  item: InputItem,
  { cut, isLast }: { cut: string | undefined; isLast: boolean },
): CallProblem | undefined {
  const { error, blank } = readArguments(item.arguments)
  const half = item.status === 'incomplete' || (cut !== undefined && (error !== undefined || (blank && isLast)))
  if (half) return { told: describeHalf(String(item.name), cut), half }
  if (error === undefined) return undefined
  return { told: `Error: the arguments for tool "${item.name}" are not valid JSON (${error}).`, half }
}

/** Arguments as JSON. Missing or blank arguments and null count as `{}`; text that is not JSON too, with an `error`. */
function readArguments(value: unknown): { json: string; blank: boolean; error?: string } {
  const given = typeof value === 'string' ? withoutEmptyStart(value) : isObject(value) ? JSON.stringify(value) : ''
  const text = given.startsWith('\ufeff') ? given.slice(1) : given
  if (text.trim() === '') return { json: '{}', blank: true }
  try {
    const args = parseInnerJson(text)
    if (args === null) return { json: '{}', blank: false }
    // Some models encode the object twice.
    return { json: typeof args === 'string' && isObject(parseInnerJson(args)) ? args : text, blank: false }
  } catch (error) {
    const first = firstObject(text)
    return first === undefined ? { json: '{}', blank: false, error: errorText(error) } : { json: first, blank: false }
  }
}

/** Marks of a chat template: `</tool_call>`, `<|call|>`. */
const MARKS = /^\s*(<[^<>]{1,40}>\s*)*$/

/**
 * The object that a text begins with, when all that follows repeats it or is marks of the chat template; undefined otherwise. Two
 * different objects would be a guess. Sources: Soju06/codex-lb/issues/284, NousResearch/hermes-agent/pull/35718.
 */
function firstObject(text: string): string | undefined {
  const start = text.trimStart()
  const end = objectEnd(start)
  const first = start.slice(0, end)
  if (end === 0 || isEmptyObject(first)) return undefined
  const dense = (json: string) => json.replace(/\s/g, '')
  const wanted = dense(first)
  let rest = start.slice(end).trimStart()
  for (let size = objectEnd(rest); size > 0; size = objectEnd(rest)) {
    if (dense(rest.slice(0, size)) !== wanted) return undefined
    rest = rest.slice(size).trimStart()
  }
  if (!MARKS.test(rest)) return undefined
  try {
    return isObject(parseInnerJson(first)) ? first : undefined
  } catch {
    return undefined // not JSON
  }
}

/** The length of the object at the beginning of a text; 0 when there is none, or it is not closed. */
function objectEnd(text: string): number {
  if (!text.startsWith('{')) return 0
  let depth = 0
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const char = text[index]
    if (quoted && char === '\\') index++
    else if (char === '"') quoted = !quoted
    else if (!quoted && char === '{') depth++
    else if (!quoted && char === '}' && --depth === 0) return index + 1
  }
  return 0
}
