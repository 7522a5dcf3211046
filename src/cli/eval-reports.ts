/** What an eval came to, as a table, as JUnit XML and as JSON. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EvalReport, EvalResult } from '../testing/evals/run-evals.ts'
import { cannotWrite } from './errors.ts'
import { oneLine, toJson } from './terminal.ts'

/** The newest reports that are kept. */
const KEPT_REPORTS = 50
const MAX_NAME_COLUMNS = 60

/** One line for each result, the reasons of those that did not pass, and the sums. */
export function toTable({ results, costUsd, ms }: EvalReport): string {
  const names = results.map(nameOf)
  const width = Math.min(MAX_NAME_COLUMNS, Math.max(...names.map((name) => name.length)))
  const lines = results.flatMap((result, index) => {
    const score = result.score === undefined ? '    ' : result.score.toFixed(2)
    const name = oneLine(names[index] as string, MAX_NAME_COLUMNS).padEnd(width)
    const row = `${MARKS[result.status]}  ${name}  ${score}  ${toUsd(result.costUsd)}  ${toSeconds(result.ms)}`
    return [row, ...result.failures.map((failure) => `      ${oneLine(failure, 400)}`)]
  })
  const count = (status: EvalResult['status']) => results.filter((result) => result.status === status).length
  const sums = [`${count('passed')} passed`, `${count('failed')} failed`, `${count('skipped')} skipped`]
  return `${lines.join('\n')}\n\n${sums.join(', ')}; ${toUsd(costUsd).trim()}, ${toSeconds(ms).trim()}\n`
}

const nameOf = ({ dataset, case: name, repetition }: EvalResult) =>
  `${dataset} > ${name}${repetition > 1 ? ` (${repetition})` : ''}`
const MARKS = { passed: 'pass', failed: 'FAIL', skipped: 'skip' }
const toUsd = (usd: number) => `$${usd.toFixed(4)}`.padStart(8)
const toSeconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`.padStart(7)

/** The report in the format that CI servers read: a suite for each dataset. */
export function toJUnit({ results, ms }: EvalReport): string {
  const suites = Map.groupBy(results, ({ dataset }) => dataset)
  const body = [...suites].map(([name, cases]) => {
    const counts = `tests="${cases.length}" failures="${countOf(cases, 'failed')}" skipped="${countOf(cases, 'skipped')}"`
    return `  <testsuite name="${toXml(name)}" ${counts}>\n${cases.map(toTestCase).join('')}  </testsuite>\n`
  })
  const all = `tests="${results.length}" failures="${countOf(results, 'failed')}" time="${ms / 1000}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${all}>\n${body.join('')}</testsuites>\n`
}

const countOf = (results: readonly EvalResult[], status: EvalResult['status']) =>
  results.filter((result) => result.status === status).length

function toTestCase({ dataset, case: name, repetition, status, failures, ms }: EvalResult): string {
  const title = repetition > 1 ? `${name} (${repetition})` : name
  const open = `    <testcase classname="${toXml(dataset)}" name="${toXml(title)}" time="${ms / 1000}"`
  const text = toXml(failures.join('\n'))
  if (status === 'passed') return `${open}/>\n`
  const inner =
    status === 'failed'
      ? `<failure message="${toXml(failures[0] ?? '')}">${text}</failure>`
      : `<skipped message="${text}"/>`
  return `${open}>${inner}</testcase>\n`
}

/** XML 1.0 has no control characters but tab and line ends (section 2.2). */
const toXml = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

/** Keeps a report in the folder, and removes all but the newest 50. @returns the file. @throws CommandError */
export function keepReport(folder: string, report: EvalReport): string {
  const file = join(folder, `${report.startedAt.replaceAll(':', '-')}.json`)
  try {
    mkdirSync(folder, { recursive: true })
    writeFileSync(file, `${toJson(report, 2)}\n`)
    const old = readdirSync(folder)
      .filter((name) => /^\d{4}-[\d-]+T.*\.json$/.test(name))
      .sort()
      .slice(0, -KEPT_REPORTS)
    for (const name of old) rmSync(join(folder, name))
  } catch (error) {
    throw cannotWrite(file, error)
  }
  return file
}
