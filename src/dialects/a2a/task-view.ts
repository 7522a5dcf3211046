/** Folds the events of a run into the artifacts of a task and the frames of its stream (docs/a2a.md). */
import { messageText } from '../../messages/items.ts'
import type { ResponseEvent } from '../../models/model.ts'
import type { RunProgress, RunSummary } from '../../runs/events.ts'
import type { LoggedEvent, NumberedEvent } from '../../runs/stored/events.ts'
import { toEnd } from '../../runs/stored/outcome.ts'
import type { StreamResult, TaskArtifact, TaskPart, TaskState } from '../../wire/a2a.ts'
import { isObject } from '../../wire/json.ts'
import { escapeLineEnds } from '../../wire/sse.ts'
import { placeOf } from '../agui/parts.ts'
import { describeHosted } from '../ai-sdk/hosted.ts'
import { toolAnswerOf } from '../answer.ts'
import { explainEnd, STATES, type TaskId, toMetadata, toStatus } from './task.ts'

/** One message to the user, or one file. */
interface Entry {
  id: string
  /** The text so far; parts that replace it are in `parts`. */
  text: string
  parts: TaskPart[] | undefined
  /** What stands before and after a piece of the text in its frame. */
  around: readonly [before: string, after: string]
  /** The number of its last event. */
  last: number
}

export interface TaskViewOptions extends TaskId {
  /** The state that the client knows. */
  state: TaskState
  /** Writes an event as a frame, in the version of the client. */
  toFrame(result: StreamResult): string
  /** The clock, in milliseconds since 1970. */
  now(): number
}

export class TaskView {
  readonly #id: TaskId
  readonly #toFrame: TaskViewOptions['toFrame']
  readonly #now: () => number
  readonly #entries: Entry[] = []
  /** Texts that the model has written and that are not accepted yet, in their order. */
  #drafts: Entry[] = []
  /** Where the model writes the last of them in its response. */
  #place: unknown
  /** Ids of artifacts that were taken back: the next ones replace them. */
  readonly #spare: string[] = []
  #count = 0
  #number = 0
  #tripped: string | undefined
  #isSubmitted: boolean

  constructor({ taskId, contextId, state, toFrame, now }: TaskViewOptions) {
    this.#isSubmitted = state === 'TASK_STATE_SUBMITTED'
    this.#id = { taskId, contextId }
    this.#toFrame = toFrame
    this.#now = now
  }

  /** What the run has answered so far. */
  get artifacts(): TaskArtifact[] {
    return this.#entries.map((entry) => ({ artifactId: entry.id, parts: partsOf(entry) }))
  }

  frames(events: readonly NumberedEvent[]): string {
    let out = ''
    for (const { number, event } of events) {
      this.#number = number
      out += this.#write(event)
    }
    return out
  }

  /** The task has come into a state. */
  status(state: TaskState, parts: TaskPart[] = [], metadata?: { [name: string]: unknown }): string {
    const status = toStatus(this.#id, state, this.#now(), parts)
    return this.#toFrame({ statusUpdate: { ...this.#id, status, ...(metadata && { metadata }) } })
  }

  #write(event: LoggedEvent): string {
    switch (event.kind) {
      case 'model':
        return event.who.callerAgent === null ? this.#hear(event.event) : ''
      case 'item':
        return event.who.callerAgent === null && event.name === 'message_output_created' ? this.#accept(event) : ''
      case 'agent': // the drafts before it, if any, were rejected
        return event.who.callerAgent === null ? this.#startWork() + this.#takeBack(this.#drafts) : ''
      case 'attempt': // what was said after an event did not happen
        return this.#takeBack(this.#entries.filter(({ last }) => last > event.voidAfter))
      case 'tripped':
        this.#tripped ??= event.content
        return ''
      case 'ended':
        return this.#end(event.summary)
      case 'started': // a run may wait after it
      case 'error':
      case 'custom':
      case 'queued':
      case 'requires_action': // sent once the run has paused
      case 'approval_decided': // sent once the run goes on
      case 'steer':
      case 'branch':
      case 'truncated':
      case 'closed':
        return ''
      default:
        return event satisfies never
    }
  }

  #startWork(): string {
    if (!this.#isSubmitted) return ''
    this.#isSubmitted = false
    return this.status('TASK_STATE_WORKING')
  }

