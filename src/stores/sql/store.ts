/** A RunStore over any database that speaks the SQL of this folder. */
import type { RunChange, RunStore, Writes } from '../../runs/run-store.ts'
import { admit, useKey } from './admit.ts'
import { Backlog } from './backlog.ts'
import { claim } from './claim.ts'
import { reserve, settle } from './costs.ts'
import type { Database, Sql, StoredTexts, Transaction } from './database.ts'
import { endOf, MESSAGES, settleTexts, storeAhead, workOf } from './long-texts.ts'
import { readers } from './reads.ts'
import { cancel, decide, deleteRun } from './requests.ts'
import { openSchedule } from './schedules.ts'
import { swapSecret } from './secrets.ts'
import { continueRun, pause, steer } from './steer-requests.ts'
import { type Capacity, makeRoom, sweep } from './sweep.ts'
import { addThread, changeMetadata, describeThread, getThread, removeThread } from './threads.ts'
import { watch } from './watch.ts'
import { claimWebhooks, redriveWebhook, settleWebhook } from './webhooks.ts'
import { writeWork } from './work.ts'

type Writers = {
  [Kind in keyof Writes]: (tx: Transaction, change: Writes[Kind]['change']) => Promise<Writes[Kind]['answer']>
}

const writers: Writers = {
  run: writeWork,
  cancel,
  decide,
  steer,
  pause,
  continue: continueRun,
  deleteRun,
  createThread: async (tx, change) => {
    const earlier = await useKey(tx, change, change.threadId)
    const { agency, owner } = change
    const row =
      earlier === undefined ? await addThread(tx, change) : await getThread(tx, { agency, owner, threadId: earlier })
    return { thread: await describeThread(tx, row), replayed: earlier !== undefined }
  },
  changeThread: async (tx, { metadata, ...id }) =>
    describeThread(tx, await changeMetadata(tx, await getThread(tx, id), metadata)),
  deleteThread: async (tx, id) => removeThread(tx, await getThread(tx, id)),
  reserve,
  settle,
  swapSecret,
  sweep,
  schedule: openSchedule,
  claimWebhooks,
  settleWebhook,
  redriveWebhook,
}

/** @param capacity what the store forgets by itself. Default: nothing */
export function createRunStore(database: Database, capacity?: Capacity): RunStore {
  const backlog = new Backlog()
  const change = async <Result>(
    work: (tx: Transaction) => Promise<Result>,
    texts?: StoredTexts | undefined,
  ): Promise<Result> => {
    const changed = new Map<string, boolean>()
    const added: Transaction['added'] = database.carriesEvents ? new Map() : undefined
    let freed = false
    const writing = database.write(async (sql) => {
      changed.clear() // work may be done again
      added?.clear()
      const tx = {
        ...sql,
        texts,
        used: new Set<string>(),
        changed,
        added,
        ready: new Set<string>(),
        freed: new Map<string, string | null>(),
        hasJobs: database.enqueue !== undefined,
        webhooks: new Set<string>(),
      }
      const answer = await work(tx)
      await settleTexts(sql, texts, tx.used)
      freed = tx.freed.size > 0
      if (freed) await database.enqueue?.(sql, tx.freed)
      return answer
    })
    // The sweep removes them when this fails, too.
    if (texts !== undefined) writing.catch(() => database.write((sql) => settleTexts(sql, texts))).catch(() => {})
    const result = await writing
    const news = [...(added ?? [])].map(([runId, { state, events }]) => [runId, { state: state(), events }] as const)
    database.announce(changed, freed, new Map(news))
    return result
  }
  return {
    async admit(request) {
      const { plan, runId, now } = request
      const texts = await storeAhead(database, { [workOf(runId)]: [plan] }, now)
      return change(async (tx) => {
        if (capacity !== undefined) await makeRoom(tx, capacity, now)
        return admit(tx, request, backlog)
      }, texts)
    },
    claim: (request) => change((tx) => claim(tx, request)),
    async write({ kind, ...request }) {
      const writer = writers[kind] as (tx: Transaction, change: unknown) => Promise<never>
      const texts = kind === 'run' ? await storeLongParts(database, request as unknown as RunChange) : undefined
      return change((tx) => writer(tx, request), texts)
    },
    read: ({ kind, ...query }) => {
      const reader = readers[kind] as (sql: Sql, query: unknown) => Promise<never>
      return database.read((sql) => reader(sql, query))
    },
    watch: (query) => watch(database, query),
    close: () => database.close(),
  }
}

/** Stores what is long in a change of a run. */
function storeLongParts(database: Database, change: RunChange): Promise<StoredTexts | undefined> {
  const { conversations = [], items = [], calls = [], events, messages, trace, leave, now } = change
  const { runId } = change.claim
  const parts = {
    [workOf(runId)]: [
      ...conversations.map(({ state }) => state),
      ...items.map(({ item }) => item),
      ...calls.map(({ output }) => output),
      ...(events?.list ?? []),
      ...(trace === undefined ? [] : [trace.records]),
    ],
    [endOf(runId)]: leave?.kind === 'end' ? [leave.outcome] : [],
    [MESSAGES]: messages?.list ?? [],
  }
  return storeAhead(database, parts, now)
}
