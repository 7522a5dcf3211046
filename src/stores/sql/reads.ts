/** Answers to questions, each within one owner. */
import { Pace } from '../../base/async.ts'
import { eventsExpired, notFound } from '../../base/errors.ts'
import type { Job, Page, Reads, RunNews } from '../../runs/run-store.ts'
import { countJsonBytes } from '../../wire/json-write.ts'
import type { StoredMessage } from '../../wire/message.ts'
import { readCosts } from './costs.ts'
import { first, type Sql, select, type Value } from './database.ts'
import { readEvents } from './events.ts'
import { getJson } from './long-texts.ts'
import { findApproval } from './requests.ts'
import { type ApprovalRow, type RunRow, type ThreadRow, toApproval, toRun, toState, toUnread } from './rows.ts'
import { findRun } from './runs.ts'
import { readSecret } from './secrets.ts'
import { readWork } from './snapshot.ts'
import { readStats } from './stats.ts'
import { listSteers } from './steers.ts'
import { describeThread, getThread } from './threads.ts'
import { readTrace } from './traces.ts'
import { toDelivery, type WebhookRow } from './webhooks.ts'

/** A page of runs or messages ends after so many bytes of JSON. */
const PAGE_BYTES = 8 * 1024 * 1024

type Readers = { [Kind in keyof Reads]: (sql: Sql, query: Reads[Kind]['query']) => Promise<Reads[Kind]['answer']> }

export const readers: Readers = {
  run: async (sql, query) => toRun(sql, 'alias' in query ? await findAlias(sql, query) : await findRun(sql, query)),
  runs: async (sql, { agency, owner, threadId, status, ...list }) => {
    const filter = { agency, owner, thread_id: threadId, status }
    return readPage(await listRows<RunRow>(sql, { ...list, table: 'runs', filter, newestFirst: true }), (row) =>
      toRun(sql, row),
    )
  },
  work: async (sql, query) => readWork(sql, await findRun(sql, query)),
  events: (sql, query) => readNews(sql, query),
  trace: async (sql, query) => readTrace(sql, await findRun(sql, query)),
  steers: async (sql, { status, ...id }) => listSteers(sql, (await findRun(sql, id)).number, status),
  thread: async (sql, query) => describeThread(sql, await getThread(sql, query)),
  threads: async (sql, { agency, owner, ...list }) => {
    const page = await listRows<ThreadRow>(sql, {
      ...list,
      table: 'threads',
      filter: { agency, owner },
      newestFirst: true,
    })
    const data = []
    for (const row of page.data) data.push(await describeThread(sql, row))
    return { ...page, data }
  },
  messages: async (sql, { limit, after, ...id }) => {
    type Row = { number: number; run_id: string | null; message: string }
    const { number: thread } = await getThread(sql, id)
    const page = await listRows<Row>(sql, { limit, after, table: 'messages', filter: { thread }, newestFirst: false })
    return readPage(page, async ({ number, run_id, message }) => ({
      number,
      runId: run_id,
      message: await getJson<StoredMessage>(sql, message),
    }))
  },
  approval: async (sql, query) => toApproval(await findApproval(sql, await findRun(sql, query), query.approvalId)),
  approvals: async (sql, { agency, owner, status, threadId, runId, ...list }) => {
    const filter = { agency, owner, status, thread_id: threadId, run_id: runId }
    return mapPage(
      await listRows<ApprovalRow>(sql, { ...list, table: 'approvals', filter, newestFirst: false }),
      toApproval,
    )
  },
  jobs: async (sql, { limit, after }) => {
    const where = `ended_at IS NULL AND place IS NULL AND scheduled = 0 AND status IN ('queued', 'in_progress') AND number > ?`
    const statement = `SELECT * FROM runs WHERE ${where} ORDER BY number LIMIT ?`
    const rows = await select<RunRow>(sql, statement, Number(after ?? 0), limit + 1)
    return mapPage(toPage(rows, limit), toJob)
  },
  secret: readSecret,
  unread: async (sql, { limit, after }) => {
    const where = 'ended_at IS NULL AND unread_ms IS NOT NULL AND number > ?'
    const statement = `SELECT number, agency, owner, run_id, unread_ms FROM runs WHERE ${where} ORDER BY number LIMIT ?`
    const rows = await select<RunRow>(sql, statement, Number(after ?? 0), limit + 1)
    return mapPage(toPage(rows, limit), toUnread)
  },
  costs: (sql, { scopes }) => readCosts(sql, scopes),
  webhooks: async (sql, { agency, owner, status, runId, ...list }) => {
    const filter = { agency, owner, status, run_id: runId }
    return mapPage(
      await listRows<WebhookRow>(sql, { ...list, table: 'webhooks', filter, newestFirst: true }),
      toDelivery,
    )
  },
  stats: (sql) => readStats(sql),
}

