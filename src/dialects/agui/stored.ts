/** A stored run as the events of AG-UI: a fold of its log with numbers of its own. */
import type { ApprovalsRequested, NumberedEvent } from '../../runs/stored/events.ts'
import type { AguiMessage, AguiRequest } from '../../wire/agui.ts'
import type { AguiInterrupt } from '../../wire/agui-events.ts'
import type { FrameText } from '../../wire/sse.ts'
import { createNumbering } from '../dialect.ts'
import { AguiWriter, runStarted } from './writer.ts'

export interface AguiSource {
  runId: string
  threadId: string | null
  /** The conversation with the input of the run. Asked once an agent of the run has begun to speak. */
  conversation(): Promise<AguiMessage[]>
  /** The stored events from the first to this number. */
  replay(upTo: number): AsyncIterable<readonly NumberedEvent[]>
}

/**
 * The frames of each batch of events, with their numbers as ids. A pure fold: the same log gives the same frames.
 * @param after the last frame that the reader has
 */
export async function* writeAguiView(
  batches: AsyncIterable<readonly NumberedEvent[]>,
  source: AguiSource,
  after = 0,
): AsyncGenerator<FrameText> {
  const numbering = createNumbering(after)
  const fold = new AguiFold(source)
  for await (const batch of batches) yield numbering.add(await fold.take(batch))
}

/** The number of the last frame that the events up to a number give. */
export async function countAguiFrames(source: AguiSource, upTo: number): Promise<number> {
  const numbering = createNumbering(Number.POSITIVE_INFINITY)
  const fold = new AguiFold(source)
  for await (const batch of source.replay(upTo)) numbering.add(await fold.take(batch))
  return numbering.last
}

/** Events after `after` and before `before` did not happen. */
interface Void {
  after: number
  before: number
}

class AguiFold {
  readonly #source: AguiSource
  readonly #voids: Void[] = []
  #view: AguiView | undefined

  constructor(source: AguiSource) {
    this.#source = source
  }

  async take(events: readonly NumberedEvent[]): Promise<string> {
    let out = ''
    for (const numbered of events) {
      const { event } = numbered
      if (event.kind === 'started') out += runStarted(this.#request([]))
      else if (event.kind === 'attempt') out += await this.#rewind(numbered.number, event.voidAfter)
      else if (event.kind !== 'queued') {
        this.#view ??= await this.#open()
        out += this.#view.write(numbered)
      }
    }
    return out
  }

  async #open(): Promise<AguiView> {
    return new AguiView(this.#request(await this.#source.conversation()), this.#source.runId)
  }

  /** Folds anew what has happened, and goes on from there. */
  async #rewind(number: number, voidAfter: number): Promise<string> {
    const shown = this.#view
    this.#voids.push({ after: voidAfter, before: number })
    if (shown === undefined) return ''
    const fresh = await this.#open()
    for await (const batch of this.#source.replay(number - 1))
      for (const numbered of batch) if (this.#happened(numbered)) fresh.write(numbered)
    this.#view = fresh
    return fresh.replace(shown)
  }

  #happened({ number, event: { kind } }: NumberedEvent): boolean {
    if (kind === 'started' || kind === 'queued' || kind === 'attempt') return false
    return !this.#voids.some(({ after, before }) => number > after && number < before)
  }

  #request(messages: AguiMessage[]): AguiRequest {
    const { runId, threadId } = this.#source
    return {
      threadId: threadId ?? runId,
      runId,
      parentRunId: undefined,
      modern: true,
      messages,
      fields: { chat_history: [], file_ids: undefined, file_urls: undefined } as unknown as AguiRequest['fields'],
      rawEvents: false,
      events: { subagents: true, reasoning: true, toolResults: true },
    }
  }
}

/** The writer of the attempts of a run, with its pauses. */
class AguiView {
  readonly #writer: AguiWriter
  /** By approval: what waits for a person. */
  readonly #pending = new Map<string, AguiInterrupt>()
  #paused = false

  constructor(request: AguiRequest, runId: string) {
    this.#writer = new AguiWriter(request)
    this.#writer.frames({ first: 1, events: [{ kind: 'started', runId, notes: [] }] })
  }

  write({ number, event }: NumberedEvent): string {
    switch (event.kind) {
      case 'closed':
      case 'truncated':
      case 'queued':
      case 'attempt':
        return ''
      case 'requires_action':
        for (const approval of event.approvals) this.#pending.set(approval.approvalId, toInterrupt(approval))
        return this.#paused ? this.#writer.resume() + this.#pause() : this.#pauseWhenQuiet()
      case 'approval_decided': {
        this.#pending.delete(event.approvalId)
        if (!this.#paused) return ''
        const resumed = this.#writer.resume()
        this.#paused = false
        return resumed + this.#pauseWhenQuiet() // those that are left wait on
      }
      default: {
        if (event.kind === 'ended') this.#pending.clear()
        const resumed = this.#paused ? this.#writer.resume() : ''
        const frames = this.#writer.frames({ first: number, events: [event] })
        if (frames === '') return '' // still paused, as far as readers know
        this.#paused = false
        return resumed + frames + this.#pauseWhenQuiet()
      }
    }
  }

  replace(shown: AguiView): string {
    const resumed = shown.#paused ? shown.#writer.resume() : ''
    shown.#paused = false
    this.#paused = false
    return resumed + this.#writer.replace(shown.#writer)
  }

  #pauseWhenQuiet(): string {
    return this.#pending.size > 0 && this.#writer.quiet ? this.#pause() : ''
  }

  #pause(): string {
    this.#paused = true
    return this.#writer.pause([...this.#pending.values()])
  }
}

const toInterrupt = ({
  approvalId,
  agent,
  tool,
  callId,
  arguments: args,
  expiresAt,
}: ApprovalsRequested['approvals'][number]): AguiInterrupt => ({
  id: approvalId,
  reason: 'tool_approval',
  message: `${agent} wants to call ${tool}.`,
  toolCallId: callId,
  expiresAt: new Date(expiresAt).toISOString(),
  metadata: { agent, tool, arguments: args },
})