  #hear(event: ResponseEvent): string {
    switch (event.type) {
      case 'response.output_text.delta':
      case 'response.refusal.delta': {
        if (typeof event.delta !== 'string' || event.delta === '') return ''
        const place = placeOf(event)
        const draft = this.#drafts.at(-1)
        return draft !== undefined && this.#place === place
          ? this.#append(draft, event.delta)
          : this.#begin(place, event.delta)
      }
      case 'response.output_item.done': {
        if (!isObject(event.item) || event.item.type !== 'image_generation_call') return ''
        const { file } = describeHosted(event.item, undefined)
        if (file === undefined) return ''
        return this.#add([{ raw: file.url.slice(file.url.indexOf(',') + 1), mediaType: file.mediaType }])
      }
      default:
        return ''
    }
  }

  /** Hot path: one concatenation. */
  #append(entry: Entry, delta: string): string {
    entry.text += delta
    entry.last = this.#number
    return entry.around[0] + escapeLineEnds(JSON.stringify(delta)) + entry.around[1]
  }

  #begin(place: unknown, text: string): string {
    const entry = this.#open(text)
    this.#drafts.push(entry)
    this.#place = place
    return this.#tell(entry, [{ text }])
  }

  #open(text: string, parts?: TaskPart[]): Entry {
    const id = this.#spare.shift() ?? `artifact-${++this.#count}`
    const piece = this.#tell({ id }, [{ text: '' }], { append: true })
    const [before = '', after = ''] = piece.split(EMPTY_TEXT)
    const entry: Entry = { id, text, parts, around: [`${before}"text":`, after], last: this.#number }
    this.#entries.push(entry)
    return entry
  }

  /** A message is complete. */
  #accept({ raw }: RunProgress & { kind: 'item' }): string {
    const text = messageText(raw)
    if (text === '') return ''
    const draft = this.#drafts.shift()
    if (draft === undefined) return this.#add([{ text }]) // not from a model, or its pieces were not stored
    draft.last = this.#number
    if (draft.text === text) return this.#tell(draft, [{ text: '' }], { append: true, lastChunk: true })
    draft.text = text
    return this.#tell(draft, [{ text }], { lastChunk: true })
  }

  /** An artifact that comes whole. */
  #add(parts: [TaskPart]): string {
    const [part] = parts
    const entry = 'text' in part ? this.#open(part.text) : this.#open('', parts)
    return this.#tell(entry, parts, { lastChunk: true })
  }

  #takeBack(entries: readonly Entry[]): string {
    let out = ''
    for (const entry of [...entries]) {
      this.#entries.splice(this.#entries.indexOf(entry), 1)
      this.#spare.push(entry.id)
      out += this.#tell(entry, [{ text: '' }])
    }
    this.#drafts = this.#drafts.filter((draft) => !entries.includes(draft))
    return out
  }

  #end(summary: RunSummary): string {
    if (summary.paused === true) return ''
    const { status, error, incompleteReason, outcome } = toEnd(summary, null)
    const value = status === 'completed' ? this.#addValue(summary) : ''
    const why = error?.message ?? (incompleteReason == null ? this.#tripped : explainEnd(incompleteReason))
    const said = why === undefined || status === 'completed' ? [] : [{ text: why }]
    return value + this.status(STATES[status], said, toMetadata(outcome))
  }

  /** The answer that is the output of a tool, or a value: it replaces the text that spelled it. */
  #addValue(summary: RunSummary): string {
    const { finalOutput } = summary
    const byTool = toolAnswerOf(summary)
    if (typeof finalOutput === 'string') return byTool ? this.#add([{ text: byTool }]) : ''
    if (finalOutput == null) return ''
    const parts: [TaskPart] = [{ data: finalOutput }]
    const spelled = byTool === undefined ? this.#entries.at(-1) : undefined
    if (spelled === undefined) return this.#add(parts)
    spelled.parts = parts
    return this.#tell(spelled, parts, { lastChunk: true })
  }

  /** Without `append` the parts replace what the artifact had. */
  #tell({ id }: Pick<Entry, 'id'>, parts: TaskPart[], { append = false, lastChunk = false } = {}): string {
    return this.#toFrame({ artifactUpdate: { ...this.#id, artifact: { artifactId: id, parts }, append, lastChunk } })
  }
}

/** Where the text stands in the frame of a piece. Quotes inside other texts are escaped, so that it occurs once. */
const EMPTY_TEXT = '"text":""'

const partsOf = ({ parts, text }: Entry): TaskPart[] => parts ?? [{ text }]
