/** A PostgreSQL server of the tests' own, or the one of the machine; databases that are made for a test and dropped after it. */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import pg from 'pg'

/** Address of the server, without a database: `POSTGRES_URL`, or where a new server listens. */
const SERVER = process.env.POSTGRES_URL ?? 'postgres://root@127.0.0.1:5432'

/** False where no server answers: the tests are skipped then, and counted as skipped. */
export const hasPostgres = ((): boolean => {
  const { hostname, port } = new URL(SERVER)
  try {
    execFileSync('pg_isready', ['-h', hostname, '-p', port || '5432', '-t', '2'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

/** Makes a database with a name of its own. @returns its address, and what drops it */
export async function createDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `agency_test_${randomUUID().slice(0, 8)}`
  await administer(`CREATE DATABASE ${name}`)
  // What a killed process has committed is kept all the same; only the server itself must not crash.
  await administer(`ALTER DATABASE ${name} SET synchronous_commit = off`)
  return {
    url: addressOf(name),
    drop: async () => void (await administer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  }
}

/** Runs one statement as the owner of the server. */
export async function administer(statement: string, database = 'postgres') {
  const client = new pg.Client({ connectionString: addressOf(database) })
  await client.connect()
  try {
    return await client.query(statement)
  } finally {
    await client.end()
  }
}

function addressOf(database: string): string {
  const url = new URL(SERVER)
  url.pathname = `/${database}`
  return url.href
}
