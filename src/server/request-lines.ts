import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ServerLog } from '../base/log.ts'
import type { RunNote } from '../services.ts'

/** Asked for every few seconds by machines. */
const PROBE = /\/(metrics|healthz|readyz|playground\/server)$/
const MAX_PATH_CHARS = 200

/** One line for every request, when its answer is out or its client gone; and one for start and stop. */
export class RequestLines {
  readonly #log: ServerLog
  readonly #redact: (text: string) => string
  readonly #notes = new WeakMap<object, RunNote>()

  constructor(log: ServerLog, redact: (text: string) => string) {
    this.#log = log
    this.#redact = redact
  }

  noteRun(request: object, note: RunNote): void {
    this.#notes.set(request, note)
  }

  watch(scope: FastifyInstance): void {
    scope.addHook('onRequest', (request, reply, done) => {
      if (!PROBE.test(pathOf(request))) {
        const began = performance.now()
        reply.raw.once('close', () => void this.#write(request, reply, performance.now() - began))
      }
      done()
    })
    scope.addHook('onListen', async () => this.#log.info('listening', { address: scope.server.address() }))
    scope.addHook('preClose', async () => this.#log.info('stopping'))
    scope.addHook('onClose', async () => this.#log.info('stopped'))
  }

  async #write(request: FastifyRequest, { raw }: FastifyReply, durationMs: number): Promise<void> {
    const { statusCode: status } = raw
    const fields = {
      method: request.method,
      path: this.#redact(pathOf(request)),
      status,
      durationMs: Math.round(durationMs),
      ...(raw.writableFinished ? {} : { aborted: true }),
      ...(await this.#runOf(request)),
    }
    if (status >= 500) this.#log.error('request', undefined, undefined, fields)
    else this.#log.info('request', fields)
  }

  async #runOf(request: FastifyRequest): Promise<object> {
    const note = this.#notes.get(request)
    if (note === undefined) return {}
    const { run, agency, agent, streaming } = note
    const { failure, cancelled, usage } = await run.done
    const outcome = failure !== undefined ? 'failed' : cancelled ? 'cancelled' : 'completed'
    const spent = usage === undefined ? {} : { tokens: usage.total_tokens, costUsd: usage.total_cost }
    return { runId: run.id, agency, agent, streaming, outcome, ...spent }
  }
}

/** The address without its query, which may hold anything. */
const pathOf = ({ url }: FastifyRequest): string =>
  url
    .replace(/\?.*/s, '')
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, MAX_PATH_CHARS)
