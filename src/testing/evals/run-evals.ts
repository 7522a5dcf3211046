/** Runs datasets: conversations side by side, within bounds of time and cost. */
import type { Agency } from '../../agency-swarm.ts'
import { AgencyError, errorText } from '../../base/errors.ts'
import { optionNames, refuseUnknown } from '../../base/options.ts'
import { invalidOption } from '../../base/start-errors.ts'
import { inParallel } from '../../files/parallel.ts'
import type { ModelSpec } from '../../models/spec.ts'
import type { StoredMessage, Usage } from '../../wire/message.ts'
import { readFacts } from '../facts.ts'
import { override } from '../override.ts'
import { checkExpectations, type Dataset, defineEval, type EvalCase, type EvalRun } from './dataset.ts'
import { judge } from './judge.ts'

/** Options of `runEvals`. */
export interface EvalOptions {
  /** Cases that run at the same time. @default 4 */
  concurrency?: number | undefined
  /** How often each case is run. @default that of the case */
  repeat?: number | undefined
  /** Time for a case that sets none, in milliseconds. @default 120000 */
  timeoutMs?: number | undefined
  /**
   * US dollars for everything together. At the bound a run ends, and cases that have not begun are
   * skipped; each run under way may still spend what was left when it began. Needs models with a price.
   * @default no bound
   */
  maxCostUsd?: number | undefined
  /** Only cases whose dataset and name contain this text. @default all */
  filter?: string | undefined
  /** The judge's model. @default that of the dataset */
  judgeModel?: ModelSpec | undefined
  /** Ends the eval: `runEvals` then rejects with its reason. */
  signal?: AbortSignal | undefined
  /** Called when a case has run. */
  onResult?: ((result: EvalResult) => void) | undefined
}

const OPTIONS = optionNames<EvalOptions>({
  concurrency: true,
  repeat: true,
  timeoutMs: true,
  maxCostUsd: true,
  filter: true,
  judgeModel: true,
  signal: true,
  onResult: true,
})

/** One repetition of one case. */
export interface EvalResult {
  dataset: string
  case: string
  /** From 1. */
  repetition: number
  status: 'passed' | 'failed' | 'skipped'
  /** Why it did not pass, one sentence each. */
  failures: string[]
  /** The judge's score from 0 to 1, and its reason. */
  score?: number
  reason?: string
  /** The last answer, at most 2,000 characters. */
  answer: string
  costUsd: number
  ms: number
}

/** What an eval came to. */
export interface EvalReport {
  /** ISO 8601. */
  startedAt: string
  ms: number
  costUsd: number
  /** True when every case passed. */
  passed: boolean
  results: EvalResult[]
}

const DEFAULTS = { concurrency: 4, timeoutMs: 120_000, passMark: 0.7 }
const MAX_CONCURRENCY = 100
const MAX_ANSWER_CHARS = 2_000

interface Job {
  dataset: Dataset
  name: string
  each: EvalCase
  repetition: number
}

/**
 * Runs every case of these datasets, each with a copy of its agency and an empty conversation. A case that fails ends no other.
 * @param datasets name -> dataset
 * @throws INVALID_OPTION for wrong options or datasets, and when no case is left to run
 */
export async function runEvals(
  datasets: { readonly [name: string]: Dataset },
  options: EvalOptions = {},
): Promise<EvalReport> {
  checkOptions(options)
  const jobs = listJobs(datasets, options)
  if (jobs.length === 0) throw invalidOption('No case of the evals is left to run. Check the filter.')
  const began = performance.now()
  const startedAt = new Date().toISOString()
  const purse = { spent: 0, limit: options.maxCostUsd ?? null }
  const { concurrency = DEFAULTS.concurrency, signal = new AbortController().signal } = options
  const results = await inParallel(jobs, concurrency, signal, async (job, stop) => {
    const result = await runJob(job, options, purse, stop)
    options.onResult?.(result)
    return result
  })
  return {
    startedAt,
    ms: Math.round(performance.now() - began),
    costUsd: purse.spent,
    passed: results.every(({ status }) => status === 'passed'),
    results,
  }
}

function checkOptions(options: EvalOptions): void {
  refuseUnknown('runEvals()', options, OPTIONS)
  const { concurrency = 1, maxCostUsd } = options
  if (!(Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= MAX_CONCURRENCY))
    throw invalidOption(`concurrency of evals is a whole number from 1 to ${MAX_CONCURRENCY}, not ${concurrency}.`)
  for (const name of ['repeat', 'timeoutMs'] as const)
    if (options[name] !== undefined && !(Number.isInteger(options[name]) && options[name] >= 1))
      throw invalidOption(`${name} of evals is a whole number of 1 or more, not ${options[name]}.`)
  if (maxCostUsd !== undefined && !(maxCostUsd > 0 && maxCostUsd < Number.POSITIVE_INFINITY))
    throw invalidOption(`maxCostUsd of evals is a number of US dollars above 0, not ${maxCostUsd}.`)
}

