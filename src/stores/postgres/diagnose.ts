/** How the connections of a store can be used, found out by trying. */
import type { Client } from 'pg'
import { storeUnavailable } from '../../base/errors.ts'
import type { StoreDiagnosis } from '../../runs/run-store.ts'
import type { PostgresSettings } from './options.ts'
import { loadPg } from './packages.ts'
import { connectionOptions } from './pool.ts'

/** How long one statement may take, in milliseconds. */
const STATEMENT_MS = 3_000
/** Transactions beside the connection that is tried: a pooler gives one of them its place. */
const OTHERS = 3

/** @throws STORE_UNAVAILABLE, PACKAGE_MISSING */
export async function diagnose(settings: PostgresSettings): Promise<StoreDiagnosis> {
  const { url, sessionUrl, sessionLock, pooling } = settings
  const { Client: PgClient } = await loadPg()
  const clients: Client[] = []
  const connect = async (address: string): Promise<Client> => {
    const client = new PgClient({ ...connectionOptions(settings, address), query_timeout: STATEMENT_MS })
    client.on('error', () => {}) // its statement fails, too
    clients.push(client)
    await client.connect()
    return client
  }
  try {
    const { rows } = await (await connect(url)).query('SHOW server_version')
    const keeps = sessionUrl !== undefined && (await keepsSession(() => connect(sessionUrl)))
    const session = sessionUrl === undefined ? 'none' : keeps ? 'kept' : 'changes'
    return { server: `PostgreSQL ${rows[0].server_version}`, session, sessionLock, pooling }
  } catch (error) {
    throw storeUnavailable(error)
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => {})))
  }
}

/** True when a connection has the same session in each of its transactions, while others use the server, too. */
async function keepsSession(connect: () => Promise<Client>): Promise<boolean> {
  const one = await connect()
  const sessionOf = async () => (await one.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
  const before = await sessionOf()
  for (let count = 0; count < OTHERS; count++) {
    const begun = connect().then((other) => other.query('BEGIN'))
    await begun.catch(() => {}) // a small pool of sessions has no room for it
  }
  // Where the others have taken the only places, it waits until it is given up.
  return (await sessionOf().catch(() => undefined)) === before
}
