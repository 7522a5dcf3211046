import { resolve } from 'node:path'
import { configDefaults, defineConfig } from 'vitest/config'
import { PromiseReporter } from './tests/support/promise-reporter.ts'

const report = process.env.TEST_REPORT

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  resolve: { alias: { 'agency-swarm-js/client': resolve(import.meta.dirname, 'src/client/index.ts') } },
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts', 'playground/src/**/*.test.{ts,tsx}'],
    exclude: [...configDefaults.exclude, 'tests/browser/**'],
    setupFiles: ['tests/support/contract-setup.ts'],
    // Most tests wait for sockets and timers: one worker a core, where Vitest leaves one core free.
    maxWorkers: '100%',
    testTimeout: 20_000,
    expect: { requireAssertions: true, poll: { timeout: 10_000 } },
    reporters:
      report === undefined ? ['default'] : ['default', ['json', { outputFile: report }], new PromiseReporter()],
  },
})
