import { writeFile } from 'node:fs/promises'
import { cannotWrite } from './errors.ts'
import { harmless, type Terminal } from './terminal.ts'

/** To the file that was named, or to stdout. @throws CommandError */
export async function writeResult(text: string, file: string | undefined, terminal: Terminal): Promise<void> {
  if (file === undefined) return terminal.out(text)
  await writeFile(file, harmless(text)).catch((cause: unknown) => {
    throw cannotWrite(file, cause)
  })
  terminal.note(`Wrote ${file}.`)
}