function listJobs(datasets: { readonly [name: string]: Dataset }, { filter = '', repeat }: EvalOptions): Job[] {
  return Object.entries(datasets).flatMap(([key, given]) => {
    const dataset = defineEval(given)
    const name = dataset.name ?? key
    const cases = dataset.cases.filter((each) => `${name} ${each.name}`.toLowerCase().includes(filter.toLowerCase()))
    return cases.flatMap((each) =>
      Array.from({ length: repeat ?? each.repeat ?? 1 }, (_, index) => ({
        dataset,
        name,
        each,
        repetition: index + 1,
      })),
    )
  })
}

/** What all cases have spent, and may spend. */
interface Purse {
  spent: number
  limit: number | null
}
const leftIn = ({ spent, limit }: Purse): number | null => (limit === null ? null : limit - spent)

async function runJob(job: Job, options: EvalOptions, purse: Purse, stop: AbortSignal): Promise<EvalResult> {
  const { dataset, name, each, repetition } = job
  const began = performance.now()
  const failures: string[] = []
  const result: EvalResult = {
    dataset: name,
    case: each.name,
    repetition,
    status: 'failed',
    failures,
    answer: '',
    costUsd: 0,
    ms: 0,
  }
  if (purse.limit !== null && purse.spent >= purse.limit)
    return { ...result, status: 'skipped', failures: [`It was not run: the bound of $${purse.limit} is reached.`] }
  const timeoutMs = each.timeoutMs ?? options.timeoutMs ?? DEFAULTS.timeoutMs
  const late = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([late, stop])
  const pay = (usd: number) => {
    purse.spent += usd
    result.costUsd += usd
  }
  try {
    const run = await converse(job, { signal, purse, pay })
    result.answer = toText(run.finalOutput).slice(0, MAX_ANSWER_CHARS)
    for (const { pass, expected, found } of checkExpectations(readFacts(run), each.expect ?? {}))
      if (!pass) failures.push(`Expected the run ${expected}. ${found}`)
    await check(each, run, failures)
    if (each.rubric !== undefined) {
      const model = options.judgeModel ?? dataset.judge?.model
      const question = { rubric: each.rubric, messages: run.newMessages, model, signal, maxCost: leftOf(purse) }
      const { score, reason, costUsd } = await judge(question)
      pay(costUsd)
      Object.assign(result, { score, reason })
      const passMark = each.passMark ?? dataset.judge?.passMark ?? DEFAULTS.passMark
      if (score < passMark) failures.push(`The judge gave ${score}, and ${passMark} is the pass mark: ${reason}`)
    }
  } catch (error) {
    stop.throwIfAborted()
    if (AgencyError.isInstance(error) && error.code === 'COST_LIMIT') pay(leftIn(purse) ?? 0) // a run that failed does not say what it cost
    failures.push(late.aborted ? `It took longer than ${timeoutMs} ms.` : errorText(error))
  }
  return { ...result, status: failures.length === 0 ? 'passed' : 'failed', ms: Math.round(performance.now() - began) }
}

/** What a run may still cost. @throws when nothing is left */
function leftOf(purse: Purse): number | null {
  const left = leftIn(purse)
  if (left !== null && left <= 0) throw new Error(`The bound of $${purse.limit} is reached.`)
  return left
}

/** Says the messages of a case, one after the other. */
async function converse(
  { dataset, each }: Job,
  { signal, purse, pay }: { signal: AbortSignal; purse: Purse; pay: (usd: number) => void },
): Promise<EvalRun> {
  const { agency: given } = dataset
  const agency: Agency = override(typeof given === 'function' ? await given() : given)
  const run: EvalRun = { newMessages: [], finalOutput: undefined, usage: undefined }
  for (const message of [each.messages].flat()) {
    const { newMessages, finalOutput, usage } = await agency.getResponse(message, { signal, maxCost: leftOf(purse) })
    signal.throwIfAborted()
    pay(usage?.total_cost ?? 0)
    run.newMessages.push(...(newMessages as StoredMessage[]))
    run.finalOutput = finalOutput
    run.usage = addUsage(run.usage, usage)
  }
  return run
}

function addUsage(sum: Usage | undefined, more: Usage | undefined): Usage | undefined {
  if (sum === undefined || more === undefined) return sum ?? more
  const total: Usage = { ...sum }
  for (const [name, value] of Object.entries(more) as [keyof Omit<Usage, 'estimated'>, number | true][])
    if (typeof value === 'number') total[name] = (sum[name] ?? 0) + value
  return more.estimated === true ? { ...total, estimated: true } : total
}

/** Runs the assertions of the case itself. */
async function check({ check: assert }: EvalCase, run: EvalRun, failures: string[]): Promise<void> {
  try {
    await assert?.(run)
  } catch (error) {
    failures.push(errorText(error))
  }
}

const toText = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
