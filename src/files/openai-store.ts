import { randomUUID } from 'node:crypto'
import type OpenAI from 'openai'
import type { FileStore, LoadedFile } from './store.ts'

/** How long one call may take; each is tried again at most twice. */
const UPLOAD_TIMEOUT_MS = 120_000
const CALL_TIMEOUT_MS = 30_000
/** The purpose the original stores with; files of this purpose serve every route to the model. */
const PURPOSE = 'assistants'

/**
 * Files of one account: the Files API of whatever the `openai` client reaches, with its key.
 * @param headers sent with every call. Default: the client's own alone
 */
export function openaiFileStore(
  client: () => Promise<OpenAI>,
  headers: { readonly [name: string]: string } = {},
): FileStore {
  const call = async <T>(
    signal: AbortSignal,
    timeout: number,
    send: (client: OpenAI, options: object) => Promise<T>,
  ) => {
    try {
      return await send(await client(), { signal, timeout, headers })
    } catch (error) {
      signal.throwIfAborted()
      throw error
    }
  }
  return {
    put: (file, signal) =>
      call(signal, UPLOAD_TIMEOUT_MS, async (client, options) => {
        const { id } = await client.post<OpenAI.FileObject>('/files', { ...options, ...multipart(file, headers) })
        if (typeof id !== 'string' || id === '') throw new Error('The Files API gave no id.')
        return id
      }),
    get: (id, signal) =>
      call(signal, CALL_TIMEOUT_MS, async (client, options) => {
        const { filename, status } = await client.files.retrieve(id, options)
        if (typeof filename !== 'string') throw new Error('The Files API gave no file name.')
        // Some gateways tell no status: what they give an id for is ready.
        const state = status === 'error' ? 'failed' : status === 'processed' || status == null ? 'ready' : 'pending'
        return { id, name: filename, state }
      }),
    delete: (id, signal) =>
      call(signal, CALL_TIMEOUT_MS, async (client, options) => {
        await client.files.delete(id, options)
      }),
  }
}

/** One buffer: it declares its length, which some gateways ask for, and can be sent again. */
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

/** As browsers write names (HTML standard, "multipart/form-data encoding algorithm"). */
const escapeName = (name: string) =>
  name
    .toWellFormed()
    .replace(/[\r\n"]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
