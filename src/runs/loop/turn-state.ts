/** One turn of an agent thread: the model's answer, and the calls in it. */
import type { ToolAnswer } from '../../tools/output.ts'
import type { InputItem } from '../../wire/message.ts'
import type { TurnCallState, TurnState } from './journal.ts'

/** A function call of a model's answer. */
export interface FunctionCall {
  readonly item: InputItem
  readonly name: string
  readonly callId: string
  /** Valid JSON. */
  readonly argumentsJson: string
  /** What the model reads instead of an output; undefined for a call that may run. */
  readonly problem: string | undefined
  /** The answer was cut in the middle of the call. */
  readonly half: boolean
}

/** A call of a turn. */
export interface TurnCall extends FunctionCall {
  /** The same for every attempt to run the call. */
  readonly key: string
  /** It waits for a person's decision. */
  readonly needsApproval: boolean
}

/** A turn whose calls are being answered. */
export interface Turn {
  /** The place of the answer's first item in its thread. */
  readonly from: number
  readonly calls: readonly TurnCall[]
}

/** A call and its answer. */
export interface CallOutcome {
  readonly call: TurnCall
  readonly answer: ToolAnswer
}

export const toTurnState = ({ from, calls }: Turn): TurnState => ({
  from,
  calls: calls.map(({ callId, problem = null, half, key, needsApproval }) => ({
    callId,
    problem,
    half,
    key,
    needsApproval,
  })),
})

/** A call again, from its item and what was recorded of it. */
export const toTurnCall = (item: InputItem, { problem, ...state }: TurnCallState): TurnCall => ({
  item,
  name: String(item.name),
  argumentsJson: String(item.arguments),
  problem: problem ?? undefined,
  ...state,
})
