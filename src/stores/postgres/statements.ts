/** The statements of the store over one connection to PostgreSQL. */
import type { ClientBase, CustomTypesConfig } from 'pg'
import { storeUnavailable } from '../../base/errors.ts'
import type { Row, Sql, Value } from '../sql/database.ts'

/** Rows of one INSERT at most: PostgreSQL takes 65,535 values. */
const ROWS_PER_INSERT = 500
const INT8 = 20
const FLOAT8 = 701

/** Numbers of the store are safe integers, so BIGINT is read as a number; all else is text. */
const types = {
  getTypeParser: (oid: number) => (text: string) => (oid === INT8 || oid === FLOAT8 ? Number(text) : text),
} as unknown as CustomTypesConfig

/**
 * PostgreSQL has no texts with the character NUL: U+FFFD replaces it, in what is written and in what is looked for. JSON has none,
 * since it writes the character as an escape; ids that callers choose may.
 */
const toStorable = (value: Value): Value => (typeof value === 'string' ? value.replaceAll('\0', '\ufffd') : value)

/** Texts with `$1` in place of `?`, and the names under which the server keeps them prepared. */
export class Statements {
  readonly #prepare: boolean
  readonly #known = new Map<string, { text: string; name: string | undefined }>()

  constructor(prepare: boolean) {
    this.#prepare = prepare
  }

  of(statement: string) {
    const known = this.#known.get(statement)
    if (known !== undefined) return known
    let n = 0
    const text = statement.replaceAll('?', () => `$${++n}`)
    // Statements without values are those of migrations, which run once.
    const name = this.#prepare && n > 0 ? `s${this.#known.size}` : undefined
    const created = { text, name }
    this.#known.set(statement, created)
    return created
  }
}

/** With a statement of pg-boss, which has its own `$1`. */
export interface PostgresSql extends Sql {
  // biome-ignore lint/suspicious/noExplicitAny: pg-boss knows the columns of its own statements
  execute(text: string, values?: unknown[]): Promise<{ rows: any[] }>
}

/** @param lock whether rows that are selected to be changed are locked */
export function statementsOf(client: ClientBase, statements: Statements, lock: boolean): PostgresSql {
  const all = async (statement: string, ...values: Value[]): Promise<Row[]> => {
    const { text, name } = statements.of(statement)
    try {
      return (
        await client.query({ text, values: values.map(toStorable), types, ...(name === undefined ? {} : { name }) })
      ).rows
    } catch (error) {
      throw storeUnavailable(error)
    }
  }
  const insert = async (table: string, rows: readonly Row[], onConflict = ''): Promise<void> => {
    for (let start = 0; start < rows.length; start += ROWS_PER_INSERT) {
      const some = rows.slice(start, start + ROWS_PER_INSERT)
      const columns = Object.keys(some[0] as Row)
      const holes = `(${columns.map(() => '?').join(', ')})`
      const list = some.map(() => holes).join(', ')
      const text = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${list} ${onConflict}`
      const values = some.flatMap((row) => Object.values(row).map(toStorable))
      if (some.length === 1) await all(text, ...values)
      else await execute(toNumbered(text), values)
    }
  }
  const execute: PostgresSql['execute'] = async (text, values) => {
    try {
      return await client.query(text, values)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }
  const next: PostgresSql['next'] = async (sequence) => {
    const [row] = await all('SELECT nextval(?::regclass) AS value', `${sequence}_number`)
    return row?.value as number
  }
  return { all, insert, execute, next, lock: lock ? ' FOR UPDATE' : '' }
}

function toNumbered(text: string): string {
  let n = 0
  return text.replaceAll('?', () => `$${++n}`)
}
