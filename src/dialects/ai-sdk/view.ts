/** The log of a stored run as a UI message stream of the AI SDK, version 1 (docs/ai-sdk.md). */
import type { RunProgress, RunSummary } from '../../runs/events.ts'
import type { LoggedEvent, NumberedEvent } from '../../runs/stored/events.ts'
import type { InputItem } from '../../wire/message.ts'
import { partsOf } from '../agui/parts.ts'
import type { StoredView } from '../stored-view.ts'
import { Calls, type Decided } from './calls.ts'
import { chunk, DONE } from './chunks.ts'
import { StreamedParts } from './streamed-parts.ts'
import { Subagents } from './subagents.ts'

export interface AiSdkViewOptions {
  /** Approvals that this client has decided: they are not asked for again, and only its own refusals are shown as denied. */
  decided?: Decided
}

/**
 * A pure fold of one run. Steps are turns of the conversation with the user; sub-agents work inside the step of their call.
 * The message has the id of the run.
 */
export class AiSdkView implements StoredView {
  readonly #calls: Calls
  readonly #subagents: Subagents
  readonly #parts: StreamedParts
  #stepOpen = false
  /** True while a model answers the user: the next turn begins with the first event after the answer. */
  #inTurn = false
  #failure: string | undefined
  #ended = false
  #sources = 0

  constructor({ decided = new Map() }: AiSdkViewOptions = {}) {
    this.#calls = new Calls(decided)
    this.#subagents = new Subagents((callId) => this.#calls.idOf(callId))
    this.#parts = new StreamedParts(this.#calls)
  }

  frames(events: readonly NumberedEvent[]): string {
    let out = ''
    for (const { event } of events) out += this.#convert(event)
    return out
  }

  /** The end of a stream whose run waits for people: the calls that wait, and where the run goes on from. */
  pause(lastEventId: number): string {
    const open = this.#parts.endAll()
    const own = this.#calls.ask(false)
    // A client answers once all calls of the last step are decided: the call of the sub-agent is not among them.
    const nested = this.#calls.ask(true)
    const step = nested === '' ? '' : this.#closeStep() + this.#openStep() + nested
    const metadata = { last_event_id: lastEventId }
    const finish = chunk({ type: 'finish', finishReason: 'tool-calls', messageMetadata: metadata })
    return open + own + step + this.#closeStep() + finish + DONE
  }

  /** The end of a stream whose run this server lets go of. Empty when the stream is complete. */
  breakOff(errorText: string): string {
    return this.#ended ? '' : chunk({ type: 'error', errorText }) + DONE
  }

  /** The start of a message that a client has already, and continues. */
  restart(runId: string): string {
    return start(runId)
  }

