/** Calls of tools as parts of a UI message: their ids, their outputs, and the approvals that they wait for. */
import type { Speaker } from '../../runs/events.ts'
import { describeRejection } from '../../runs/loop/approvals.ts'
import type { ApprovalsRequested } from '../../runs/stored/events.ts'
import type { InputItem } from '../../wire/message.ts'
import { chunk, readArguments, toProviderMetadata } from './chunks.ts'

interface Call {
  readonly toolCallId: string
  readonly name: unknown
  /** True once it is complete, so that its tool may run. */
  called: boolean
  /** What the model wrote in place of a JSON object. */
  broken: unknown
}
type Waiting = ApprovalsRequested['approvals'][number]

/** What the client itself has decided, by the id of the approval. */
export type Decided = ReadonlyMap<string, 'approve' | 'reject'>

/** The tools of an agency run on the server: no client is to run them, or to wait for their outputs. */
const ON_SERVER = { providerExecuted: true }

export class Calls {
  readonly #decided: Decided
  /** Calls of the user's conversation that have no output yet, by the provider's id. */
  readonly #open = new Map<unknown, Call>()
  /** Calls of sub-agents that were shown because they wait for a person, by agent and the provider's id. */
  readonly #lent = new Map<string, Call>()
  readonly #waiting = new Map<string, Waiting>()
  /** Approvals that somebody has decided, here or elsewhere. */
  readonly #settled = new Set<string>()
  readonly #ids = new Map<string, number>()

  constructor(decided: Decided) {
    this.#decided = decided
  }

  /** The id under which a call was shown. */
  idOf(callId: string): string {
    return this.#open.get(callId)?.toolCallId ?? callId
  }

  /** The start of a call that is still being written; undefined when it has started. */
  start(item: InputItem): { toolCallId: string; frame: string } | undefined {
    if (this.#open.has(item.call_id) || typeof item.name !== 'string' || item.name === '') return undefined
    const { toolCallId } = this.#create(item)
    const frame = chunk({ type: 'tool-input-start', toolCallId, toolName: item.name, ...ON_SERVER })
    return { toolCallId, frame }
  }

  /** The model has written a call. */
  written(item: InputItem): void {
    const call = this.#open.get(item.call_id)
    if (call !== undefined && readArguments(item.arguments) === undefined) call.broken = item.arguments
  }

  /** A call is complete. */
  called(who: Speaker, item: InputItem): string {
    if (this.#open.get(item.call_id)?.called === true) return '' // a handoff is announced twice
    const call = this.#find(item) ?? this.#create(item)
    const { toolCallId } = call
    call.called = true
    const about = { toolCallId, toolName: String(item.name), ...ON_SERVER, providerMetadata: toProviderMetadata(who) }
    if (call.broken === undefined)
      return chunk({ type: 'tool-input-available', ...about, input: readArguments(item.arguments) ?? {} })
    const errorText = 'The model did not write a JSON object.'
    return chunk({ type: 'tool-input-error', ...about, input: call.broken, errorText })
  }

  /** A call that was streamed. One whose id was used before has got another one since. */
  #find({ call_id, name }: InputItem): Call | undefined {
    const known = this.#open.get(call_id)
    if (known?.called === false) return known
    for (const [id, call] of this.#open)
      if (!call.called && call.name === name) {
        this.#open.delete(id)
        this.#open.set(call_id, call)
        return call
      }
    return undefined
  }

  /** A call of the user's conversation has its output. */
  answered(item: InputItem, output: unknown): string {
    const call = this.#open.get(item.call_id)
    if (call === undefined) return ''
    this.#open.delete(item.call_id)
    const waited = [...this.#waiting.values()].find(({ callId }) => callId === item.call_id)
    return this.#answer(call, item, output, waited)
  }

  /** A call of a sub-agent has its output; it is written only when the call was shown. */
  answeredBy({ agent }: Speaker, item: InputItem, output: unknown): string {
    const key = lentKey(agent, item.call_id)
    const waited = [...this.#waiting.values()].find((one) => lentKey(one.agent, one.callId) === key)
    const call = this.#lent.get(key)
    this.#lent.delete(key)
    if (call !== undefined) return this.#answer(call, item, output, waited)
    if (waited !== undefined) this.#waiting.delete(waited.approvalId)
    return ''
  }

  #answer({ toolCallId, broken }: Call, item: InputItem, output: unknown, waited: Waiting | undefined): string {
    if (waited !== undefined) this.#waiting.delete(waited.approvalId)
    if (waited !== undefined && isRejection(waited.tool, item.output)) {
      if (this.#decided.get(waited.approvalId) === 'reject') return chunk({ type: 'tool-output-denied', toolCallId })
      return chunk({ type: 'tool-output-error', toolCallId, errorText: String(item.output), ...ON_SERVER })
    }
    if (broken !== undefined)
      return chunk({ type: 'tool-output-error', toolCallId, errorText: toText(item.output), ...ON_SERVER })
    return chunk({ type: 'tool-output-available', toolCallId, output: output ?? null, ...ON_SERVER })
  }

  /** Calls wait for a person. They are shown as waiting when the run pauses. */
  wait(approvals: readonly Waiting[]): void {
    for (const approval of approvals) this.#waiting.set(approval.approvalId, approval)
  }

  /** An approval is decided: it is not asked for any more. */
  settle(approvalId: string): void {
    this.#settled.add(approvalId)
  }

  /** The approvals that the run waits for: of the user's conversation, or of sub-agents, whose calls are shown with them. */
  ask(nested: boolean): string {
    let out = ''
    for (const { approvalId, callId, agent, tool, arguments: input } of this.#waiting.values()) {
      const own = this.#open.get(callId)
      if ((own === undefined) !== nested) continue
      const isDecided = this.#decided.has(approvalId) || this.#settled.has(approvalId)
      const key = lentKey(agent, callId)
      let call = own ?? this.#lent.get(key)
      if (call === undefined) {
        call = { toolCallId: this.#newId(callId), name: tool, called: true, broken: undefined }
        this.#lent.set(key, call)
        const about = { toolCallId: call.toolCallId, toolName: tool, input, ...ON_SERVER }
        const providerMetadata = { agencySwarm: { agent, nested: true } }
        if (!isDecided) out += chunk({ type: 'tool-input-available', ...about, providerMetadata })
      }
      if (!isDecided) out += chunk({ type: 'tool-approval-request', approvalId, toolCallId: call.toolCallId })
    }
    return out
  }

  #create({ call_id, name }: InputItem): Call {
    const call = { toolCallId: this.#newId(String(call_id)), name, called: false, broken: undefined }
    this.#open.set(call_id, call)
    return call
  }

  /** Clients find calls by their ids alone, and some providers begin again with each turn. */
  #newId(wanted: string): string {
    const count = (this.#ids.get(wanted) ?? 0) + 1
    this.#ids.set(wanted, count)
    return count === 1 ? wanted : `${wanted}_${count}`
  }
}

const lentKey = (agent: string, callId: unknown) => `${agent}\n${callId}`

const toText = (output: InputItem['output']) => (typeof output === 'string' ? output : JSON.stringify(output ?? ''))

/** True for what the model reads of a call that nobody approved. */
const isRejection = (tool: string, output: InputItem['output']) =>
  typeof output === 'string' &&
  (output.startsWith(describeRejection(tool, { kind: 'reject', reason: undefined })) ||
    output === describeRejection(tool, { kind: 'expired' }))
