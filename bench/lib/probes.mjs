// Single measurements: start-up, idle streams, a sleeping reader, and the time until a model call is closed.
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { adapters } from './adapters.mjs'
import { fire, median, newPool } from './load.mjs'
import { cpu, cpuDelta, mem, tree } from './proc.mjs'
import { launch, stop } from './processes.mjs'
import { order } from './scenarios.mjs'

const now = () => performance.timeOrigin + performance.now()
const openStream = (server, options, more) =>
  fire(more?.pool ?? server.pool, server.origin, adapters[server.adapter].stream(server.prefix, order(options)), more)

/** Time from spawn to the first answer. */
export async function measureStart(server, upstream) {
  const started = await launch(server, upstream)
  const pids = tree(started.child.pid)
  const { sched, stat } = cpu(pids)
  const result = { ms: started.readyMs, cpu: Math.max(sched, stat), rss: mem(pids).rss }
  await stop(started)
  return result
}

/** Streams with one delta and then silence: the memory of each, and the memory left after all clients disconnected. */
export async function measureIdle(server, mock, count, limitMs = 120_000) {
  const pool = newPool()
  const before = (await mock.stats()).open
  const rss0 = mem(server.pids).rss
  const cpu0 = cpu(server.pids)
  const deadline = performance.now() + limitMs
  const streams = []
  let opened = 0
  let failed = 0
  let waiting = 0
  for (let index = 0; index < count && performance.now() < deadline; index++) {
    waiting++
    const onFirst = () => {
      opened++
      waiting--
    }
    const stream = openStream(server, { n: 3, d: 600_000 }, { pool, keep: false, onFirst })
    stream.done.catch(() => failed++)
    streams.push(stream)
    while (waiting >= 32 && performance.now() < deadline) await sleep(2)
  }
  while (opened + failed < count && performance.now() < deadline) await sleep(50)
  await sleep(1500)
  const rss1 = mem(server.pids).rss
  const cpuPerOpen = cpuDelta(cpu0, cpu(server.pids)) / Math.max(1, opened)
  const failedToOpen = failed
  const dropped = performance.now()
  for (const stream of streams) stream.abort()
  let left = Number.NaN
  for (let tries = 0; tries < 200 && left !== 0; tries++) {
    left = (await mock.stats()).open - before
    if (left !== 0) await sleep(20)
  }
  const closedMs = performance.now() - dropped
  pool.destroy().catch(() => {})
  return {
    count,
    opened,
    failed: failedToOpen,
    kibPerStream: ((rss1 - rss0) * 1024) / Math.max(1, opened),
    cpuPerOpen,
    closedMs,
    left,
  }
}

/** One client that reads nothing for a while during 30,000 deltas, then reads all of them. */
export async function measureSleepingReader(server, { deltas = 30_000, sleepMs = 2_500 } = {}) {
  const adapter = adapters[server.adapter]
  const { path, method, headers, body } = adapter.stream(server.prefix, order({ n: deltas, b: 0 }))
  const rss0 = mem(server.pids).rss
  const { promise, resolve, reject } = Promise.withResolvers()
  const request = http.request(server.origin + path, { method, headers, agent: false }, resolve)
  request.on('error', reject)
  request.end(body)
  const answer = (await promise).setEncoding('utf8') // nothing is read until the loop below
  let rssAsleep = 0
  for (let waited = 0; waited < sleepMs; waited += 100) {
    await sleep(100)
    rssAsleep = Math.max(rssAsleep, mem(server.pids).rss)
  }
  let found = 0
  let rest = ''
  for await (const chunk of answer) {
    const text = rest + chunk
    const end = text.lastIndexOf('\n\n') + 2
    found += text.slice(0, end).match(adapter.delta)?.length ?? 0
    rest = text.slice(end)
  }
  return { deltas, found, mibAsleep: rssAsleep - rss0, mibAfter: mem(server.pids).rss - rss0 }
}

/** Time from a disconnect or cancel call until the mock's connection is closed (infinite after about 2 s), with a streaming or silent model. */
export async function measureUpstreamClosed(server, mock, tries = 10) {
  const adapter = adapters[server.adapter]
  const result = {}
  for (const [name, options] of [
    ['talking', { n: 2000, d: 20 }],
    ['silent', { n: 3, d: 600_000 }],
  ])
    for (const how of adapter.cancel === undefined ? ['drop'] : ['drop', 'cancel']) {
      const times = []
      for (let index = 0; index < tries; index++) {
        const first = Promise.withResolvers()
        let text = ''
        const onChunk = (chunk) => {
          text += chunk.latin1Slice()
        }
        const stream = openStream(server, options, { onFirst: first.resolve, onChunk })
        stream.done.catch(() => {})
        await first.promise
        await sleep(30)
        const { closed } = await mock.stats()
        const asked = now()
        if (how === 'drop') stream.abort()
        else {
          const runId = /"run_id": ?"([^"]+)"/.exec(text)?.[1]
          await fire(server.pool, server.origin, adapter.cancel(server.prefix, runId)).done
        }
        let stats = await mock.stats()
        for (let polls = 0; stats.closed === closed && polls < 300; polls++) {
          await sleep(5)
          stats = await mock.stats()
        }
        times.push(stats.closed === closed ? Number.POSITIVE_INFINITY : stats.lastClosedAt - asked)
      }
      result[`${how}, model ${name}`] = { median: median(times), max: Math.max(...times) }
    }
  return result
}