  #convert(event: LoggedEvent): string {
    switch (event.kind) {
      case 'started':
        return start(event.runId)
      case 'model': {
        const { who } = event
        if (who.callerAgent !== null) return this.#parts.convertSubagent(this.#subagents, who, event.event)
        const step = this.#inTurn ? '' : this.#startTurn()
        if (this.#parts.endsTurn(event.event)) this.#inTurn = false
        return step + this.#parts.convert(who, event.event)
      }
      case 'agent':
        return event.who.callerAgent === null ? '' : this.#openStep() + this.#subagents.enter(event.who)
      case 'item':
        return this.#convertItem(event)
      case 'custom': {
        const { who, callId, name, value } = event
        const toolCallId = this.#calls.idOf(callId)
        const data = { agent: who.agent, toolCallId, name, value }
        return this.#openStep() + chunk({ type: 'data-tool', id: `${toolCallId}/${name}`, data })
      }
      case 'error':
        if (event.who !== undefined) return this.#subagents.fail(event.who, event.content)
        this.#failure ??= event.content
        return ''
      case 'tripped':
        this.#failure ??= event.content
        return ''
      case 'requires_action':
        this.#calls.wait(event.approvals)
        return ''
      case 'approval_decided':
        this.#calls.settle(event.approvalId)
        return ''
      case 'ended':
        return this.#end(event.summary)
      case 'closed':
        return (this.#ended ? '' : this.#close() + chunk({ type: 'abort' })) + DONE
      case 'attempt': // the route leaves void events out
      case 'queued':
      case 'steer':
      case 'branch':
      case 'truncated':
        return ''
      default:
        return event satisfies never
    }
  }

  #convertItem(event: RunProgress & { kind: 'item' }): string {
    const { who, name, raw } = event
    const nested = who.callerAgent !== null
    switch (name) {
      case 'message_output_created': {
        if (nested) {
          this.#subagents.endText(who)
          return ''
        }
        return this.#openStep() + this.#parts.finishMessage(who, raw) + this.#addSources(raw)
      }
      case 'tool_called':
      case 'handoff_requested':
        if (raw.type !== 'function_call') return '' // tools that the provider runs come with its stream
        if (nested) return this.#subagents.callTool(who, String(raw.call_id), String(raw.name))
        return this.#openStep() + this.#calls.called(who, raw)
      case 'tool_output':
      case 'handoff_occured': {
        const { source } = event // after a handoff another agent speaks already
        const ended = this.#subagents.endCall(source.agent, raw.call_id)
        const output = event.output === undefined ? raw.output : event.output
        if (source.callerAgent === null) return ended + this.#calls.answered(raw, output)
        const shown = this.#calls.answeredBy(source, raw, output)
        return ended + this.#subagents.answerTool(source, String(raw.call_id)) + shown
      }
      default:
        return ''
    }
  }

  #addSources(raw: InputItem): string {
    let out = ''
    for (const part of partsOf(raw.content))
      for (const note of partsOf(part.annotations)) {
        const sourceId = `source-${++this.#sources}`
        const title = typeof note.title === 'string' ? note.title : undefined
        const filename = typeof note.filename === 'string' ? note.filename : undefined
        if (typeof note.url === 'string')
          out += chunk({ type: 'source-url', sourceId, url: note.url, ...(title === undefined ? {} : { title }) })
        else if (note.file_id !== undefined)
          out += chunk({
            type: 'source-document',
            sourceId,
            mediaType: 'application/octet-stream',
            title: title ?? filename ?? String(note.file_id),
            ...(filename === undefined ? {} : { filename }),
          })
      }
    return out
  }

  #startTurn(): string {
    this.#inTurn = true
    return this.#closeStep() + this.#openStep()
  }

  #openStep(): string {
    if (this.#stepOpen) return ''
    this.#stepOpen = true
    return chunk({ type: 'start-step' })
  }

  #closeStep(): string {
    if (!this.#stepOpen) return ''
    this.#stepOpen = false
    return chunk({ type: 'finish-step' })
  }

  #close(): string {
    this.#inTurn = false
    return this.#parts.endAll() + this.#subagents.endRun() + this.#closeStep()
  }

  #end(summary: RunSummary): string {
    if (summary.paused === true) return ''
    this.#ended = true
    const { usage, chatName, fileIdsMap, cut, cancelled, failure } = summary
    const metadata = {
      ...(usage === undefined ? {} : { usage }),
      ...(chatName === undefined ? {} : { chat_name: chatName }),
      ...(fileIdsMap === undefined ? {} : { file_ids_map: fileIdsMap }),
    }
    const closed = this.#close()
    const errorText = this.#failure ?? failure
    if (errorText === undefined && !cancelled)
      return closed + chunk({ type: 'finish', finishReason: toFinishReason(cut), messageMetadata: metadata })
    const figures = chunk({ type: 'message-metadata', messageMetadata: metadata })
    if (cancelled) return closed + figures + chunk({ type: 'abort', reason: 'The run was cancelled.' })
    return closed + figures + chunk({ type: 'error', errorText: errorText as string })
  }
}

const start = (runId: string) => chunk({ type: 'start', messageId: runId, messageMetadata: { run_id: runId } })

function toFinishReason(cut: string | undefined): 'stop' | 'length' | 'content-filter' | 'other' {
  if (cut === undefined) return 'stop'
  if (cut === 'content_filter') return 'content-filter'
  return /token|length/.test(cut) ? 'length' : 'other'
}
