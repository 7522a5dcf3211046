/** Reads the event stream of a stored run as a client does, and folds it with the rule of void frames. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createParser, type EventSourceMessage } from 'eventsource-parser'

export interface RunFrame {
  id: number
  event: string | undefined
  data: string
}

/** What a client of a run's stream holds. */
export class RunFold {
  /** Every frame in the order of its arrival. */
  readonly seen: RunFrame[] = []
  frames: RunFrame[] = []
  ended = false

  get last(): number {
    return this.seen.at(-1)?.id ?? 0
  }

  add(frame: RunFrame): void {
    if (frame.id !== this.last + 1) throw new Error(`After frame ${this.last} came ${frame.id}.`)
    this.seen.push(frame)
    if (frame.event === 'attempt') {
      const { void_after } = JSON.parse(frame.data)
      this.frames = this.frames.filter(({ id }) => id <= void_after)
    }
    this.frames.push(frame)
    if (frame.event === 'end') this.ended = true
  }

  /** Each streamed text: what its deltas give, and what the model called the whole; undefined where that never came. */
  texts(): { text: string; whole: string | undefined; agent: string }[] {
    const texts = new Map<string, { text: string; whole: string | undefined; agent: string }>()
    for (const { event, data } of this.frames) {
      if (event !== undefined) continue
      const { data: inner } = JSON.parse(data)
      const { data: raw, agent } = inner ?? {}
      if (raw?.type === 'response.output_text.delta') {
        const one = texts.get(raw.item_id) ?? { text: '', whole: undefined, agent }
        texts.set(raw.item_id, { ...one, text: one.text + raw.delta })
      } else if (raw?.type === 'response.output_text.done') {
        const one = texts.get(raw.item_id) ?? { text: '', agent }
        texts.set(raw.item_id, { ...one, whole: raw.text })
      }
    }
    return [...texts.values()]
  }
}

export interface FollowOptions {
  /** The address of the run; it may change with each connection. */
  url: () => string | undefined
  fold: RunFold
  /** Leaves the connection after this frame. */
  cut?: (frame: RunFrame) => boolean
  /** Stops reading for good. */
  until?: (frame: RunFrame) => boolean
  signal?: AbortSignal
}

/** Reads to the end of the run, coming back with the last id after each cut. */
export async function followRun({ url, fold, cut, until, signal }: FollowOptions): Promise<RunFold> {
  while (!fold.ended && signal?.aborted !== true) {
    const address = url()
    const verdict = address === undefined ? 'cut' : await readOnce(address, { fold, cut, until, signal })
    if (verdict === 'done') break
    await sleep(address === undefined || verdict === 'gone' ? 20 : 0)
  }
  return fold
}

type Check = FollowOptions['cut'] | undefined
type Reading = { fold: RunFold; cut: Check; until: Check; signal: AbortSignal | undefined }

async function readOnce(url: string, { fold, cut, until, signal }: Reading): Promise<'cut' | 'gone' | 'done'> {
  const leave = new AbortController()
  let verdict: 'cut' | 'gone' | 'done' = 'gone'
  let wrong: unknown
  const onEvent = ({ id, event, data }: EventSourceMessage) => {
    if (verdict !== 'gone' || wrong !== undefined) return
    const frame = { id: Number(id), event, data }
    try {
      fold.add(frame)
    } catch (error) {
      wrong = error
    }
    if (until?.(frame) === true) verdict = 'done'
    else if (cut?.(frame) === true) verdict = 'cut'
  }
  const parser = createParser({ onEvent })
  try {
    const both = signal === undefined ? leave.signal : AbortSignal.any([signal, leave.signal])
    const answer = await fetch(`${url}/events`, {
      headers: fold.last === 0 ? {} : { 'last-event-id': String(fold.last) },
      signal: both,
    })
    if (answer.status === 204) fold.ended = true
    if (answer.status !== 200) return 'gone'
    const decoder = new TextDecoder()
    for await (const chunk of answer.body ?? []) {
      parser.feed(decoder.decode(chunk, { stream: true }))
      if (verdict !== 'gone' || wrong !== undefined) break
    }
  } catch {
    // The server was killed, or this reader left.
  }
  leave.abort()
  if (wrong !== undefined) throw wrong
  return verdict
}
