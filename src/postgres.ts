/** The entry `agency-swarm-js/postgres`: runs in PostgreSQL, with their events over Redis. */
export type { PostgresOptions } from './stores/postgres/options.ts'
export { postgres } from './stores/postgres/postgres.ts'
export { redis } from './stores/redis/redis.ts'
