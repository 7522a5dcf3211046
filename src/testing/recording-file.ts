/** Files of recordings: readable JSON, written whole or not at all. */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { errorText, recordingInvalid } from '../base/errors.ts'

/** Larger files are neither written nor read. */
export const MAX_RECORDING_BYTES = 10 * 1024 * 1024
/** The most model calls of one file. */
export const MAX_CALLS = 1_000

/** The path of a file that may be given as a URL. */
export const pathOf = (file: string | URL): string => (file instanceof URL ? fileURLToPath(file) : file)

/** @throws RECORDING_INVALID beyond the largest size, or when the file cannot be written */
export function writeRecording(file: string, value: object): void {
  const text = `${JSON.stringify(value, null, 2)}\n`
  if (Buffer.byteLength(text) > MAX_RECORDING_BYTES)
    throw recordingInvalid(file, `it would have more than ${MAX_RECORDING_BYTES} bytes. Record a shorter conversation.`)
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(`${file}.part`, text)
    renameSync(`${file}.part`, file)
  } catch (error) {
    throw recordingInvalid(file, `it cannot be written (${errorText(error)}).`)
  }
}

/** @throws RECORDING_INVALID for a file that is missing, too large, or not of this schema */
export function readRecording<Schema extends z.ZodType>(file: string, schema: Schema): z.infer<Schema> {
  let value: unknown
  try {
    const { size } = statSync(file)
    if (size > MAX_RECORDING_BYTES) throw new Error(`it has more than ${MAX_RECORDING_BYTES} bytes`)
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw recordingInvalid(file, `${errorText(error)}.`)
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw recordingInvalid(file, `it is not a recording of this kind. ${z.prettifyError(parsed.error)}`)
}
