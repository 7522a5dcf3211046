/** Datasets with their last results, from the reports of evals. */

/** The answer of the server. Reports are files that people may have changed. */
export interface KeptEvals {
  folder: string
  /** Newest first. */
  reports: readonly { [name: string]: unknown }[]
  skipped: readonly string[]
}

export interface Case {
  case: string
  /** From 1. */
  repetition: number
  status: 'passed' | 'failed' | 'skipped'
  failures: readonly string[]
  /** The judge's score from 0 to 1, and its reason. */
  score: number | undefined
  reason: string | undefined
  answer: string
  costUsd: number
  ms: number
  /** `newly passed` or `newly failed`, compared with the report before. */
  changed: string | undefined
}

export interface Dataset {
  name: string
  /** When its last report began: ISO 8601. */
  at: string
  cases: readonly Case[]
  /** The share of passed cases in its last reports, oldest first. */
  history: readonly number[]
}

type Json = { readonly [name: string]: unknown }

/** Each dataset with the results of its last report. Entries that are not results are left out. */
export function readDatasets(reports: KeptEvals['reports']): Dataset[] {
  const found = new Map<string, { at: string; cases: Case[] }[]>()
  for (const { startedAt, results } of reports) {
    const rows = Array.isArray(results) ? results.filter(isResult) : []
    for (const [name, own] of Map.groupBy(rows, ({ dataset }) => String(dataset)))
      found.set(name, [...(found.get(name) ?? []), { at: String(startedAt), cases: own.map(toCase) }])
  }
  return [...found]
    .map(([name, [last, before, ...older]]) => ({
      name,
      at: last?.at ?? '',
      cases: (last?.cases ?? []).map((one) => ({ ...one, changed: changeOf(one, before?.cases) })),
      history: [last, before, ...older]
        .flatMap((report) => (report === undefined ? [] : shareOf(report.cases)))
        .reverse(),
    }))
    .sort((a, b) => a.name.localeCompare(b.name))
}

const STATUSES: readonly unknown[] = ['passed', 'failed', 'skipped']
const isResult = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && 'case' in value && 'status' in value && STATUSES.includes(value.status)

const toCase = (result: Json): Case => ({
  case: String(result.case),
  repetition: Number(result.repetition ?? 1),
  status: result.status as Case['status'],
  failures: Array.isArray(result.failures) ? result.failures.map(String) : [],
  score: typeof result.score === 'number' ? result.score : undefined,
  reason: typeof result.reason === 'string' ? result.reason : undefined,
  answer: String(result.answer ?? ''),
  costUsd: Number(result.costUsd) || 0,
  ms: Number(result.ms) || 0,
  changed: undefined,
})

function changeOf(now: Case, before: readonly Case[] | undefined): string | undefined {
  const earlier = before?.find((one) => one.case === now.case && one.repetition === now.repetition)
  if (earlier === undefined || earlier.status === now.status || now.status === 'skipped') return undefined
  return `newly ${now.status}`
}

const shareOf = (cases: readonly Case[]) => cases.filter(({ status }) => status === 'passed').length / cases.length
