/** The traces of runs in the database: a row holds the records that were written together. */
import { eventsExpired } from '../../base/errors.ts'
import type { RunChange } from '../../runs/run-store.ts'
import type { JsonObject } from '../../wire/json.ts'
import { type Sql, select, type Transaction } from './database.ts'
import { getJson, textToColumn, workOf } from './long-texts.ts'
import type { RunRow } from './rows.ts'

/** Adds records; those that are there already are left out, so a write may be repeated. */
export async function addTrace(tx: Transaction, run: RunRow, { first, records }: NonNullable<RunChange['trace']>) {
  const row = { run: run.number, n: first, records: await textToColumn(tx, workOf(run.run_id), records) }
  await tx.insert('traces', [row], 'ON CONFLICT DO NOTHING')
}

/** All records of a run. @throws EVENTS_EXPIRED */
export async function readTrace(sql: Sql, run: RunRow): Promise<JsonObject[]> {
  if (run.trimmed === 1) throw eventsExpired()
  const statement = 'SELECT records FROM traces WHERE run = ? ORDER BY n'
  const lists: JsonObject[][] = []
  for (const { records } of await select<{ records: string }>(sql, statement, run.number))
    lists.push(await getJson(sql, records))
  return lists.flat()
}
