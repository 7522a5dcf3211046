/** Writes run events as the events of the AG-UI protocol (docs/ag-ui.md). */
import { AgencyError } from '../../base/errors.ts'
import type { RunEvent, RunProgress, RunStarted, RunSummary, Speaker } from '../../runs/events.ts'
import type { Batch } from '../../runs/feed.ts'
import { STATE } from '../../tools/state.ts'
import { AGUI_VERSION, type AguiRequest } from '../../wire/agui.ts'
import type { AguiInterrupt, AguiTokenUsage } from '../../wire/agui-events.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import type { InputItem, Usage } from '../../wire/message.ts'
import type { FrameWriter } from '../dialect.ts'
import { toData } from '../native/writer.ts'
import { contentOf, partsOf, toResult } from './parts.ts'
import { SharedState } from './state.ts'
import { StreamedItems } from './streamed-items.ts'
import { Subagents } from './subagents.ts'
import { AguiThread, callKey, event, toMetadata } from './thread.ts'

/** The first frame of every stream. */
export const runStarted = ({ threadId, runId, parentRunId }: AguiRequest): string =>
  event({ type: 'RUN_STARTED', threadId, runId, parentRunId, protocolVersion: AGUI_VERSION })

/** The last frame of a run that failed or did not start. */
export const runError = (message: string, code?: string, usage?: Usage): string =>
  event({ type: 'RUN_ERROR', message, code, usage: toTokenUsage(usage) })

/** The writer of one stream. */
export class AguiWriter implements FrameWriter {
  readonly #request: AguiRequest
  #run: RunWriter | undefined

  constructor(request: AguiRequest) {
    this.#request = request
  }

  frames({ events }: Batch): string {
    let out = ''
    for (const runEvent of events)
      if (runEvent.kind === 'started') out += this.#start(runEvent)
      else out += this.#run?.write(runEvent) ?? ''
    return out
  }

  /** The state as it is; empty where nothing is shared. */
  state(): string {
    return this.#run?.state() ?? ''
  }

  /** The invocation of the sub-agent that made a call, and the id under which the call was sent. */
  callOf(agent: string, callId: string): { toolCallId: string; subagentRunId: string | undefined } {
    return this.#run?.callOf(agent, callId) ?? { toolCallId: callId, subagentRunId: undefined }
  }

