/** The memory budget of files. */
import type { Budget } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import { fileUrlFailed } from '../base/request-errors.ts'
import { excerpt } from './sources.ts'

/** The limits for `file_urls` and `file_ids`. */
export type FileLimits = Pick<
  Limits,
  'fileBytes' | 'fileTotalBytes' | 'fileTimeoutMs' | 'fileCount' | 'fileConcurrency'
>

/** The memory that the files of one request use. */
export interface Account {
  /** Returns a function that counts the bytes of one file. It throws FILE_FAILED over a limit of files, OVERLOADED over that of the process. */
  file(key: string): (bytes: number) => void
  /** Checks the declared size of a file before it is read. @throws FILE_FAILED */
  declare(key: string, bytes: number): void
  close(): void
}

/** A file is in memory as it arrived, and a second time while it is sent to its store. */
const COPIES = 2

/** Bounds the memory that files use: per file, per request and for the process. */
export function createFileMemory({ fileBytes, fileTotalBytes }: FileLimits, process: Budget): { open(): Account } {
  return {
    open() {
      const budget = process.part()
      let requestBytes = 0
      const check = (key: string, size: number, more: number) => {
        if (size > fileBytes)
          throw fileUrlFailed(`The file ${excerpt(key)} is larger than the limit of ${fileBytes} bytes.`)
        if (requestBytes + more > fileTotalBytes)
          throw fileUrlFailed(`The files are together larger than the limit of ${fileTotalBytes} bytes.`)
      }
      return {
        file(key) {
          let size = 0
          return (bytes) => {
            size += bytes
            check(key, size, bytes)
            budget.charge(COPIES * bytes)
            requestBytes += bytes
          }
        },
        declare: (key, bytes) => check(key, bytes, bytes),
        close: () => budget.close(),
      }
    },
  }
}
