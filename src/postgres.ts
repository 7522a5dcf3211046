/** The entry `agency-swarm-js/postgres`: runs in PostgreSQL. */
export type { PostgresOptions } from './stores/postgres/options.ts'
export { postgres } from './stores/postgres/postgres.ts'
