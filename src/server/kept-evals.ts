/** The reports that `agency-swarm-js eval` has kept, for the playground. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EVALS_FOLDER } from '../base/folders.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { EvalsAnswer } from '../wire/playground.ts'

/** The newest reports that are read. */
const MAX_REPORTS = 20
const MAX_REPORT_BYTES = 2 * 1024 * 1024

/** Reads the newest reports below the working folder; none when there is no such folder. */
export async function readKeptEvals(root = process.cwd()): Promise<EvalsAnswer> {
  const folder = join(root, EVALS_FOLDER)
  const names = await readdir(folder).catch((): string[] => []) // nothing was kept here
  const newest = names
    .filter((name) => /^\d{4}-[\d-]+T.*\.json$/.test(name))
    .sort()
    .reverse()
    .slice(0, MAX_REPORTS)
  const read = await Promise.all(newest.map(async (name) => ({ name, report: await readReport(join(folder, name)) })))
  return {
    folder: EVALS_FOLDER,
    reports: read.map(({ report }) => report).filter((report) => report !== undefined),
    skipped: read.flatMap(({ name, report }) => (report === undefined ? [name] : [])),
  }
}

/** Undefined for a file that is too large or no report. */
async function readReport(file: string): Promise<JsonObject | undefined> {
  try {
    if ((await stat(file)).size > MAX_REPORT_BYTES) return undefined
    const report: unknown = JSON.parse(await readFile(file, 'utf8'))
    return isObject(report) && Array.isArray(report.results) ? report : undefined
  } catch {
    return undefined // the file is named as skipped
  }
}
