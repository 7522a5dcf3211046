/** Long texts of rows, which are kept in pieces, so that no statement, row or transaction is long. */
import { randomUUID } from 'node:crypto'
import { Pace } from '../../base/async.ts'
import { storeUnavailable } from '../../base/errors.ts'
import { isObject } from '../../wire/json.ts'
import { parseInTurns } from '../../wire/json-pieces.ts'
import { isShortJson, LONG_CHARS, slices, writePieces } from '../../wire/json-write.ts'
import { type Database, type Sql, type StoredTexts, select, type Transaction } from './database.ts'

/** The beginning of a column whose text is kept in pieces; JSON never begins with it. */
const ELSEWHERE = '\u001f'
/** Characters that are written with one statement or transaction. */
const CHARS_PER_WRITE = 524_288
/** Pieces of one read. */
const PIECES_PER_READ = 16

/** How long a text may wait for its transaction before the sweep removes it; a transaction that comes later fails. */
const AHEAD_MS = 600_000

/** The owner of what a run stores of its work: its pieces are removed together. */
export const workOf = (runId: string): string => `work:${runId}`
/** The owner of what a run leaves behind at its end. */
export const endOf = (runId: string): string => `end:${runId}`
/** The owner of the messages of threads: each is removed with its message. */
export const MESSAGES = 'messages'

/**
 * Stores the long ones of these values ahead of the transaction that is about them, in transactions of their own. They are
 * marked as such until `settleTexts`.
 * @param values a string among them is JSON already
 */
export async function storeAhead(
  database: Database,
  values: { readonly [owner: string]: readonly unknown[] },
  now: number,
): Promise<StoredTexts | undefined> {
  const stored = new Map<string, Map<unknown, string>>()
  const write = (rows: readonly PieceRow[]) => database.write((sql) => insertAhead(sql, rows, now))
  for (const [owner, list] of Object.entries(values))
    for (const value of list) {
      if (isShort(value)) continue
      const known = stored.get(owner) ?? new Map<unknown, string>()
      stored.set(owner, known.set(value, await writeLong(owner, value, write)))
    }
  return stored.size === 0 ? undefined : stored
}

/** Inserts pieces of one text, and marks it with its first. @throws STORE_UNAVAILABLE when the sweep has removed those before */
async function insertAhead(sql: Sql, rows: readonly PieceRow[], now: number): Promise<void> {
  const { owner, name, n } = rows[0] as PieceRow
  if (n === 0) await sql.insert('texts_ahead', [{ name, owner, stored_at: now }])
  else if ((await sql.all(`SELECT name FROM texts_ahead WHERE name = ?${sql.lock}`, name)).length === 0) throw tooLate()
  await insert(sql, rows)
}

/**
 * Decides on texts that were stored ahead: those that a transaction has used stay, the others are removed. Without a
 * transaction it decides on those alone that none has used.
 * @throws STORE_UNAVAILABLE when the sweep has removed one that is used
 */
export async function settleTexts(sql: Sql, texts: StoredTexts | undefined, used?: ReadonlySet<string>): Promise<void> {
  for (const columns of texts?.values() ?? [])
    for (const column of columns.values())
      if (used?.has(column) !== true) await removeAhead(sql, ...placeOf(column))
      else if (!(await isAhead(sql, placeOf(column)[1]))) throw tooLate()
}

const tooLate = () => storeUnavailable(new Error('The write took too long: the sweep has removed its texts.'))

/** Removes a text that no transaction has used. @returns the number of pieces */
async function removeAhead(sql: Sql, owner: string, name: string): Promise<number> {
  if (!(await isAhead(sql, name))) return 0
  return (await sql.all('DELETE FROM texts WHERE owner = ? AND name = ? RETURNING n', owner, name)).length
}

/** True for a text that no transaction has used; it is no longer marked then. */
const isAhead = async (sql: Sql, name: string) =>
  (await sql.all('DELETE FROM texts_ahead WHERE name = ? RETURNING name', name)).length > 0

/** Removes texts whose transaction never came, until about `limit` pieces are gone; true when some are left. */
export async function removeForgotten(sql: Sql, now: number, limit: number): Promise<boolean> {
  const statement = 'SELECT owner, name FROM texts_ahead WHERE stored_at <= ? ORDER BY stored_at LIMIT ?'
  const forgotten = await select<{ owner: string; name: string }>(sql, statement, now - AHEAD_MS, limit)
  let pieces = 0
  for (const { owner, name } of forgotten) {
    if (pieces >= limit) return true
    pieces += await removeAhead(sql, owner, name)
  }
  return forgotten.length === limit
}