/** What is new of a run after an event. Infinity: no events. @throws NOT_FOUND, EVENTS_EXPIRED */
export async function readNews(sql: Sql, query: Reads['events']['query']): Promise<RunNews> {
  const run = await findRun(sql, query)
  if (query.after >= run.last_event) return { state: toState(run), events: [] }
  if (run.trimmed === 1) throw eventsExpired()
  return { state: toState(run), events: await readEvents(sql, run.number, query.after, query.limit) }
}

async function findAlias(
  sql: Sql,
  { agency, owner, alias }: Reads['run']['query'] & { alias: string },
): Promise<RunRow> {
  const run = await first<RunRow>(
    sql,
    'SELECT * FROM runs WHERE agency = ? AND owner = ? AND alias = ? ORDER BY number DESC LIMIT 1',
    agency,
    owner,
    alias,
  )
  if (run === undefined) throw notFound('run')
  return run
}

interface RowList {
  table: string
  /** Column -> value; undefined for any. */
  filter: { [column: string]: Value | undefined }
  newestFirst: boolean
  limit: number
  after?: string | null | undefined
}

async function listRows<R extends { number: number }>(sql: Sql, list: RowList): Promise<Page<R>> {
  const { table, filter, newestFirst, limit, after } = list
  const conditions = Object.entries(filter).filter((entry): entry is [string, Value] => entry[1] !== undefined)
  const where = [...conditions.map(([column]) => `${column} = ?`), `number ${newestFirst ? '<' : '>'} ?`].join(' AND ')
  const start = Number(after ?? (newestFirst ? Number.MAX_SAFE_INTEGER : 0))
  const rows = await select<R>(
    sql,
    `SELECT * FROM ${table} WHERE ${where} ORDER BY number ${newestFirst ? 'DESC' : 'ASC'} LIMIT ?`,
    ...conditions.map(([, value]) => value),
    start,
    limit + 1,
  )
  return toPage(rows, limit)
}

function toPage<R extends { number: number }>(rows: readonly R[], limit: number): Page<R> {
  const data = rows.slice(0, limit)
  return { data, next: rows.length > limit ? String(data.at(-1)?.number) : null }
}

/** A page of rows with long texts: it ends early when they become too much for one answer. */
async function readPage<R extends { number: number }, A>(
  page: Page<R>,
  read: (row: R) => Promise<A>,
): Promise<Page<A>> {
  const data: A[] = []
  const pace = new Pace()
  let bytes = 0
  for (const row of page.data) {
    if (bytes > PAGE_BYTES) return { data, next: String(page.data[data.length - 1]?.number) }
    const answer = await read(row)
    bytes += countJsonBytes(answer, PAGE_BYTES)
    data.push(answer)
    const next = pace.step()
    if (next !== undefined) await next
  }
  return { data, next: page.next }
}

const mapPage = <A, B>({ data, next }: Page<A>, map: (row: A) => B): Page<B> => ({ data: data.map(map), next })

export const toJob = ({ run_id, agency, status, attempt, fence, worker, pin }: RunRow): Job => ({
  runId: run_id,
  agency,
  status: status as Job['status'],
  attempt,
  fence,
  worker,
  pin,
})
