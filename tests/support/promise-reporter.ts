import { writeFileSync } from 'node:fs'
import type { Reporter, TestCase } from 'vitest/node'

/** Writes the promises claimed by passed tests to the file named by PROMISE_REPORT. */
export class PromiseReporter implements Reporter {
  readonly #claimed = new Set<string>()

  onTestCaseResult(test: TestCase): void {
    if (test.result().state === 'passed') for (const id of test.meta().promises ?? []) this.#claimed.add(id)
  }

  onTestRunEnd(): void {
    if (process.env.PROMISE_REPORT) writeFileSync(process.env.PROMISE_REPORT, JSON.stringify([...this.#claimed].sort()))
  }
}
