/** Checks of what happened in a run: what `expectRun` asserts, and evals list. */
import { firstMismatch, show } from './differences.ts'
import type { CallFact, RunFacts } from './facts.ts'

/** What a check found. */
export interface Verdict {
  pass: boolean
  /** What was expected, as the end of "Expected the run ...". */
  expected: string
  /** What happened instead, or, for a check that passed, what happened. */
  found: string
  /** The two values to compare, for the difference that a test runner shows. */
  compared?: { actual: unknown; expected: unknown }
}

/** Which calls of a tool count. */
export interface CallExpectation {
  /** Fields that the arguments have. Regular expressions, functions and matchers of test runners may stand for values. */
  arguments?: object | undefined
  /** The agent that called. @default any agent */
  agent?: string | undefined
  /** How often. @default at least once */
  times?: number | undefined
}

export function checkCalled({ calls }: RunFacts, tool: string, expectation: CallExpectation = {}): Verdict {
  const { arguments: args, agent, times } = expectation
  const named = calls.filter((call) => call.tool === tool)
  const fitting = named.filter(
    (call) => (agent === undefined || call.agent === agent) && firstMismatch(call.arguments, args ?? {}) === undefined,
  )
  const expected = [
    `to have called ${tool}`,
    ...(args === undefined ? [] : [`with ${show(args)}`]),
    ...(agent === undefined ? [] : [`by ${agent}`]),
    ...(times === undefined ? [] : [times === 1 ? 'once' : `${times} times`]),
  ].join(' ')
  const closest = named.find((call) => agent === undefined || call.agent === agent)
  return {
    pass: times === undefined ? fitting.length > 0 : fitting.length === times,
    expected,
    found:
      named.length > 0
        ? `It called ${list(named.map((call) => describeCall(call, args)))}.`
        : `It called ${list(calls.map((call) => describeCall(call, undefined)))}.`,
    ...(args === undefined || closest === undefined ? {} : { compared: { actual: closest.arguments, expected: args } }),
  }
}

export function checkHandedOff({ handoffs }: RunFacts, to: string, from?: string): Verdict {
  return {
    pass: handoffs.some((handoff) => handoff.to === to && (from === undefined || handoff.from === from)),
    expected: `to have been handed off to ${to}${from === undefined ? '' : ` by ${from}`}`,
    found: `Handoffs: ${list(handoffs.map((handoff) => `${handoff.from} to ${handoff.to}`))}.`,
  }
}

export function checkDelegated(
  { delegations }: RunFacts,
  from: string,
  to: string,
  message?: string | RegExp,
): Verdict {
  const says = (text: string) =>
    message === undefined || (typeof message === 'string' ? text.includes(message) : text.search(message) >= 0)
  return {
    pass: delegations.some((sent) => sent.from === from && sent.to === to && says(sent.message)),
    expected: `to have a message from ${from} to ${to}${message === undefined ? '' : ` with ${show(message)}`}`,
    found: `Messages: ${list(delegations.map((sent) => `${sent.from} to ${sent.to} (${show(sent.message)})`))}.`,
  }
}

export function checkAnswer({ answer }: RunFacts, expected: unknown): Verdict {
  const text = typeof answer === 'string' ? answer : show(answer)
  if (typeof expected === 'string')
    return { pass: text.includes(expected), expected: `to answer with ${show(expected)}`, found: said(answer) }
  const mismatch = firstMismatch(expected instanceof RegExp ? text : answer, expected)
  return {
    pass: mismatch === undefined,
    expected: `to answer with ${show(expected)}`,
    found:
      mismatch === undefined || mismatch.path === ''
        ? said(answer)
        : `${said(answer)} ${mismatch.path} is ${show(mismatch.actual)}, expected ${show(mismatch.expected)}.`,
    compared: { actual: answer, expected },
  }
}

export function checkEndsWith({ answer }: RunFacts, text: string): Verdict {
  const pass = typeof answer === 'string' && answer.trimEnd().endsWith(text)
  return { pass, expected: `to end with ${show(text)}`, found: said(answer) }
}

export function checkCost({ costUsd }: RunFacts, belowUsd: number): Verdict {
  return {
    pass: costUsd !== undefined && costUsd < belowUsd,
    expected: `to cost below $${belowUsd}`,
    found: costUsd === undefined ? 'It has no usage.' : `It cost $${Number(costUsd.toPrecision(3))}.`,
  }
}

const said = (answer: unknown) => `It answered ${show(answer)}.`

function describeCall({ tool, agent, arguments: args }: CallFact, expected: object | undefined): string {
  const mismatch = expected === undefined ? undefined : firstMismatch(args, expected)
  const why =
    mismatch === undefined || mismatch.path === ''
      ? ''
      : `, where ${mismatch.path} is ${show(mismatch.actual)}, expected ${show(mismatch.expected)}`
  return `${tool}(${show(args)}) by ${agent}${why}`
}

/** The most entries of a list that a text names. */
const MAX_LISTED = 10
function list(texts: readonly string[]): string {
  if (texts.length === 0) return 'none'
  const more = texts.length > MAX_LISTED ? ` and ${texts.length - MAX_LISTED} more` : ''
  return `${texts.slice(0, MAX_LISTED).join('; ')}${more}`
}
