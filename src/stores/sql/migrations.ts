/** The tables, as numbered steps that run once, in order, at the opening of a store. */
import { type Database, first, type Sql } from './database.ts'

/**
 * Steps are only added. `runs.number` is the key of a run's other rows: short, and in the order of admission. A run is live
 * while `ended_at` is null; `place` is its place behind the first live run of its thread, null for that one, so a run is
 * claimable only where `place` is null. A run is `scheduled` until its `start_at` has come: it has no place yet, and is not
 * claimable. A thread's `idle_since` is null while a run of it is live. A row of `events` holds those that were written
 * together, and has the number of the last. `schedules.done_until` is the newest due time that has had its run. A long
 * text of any column is kept in the pieces of `texts`.
 */
const STEPS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)`,
    `INSERT INTO counters VALUES ('runs', 0), ('threads', 0), ('approvals', 0)`,
    `CREATE TABLE threads (
      number BIGINT PRIMARY KEY, agency TEXT NOT NULL, owner TEXT NOT NULL, thread_id TEXT NOT NULL,
      next_message BIGINT NOT NULL, message_count BIGINT NOT NULL, metadata TEXT NOT NULL,
      created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, idle_since BIGINT, UNIQUE (agency, owner, thread_id))`,
    `CREATE INDEX threads_idle ON threads (idle_since) WHERE idle_since IS NOT NULL`,
    `CREATE TABLE messages (
      thread BIGINT NOT NULL, number BIGINT NOT NULL, run_id TEXT, message TEXT NOT NULL, PRIMARY KEY (thread, number))`,
    `CREATE TABLE runs (
      number BIGINT PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, agency TEXT NOT NULL, owner TEXT NOT NULL,
      thread BIGINT, thread_id TEXT, alias TEXT, place BIGINT,
      status TEXT NOT NULL, attempt BIGINT NOT NULL, fence BIGINT NOT NULL, wish TEXT, rollback BIGINT NOT NULL,
      resumes BIGINT NOT NULL, last_event BIGINT NOT NULL, version BIGINT NOT NULL,
      recipient TEXT NOT NULL, metadata TEXT NOT NULL, worker TEXT, recoverable BIGINT NOT NULL, pin TEXT,
      crashes BIGINT NOT NULL, first_message BIGINT, created_at BIGINT NOT NULL, started_at BIGINT, ended_at BIGINT,
      outcome TEXT, error TEXT, incomplete_reason TEXT, receipt TEXT, rolled_back BIGINT NOT NULL, trimmed BIGINT NOT NULL)`,
    `CREATE INDEX runs_owner ON runs (agency, owner, number)`,
    `CREATE INDEX runs_alias ON runs (agency, owner, alias, number) WHERE alias IS NOT NULL`,
    `CREATE INDEX runs_thread ON runs (thread, number) WHERE thread IS NOT NULL`,
    `CREATE INDEX runs_live ON runs (thread, number) WHERE ended_at IS NULL`,
    `CREATE INDEX runs_queued ON runs (number) WHERE status = 'queued'`,
    `CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL`,
    `CREATE INDEX runs_untrimmed ON runs (ended_at) WHERE ended_at IS NOT NULL AND trimmed = 0`,
    `CREATE TABLE plans (run BIGINT PRIMARY KEY, plan TEXT NOT NULL, sealed TEXT)`,
    `CREATE TABLE conversations (
      run BIGINT NOT NULL, conversation TEXT NOT NULL, opened BIGINT NOT NULL, parent TEXT, agent TEXT NOT NULL,
      caller TEXT, state TEXT NOT NULL, PRIMARY KEY (run, conversation))`,
    `CREATE TABLE items (
      run BIGINT NOT NULL, conversation TEXT NOT NULL, n BIGINT NOT NULL, item TEXT NOT NULL,
      PRIMARY KEY (run, conversation, n))`,
    `CREATE TABLE calls (
      run BIGINT NOT NULL, conversation TEXT NOT NULL, call_id TEXT NOT NULL, state TEXT NOT NULL, output TEXT,
      PRIMARY KEY (run, conversation, call_id))`,
    `CREATE TABLE events (
      run BIGINT NOT NULL, last BIGINT NOT NULL, attempt BIGINT NOT NULL, events TEXT NOT NULL, PRIMARY KEY (run, last))`,
    `CREATE TABLE approvals (
      number BIGINT PRIMARY KEY, run BIGINT NOT NULL, approval_id TEXT NOT NULL, run_id TEXT NOT NULL,
      agency TEXT NOT NULL, owner TEXT NOT NULL, thread_id TEXT, conversation TEXT NOT NULL, call_id TEXT NOT NULL,
      agent TEXT NOT NULL, tool TEXT NOT NULL, arguments TEXT, parent_run_id TEXT, status TEXT NOT NULL, reason TEXT,
      created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, decided_at BIGINT, UNIQUE (run, approval_id))`,
    `CREATE INDEX approvals_owner ON approvals (agency, owner, number)`,
    `CREATE INDEX approvals_pending ON approvals (expires_at) WHERE status = 'pending'`,
    `CREATE TABLE idempotency (
      agency TEXT NOT NULL, owner TEXT NOT NULL, idempotency_key TEXT NOT NULL, hash TEXT NOT NULL, subject TEXT NOT NULL,
      expires_at BIGINT NOT NULL, PRIMARY KEY (agency, owner, idempotency_key))`,
    `CREATE INDEX idempotency_expiry ON idempotency (expires_at)`,
    `CREATE TABLE costs (scope TEXT PRIMARY KEY, spent DOUBLE PRECISION NOT NULL)`,
    `CREATE TABLE reservations (
      reservation TEXT NOT NULL, scope TEXT NOT NULL, run BIGINT NOT NULL, usd DOUBLE PRECISION NOT NULL,
      PRIMARY KEY (reservation, scope))`,
    `CREATE INDEX reservations_scope ON reservations (scope)`,
    `CREATE INDEX reservations_run ON reservations (run)`,
  ],
  [
    `CREATE TABLE texts (
      owner TEXT NOT NULL, name TEXT NOT NULL, n BIGINT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (owner, name, n))`,
  ],
  [
    // 1 once an event has reported the decision
    `ALTER TABLE approvals ADD COLUMN told BIGINT NOT NULL DEFAULT 0`,
    `UPDATE approvals SET told = 1 WHERE status <> 'pending'`,
  ],
  [
    `ALTER TABLE runs ADD COLUMN start_at BIGINT`,
    `ALTER TABLE runs ADD COLUMN scheduled BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE runs ADD COLUMN webhooks TEXT`,
    `ALTER TABLE runs ADD COLUMN worked_at BIGINT`,
    `CREATE INDEX runs_scheduled ON runs (start_at) WHERE scheduled = 1`,
    `CREATE TABLE schedules (
      agency TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, done_until BIGINT NOT NULL,
      PRIMARY KEY (agency, owner, name))`,
    `INSERT INTO counters VALUES ('webhooks', 0)`,
    `CREATE TABLE webhooks (
      number BIGINT PRIMARY KEY, webhook_id TEXT NOT NULL UNIQUE, run BIGINT NOT NULL, run_id TEXT NOT NULL,
      agency TEXT NOT NULL, owner TEXT NOT NULL, event TEXT NOT NULL, target TEXT NOT NULL, payload TEXT NOT NULL,
      status TEXT NOT NULL, attempts BIGINT NOT NULL, next_at BIGINT NOT NULL, error TEXT,
      created_at BIGINT NOT NULL, ended_at BIGINT)`,
    `CREATE INDEX webhooks_owner ON webhooks (agency, owner, number)`,
    `CREATE INDEX webhooks_waiting ON webhooks (next_at) WHERE status = 'waiting'`,
    `CREATE INDEX webhooks_dead ON webhooks (number) WHERE status = 'dead'`,
    `CREATE INDEX webhooks_run ON webhooks (run)`,
  ],
  [
    // The job in the queue of processes that entitles to the run; null where no queue is.
    `ALTER TABLE runs ADD COLUMN job TEXT`,
    `CREATE INDEX runs_pinned ON runs (pin) WHERE ended_at IS NULL AND pin IS NOT NULL`,
    `CREATE TABLE workers (name TEXT PRIMARY KEY, seen_at BIGINT NOT NULL, locks BIGINT NOT NULL)`,
    `CREATE INDEX runs_worked ON runs (worker) WHERE worker IS NOT NULL`,
  ],
  [
    // Answers of processes to each other, about runs that are not stored.
    `CREATE TABLE answers (id TEXT PRIMARY KEY, answer TEXT, expires_at BIGINT NOT NULL)`,
  ],
  [
    `CREATE TABLE secrets (name TEXT PRIMARY KEY, sealed TEXT NOT NULL, expires_at BIGINT)`,
    `CREATE INDEX secrets_expiry ON secrets (expires_at) WHERE expires_at IS NOT NULL`,
    `ALTER TABLE approvals ADD COLUMN consent TEXT`,
  ],
  [
    // Texts that are stored ahead of the transaction that will use them.
    `CREATE TABLE texts_ahead (name TEXT PRIMARY KEY, owner TEXT NOT NULL, stored_at BIGINT NOT NULL)`,
    `CREATE INDEX texts_ahead_age ON texts_ahead (stored_at)`,
    // How long a run goes on without a reader; null for one that does to its end.
    `ALTER TABLE runs ADD COLUMN unread_ms BIGINT`,
    `CREATE INDEX runs_unread ON runs (number) WHERE ended_at IS NULL AND unread_ms IS NOT NULL`,
  ],
  [`CREATE TABLE traces (run BIGINT NOT NULL, n BIGINT NOT NULL, records TEXT NOT NULL, PRIMARY KEY (run, n))`],
  [
    // How many messages to its agents were accepted; a list of BranchPause, or null.
    `ALTER TABLE runs ADD COLUMN steers BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE runs ADD COLUMN pauses TEXT`,
    `CREATE TABLE steers (
      run BIGINT NOT NULL, n BIGINT NOT NULL, steer_id TEXT NOT NULL, conversation TEXT NOT NULL, call_id TEXT,
      agent TEXT NOT NULL, text TEXT NOT NULL, bytes BIGINT NOT NULL, status TEXT NOT NULL, reason TEXT, announced BIGINT NOT NULL,
      created_at BIGINT NOT NULL, settled_at BIGINT, PRIMARY KEY (run, n), UNIQUE (run, steer_id))`,
  ],
]

/**
 * Brings the tables up to date in one transaction, which a driver begins under a lock.
 * @throws an Error when a newer version of the package has written the store
 */
export async function migrate(database: Pick<Database, 'write'>, steps = STEPS): Promise<void> {
  await database.write(async (sql) => {
    await sql.all('CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)')
    const version = await versionOf(sql)
    if (version > steps.length)
      throw new Error(
        `The store has tables of version ${version}; this package knows ${steps.length}. Update the package.`,
      )
    for (const step of steps.slice(version)) for (const statement of step) await sql.all(statement)
    await sql.all('DELETE FROM schema_version')
    await sql.insert('schema_version', [{ version: steps.length }])
  })
}

const versionOf = async (sql: Sql) =>
  (await first<{ version: number }>(sql, 'SELECT version FROM schema_version'))?.version ?? 0
