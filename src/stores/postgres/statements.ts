/** The statements of the store over one connection to PostgreSQL. */
import type { ClientBase, CustomTypesConfig } from 'pg'
import { storeUnavailable } from '../../base/errors.ts'
import { insertOf, type Row, type Sql, type Value } from '../sql/database.ts'

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

  /** A statement with its own `$1`: the same text again and again, with other values. */
  given(text: string) {
    const known = this.#known.get(text) ?? { text, name: this.#prepare ? `s${this.#known.size}` : undefined }
    this.#known.set(text, known)
    return known
  }
}

/** With the statements of pg-boss that put jobs into the queue: few texts, with `$1` in them. */
export interface PostgresSql extends Sql {
  // biome-ignore lint/suspicious/noExplicitAny: pg-boss knows the columns of its own statements
  executeGiven(text: string, values?: unknown[]): Promise<{ rows: any[] }>
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
      const text = insertOf(table, Object.keys(some[0] as Row), onConflict, some.length)
      const values = some.flatMap((row) => Object.values(row).map(toStorable))
      if (some.length === 1) await all(text, ...values)
      else await execute({ text: toNumbered(text) }, values)
    }
  }
  const insertEach: Sql['insertEach'] = async (rows) => {
    const inserts = rows.map(({ table, row }) => insertOf(table, Object.keys(row), ''))
    const parts = inserts.slice(0, -1).map((text, index) => `i${index} AS (${text})`)
    const text = [parts.length === 0 ? '' : `WITH ${parts.join(', ')}`, inserts.at(-1) ?? ''].join(' ')
    if (rows.length > 0) await all(text, ...rows.flatMap(({ row }) => Object.values(row)))
  }
  const execute = async (query: { text: string; name?: string | undefined }, values: unknown[] = []) => {
    try {
      return await client.query({ ...query, values })
    } catch (error) {
      throw storeUnavailable(error)
    }
  }
  const executeGiven: PostgresSql['executeGiven'] = (text, values) => execute(statements.given(text), values)
  return { all, insert, insertEach, executeGiven, nextOf, lock: lock ? ' FOR UPDATE' : '' }
}

const nextOf: NonNullable<Sql['nextOf']> = (sequence) => `nextval('${sequence}_number'::regclass)`

function toNumbered(text: string): string {
  let n = 0
  return text.replaceAll('?', () => `$${++n}`)
}
