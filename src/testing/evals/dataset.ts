/** Datasets of evals: conversations, and what is expected of them. */
import { z } from 'zod'
import type { Agency } from '../../agency-swarm.ts'
import { invalidOption } from '../../base/start-errors.ts'
import type { ModelSpec } from '../../models/spec.ts'
import type { StoredMessage, Usage } from '../../wire/message.ts'
import {
  checkAnswer,
  checkCalled,
  checkCost,
  checkDelegated,
  checkEndsWith,
  checkHandedOff,
  type Verdict,
} from '../checks.ts'
import type { RunFacts } from '../facts.ts'

const seconds = 1_000
/** Bounds of one case. */
export const CASE_BOUNDS = { messages: 50, repeat: 100, timeoutMs: 3_600 * seconds, chars: 100_000 }
/** The most cases of one dataset. */
const MAX_CASES = 5_000

const text = z.string().min(1).max(CASE_BOUNDS.chars)
const call = z.strictObject({
  tool: text,
  agent: text.optional().describe('Default: any agent.'),
  arguments: z.record(z.string(), z.unknown()).optional().describe('Fields that the arguments have.'),
  times: z.int().min(0).optional().describe('Default: at least once.'),
})
const expectations = z.strictObject({
  called: z.array(call).optional(),
  notCalled: z.array(text).optional(),
  handedOff: z.array(text).optional(),
  delegated: z.array(z.tuple([text, text])).optional(),
  answer: text.optional(),
  matches: z.union([text, z.instanceof(RegExp)]).optional(),
  endsWith: text.optional(),
  costBelowUsd: z.number().positive().optional(),
})
const mark = z.number().min(0).max(1)
const evalCase = z.strictObject({
  name: text,
  messages: z.union([text, z.array(text).min(1).max(CASE_BOUNDS.messages)]),
  expect: expectations.optional(),
  check: z.custom<EvalCase['check']>((value) => typeof value === 'function', 'must be a function').optional(),
  rubric: text.optional(),
  passMark: mark.optional(),
  repeat: z.int().min(1).max(CASE_BOUNDS.repeat).optional(),
  timeoutMs: z.int().min(1).max(CASE_BOUNDS.timeoutMs).optional(),
})
const dataset = z.strictObject({
  name: text.optional(),
  agency: z.custom<Dataset['agency']>(
    (value) => typeof value === 'function' || (typeof value === 'object' && value !== null),
    'must be an agency, or a function that makes one',
  ),
  judge: z
    .strictObject({ model: z.custom<ModelSpec>((value) => value !== undefined).optional(), passMark: mark.optional() })
    .optional(),
  cases: z.array(evalCase).min(1).max(MAX_CASES),
})

/** What has to be true of a run; every given field is checked. */
export interface EvalExpectations {
  /** Calls that were made, with at least these fields in their arguments. */
  called?: readonly { tool: string; agent?: string; arguments?: { [key: string]: unknown }; times?: number }[]
  /** Tools that were not called. */
  notCalled?: readonly string[]
  /** Agents that the conversation was handed to. */
  handedOff?: readonly string[]
  /** Pairs of agents: the first has asked the second. */
  delegated?: readonly (readonly [from: string, to: string])[]
  /** The final answer has this text. */
  answer?: string
  /** The final answer matches; a text is read as a regular expression. */
  matches?: string | RegExp
  /** The final answer ends with this text. */
  endsWith?: string
  /** All model calls of the case together cost less, in US dollars. */
  costBelowUsd?: number
}

/** What a case came to: the messages of all its runs, and the answer of the last one. */
export interface EvalRun {
  newMessages: StoredMessage[]
  finalOutput: unknown
  usage: Usage | undefined
}

/** One conversation of a dataset. */
export interface EvalCase {
  /** Unique within its dataset. */
  name: string
  /** What the user says: one message, or several in turn, each after the answer to the one before. */
  messages: string | readonly string[]
  expect?: EvalExpectations
  /** Your own assertions, such as `expectRun(run).toHaveCalled('refund')`. The case fails when it throws. Not in JSON. */
  check?: (run: EvalRun) => unknown
  /** What the judge looks for. Without it the judge is not asked. */
  rubric?: string
  /** The lowest score of the judge that passes, from 0 to 1. @default that of the dataset */
  passMark?: number
  /** How often the case is run; it passes when every repetition does. @default 1 */
  repeat?: number
  /** Time for the whole conversation, in milliseconds. @default 120000 */
  timeoutMs?: number
}

/** Conversations with one agency. In a JSON file, `agency` is the path of the module that exports it. */
export interface Dataset {
  /** @default the name of the file */
  name?: string
  /** Each case has a copy of its own, with an empty conversation. */
  // biome-ignore lint/suspicious/noExplicitAny: any agency
  agency: Agency<any, any, any> | (() => Agency<any, any, any> | Promise<Agency<any, any, any>>)
  /** The model that judges cases with a rubric, and its pass mark. @default the agents' default model, and 0.7 */
  judge?: { model?: ModelSpec; passMark?: number }
  cases: readonly EvalCase[]
}

/**
 * Checks a dataset: `export default defineEval({ agency, cases: [...] })`.
 * @throws INVALID_OPTION, which names the place
 */
export function defineEval(given: Dataset): Dataset {
  const parsed = dataset.safeParse(given)
  if (!parsed.success) throw invalidOption(`The dataset of an eval is not valid. ${z.prettifyError(parsed.error)}`)
  const names = parsed.data.cases.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined) throw invalidOption(`Two cases of an eval are called "${twice}". Give each its own name.`)
  return given
}

/** The verdicts on what a case expects; those of `notCalled` pass when there is no such call. */
export function checkExpectations(facts: RunFacts, expected: EvalExpectations): Verdict[] {
  const {
    called = [],
    notCalled = [],
    handedOff = [],
    delegated = [],
    answer,
    matches,
    endsWith,
    costBelowUsd,
  } = expected
  const negate = (verdict: Verdict): Verdict => ({
    ...verdict,
    pass: !verdict.pass,
    expected: `not ${verdict.expected}`,
  })
  return [
    ...called.map(({ tool, ...expectation }) => checkCalled(facts, tool, expectation)),
    ...notCalled.map((tool) => negate(checkCalled(facts, tool))),
    ...handedOff.map((to) => checkHandedOff(facts, to)),
    ...delegated.map(([from, to]) => checkDelegated(facts, from, to)),
    ...(answer === undefined ? [] : [checkAnswer(facts, answer)]),
    ...(matches === undefined ? [] : [checkAnswer(facts, new RegExp(matches))]),
    ...(endsWith === undefined ? [] : [checkEndsWith(facts, endsWith)]),
    ...(costBelowUsd === undefined ? [] : [checkCost(facts, costBelowUsd)]),
  ]
}
