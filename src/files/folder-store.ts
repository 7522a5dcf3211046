/** Files and vector stores of one OpenAI account, as a folder of an agent needs them. */
import type OpenAI from 'openai'
import { CALL_TIMEOUT_MS, callerOf, openaiFileStore } from './openai-store.ts'
import type { FileStore } from './store.ts'

/** How far a vector store is with a file. */
export type Ingestion = { state: 'pending' | 'ready' } | { state: 'failed'; reason: string }

/** A store of files that also has vector stores. Every method rejects as those of `FileStore` do. */
export interface FolderStore extends FileStore {
  /** Creates a vector store and returns its id. */
  create(name: string, signal: AbortSignal): Promise<string>
  /** Deletes a vector store; its files stay. */
  drop(vectorStore: string, signal: AbortSignal): Promise<void>
  /** The ids of all files of a vector store; undefined when the account has no such vector store. */
  list(vectorStore: string, signal: AbortSignal): Promise<Set<string> | undefined>
  /** Adds a stored file to a vector store, which then processes it. */
  add(vectorStore: string, file: string, signal: AbortSignal): Promise<void>
  ingestion(vectorStore: string, file: string, signal: AbortSignal): Promise<Ingestion>
}

/** True for the answer that there is no such object. */
export const isMissing = (error: unknown): boolean => (error as { status?: unknown } | undefined)?.status === 404

/** @param headers sent with every call. Default: the client's own alone */
export function openaiFolderStore(
  client: () => Promise<OpenAI>,
  headers: { readonly [name: string]: string } = {},
): FolderStore {
  const call = callerOf(client, headers)
  return {
    ...openaiFileStore(client, headers),
    create: (name, signal) =>
      call(signal, CALL_TIMEOUT_MS, async ({ vectorStores }, options) => {
        const { id } = await vectorStores.create({ name }, options)
        return id
      }),
    drop: (vectorStore, signal) =>
      call(signal, CALL_TIMEOUT_MS, async ({ vectorStores }, options) => {
        await vectorStores.delete(vectorStore, options)
      }),
    list: (vectorStore, signal) =>
      call(signal, CALL_TIMEOUT_MS, async ({ vectorStores }, options) => {
        const ids = new Set<string>()
        try {
          for await (const { id } of vectorStores.files.list(vectorStore, { limit: 100 }, options)) ids.add(id)
        } catch (error) {
          if (isMissing(error)) return undefined
          throw error
        }
        return ids
      }),
    add: (vectorStore, file, signal) =>
      call(signal, CALL_TIMEOUT_MS, async ({ vectorStores }, options) => {
        await vectorStores.files.create(vectorStore, { file_id: file }, options)
      }),
    ingestion: (vectorStore, file, signal) =>
      call(signal, CALL_TIMEOUT_MS, async ({ vectorStores }, options): Promise<Ingestion> => {
        const { status, last_error } = await vectorStores.files.retrieve(
          file,
          { vector_store_id: vectorStore },
          options,
        )
        if (status === 'failed' || status === 'cancelled')
          return { state: 'failed', reason: last_error?.message ?? status }
        return { state: status === 'completed' ? 'ready' : 'pending' }
      }),
  }
}
