/** Stores conversations in IndexedDB, shared by all tabs. */
import { newId } from '../new-id.ts'
import type { Conversation } from './conversation.ts'
import { endForeignRuns, mergeConversations } from './merge.ts'

/** A conversation as this tab last read or wrote it. */
export interface Saved {
  conversation: Conversation
  /** Changes with each write of any tab. */
  revision: string
}

/** The conversations in this browser, shared by all tabs. */
export interface ConversationStore {
  /** Newest first. */
  load(): Promise<Saved[]>
  read(id: string): Promise<Saved | undefined>
  /**
   * Stores a conversation, merged with changes of other tabs since `base`. Removes the oldest conversations beyond the limit.
   * @returns the conversation to show now: the same one, unless another tab changed it
   */
  save(conversation: Conversation, base: Saved | undefined): Promise<Saved>
  remove(id: string): Promise<void>
  /** Calls back when another tab wrote or removed a conversation. Returns a function that unsubscribes. */
  watch(onChange: (id: string, revision: string | undefined) => void): () => void
}

export const MAX_CONVERSATIONS = 50

const TABLE = 'conversations'
/** Change the name when the stored format changes; the old database is then no longer read. */
const DATABASE = 'agency-swarm-js-playground-1'

/** A row of the table. */
type Row = Conversation & { revision?: string }

/**
 * Opens the store for the server at this address.
 * @throws when IndexedDB is not available, as in some private windows
 */
export async function openStore(baseUrl: string): Promise<ConversationStore> {
  const name = `${DATABASE} ${new URL(baseUrl).pathname}`
  const database = await openDatabase(name)
  const news = new BroadcastChannel(name)
  const table = (mode: IDBTransactionMode) => database.transaction(TABLE, mode).objectStore(TABLE)

  const load = async (): Promise<Saved[]> => {
    const found = await settled<Row[]>(table('readonly').getAll())
    return found.map(toSaved).sort((a, b) => b.conversation.updatedAt - a.conversation.updatedAt)
  }
  const read = async (id: string): Promise<Saved | undefined> => {
    const row = await settled<Row | undefined>(table('readonly').get(id))
    return row === undefined ? undefined : toSaved(row)
  }
  const dropOldest = async (keep: number, but: string) => {
    for (const { conversation } of (await load()).slice(keep))
      if (conversation.id !== but) await settled(table('readwrite').delete(conversation.id))
  }
  /** Reads and writes in one transaction, so that no other tab writes in between. */
  const put = async (conversation: Conversation, base: Saved | undefined, revision: string): Promise<Conversation> => {
    const rows = table('readwrite')
    const stored = await settled<Row | undefined>(rows.get(conversation.id))
    if (stored === undefined || revisionOf(stored) === base?.revision) {
      await settled(rows.put({ ...conversation, revision }))
      return conversation
    }
    await settled(
      rows.put({ ...mergeConversations(conversation, withoutRevision(stored), base?.conversation), revision }),
    )
    return mergeConversations(conversation, toSaved(stored).conversation, base?.conversation)
  }
  const save = async (conversation: Conversation, base: Saved | undefined): Promise<Saved> => {
    const revision = newId()
    const write = () => put(conversation, base, revision)
    const written = await write().catch(async (error: unknown) => {
      if ((error as DOMException).name !== 'QuotaExceededError') throw error
      await dropOldest(Math.floor(MAX_CONVERSATIONS / 5), conversation.id) // storage is full: make room and try once more
      return write()
    })
    if ((await settled(table('readonly').count())) > MAX_CONVERSATIONS)
      await dropOldest(MAX_CONVERSATIONS, conversation.id)
    news.postMessage({ id: conversation.id, revision })
    return { conversation: written, revision }
  }
  const remove = async (id: string): Promise<void> => {
    await settled(table('readwrite').delete(id))
    news.postMessage({ id })
  }
  const watch: ConversationStore['watch'] = (onChange) => {
    const onMessage = ({ data }: MessageEvent<{ id: string; revision?: string }>) => onChange(data.id, data.revision)
    news.addEventListener('message', onMessage)
    return () => news.removeEventListener('message', onMessage)
  }
  return { load, read, save, remove, watch }
}

const revisionOf = (row: Row) => row.revision ?? ''

function withoutRevision({ revision: _, ...conversation }: Row): Conversation {
  return conversation
}

const toSaved = (row: Row): Saved => ({
  conversation: endForeignRuns(withoutRevision(row)),
  revision: revisionOf(row),
})

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