  /** The run pauses until these calls are decided. */
  pause(interrupts: readonly AguiInterrupt[]): string {
    const { threadId, runId } = this.#request
    const suspended = this.state() + (this.#run?.suspend(interrupts.map(({ id }) => id)) ?? '')
    return (
      suspended +
      event({ type: 'RUN_FINISHED', threadId, runId, outcome: { type: 'interrupt', interrupts: [...interrupts] } })
    )
  }

  /** The run goes on after a pause. */
  resume(): string {
    return runStarted(this.#request) + (this.#run?.resume(false) ?? '')
  }

  /**
   * Takes the place of a writer whose last events did not happen: ends what that one has open, and says what is left of the
   * conversation.
   */
  replace(other: AguiWriter): string {
    const closed = other.#run?.suspend([]) ?? ''
    return this.#run === undefined || other.#run === undefined ? closed : closed + this.#run.replace(other.#run)
  }

  #start({ runId, notes }: RunStarted): string {
    this.#run = new RunWriter(new AguiThread(this.#request, runId, notes))
    return runStarted(this.#request)
  }
}

/** Everything after RUN_STARTED. */
class RunWriter {
  readonly #thread: AguiThread
  readonly #items: StreamedItems
  readonly #subagents: Subagents
  readonly #state: SharedState
  #failure: string | undefined

  constructor(thread: AguiThread) {
    this.#thread = thread
    this.#state = new SharedState(thread.request.state)
    this.#items = new StreamedItems(thread)
    this.#subagents = new Subagents(thread, this.#items)
  }

  state(): string {
    return this.#state.snapshot()
  }

  callOf(agent: string, callId: string) {
    const call = this.#thread.calls.get(callKey(agent, callId))
    return { toolCallId: call?.toolCallId ?? callId, subagentRunId: call?.branch.subagentRunId }
  }

  suspend(interruptIds: readonly string[]): string {
    return this.#subagents.suspend(interruptIds)
  }

  resume(renew: boolean): string {
    return this.#subagents.resume(renew)
  }

  /** What was half said begins anew: its final text is in a snapshot. */
  replace(other: RunWriter): string {
    const thread = this.#thread
    thread.avoidIdsOf(other.#thread)
    for (const { open } of thread.branches.values()) open.clear()
    thread.openItems = 0
    return this.state() + thread.snapshot() + this.resume(true)
  }

  write(runEvent: Exclude<RunEvent, RunStarted>): string {
    if (runEvent.kind === 'ended') return this.#end(runEvent.summary)
    const frames = this.#convert(runEvent)
    const shown = frames === '' && this.#thread.request.rawEvents ? this.#raw(runEvent) : frames
    return shown + this.#thread.takeSnapshot()
  }

  /** The last frames of a run, which end with exactly one final event. */
  #end({ failure, error, cancelled, usage, clientCalls }: RunSummary): string {
    const thread = this.#thread
    if (failure !== undefined)
      return runError(this.#failure ?? failure, AgencyError.isInstance(error) ? error.code : undefined, usage)
    let out = ''
    for (const branch of [...thread.branches.values()].reverse()) out += this.#subagents.close(branch) // innermost first
    out += thread.closingSnapshot()
    const { threadId, runId, modern } = thread.request
    if (cancelled && !modern) return out + runError('The run was stopped.', 'CANCELLED', usage)
    const pending = clientCalls?.map(({ call_id }) => thread.toolCallIdOf(call_id))
    const outcome = { type: cancelled ? ('cancelled' as const) : ('success' as const), pendingToolCallIds: pending }
    const metadata = usage === undefined ? undefined : { usage }
    return out + event({ type: 'RUN_FINISHED', threadId, runId, outcome, usage: toTokenUsage(usage), metadata })
  }

  #convert(runEvent: RunProgress): string {
    switch (runEvent.kind) {
      case 'model':
        return this.#items.convert(runEvent.who, runEvent.event)
      case 'agent':
        return this.#subagents.enter(runEvent.who)
      case 'item':
        return this.#convertItem(runEvent)
      case 'custom': {
        const { who, name, value, callId } = runEvent
        if (name === STATE) return this.#state.change(value)
        const { subagentRunId } = this.#thread.branch(who)
        return event({ type: 'CUSTOM', name, value, subagentRunId, metadata: { ...toMetadata(who), call_id: callId } })
      }
      case 'error': {
        const { who, content } = runEvent
        if (who !== undefined)
          return this.#subagents.enter(who) + this.#subagents.close(this.#thread.branch(who), content)
        this.#failure = content
        return ''
      }
      case 'tripped': // the guardrail's guidance was sent before
        this.#failure = this.#failure === undefined ? runEvent.content : `${runEvent.content}: ${this.#failure}`
        return ''
      default:
        return runEvent satisfies never
    }
  }

  #convertItem(runEvent: RunProgress & { kind: 'item' }): string {
    const { who, source, raw } = runEvent
    const thread = this.#thread
    switch (runEvent.name) {
      case 'message_output_created':
        return this.#convertMessage(who, raw)
      case 'tool_output': {
        const subBranch = thread.branches.get(callKey(who.agent, raw.call_id))
        const result = toResult(raw.output, thread.request.modern)
        const closed = subBranch === undefined ? '' : this.#subagents.close(subBranch)
        return closed + thread.answer(who, raw.call_id, result)
      }
      case 'handoff_occured':
        // The original's snapshots lack the results of handoffs; ours have them in the closing snapshot.
        return thread.answer(source, raw.call_id, String(raw.output), true)
      default:
        return ''
    }
  }

  #convertMessage(who: Speaker, raw: InputItem): string {
    const branch = this.#thread.branch(who)
    let out = branch.texts.has(raw.id) ? '' : this.#items.finish(who, raw, raw) // not from a model: the guidance of a guardrail
    const id = branch.texts.get(raw.id)
    branch.texts.delete(raw.id)
    const content = contentOf(raw)
    const { subagentRunId } = branch
    const annotations = partsOf(raw.content).flatMap((part) =>
      Array.isArray(part.annotations) ? part.annotations : [],
    )
    if (annotations.length > 0) {
      const value = { id, role: 'assistant', content, annotations }
      out += event({ type: 'CUSTOM', name: 'annotated_output', value, subagentRunId })
    }
    this.#thread.add({ id, role: 'assistant', name: who.agent, content, subagentRunId, metadata: toMetadata(who) })
    return out
  }

  /** An event without an AG-UI counterpart, in the native form, without the agent's instructions and tools. */
  #raw(runEvent: RunProgress): string {
    if (runEvent.kind === 'item' && runEvent.name === 'message_output_created') return '' // the snapshots contain it
    const data: JsonObject = toData(runEvent)
    const inner = data.data
    if (isObject(inner) && isObject(inner.response)) {
      const { instructions: _, prompt: __, tools: ___, ...response } = inner.response
      data.data = { ...inner, response }
    }
    const who = runEvent.kind === 'tripped' ? undefined : runEvent.who
    return event({ type: 'RAW', event: data, subagentRunId: this.#thread.branch(who).subagentRunId })
  }
}

function toTokenUsage(usage: Usage | undefined): AguiTokenUsage[] | undefined {
  if (usage === undefined) return undefined
  return [
    {
      inputTokens: usage.input_tokens,
      outputTokens: usage.output_tokens,
      totalTokens: usage.total_tokens,
      cachedInputTokens: usage.cached_tokens,
      cacheWriteInputTokens: usage.cache_write_tokens,
      reasoningTokens: usage.reasoning_tokens,
    },
  ]
}
