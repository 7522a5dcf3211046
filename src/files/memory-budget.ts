import type { Budget } from '../base/budget.ts'
import { fileUrlFailed } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { shown } from './sources.ts'

/** Bounds of everything that is done for `file_urls` and `file_ids`. */
export type FileLimits = Pick<
  Limits,
  'fileBytes' | 'fileTotalBytes' | 'fileTimeoutMs' | 'fileCount' | 'fileConcurrency'
>

/** What one request's files hold in memory. */
export interface Account {
  /** A counter of one file's bytes. @throws FILE_FAILED when a limit is passed, OVERLOADED when the process is full */
  file(key: string): (bytes: number) => void
  /** Refuses a size that a file declares before it is read. @throws FILE_FAILED */
  declare(key: string, bytes: number): void
  close(): void
}

/** A file is held as it came, and once more while it is sent to its store. */
const COPIES = 2

/** Keeps the files that are in memory within the limits, per file, per request and for the process. */
export function createLedger({ fileBytes, fileTotalBytes }: FileLimits, process: Budget): { open(): Account } {
  return {
    open() {
      const budget = process.part()
      let own = 0
      const check = (key: string, size: number, more: number) => {
        if (size > fileBytes)
          throw fileUrlFailed(`The file ${shown(key)} is larger than the limit of ${fileBytes} bytes.`)
        if (own + more > fileTotalBytes)
          throw fileUrlFailed(`The files are together larger than the limit of ${fileTotalBytes} bytes.`)
      }
      return {
        file(key) {
          let size = 0
          return (bytes) => {
            size += bytes
            check(key, size, bytes)
            budget.charge(COPIES * bytes)
            own += bytes
          }
        },
        declare: (key, bytes) => check(key, bytes, bytes),
        close: () => budget.close(),
      }
    },
  }
}
