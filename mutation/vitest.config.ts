/** The tests that mutants are run against: unit tests beside the sources, and tests through the public API. */
import { resolve } from 'node:path'
import { configDefaults, defineConfig } from 'vitest/config'

/** Globs of the tests to run, separated by commas; all when it is not set. */
const { MUTATION_TESTS } = process.env

// biome-ignore lint/style/noDefaultExport: Vitest reads the default export
export default defineConfig({
  root: resolve(import.meta.dirname, '..'),
  resolve: { alias: { 'agency-swarm-js/client': resolve(import.meta.dirname, '../src/client/index.ts') } },
  test: {
    include: MUTATION_TESTS?.split(',') ?? ['src/**/*.test.ts', 'tests/*.test.ts'],
    // They start processes with the sources as they are on disk, or read the repository, so they see no mutant.
    exclude: [
      ...configDefaults.exclude,
      'tests/{api-reference,cli,cli-chat,docs-code,docs-client,examples,first-steps,pack,process,starter}.test.ts',
    ],
    setupFiles: ['tests/support/contract-setup.ts'],
    testTimeout: 60_000,
    expect: { requireAssertions: true, poll: { timeout: 30_000 } },
  },
})
