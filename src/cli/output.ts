import { writeFile } from 'node:fs/promises'
import type { Terminal } from './terminal.ts'

/** To the file that was named, or to stdout. */
export async function writeResult(text: string, file: string | undefined, terminal: Terminal): Promise<void> {
  if (file === undefined) return terminal.out(text)
  await writeFile(file, text)
  terminal.note(`Wrote ${file}.`)
}
