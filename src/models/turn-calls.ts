/** Gives the calls of one answer valid ids and arguments, and finds those that must not run. */
import { errorText } from '../base/errors.ts'
import { withoutEmptyStart } from '../messages/items.ts'
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

  /** @param input the conversation so far; its call ids are in use */
  constructor(input: readonly InputItem[]) {
    this.#newIds = new CallIds(input)
  }

  /** The call at position `place` of the answer, with a valid id and arguments. */
  settle(item: InputItem, place: number): InputItem {
    this.#ids[place] ??= this.#newIds.take(item.call_id)
    const call_id = this.#ids[place]
    const { json } = readArguments(item.arguments)
    return call_id === item.call_id && json === item.arguments ? item : { ...item, call_id, arguments: json }
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
  const text = typeof value === 'string' ? withoutEmptyStart(value) : isObject(value) ? JSON.stringify(value) : ''
  if (text.trim() === '') return { json: '{}', blank: true }
  try {
    const args = parseInnerJson(text)
    if (args === null) return { json: '{}', blank: false }
    // Some models encode the object twice.
    return { json: typeof args === 'string' && isObject(parseInnerJson(args)) ? args : text, blank: false }
  } catch (error) {
    return { json: '{}', blank: false, error: errorText(error) }
  }
}
