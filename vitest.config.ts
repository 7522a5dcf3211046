import { availableParallelism } from 'node:os'
import { basename, resolve } from 'node:path'
import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { PromiseReporter } from './tests/support/promise-reporter.ts'

const report = process.env.TEST_REPORT

/** Files that take longest; they start first, so that none of them runs alone at the end. */
const LONG = ['budgets', 'runs-kill', 'first-steps', 'cli', 'docs-code', 'flooding', 'runs-store-faults', 'endurance']

/**
 * Files that run alone in a process, because they replace modules or measure memory. All others share processes, which makes them
 * two to four times faster: imports and compiled code stay. tests/support/fresh-environment.ts resets what they may change.
 */
const ALONE = ['src/base/errors.test.ts', 'tests/endurance.test.ts', 'tests/runs-memory.test.ts']

const INCLUDE = ['src/**/*.test.ts', 'tests/**/*.test.ts', 'playground/src/**/*.test.{ts,tsx}']
const EXCLUDE = [...configDefaults.exclude, 'tests/browser/**']

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONG.includes(basename(moduleId, '.test.ts'))
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  resolve: { alias: { 'agency-swarm-js/client': resolve(import.meta.dirname, 'src/client/index.ts') } },
  test: {
    projects: [
      { extends: true, test: { name: 'shared', isolate: false, include: INCLUDE, exclude: [...EXCLUDE, ...ALONE] } },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
    setupFiles: ['tests/support/fresh-environment.ts', 'tests/support/contract-setup.ts'],
    // Most tests wait for sockets, timers and child processes, so there are more workers than cores.
    maxWorkers: availableParallelism() * 2,
    sequence: { sequencer: LongFirst },
    testTimeout: 20_000,
    expect: { requireAssertions: true, poll: { timeout: 10_000 } },
    reporters:
      report === undefined ? ['default'] : ['default', ['json', { outputFile: report }], new PromiseReporter()],
  },
})
