export * from '../../src/postgres.ts'