const insert = (sql: Sql, rows: readonly PieceRow[]) =>
  sql.insert(
    'texts',
    rows.map((row) => ({ ...row })),
  )

const isShort = (value: unknown) => (typeof value === 'string' ? value.length < LONG_CHARS : isShortJson(value))

/** What stands for a value in a column: its JSON, or the place of its pieces. */
export const toColumn = (tx: Transaction, owner: string, value: unknown): string | Promise<string> =>
  textToColumn(tx, owner, isObject(value) && !isShortJson(value) ? value : (JSON.stringify(value) ?? 'null'))

/** As `toColumn`, for a text that is JSON already. */
export function textToColumn(tx: Transaction, owner: string, value: string | object): string | Promise<string> {
  if (typeof value === 'string' && isShort(value)) return value
  const stored = tx.texts?.get(owner)?.get(value)
  if (stored === undefined) return writeLong(owner, value, async (rows) => insert(tx, rows))
  tx.used.add(stored)
  return stored
}

interface PieceRow {
  owner: string
  name: string
  n: number
  text: string
}

async function writeLong(
  owner: string,
  value: unknown,
  write: (rows: readonly PieceRow[]) => Promise<void>,
): Promise<string> {
  const name = randomUUID()
  let rows: PieceRow[] = []
  let n = 0
  let chars = 0
  for (const text of typeof value === 'string' ? slices(value) : writePieces(value)) {
    rows.push({ owner, name, n: n++, text })
    chars += text.length
    if (chars < CHARS_PER_WRITE) continue
    await write(rows)
    rows = []
    chars = 0
  }
  if (rows.length > 0) await write(rows)
  return [ELSEWHERE, owner, ELSEWHERE, name].join('')
}

/** The text of a column. */
export const getText = async (sql: Sql, column: string): Promise<string> =>
  isElsewhere(column) ? (await readPieces(sql, column)).join('') : column

/** The value of a column with JSON. */
export const getJson = async <Value>(sql: Sql, column: string): Promise<Value> =>
  (isElsewhere(column) ? await parseInTurns(await readPieces(sql, column)) : JSON.parse(column)) as Value

/** True for a column whose text is kept in pieces. */
export const isElsewhere = (column: string): boolean => column.startsWith(ELSEWHERE)
const placeOf = (column: string) => column.split(ELSEWHERE).slice(1) as [owner: string, name: string]

async function readPieces(sql: Sql, column: string): Promise<string[]> {
  const statement = 'SELECT text FROM texts WHERE owner = ? AND name = ? AND n >= ? ORDER BY n LIMIT ?'
  const pieces: string[] = []
  for (let more = true; more; ) {
    const rows = await select<{ text: string }>(sql, statement, ...placeOf(column), pieces.length, PIECES_PER_READ)
    for (const { text } of rows) pieces.push(text)
    more = rows.length === PIECES_PER_READ
  }
  return pieces
}

/** Removes the pieces of all texts of an owner. */
export const removeTexts = (sql: Sql, owner: string) => sql.all('DELETE FROM texts WHERE owner = ?', owner)

/** The columns of the long messages of a thread. */
export async function longMessages(sql: Sql, thread: number): Promise<string[]> {
  const statement = 'SELECT message FROM messages WHERE thread = ? AND substr(message, 1, 1) = ?'
  return (await select<{ message: string }>(sql, statement, thread, ELSEWHERE)).map(({ message }) => message)
}

/** Removes the pieces of these columns, where they have any. */
export async function removeColumns(sql: Sql, columns: readonly string[]): Promise<void> {
  for (const column of columns)
    if (isElsewhere(column)) await sql.all('DELETE FROM texts WHERE owner = ? AND name = ?', ...placeOf(column))
}

/** Reads or writes the values of rows, and gives way to other work between them. */
export async function mapInTurns<Row, Result>(
  rows: readonly Row[],
  map: (row: Row, index: number) => Result | Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const pace = new Pace()
  for (const [index, row] of rows.entries()) {
    results.push(await map(row, index))
    const next = pace.step()
    if (next !== undefined) await next
  }
  return results
}
