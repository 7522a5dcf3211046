/** Writes a run as an event stream, and notices when its client leaves. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import { forEach, Pace } from '../base/async.ts'
import { causeOf, errorText } from '../base/errors.ts'
import { clientGone } from '../base/request-errors.ts'
import type { FrameWriter } from '../dialects/dialect.ts'
import type { Run } from '../runs/runner.ts'
import type { Services } from '../services.ts'
import { LONG_CHARS, slices } from '../wire/json-write.ts'
import type { FrameText } from '../wire/sse.ts'

const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
}

/**
 * Aborts when the client leaves before the answer is complete, or at once when it has left already. The response is watched,
 * not the request, because it also notices a client that leaves after its body was read.
 */
export function signalOf({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController()
  const onClose = () => {
    if (!raw.writableFinished) gone.abort(clientGone())
  }
  if (raw.destroyed) onClose()
  else raw.once('close', onClose)
  return gone.signal
}

/**
 * Cuts the connection of a reader that takes nothing for `ms`; 0 lifts that. After an answer Node sets a time of its own.
 * Injected requests have no socket.
 */
export function limitIdle({ raw: { socket } }: FastifyReply, ms: number): void {
  if (socket instanceof Socket) socket.setTimeout(ms)
}

/** Answers with a complete event stream, for a request without a run. */
export function writeFrames(reply: FastifyReply, frames: string): void {
  reply.hijack()
  reply.raw.writeHead(200, headersOf(reply))
  reply.raw.end(frames)
}

type StreamServices = Pick<Services, 'heartbeatMs' | 'limits' | 'log'>

/**
 * Answers with a run as an event stream. The run was started with the signal of this client; one that takes nothing for
 * `idleTimeoutMs` is cut, which ends the run, too.
 */
export async function writeStream(
  services: StreamServices,
  reply: FastifyReply,
  run: Run,
  dialect: FrameWriter,
): Promise<void> {
  const ended = await writeEvents(services, reply, run.events ?? none(), (batch) => dialect.frames(batch), run.done)
  if (!ended) run.stop('immediate')
}

async function* none(): AsyncGenerator<never> {}

/**
 * Writes what a source yields as an event stream, and ends it after `done`. False when that failed: the error is logged, and
 * the connection is cut.
 */
export async function writeEvents<T>(
  { heartbeatMs, limits: { idleTimeoutMs }, log }: StreamServices,
  reply: FastifyReply,
  events: AsyncIterable<T>,
  toFrames: (value: T) => FrameText,
  done?: Promise<unknown>,
): Promise<boolean> {
  const out = reply.raw
  reply.hijack()
  out.writeHead(200, headersOf(reply))
  const writer = new TurnWriter(out)
  const drain = () => drained(reply, idleTimeoutMs)
  /** False when the client has left. */
  const send = (frames: FrameText) => {
    if (typeof frames !== 'string' || frames.length >= LONG_CHARS) return writePieces(frames, writer, drain)
    writer.push(frames)
    return !out.writableNeedDrain || drain()
  }
  const heartbeat = setInterval(() => {
    if (!writer.wrote && !writer.isInFrame && !out.writableNeedDrain) out.write(': keepalive\n\n')
    writer.wrote = false
  }, heartbeatMs)
  try {
    await forEach(events, (value) => send(toFrames(value)))
    await done
    limitIdle(reply, idleTimeoutMs)
    writer.end()
    return true
  } catch (error) {
    log.error(errorText(error), causeOf(error))
    out.destroy()
    return false
  } finally {
    clearInterval(heartbeat)
  }
}

/** The headers that hooks have set, which a hijacked answer would lack, and those of a stream. */
const headersOf = (reply: FastifyReply) => ({
  ...(reply.getHeaders() as OutgoingHttpHeaders),
  ...SSE_HEADERS,
  connection: reply.raw.shouldKeepAlive ? 'keep-alive' : 'close', // as the client asked
})

/** Writes long frames in turns with other work, no faster than the client reads. @returns false when the client has left */
async function writePieces(frames: FrameText, writer: TurnWriter, drain: () => Promise<boolean>): Promise<boolean> {
  const pace = new Pace()
  writer.isInFrame = true
  for (const piece of typeof frames === 'string' ? slices(frames) : frames) {
    writer.push(piece)
    if (writer.isFull && !(await drain())) return false
    const next = pace.step()
    if (next !== undefined) await next
  }
  writer.isInFrame = false
  return true
}

/** Most characters that are gathered for one write. */
const WRITE_CHARS = 65_536

/** Gathers the frames of one turn of the event loop into one write, so that a chunk of the model's becomes one chunk of ours. */
class TurnWriter {
  wrote = false
  /** True while a frame is written in part: nothing else may be written in between. */
  isInFrame = false
  #pending = ''
  readonly #out: ServerResponse

  constructor(out: ServerResponse) {
    this.#out = out
  }
  get isFull(): boolean {
    return this.#out.writableNeedDrain
  }
  push(text: string): void {
    if (text === '') return
    if (this.#pending === '') setImmediate(() => this.#flush())
    this.#pending += text
    if (this.#pending.length > WRITE_CHARS) this.#flush()
  }
  end(): void {
    this.#out.end(this.#pending)
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
