import { defineConfig } from 'vitest/config'
import { PromiseReporter } from './tests/support/promise-reporter.ts'

const report = process.env.TEST_REPORT

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    setupFiles: ['tests/support/contract-setup.ts'],
    testTimeout: 20_000,
    expect: { requireAssertions: true },
    reporters:
      report === undefined ? ['default'] : ['default', ['json', { outputFile: report }], new PromiseReporter()],
  },
})
