/** Writes the result of a command. */
import { writeFile } from 'node:fs/promises'
import { cannotWrite } from './errors.ts'
import { stripControls, type Terminal } from './terminal.ts'

/** Writes to the file, or to stdout without one. @throws CommandError */
export async function writeResult(text: string, file: string | undefined, terminal: Terminal): Promise<void> {
  if (file === undefined) return terminal.out(text)
  await writeFile(file, stripControls(text)).catch((cause: unknown) => {
    throw cannotWrite(file, cause)
  })
  terminal.note(`Wrote ${file}.`)
}
