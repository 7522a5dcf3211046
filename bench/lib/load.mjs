// A load client on undici's callbacks: no web streams, so that the client stays cheap beside the servers.
import { Agent } from 'undici'

export const newPool = () =>
  new Agent({
    connections: null,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    bodyTimeout: 0,
    headersTimeout: 0,
    connect: { timeout: 120_000 },
  })

/** One request: `done` resolves with status, text, ms, firstMs (first delta) and bytes; `abort()` drops the connection. */
export function fire(pool, origin, { path, method, headers, body }, { onFirst, onChunk, keep = true } = {}) {
  const start = performance.now()
  let controller
  let dropped = false
  const abort = () => {
    dropped = true
    controller?.abort(new Error('client abort'))
  }
  const done = new Promise((resolve, reject) => {
    const chunks = []
    let status = 0
    let firstMs
    let bytes = 0
    pool.dispatch(
      { origin, path, method, headers, body },
      {
        onRequestStart(given) {
          controller = given
          if (dropped) abort()
        },
        onResponseStart(_controller, code) {
          status = code
        },
        onResponseData(_controller, chunk) {
          bytes += chunk.length
          if (keep) chunks.push(chunk)
          onChunk?.(chunk)
          if (firstMs === undefined && chunk.includes('output_text.delta')) {
            firstMs = performance.now() - start
            onFirst?.(firstMs)
          }
        },
        onResponseEnd() {
          resolve({
            status,
            text: Buffer.concat(chunks).toString('utf8'),
            ms: performance.now() - start,
            firstMs,
            bytes,
          })
        },
        onResponseError(_controller, error) {
          reject(error)
        },
      },
    )
  })
  return { done, abort }
}

export const pct = (values, share) => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}
export const median = (values) =>
  pct(
    values.filter((value) => value !== undefined && !Number.isNaN(value)),
    0.5,
  )

/** `C` workers, each sending its next request when the last is answered, for `ms` and at least `min` requests. */
export async function closedLoop(pool, origin, make, check, { C, ms, min = C, max = Number.POSITIVE_INFINITY }) {
  const start = performance.now()
  const result = { ok: 0, errors: 0, errs: [], lat: [], ttfd: [], bytes: 0 }
  let started = 0
  const worker = async () => {
    while (started < max && (performance.now() - start < ms || started < min) && result.errors <= 20) {
      started++
      const request = fire(pool, origin, make())
      const timer = setTimeout(request.abort, 60_000)
      try {
        const answer = await request.done
        const problem = check?.(answer)
        if (problem !== undefined) throw new Error(problem)
        result.ok++
        result.lat.push(answer.ms)
        if (answer.firstMs !== undefined) result.ttfd.push(answer.firstMs)
        result.bytes += answer.bytes
      } catch (error) {
        result.errors++
        result.errs.push(error.message.slice(0, 160))
      } finally {
        clearTimeout(timer)
      }
    }
  }
  await Promise.all(Array.from({ length: C }, worker))
  return { ...result, wall: performance.now() - start }
}
