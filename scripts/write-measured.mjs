import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Puts what was measured into a document: behind the mark that names the command, up to the next section or the end.
 * @param document its path below the repository, such as `docs/benchmarks.md`
 * @param command as people type it, such as `npm run bench -- --write`
 */
export function writeMeasured(document, command, text) {
  const file = new URL(`../${document}`, import.meta.url)
  const mark = `<!-- measured: written by ${command} -->`
  const [head, tail] = readFileSync(file, 'utf8').split(mark)
  if (tail === undefined) throw new Error(`${document} has no place for it: the line ${mark} is missing.`)
  const next = tail.indexOf('\n## ')
  writeFileSync(file, `${head}${mark}\n\n${text.trim()}\n${next < 0 ? '' : tail.slice(next)}`)
}
