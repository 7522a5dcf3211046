// Request scenarios: each runs one server for a while and gives latencies and counts.
import { setTimeout as sleep } from 'node:timers/promises'
import { adapters } from './adapters.mjs'
import { closedLoop, fire } from './load.mjs'

/** The message with the directive for the mock. */
export const order = (options) =>
  `hello [[mock ${Object.entries(options)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')}]]`

/** The fault of a streamed answer; undefined when it is correct. */
export const checkStream = (adapter, deltas) => (answer) => {
  if (answer.status !== 200) return `status ${answer.status} ${answer.text.slice(0, 100)}`
  if (/^data: \{"error"/m.test(answer.text)) return 'error event'
  const found = answer.text.match(adapter.delta)?.length ?? 0
  if (found !== deltas) return `deltas ${found}/${deltas}`
  const missing = adapter.ends.find((end) => !answer.text.includes(end))
  return missing === undefined ? undefined : `missing ${missing}`
}
const check200 = (answer) =>
  answer.status === 200 ? undefined : `status ${answer.status} ${answer.text.slice(0, 100)}`

const streamed = (deltas, more = {}, load = {}) => ({
  events: deltas,
  run: (server, options) => {
    const adapter = adapters[server.adapter]
    const make = () => adapter.stream(server.prefix, order({ n: deltas, ...more }))
    return closedLoop(server.pool, server.origin, make, checkStream(adapter, deltas), { C: 8, ...options, ...load })
  },
})
const plain = (kind, message) => ({
  fits: (server) => adapters[server.adapter][kind] !== undefined,
  run: (server, options) => {
    const make = () => adapters[server.adapter][kind](server.prefix, message)
    return closedLoop(server.pool, server.origin, make, check200, { C: 8, ...options })
  },
})

export const scenarios = {
  short: streamed(1),
  burst: streamed(100),
  each: streamed(100, { b: 0 }),
  long: streamed(1000),
  paced: streamed(50, { d: 20 }, { ms: 1900, min: 8 }),
  get_response: plain('once', order({ n: 100 })),
  tool_turn: { ...streamed(20, { tool: 1 }), fits: (server) => !server.raw },
  metadata: plain('meta'),
  tool_endpoint: plain('tool'),
  cancel: { fits: (server) => !server.raw && adapters[server.adapter].cancel !== undefined, run: cancelStreams },
}

/** Opens streams and cancels each after its first delta. Latency: of the cancel call; first: until its stream ended. */
async function cancelStreams(server) {
  const adapter = adapters[server.adapter]
  const result = { ok: 0, errors: 0, errs: [], lat: [], ttfd: [], bytes: 0 }
  const start = performance.now()
  const one = async () => {
    let text = ''
    let runId
    const first = Promise.withResolvers()
    const stream = fire(server.pool, server.origin, adapter.stream(server.prefix, order({ n: 2000, d: 20 })), {
      onChunk: (chunk) => {
        if (runId === undefined) text += chunk.latin1Slice()
        runId ??= /"run_id": ?"([^"]+)"/.exec(text)?.[1]
      },
      onFirst: first.resolve,
    })
    const ended = stream.done.then(() => performance.now())
    try {
      await Promise.race([
        first.promise,
        sleep(20_000, undefined, { ref: false }).then(() => Promise.reject(new Error('no delta'))),
      ])
      await sleep(30)
      const asked = performance.now()
      const answer = await fire(server.pool, server.origin, adapter.cancel(server.prefix, runId)).done
      if (answer.status !== 200 || !JSON.parse(answer.text).ok) throw new Error(`cancel ${answer.status}`)
      result.lat.push(performance.now() - asked)
      result.ttfd.push((await ended) - asked)
      result.ok++
    } catch (error) {
      result.errors++
      result.errs.push(error.message)
      stream.abort()
      ended.catch(() => {})
    }
  }
  for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: 4 }, one))
  return { ...result, wall: performance.now() - start }
}
