import { fileUrlFailed } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { shown } from './sources.ts'

/** Bounds of everything that is done for `file_urls` and `file_ids`. */
export type FileLimits = Pick<
  Limits,
  'fileBytes' | 'fileTotalBytes' | 'fileTimeoutMs' | 'fileCount' | 'fileConcurrency'
>

/** Requests with the most that is allowed to one that fit into memory side by side. */
const SHARES = 4

/** What one request's files hold in memory. */
export interface Account {
  /** A counter of one file's bytes. @throws FILE_FAILED when a limit is passed */
  file(key: string): (bytes: number) => void
  /** Refuses a size that a file declares before it is read. @throws FILE_FAILED */
  declare(key: string, bytes: number): void
  close(): void
}

/** Keeps the files that are in memory within the limits, per request and over all. */
export function createLedger({ fileBytes, fileTotalBytes }: FileLimits): { open(): Account } {
  const most = SHARES * fileTotalBytes
  let held = 0
  return {
    open() {
      let own = 0
      const check = (key: string, size: number, more: number) => {
        if (size > fileBytes)
          throw fileUrlFailed(`The file ${shown(key)} is larger than the limit of ${fileBytes} bytes.`)
        if (own + more > fileTotalBytes)
          throw fileUrlFailed(`The files are together larger than the limit of ${fileTotalBytes} bytes.`)
        if (held + more > most) throw fileUrlFailed('The server is busy with other files. Try again in a moment.')
      }
      return {
        file(key) {
          let size = 0
          return (bytes) => {
            size += bytes
            check(key, size, bytes)
            own += bytes
            held += bytes
          }
        },
        declare: (key, bytes) => check(key, bytes, bytes),
        close() {
          held -= own
          own = 0
        },
      }
    },
  }
}
