import type { OutgoingHttpHeaders } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import { forEach } from '../base/async.ts'
import { clientGone } from '../base/errors.ts'
import type { RunEvent } from '../runs/events.ts'
import type { Run, RunSummary } from '../runs/hub.ts'
import type { Services } from '../services.ts'

const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
}

/**
 * Calls back when the client hangs up before the answer is out, or at once when it has already; watched on the response,
 * which also sees it after the body was read.
 */
export function abandonWhenGone(reply: FastifyReply, abandon: () => void): () => void {
  const onClose = () => {
    if (!reply.raw.writableFinished) abandon()
  }
  if (reply.raw.destroyed) abandon() // it left while the run was being made ready
  reply.raw.on('close', onClose)
  return () => reply.raw.off('close', onClose)
}

/** Work for a client, aborted when it hangs up. @throws CLIENT_GONE when the work lets the abort through */
export async function whileHere<T>(reply: FastifyReply, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const gone = new AbortController()
  const release = abandonWhenGone(reply, () => gone.abort(clientGone()))
  return work(gone.signal).finally(release)
}

/**
 * Cuts the connection of a reader that takes nothing for `ms`; 0 lifts that. After an answer Node sets a time of its own.
 * Injected requests have no socket.
 */
export function limitIdle({ raw: { socket } }: FastifyReply, ms: number): void {
  if (socket instanceof Socket) socket.setTimeout(ms)
}

/** A protocol spoken over a run: its events as the frames of an event stream. */
export interface StreamDialect {
  /** The first frames. */
  open(runId: string): string
  /** All frames of one batch as one string. */
  frames(events: readonly RunEvent[]): string
  /** The last frames. */
  end(runId: string, summary: RunSummary): string
}

/** Answers with frames that are all there: an event stream without a run. */
export function writeFrames(reply: FastifyReply, frames: string): void {
  reply.hijack()
  reply.raw.writeHead(200, headersOf(reply))
  reply.raw.end(frames)
}

/** Answers with a run as an event stream; a client that leaves, or takes nothing for `idleTimeoutMs`, ends the run. */
export async function writeStream(
  {
    hub,
    heartbeatMs,
    limits: { idleTimeoutMs },
    logError,
  }: Pick<Services, 'hub' | 'heartbeatMs' | 'limits' | 'logError'>,
  reply: FastifyReply,
  run: Run,
  dialect: StreamDialect,
): Promise<void> {
  const out = reply.raw
  reply.hijack()
  const release = abandonWhenGone(reply, () => hub.abandon(run.id))
  out.writeHead(200, headersOf(reply))
  const writer = new TurnWriter(out)
  const heartbeat = setInterval(() => {
    if (!writer.wrote && !out.writableNeedDrain) out.write(': keepalive\n\n')
    writer.wrote = false
  }, heartbeatMs)
  try {
    writer.push(dialect.open(run.id))
    const { events } = run
    if (events !== undefined)
      await forEach(events, (batch) => {
        writer.push(dialect.frames(batch))
        return !out.writableNeedDrain || drained(reply, idleTimeoutMs)
      })
    const last = dialect.end(run.id, await run.done)
    limitIdle(reply, idleTimeoutMs)
    writer.end(last)
  } catch (error) {
    hub.abandon(run.id)
    logError(error)
    out.destroy()
  } finally {
    clearInterval(heartbeat)
    if (out.writableEnded) out.once('finish', release)
    else release()
  }
}

/** What the hooks have set, which a hijacked answer would go without, and what makes it a stream. */
const headersOf = (reply: FastifyReply) => ({
  ...(reply.getHeaders() as OutgoingHttpHeaders),
  ...SSE_HEADERS,
  connection: reply.raw.shouldKeepAlive ? 'keep-alive' : 'close', // as the client asked
})

/** How much may gather for one write. */
const WRITE_CHARS = 65_536

/** Gathers what is said within one turn of the event loop into one write: a chunk of the model's is a chunk of ours. */
class TurnWriter {
  wrote = false
  #pending = ''
  readonly #out: NodeJS.WritableStream

  constructor(out: NodeJS.WritableStream) {
    this.#out = out
  }
  push(text: string): void {
    if (text === '') return
    if (this.#pending === '') setImmediate(() => this.#flush())
    this.#pending += text
    if (this.#pending.length > WRITE_CHARS) this.#flush()
  }
  end(text: string): void {
    this.#out.end(this.#pending + text)
    this.#pending = ''
  }
  #flush(): void {
    if (this.#pending === '') return
    this.wrote = true
    this.#out.write(this.#pending)
    this.#pending = ''
  }
}

/** True when the socket takes more, false when it is gone; one that takes nothing for `idleMs` is cut. */
function drained(reply: FastifyReply, idleMs: number): Promise<boolean> {
  const out = reply.raw
  if (out.destroyed) return Promise.resolve(false)
  limitIdle(reply, idleMs)
  return new Promise((resolve) => {
    const done = (open: boolean) => {
      limitIdle(reply, 0)
      out.off('drain', onDrain)
      out.off('close', onClose)
      resolve(open)
    }
    const onDrain = () => done(true)
    const onClose = () => done(false)
    out.on('drain', onDrain)
    out.on('close', onClose)
  })
}
