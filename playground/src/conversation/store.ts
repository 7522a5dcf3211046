import { lostRun } from '../run/failure.ts'
import { endRun } from '../run/run.ts'
import type { Conversation } from './conversation.ts'

/** Conversations in this browser, newest first. */
export interface ConversationStore {
  load(): Promise<Conversation[]>
  /** Keeps it; beyond the limit the oldest go. */
  save(conversation: Conversation): Promise<void>
  remove(id: string): Promise<void>
}

export const MAX_CONVERSATIONS = 50

const TABLE = 'conversations'
/** A change of what is stored needs a new name; the old one is then not read any more. */
const DATABASE = 'agency-swarm-js-playground-1'

/**
 * The store for the server at this address, in IndexedDB.
 * @throws when the browser has none, as in some private windows
 */
export async function openStore(baseUrl: string): Promise<ConversationStore> {
  const database = await openDatabase(`${DATABASE} ${new URL(baseUrl).pathname}`)
  const transact = async <T>(mode: IDBTransactionMode, work: (table: IDBObjectStore) => IDBRequest<T>): Promise<T> =>
    settled(work(database.transaction(TABLE, mode).objectStore(TABLE)))

  const load = async (): Promise<Conversation[]> => {
    const found = await transact<Conversation[]>('readonly', (table) => table.getAll())
    return found.map(endLostRuns).sort((a, b) => b.updatedAt - a.updatedAt)
  }
  const dropOldest = async (keep: number, but: string) => {
    const found = await load()
    for (const { id } of found.slice(keep)) if (id !== but) await transact('readwrite', (table) => table.delete(id))
  }
  const save = async (conversation: Conversation): Promise<void> => {
    const put = () => transact('readwrite', (table) => table.put(conversation))
    try {
      await put()
    } catch (error) {
      if ((error as DOMException).name !== 'QuotaExceededError') throw error
      await dropOldest(Math.floor(MAX_CONVERSATIONS / 5), conversation.id) // pictures are large: make room, and try once more
      await put()
    }
    if ((await transact('readonly', (table) => table.count())) > MAX_CONVERSATIONS)
      await dropOldest(MAX_CONVERSATIONS, conversation.id)
  }
  const remove = async (id: string): Promise<void> => {
    await transact('readwrite', (table) => table.delete(id))
  }
  return { load, save, remove }
}

/** A run that a page left behind is over: the server stopped it when the connection closed. */
function endLostRuns(conversation: Conversation): Conversation {
  const turns = conversation.turns.map((turn) =>
    turn.run.phase === 'ended' ? turn : { ...turn, run: endRun(turn.run, undefined, lostRun) },
  )
  return { ...conversation, turns }
}

function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: 'id' })
  return settled(request)
}

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
