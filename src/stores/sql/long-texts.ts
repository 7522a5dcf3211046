/** Long texts of rows, which are kept in pieces, so that no statement and no row is long. */
import { Pace } from '../../base/async.ts'
import { parseInTurns } from '../../wire/json-pieces.ts'
import { isShortJson, LONG_CHARS, PIECE_CHARS, slices, writePieces } from '../../wire/json-write.ts'
import { type Sql, select, type Transaction } from './database.ts'

/** Stands in a column for a text that is kept in pieces; no JSON begins with it. */
const ELSEWHERE = '\u001f'
/** Pieces of one read. */
const PIECES_PER_READ = 16

/** Where the pieces of a text are kept. */
export interface Place {
  /** What they are removed with. */
  owner: string
  /** Unique among the texts of the owner. */
  name: string
}

/** The owner of what a run stores of its work. */
export const workOf = (run: number): string => `work:${run}`
/** The owner of what a run leaves behind at its end. */
export const endOf = (run: number): string => `end:${run}`
/** The owner of the messages of a thread. */
export const messagesOf = (thread: number): string => `messages:${thread}`

/** The value as JSON for a column; its pieces are stored when it is long. */
export const putJson = (tx: Transaction, place: Place, value: unknown): string | Promise<string> =>
  isShortJson(value) ? (JSON.stringify(value) ?? 'null') : putPieces(tx, place, gather(writePieces(value)))

/** As `putJson`, for a text that is JSON already. */
export const putText = (tx: Transaction, place: Place, text: string): string | Promise<string> =>
  text.length < LONG_CHARS ? text : putPieces(tx, place, slices(text))

async function putPieces(tx: Transaction, { owner, name }: Place, pieces: Iterable<string>): Promise<string> {
  await tx.all('DELETE FROM texts WHERE owner = ? AND name = ?', owner, name) // of an earlier value
  let n = 0
  for (const text of pieces) await tx.insert('texts', [{ owner, name, n: n++, text }])
  return [ELSEWHERE, owner, ELSEWHERE, name].join('')
}

/** Joins short pieces. */
function* gather(pieces: Iterable<string>): Generator<string> {
  let gathered = ''
  for (const piece of pieces) {
    gathered += piece
    if (gathered.length < PIECE_CHARS) continue
    yield gathered
    gathered = ''
  }
  if (gathered !== '') yield gathered
}

/** The text of a column. */
export async function getText(sql: Sql, column: string): Promise<string> {
  return column.startsWith(ELSEWHERE) ? (await readPieces(sql, column)).join('') : column
}

/** The value of a column with JSON. */
export async function getJson<Value>(sql: Sql, column: string): Promise<Value> {
  if (!column.startsWith(ELSEWHERE)) return JSON.parse(column) as Value
  return (await parseInTurns(await readPieces(sql, column))) as Value
}

/** As `getJson`, for a value that may be missing. */
export const getOptionalJson = async <Value>(sql: Sql, column: string | null): Promise<Value | null> =>
  column === null ? null : getJson<Value>(sql, column)

async function readPieces(sql: Sql, column: string): Promise<string[]> {
  const [, owner = '', name = ''] = column.split(ELSEWHERE)
  const pieces: string[] = []
  for (let more = true; more; ) {
    const statement = 'SELECT text FROM texts WHERE owner = ? AND name = ? AND n >= ? ORDER BY n LIMIT ?'
    const rows = await select<{ text: string }>(sql, statement, owner, name, pieces.length, PIECES_PER_READ)
    for (const { text } of rows) pieces.push(text)
    more = rows.length === PIECES_PER_READ
  }
  return pieces
}

/** Removes the pieces of all texts of an owner. */
export const removeTexts = (tx: Transaction, owner: string) => tx.all('DELETE FROM texts WHERE owner = ?', owner)

/** Removes the pieces of a column, if it has any. */
export async function removeText(tx: Transaction, column: string): Promise<void> {
  if (!column.startsWith(ELSEWHERE)) return
  const [, owner = '', name = ''] = column.split(ELSEWHERE)
  await tx.all('DELETE FROM texts WHERE owner = ? AND name = ?', owner, name)
}

/** Reads the values of rows, and gives way to other work between them. */
export async function mapInTurns<Row, Result>(
  rows: readonly Row[],
  read: (row: Row) => Result | Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const pace = new Pace()
  for (const row of rows) {
    results.push(await read(row))
    const next = pace.step()
    if (next !== undefined) await next
  }
  return results
}
