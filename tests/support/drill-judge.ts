/** Judges one run of a drill: what its readers saw, and what its tools did. */
import { readFileSync } from 'node:fs'
import { CALLS } from './crash-model.ts'
import { followRun, RunFold } from './run-reader.ts'

export interface RunAnswer {
  status: string
  attempt: number
  response: string
  new_messages?: { call_id?: string; output?: unknown }[]
}

export interface Verdict {
  record: RunAnswer
  /** What readers saw that is wrong. */
  wrong: string[]
  /** Calls whose model was told that they may have taken effect. */
  told: number
  lost: string[]
  /** Calls without `safeToRetry` that took effect twice. */
  doubled: string[]
  /** Calls with `safeToRetry` that took effect twice. */
  repeated: number
}

/** @param folds what the readers of a completed run hold, by name */
export async function judgeRun(
  job: string,
  url: string,
  folds: { [reader: string]: RunFold },
  effects: ReadonlyMap<string, number>,
): Promise<Verdict> {
  const late = await followRun({ url: () => url, fold: new RunFold() })
  const record = (await (await fetch(url)).json()) as RunAnswer
  const wrong: string[] = []
  for (const [name, fold] of Object.entries(folds))
    if (JSON.stringify(fold.frames) !== JSON.stringify(late.frames)) wrong.push(`${job}: ${name} differs from late`)
  const texts = late.texts()
  for (const { text, whole, agent } of texts)
    if (text !== whole) wrong.push(`${job}: ${agent} has half a text: ${text}`)
  const final = texts.findLast(({ agent }) => agent === 'CEO')?.text
  if (record.status !== 'completed' || final !== record.response)
    wrong.push(`${job}: ${record.status}, the frames say "${final}" and the run "${record.response}"`)
  const told = JSON.stringify(record).match(/was interrupted by a restart/g)?.length ?? 0
  return { record, wrong, told, ...judgeCalls(job, record, effects) }
}

/** Each call took effect once, or its model was told that nobody knows. */
function judgeCalls(job: string, { new_messages = [] }: RunAnswer, effects: ReadonlyMap<string, number>) {
  const found = { lost: [] as string[], doubled: [] as string[], repeated: 0 }
  for (const { id, safe } of CALLS) {
    const callId = `${job}:${id}`
    const times = effects.get(callId) ?? 0
    const output = new_messages.find((one) => one.call_id === callId && one.output !== undefined)?.output
    const told = String(output).includes('was interrupted by a restart')
    if (output === undefined || (times === 0 && !told)) found.lost.push(callId)
    if (times > 1 && !safe) found.doubled.push(callId)
    if (times > 1 && safe) found.repeated++
  }
  return found
}

/** How often each call took effect: one line of the file for each time. */
export function readEffects(file: string): Map<string, number> {
  const effects = new Map<string, number>()
  for (const line of readFileSync(file, 'utf8').split('\n')) effects.set(line, (effects.get(line) ?? 0) + 1)
  return effects
}

/** A share of sorted values, such as 0.95; 0 without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
}
