/** A stored run as the events of AG-UI: a fold of its log with numbers of its own. */
import type { ApprovalsRequested, NumberedEvent } from '../../runs/stored/events.ts'
import type { AguiMessage, AguiRequest } from '../../wire/agui.ts'
import type { AguiInterrupt } from '../../wire/agui-events.ts'
import type { FrameText } from '../../wire/sse.ts'
import { createNumbering } from '../dialect.ts'
import { AguiWriter, runStarted } from './writer.ts'

/** What a run has that its events do not tell. */
export interface AguiSource
  extends Pick<AguiRequest, 'threadId' | 'runId' | 'parentRunId' | 'modern' | 'rawEvents' | 'events'> {
  /** The run's own id, of which ids are made for items that have none. */
  ownId: string
  /** The conversation with the input of the run, and the state at its start. Asked once an agent of the run has begun to speak. */
  begin(): Promise<{ messages: AguiMessage[]; state: unknown }>
  /** The stored events from the first to this number. */
  replay(upTo: number): AsyncIterable<readonly NumberedEvent[]>
}

/**
 * The frames of each batch of events, with their numbers as ids. A pure fold: the same log gives the same frames.
 * @param batches with `paused` where the run waits for people
 * @param after the last frame that the reader has
 */
export async function* writeAguiView(
  batches: AsyncIterable<readonly NumberedEvent[] | 'paused'>,
  source: AguiSource,
  after = 0,
): AsyncGenerator<FrameText> {
  const numbering = createNumbering(after)
  const fold = new AguiFold(source)
  for await (const batch of batches) yield numbering.add(batch === 'paused' ? fold.pause() : await fold.take(batch))
}

/** The number of the last frame that the events up to a number give. */
export async function countAguiFrames(source: AguiSource, upTo: number): Promise<number> {
  const numbering = createNumbering(Number.POSITIVE_INFINITY)
  const fold = new AguiFold(source)
  for await (const batch of source.replay(upTo)) numbering.add(await fold.take(batch))
  return numbering.last
}

/** The number of the last frame before the run goes on, after the last of these approvals was decided. */
export async function countUntilDecided(
  source: AguiSource,
  upTo: number,
  decided: ReadonlySet<string>,
): Promise<number> {
  const numbering = createNumbering(Number.POSITIVE_INFINITY)
  const fold = new AguiFold(source)
  let last: number | undefined
  for await (const batch of source.replay(upTo))
    for (const numbered of batch) {
      const { event } = numbered
      if (event.kind === 'approval_decided' && decided.has(event.approvalId)) {
        if (event.paused) numbering.add(fold.pause())
        ;({ last } = numbering)
      }
      numbering.add(await fold.take([numbered]))
    }
  if (last !== undefined) return last
  numbering.add(fold.pause()) // sent when the worker leaves the run
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
      if (event.kind === 'started') out += runStarted(this.#request([], undefined))
      else if (event.kind === 'attempt') out += await this.#rewind(numbered.number, event.voidAfter)
      else if (event.kind !== 'queued') {
        if (this.#view === undefined) {
          this.#view = await this.#open()
          out += this.#view.state()
        }
        out += this.#view.write(numbered)
      }
    }
    return out
  }

  /** The run waits for people, and does nothing else. */
  pause(): string {
    return this.#view?.pause() ?? ''
  }

  async #open(): Promise<AguiView> {
    const { messages, state } = await this.#source.begin()
    return new AguiView(this.#request(messages, state), this.#source.ownId)
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

  #request(messages: AguiMessage[], state: unknown): AguiRequest {
    const { threadId, runId, parentRunId, modern, rawEvents, events } = this.#source
    const fields = { chat_history: [], file_ids: undefined, file_urls: undefined } as unknown as AguiRequest['fields']
    return { threadId, runId, parentRunId, modern, rawEvents, events, messages, fields, state }
  }
}

type Waiting = ApprovalsRequested['approvals'][number]

/** The writer of the attempts of a run, with its pauses. A pause is written when it is known, at the latest with its end. */
class AguiView {
  readonly #writer: AguiWriter
  /** By approval: what waits for a person. */
  readonly #pending = new Map<string, Waiting>()
  #paused = false

  constructor(request: AguiRequest, runId: string) {
    this.#writer = new AguiWriter(request)
    this.#writer.frames({ first: 1, events: [{ kind: 'started', runId, notes: [] }] })
  }

  /** The state at the start; empty where nothing is shared. */
  state(): string {
    return this.#writer.state()
  }

  write({ number, event }: NumberedEvent): string {
    switch (event.kind) {
      case 'closed':
      case 'truncated':
      case 'queued':
      case 'attempt':
      case 'steer':
      case 'branch':
        return ''
      case 'requires_action':
        for (const approval of event.approvals) this.#pending.set(approval.approvalId, approval)
        return ''
      case 'approval_decided': {
        const paused = event.paused ? this.pause() : ''
        this.#pending.delete(event.approvalId)
        if (!event.paused) return ''
        return paused + this.#resume() + this.pause() // those that are left wait on
      }
      default: {
        const paused = event.kind === 'ended' && event.waited === true ? this.pause() : ''
        const resumed = this.#resume()
        return paused + resumed + this.#writer.frames({ first: number, events: [event] })
      }
    }
  }

  /** The frames of a pause; empty when it is written already, or nothing waits. */
  pause(): string {
    if (this.#paused || this.#pending.size === 0) return ''
    this.#paused = true
    return this.#writer.pause([...this.#pending.values()].map((approval) => this.#toInterrupt(approval)))
  }

  #resume(): string {
    if (!this.#paused) return ''
    this.#paused = false
    return this.#writer.resume()
  }

  replace(shown: AguiView): string {
    const resumed = shown.#resume()
    this.#paused = false
    return resumed + this.#writer.replace(shown.#writer)
  }

  #toInterrupt({ approvalId, agent, tool, callId, arguments: args, expiresAt }: Waiting): AguiInterrupt {
    return {
      id: approvalId,
      reason: 'tool_call',
      message: `${agent} wants to call ${tool}.`,
      ...this.#writer.callOf(agent, callId),
      responseSchema: RESPONSE_SCHEMA,
      expiresAt: new Date(expiresAt).toISOString(),
      metadata: { agent, tool, arguments: args },
    }
  }
}

/** What a person answers. */
const RESPONSE_SCHEMA = {
  type: 'object',
  properties: {
    approved: { type: 'boolean' },
    editedArgs: { type: 'object', description: 'Arguments to call the tool with, in place of those of the model.' },
    reason: { type: 'string', description: 'Why the call is rejected; the model reads it.' },
  },
  required: ['approved'],
}
