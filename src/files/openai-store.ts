/** The file store over the Files API of OpenAI and compatible gateways. */
import { randomUUID } from 'node:crypto'
import type OpenAI from 'openai'
import type { FileStore, LoadedFile } from './store.ts'

/** The time limit of one attempt; the client tries a call up to three times. */
const UPLOAD_TIMEOUT_MS = 120_000
export const CALL_TIMEOUT_MS = 30_000
/** The purpose that the original uses. Files with this purpose work as input files, images and in the code interpreter. */
const PURPOSE = 'assistants'

/**
 * A store over the Files API at the address of the `openai` client, with its key.
 * @param headers sent with every call, in addition to those of the client
 */
export function openaiFileStore(
  client: () => Promise<OpenAI>,
  headers: { readonly [name: string]: string } = {},
): FileStore {
  const call = callerOf(client, headers)
  return {
    put: (file, signal) =>
      call(signal, UPLOAD_TIMEOUT_MS, async (client, options) => {
        const { id } = await client.post<OpenAI.FileObject>('/files', { ...options, ...multipart(file, headers) })
        if (typeof id !== 'string' || id === '') throw new Error('The Files API returned no id.')
        return id
      }),
    get: (id, signal) =>
      call(signal, CALL_TIMEOUT_MS, async (client, options) => {
        const { filename, status, created_at: createdAt } = await client.files.retrieve(id, options)
        if (typeof filename !== 'string') throw new Error('The Files API returned no file name.')
        // Some gateways return no status; a file with an id is then ready.
        const state = status === 'error' ? 'failed' : status === 'processed' || status == null ? 'ready' : 'pending'
        return { id, name: filename, state, ...(typeof createdAt === 'number' ? { createdAt } : {}) }
      }),
    delete: (id, signal) =>
      call(signal, CALL_TIMEOUT_MS, async (client, options) => {
        await client.files.delete(id, options)
      }),
  }
}

/** Makes one call of the `openai` client; rejects with the signal's reason after an abort. */
export const callerOf =
  (client: () => Promise<OpenAI>, headers: { readonly [name: string]: string }) =>
  async <T>(
    signal: AbortSignal,
    timeout: number,
    send: (client: OpenAI, options: object) => Promise<T>,
  ): Promise<T> => {
    try {
      return await send(await client(), { signal, timeout, headers })
    } catch (error) {
      signal.throwIfAborted()
      throw error
    }
  }

/** The body in one buffer: its length is known, which some gateways require, and it can be sent again. */
function multipart({ name, pieces }: LoadedFile, headers: { readonly [name: string]: string }) {
  const boundary = `form-${randomUUID()}`
  const field = (disposition: string) => `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n`
  const head = [
    `${field('name="purpose"')}\r\n${PURPOSE}\r\n`,
    `${field(`name="file"; filename="${escapeName(name)}"`)}Content-Type: application/octet-stream\r\n\r\n`,
  ]
  return {
    body: Buffer.concat([Buffer.from(head.join('')), ...pieces, Buffer.from(`\r\n--${boundary}--\r\n`)]),
    headers: { ...headers, 'content-type': `multipart/form-data; boundary=${boundary}` },
  }
}

/** Escapes a file name as browsers do (HTML standard, "multipart/form-data encoding algorithm"). */
const escapeName = (name: string) =>
  name
    .toWellFormed()
    .replace(/[\r\n"]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
