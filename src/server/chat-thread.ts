/** The thread of a chat page: made from the page's messages when the server has none, cut when the page has changed them. */
import { AgencyError } from '../base/errors.ts'
import type { RunRecord, RunStore, ThreadId, ThreadRecord } from '../runs/run-store.ts'
import type { StoredRuns } from '../runs/stored/service.ts'
import type { StoredMessage } from '../wire/message.ts'

export interface ChatThread {
  runs: StoredRuns
  id: ThreadId
  /** The run that has answered the page's last message before. Asked only when the page has changed the conversation. */
  answered(): Promise<RunRecord | undefined>
  /** The page has changed the conversation before its last message: it answers again, or has edited. */
  rewrites: boolean
  /** The page's messages before the last one. */
  history(): StoredMessage[]
}

/** How long a run of the thread is given to stop before its conversation is changed, in milliseconds. */
const STOP_MS = 10_000
const PAGE = 1_000

/** @throws RUN_ACTIVE when a run of a changed conversation does not stop, STORE_UNAVAILABLE */
export async function prepareThread({ runs, id, answered, rewrites, history }: ChatThread): Promise<void> {
  const { store } = runs
  const thread = await findThread(store, id)
  if (thread === undefined) return create(store, id, history())
  if (!rewrites) return
  await stopRun(runs, thread)
  const kept = await readBefore(store, id, await answered())
  await store.write({ kind: 'deleteThread', ...id })
  await create(store, id, kept ?? history())
}

/** Undefined for a thread that is unknown, or of another owner. */
export async function findThread(store: RunStore, id: ThreadId): Promise<ThreadRecord | undefined> {
  return store.read({ kind: 'thread', ...id }).catch(catchCode('NOT_FOUND'))
}

async function create(store: RunStore, id: ThreadId, messages: readonly StoredMessage[]): Promise<void> {
  if (messages.length === 0) return // the run makes it
  const thread = { ...id, messages, metadata: {}, now: Date.now(), idempotency: null }
  await store.write({ kind: 'createThread', ...thread }).catch(catchCode('THREAD_EXISTS'))
}

async function stopRun(runs: StoredRuns, { agency, owner, activeRunId }: ThreadRecord): Promise<void> {
  if (activeRunId === null) return
  const run = { agency, owner, runId: activeRunId }
  await runs.cancel({ ...run, mode: 'immediate', waitMs: STOP_MS }).catch(catchCode('RUN_ENDED', 'NOT_FOUND'))
}

/** The stored messages before a run; undefined when the thread does not have that run. */
async function readBefore(
  store: RunStore,
  id: ThreadId,
  run: RunRecord | undefined,
): Promise<StoredMessage[] | undefined> {
  if (run?.threadId !== id.threadId) return undefined
  const before: StoredMessage[] = []
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof readPage>> = await readPage(store, id, after)
    for (const { runId, message } of page.data) {
      if (runId === run.runId) return before
      before.push(message)
    }
    after = page.next
    if (after === null) return undefined
  }
}

const readPage = (store: RunStore, id: ThreadId, after: string | null) =>
  store.read({ kind: 'messages', ...id, limit: PAGE, after })

export const catchCode =
  (...codes: string[]) =>
  (error: unknown): undefined => {
    if (AgencyError.isInstance(error) && codes.includes(error.code)) return undefined
    throw error
  }
