import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'

const report = process.env.TEST_REPORT

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  test: {
    include: ['tests/browser/*.test.ts'],
    setupFiles: ['tests/support/fresh-environment.ts', 'tests/support/contract-setup.ts'],
    isolate: false,
    testTimeout: 40_000,
    hookTimeout: 20_000,
    maxWorkers: 2,
    expect: { requireAssertions: true },
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
})
