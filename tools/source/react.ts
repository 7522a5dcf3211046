export * from '../../src/react/index.ts'
