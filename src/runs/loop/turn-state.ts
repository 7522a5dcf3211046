/** One turn of an agent thread: the model's answer, and the calls in it. */
import { readNativeCall, toNativeOutput } from '../../messages/native-calls.ts'
import type { ConsentRequest } from '../../tools/mcp/oauth/login.ts'
import type { ToolAnswer } from '../../tools/output.ts'
import type { InputItem } from '../../wire/message.ts'
import type { TurnState } from './journal.ts'

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
  /** A hosted MCP server's request for approval: the provider makes the call itself once it is approved. */
  readonly hosted: boolean
  /** A call with an item type of its own, such as `computer_call`: the tool with its name must be one that takes such calls. */
  readonly native: boolean
}

/** A call of a turn. */
export interface TurnCall extends FunctionCall {
  /** The same for every attempt to run the call. */
  readonly key: string
  /** It waits for a person's decision. */
  readonly needsApproval: boolean
  /** What it waits for instead of an approval; known only where it was asked for. */
  readonly consent?: ConsentRequest | undefined
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

/** An item of a model's answer as a call; undefined for any other item. */
export function readCall(item: InputItem): Omit<FunctionCall, 'problem' | 'half'> | undefined {
  const hosted = item.type === 'mcp_approval_request'
  const callId = hosted ? item.id : item.call_id
  if (typeof callId !== 'string') return undefined
  const native = readNativeCall(item)
  if (native !== undefined)
    return { item, name: native.name, callId, argumentsJson: JSON.stringify(native.args), hosted, native: true }
  if (item.type !== 'function_call' && !hosted) return undefined
  return { item, name: String(item.name), callId, argumentsJson: String(item.arguments ?? '{}'), hosted, native: false }
}

/** The items of an open turn as calls again, with what was recorded of each. */
export function restoreCalls(items: readonly InputItem[], { calls }: TurnState): TurnCall[] {
  const states = new Map(calls.map((call) => [call.callId, call]))
  return items.flatMap((item) => {
    const call = readCall(item)
    if (call === undefined) return []
    const state = states.get(call.callId)
    return state === undefined ? [] : [{ ...call, ...state, problem: state.problem ?? undefined }]
  })
}

/** What the provider gets for a request for approval. */
export interface HostedDecision {
  approve: boolean
  reason?: string
}

/** The item in the conversation with the answer of a call. */
export function toOutputItem({ call: { item, callId, hosted }, answer }: CallOutcome): InputItem {
  const { output, value } = answer
  if (hosted) return { type: 'mcp_approval_response', approval_request_id: callId, ...(value as HostedDecision) }
  return toNativeOutput(item, answer) ?? { call_id: callId, output, type: 'function_call_output' }
}
