// Mutation testing: changes the code in small ways and checks that a test fails. See mutation/README.md.
const config = {
  mutate: ['src/{runs,models,messages,server}/**/*.ts', '!src/**/*.test.ts', '!src/**/*.data.ts'],
  // Tests run without a build. Stryker would rewrite tsconfig.json with a compiler API that TypeScript 7 does not have.
  tsconfigFile: 'mutation/no-tsconfig.json',
  testRunner: 'vitest',
  vitest: { configFile: 'mutation/vitest.config.ts', related: true },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  timeoutMS: 30_000,
  incremental: true,
  incrementalFile: 'mutation/reports/incremental.json',
  reporters: ['clear-text', 'html'],
  clearTextReporter: { allowColor: false, logTests: false },
  htmlReporter: { fileName: 'mutation/reports/index.html' },
  tempDirName: 'mutation/sandbox',
  ignorePatterns: ['/dist', '/bench', '/contract', '/mutation/reports', '/tests/conformance/cases'],
}

// biome-ignore lint/style/noDefaultExport: Stryker reads the default export
export default config
