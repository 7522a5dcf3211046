/** Assertions on what happened in a run, for any test runner. */
import { AssertionError } from 'node:assert'
import {
  type CallExpectation,
  checkAnswer,
  checkCalled,
  checkCost,
  checkDelegated,
  checkEndsWith,
  checkHandedOff,
  type Verdict,
} from './checks.ts'
import { type RunResult, readFacts } from './facts.ts'

/** An answer that has some of these fields; regular expressions, functions and matchers may stand for values. */
export type AnswerPattern<Output> = Output extends object
  ? { [Key in keyof Output]?: Output[Key] | RegExp | ((value: Output[Key]) => boolean) | object }
  : Output

/** What can be asserted about a run. Each method returns the same object, and throws an AssertionError when it does not hold. */
export interface RunExpectation<Output = unknown> {
  /** The opposite of the next assertion. */
  readonly not: RunExpectation<Output>
  /** A tool was called. `expectRun(run).toHaveCalled('refund', { arguments: { amount: 17 }, agent: 'Billing', times: 1 })` */
  toHaveCalled(tool: string, expectation?: CallExpectation): RunExpectation<Output>
  /** The conversation was handed to an agent. */
  toHaveHandedOff(to: string, by?: { from?: string }): RunExpectation<Output>
  /** One agent asked another with `send_message`; the message has this text, or matches. */
  toHaveDelegated(from: string, to: string, message?: string | RegExp): RunExpectation<Output>
  /** The final answer has this text, matches, has these fields, or satisfies a function. */
  toAnswer(expected: string | RegExp | ((answer: Output) => boolean) | AnswerPattern<Output>): RunExpectation<Output>
  /** The final answer ends with this text, white space aside. */
  toEndWith(text: string): RunExpectation<Output>
  /** The model calls cost less than this many US dollars. Fails for a run without usage. */
  toCost(bound: { below: number }): RunExpectation<Output>
}

/**
 * Starts assertions on a run: on the result of `getResponse()`, the `finalResult` of a stream, an answer or stored run of the
 * client, or a list of stored messages.
 * @throws INVALID_OPTION for anything else; each assertion throws an AssertionError of `node:assert`
 */
export function expectRun<Output>(result: RunResult<Output>): RunExpectation<Output> {
  const facts = readFacts(result)
  const create = (negated: boolean): RunExpectation<Output> => {
    const judge = (verdict: Verdict): RunExpectation<Output> => {
      if (verdict.pass === negated) throw toError(verdict, negated)
      return positive
    }
    return {
      get not() {
        return create(!negated)
      },
      toHaveCalled: (tool, expectation) => judge(checkCalled(facts, tool, expectation)),
      toHaveHandedOff: (to, { from } = {}) => judge(checkHandedOff(facts, to, from)),
      toHaveDelegated: (from, to, message) => judge(checkDelegated(facts, from, to, message)),
      toAnswer: (expected) => judge(checkAnswer(facts, expected)),
      toEndWith: (text) => judge(checkEndsWith(facts, text)),
      toCost: ({ below }) => judge(checkCost(facts, below)),
    }
  }
  const positive = create(false)
  return positive
}

function toError({ expected, found, compared }: Verdict, negated: boolean): AssertionError {
  const message = `Expected the run ${negated ? 'not ' : ''}${expected}. ${found}`
  return new AssertionError({ message, operator: 'expectRun', ...(negated ? {} : compared) })
}
