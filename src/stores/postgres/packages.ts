/** Loads the packages of PostgreSQL, with the first store that is opened. */
import { packageMissing } from '../../base/start-errors.ts'

/** @throws PACKAGE_MISSING */
export const loadPg = async () => {
  const { default: pg } = await import('pg').catch((error) => {
    throw packageMissing('postgres()', 'pg', error)
  })
  return pg
}

/** @throws PACKAGE_MISSING */
export const loadBoss = async () => {
  const { PgBoss } = await import('pg-boss').catch((error) => {
    throw packageMissing('postgres()', 'pg-boss', error)
  })
  return PgBoss
}
