/** Follows a run: what the store has of it, and what reaches this process before the store is asked. */
import type { RunNews, WatchQuery } from '../../runs/run-store.ts'
import type { Database } from './database.ts'
import { EVENTS_PER_READ } from './events.ts'
import { readNews } from './reads.ts'

/** News that wait for their reader; beyond it they are read from the store. */
const MOST_WAITING = 64

export async function* watch(database: Database, query: WatchQuery): AsyncGenerator<RunNews, void> {
  const { runId, signal } = query
  let { after } = query
  let version = -1
  let wake = Promise.withResolvers<void>()
  const arrivals = new Arrivals()
  const stopListening = database.listen(runId, after === Number.POSITIVE_INFINITY ? 'state' : 'events', (news) => {
    arrivals.add(news)
    wake.resolve()
  })
  const limit = EVENTS_PER_READ
  const onAbort = () => wake.resolve()
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      wake = Promise.withResolvers()
      const arrived = arrivals.take(after)
      const news = arrived === 'ask' ? await database.read((sql) => readNews(sql, { ...query, after, limit })) : arrived
      if (news !== undefined) {
        const isNews = news.events.length > 0 || news.state.version !== version
        version = news.state.version
        after = news.events.at(-1)?.number ?? after
        if (isNews) yield news
        if (after < news.state.lastEventId) {
          arrivals.add(undefined)
          continue
        }
        if (isEnded(news)) return
      }
      if (!signal.aborted && !arrivals.some) await wake.promise
    }
  } finally {
    stopListening()
    signal.removeEventListener('abort', onAbort)
  }
}

const isEnded = ({ state }: RunNews) => !['queued', 'in_progress', 'requires_action'].includes(state.status)

/** What has arrived of a run. The store is asked first: it knows whether the run is the reader's own. */
class Arrivals {
  #waiting: RunNews[] = []
  /** The store may know more than what has arrived. */
  #isBehind = true

  /** Undefined: there is something new. */
  add(news: RunNews | undefined): void {
    if (news === undefined || this.#waiting.length >= MOST_WAITING) this.#isBehind = true
    else this.#waiting.push(news)
  }

  get some(): boolean {
    return this.#isBehind || this.#waiting.length > 0
  }

  /** The next news after a number; `ask` when the store has to say what there is. */
  take(after: number): RunNews | 'ask' | undefined {
    const isBehind = this.#isBehind
    this.#isBehind = false
    if (isBehind) return 'ask'
    while (this.#waiting.length > 0) {
      const { state, events } = this.#waiting.shift() as RunNews
      if (state.lastEventId <= after) continue // known from the store
      const fresh = events.filter(({ number }) => number > after)
      return fresh[0]?.number === after + 1 ? { state, events: fresh } : 'ask'
    }
    return undefined
  }
}
