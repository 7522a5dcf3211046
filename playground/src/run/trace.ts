/** The events of a run as they were received. */
import type { Frame } from 'agency-swarm-js/client'

/** One server-sent event as received. */
export interface TraceEntry {
  /** Counted from 1. */
  number: number
  /** Milliseconds after the request. */
  atMs: number
  /** The event's name on the wire; undefined when it has none. */
  event: string | undefined
  data: string
  agent: string | undefined
  /** Its most specific type: that of the model event, the name of the item, or the name of the frame. */
  type: string
  /** The main part of the data, shortened. */
  gist: string
}

/** The events of one run. Beyond the limits, the oldest are dropped; `dropped` counts them. */
export interface Trace {
  entries: readonly TraceEntry[]
  dropped: number
  chars: number
}

export const noTrace: Trace = { entries: [], dropped: 0, chars: 0 }

const MAX_ENTRIES = 5000
const MAX_CHARS = 16 * 1024 * 1024

/** Appends events to a trace. */
export function addFrames(trace: Trace, frames: readonly { frame: Frame; atMs: number }[]): Trace {
  const entries = [...trace.entries]
  let { dropped, chars } = trace
  for (const { frame, atMs } of frames) {
    entries.push({ number: dropped + entries.length + 1, atMs, ...frame, ...readFrame(frame) })
    chars += frame.data.length
  }
  let drop = Math.max(0, entries.length - MAX_ENTRIES)
  for (const entry of entries.slice(0, drop)) chars -= entry.data.length
  while (chars > MAX_CHARS && drop < entries.length - 1) chars -= entries[drop++]?.data.length ?? 0
  dropped += drop
  return { entries: entries.slice(drop), dropped, chars }
}

/** Filters events by agent, type and text. */
export function filterTrace(
  { entries }: Trace,
  { agent, type, text }: { agent: string; type: string; text: string },
): readonly TraceEntry[] {
  const wanted = text.trim().toLowerCase()
  return entries.filter(
    (entry) =>
      (agent === '' || entry.agent === agent) &&
      (type === '' || entry.type === type) &&
      (wanted === '' || entry.data.toLowerCase().includes(wanted)),
  )
}

/** Writes the events as the text of an event stream. */
export const traceText = ({ entries }: Trace): string =>
  entries.map(({ event, data }) => `${event === undefined ? '' : `event: ${event}\n`}data: ${data}\n\n`).join('')

type Json = { [key: string]: unknown } | undefined

function readFrame({ event, data }: Frame): Pick<TraceEntry, 'agent' | 'type' | 'gist'> {
  const body = parse(data)
  const said = body?.data as Json
  const inner = (said?.type === 'raw_response_event' ? said.data : said) as Json
  return {
    agent: typeof said?.agent === 'string' ? said.agent : undefined,
    type: String(inner?.name ?? inner?.type ?? event ?? (body === undefined ? 'no JSON' : 'error')),
    gist: gistOf(inner ?? body, data).slice(0, GIST_CHARS),
  }
}

const GIST_CHARS = 160

/** The main part of an event: text, call, result, or usage. */
function gistOf(said: Json, data: string): string {
  const item = (said?.raw_item ?? (said?.item as Json)?.raw_item ?? said?.item) as Json
  const usage = (said?.response as Json)?.usage
  const plain = [said?.delta, said?.text, said?.arguments, said?.content, said?.run_id].find(
    (one) => typeof one === 'string',
  )
  if (plain !== undefined) return JSON.stringify(plain)
  if (usage) return JSON.stringify(usage)
  if (item?.name !== undefined) return `${item.name}(${item.arguments ?? ''})`
  if (item?.output !== undefined) return typeof item.output === 'string' ? item.output : JSON.stringify(item.output)
  if (item !== undefined) return JSON.stringify(item.content ?? item)
  const agent = (said?.new_agent as Json)?.name
  return agent === undefined ? data : String(agent)
}

function parse(data: string): Json {
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' && value !== null ? (value as Json) : undefined
  } catch {
    return undefined // [DONE]
  }
}
