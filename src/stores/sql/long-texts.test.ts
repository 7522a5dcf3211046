import { expect, test } from 'vitest'
import { storeUnavailable } from '../../base/errors.ts'
import type { RunChange } from '../../runs/run-store.ts'
import { codeOf, createScene, message, NOW } from '../contract/scene.ts'
import { IN_MEMORY, SqliteDatabase } from '../sqlite/database.ts'
import type { Database } from './database.ts'
import { removeForgotten, storeAhead } from './long-texts.ts'
import { createRunStore } from './store.ts'

const LONG = 'long '.repeat(60_000)
const MINUTES_10 = 600_000

/** A scene over a database whose commits can fail, with the number of its stored texts. */
function openScene() {
  const database = new SqliteDatabase(IN_MEMORY, { fsync: false })
  let failing: { isNext: (changes: string) => boolean; fault: 'lost' | 'swept' } | undefined
  const faulty: Database = {
    ...{ read: (work) => database.read(work), announce: (changed) => database.announce(changed) },
    ...{ listen: (...args) => database.listen(...args), close: () => database.close() },
    async write(work) {
      const statements: string[] = []
      const fault = () => (failing?.isNext(statements.join(';')) === true ? failing.fault : undefined)
      const result = await database.write(async (sql) => {
        const all: typeof sql.all = (statement, ...values) => {
          statements.push(statement)
          return sql.all(statement, ...values)
        }
        if (failing?.fault === 'swept') await removeForgotten(sql, NOW + MINUTES_10, 100)
        return work({ ...sql, all })
      })
      if (fault() !== 'lost') return result
      failing = undefined
      throw storeUnavailable(new Error('The answer is lost on purpose.'))
    },
  }
  const scene = createScene(createRunStore(faulty))
  return {
    ...scene,
    database,
    /** The next commit that this is true for takes effect, and fails all the same. */
    loseCommit(part: string) {
      failing = { isNext: (changes) => changes.includes(part), fault: 'lost' }
    },
    sweepBeforeEachWrite() {
      failing = { isNext: () => false, fault: 'swept' }
    },
    async countTexts() {
      const count = (table: string) =>
        database.read(async (sql) => (await sql.all(`SELECT count(DISTINCT name) AS count FROM ${table}`))[0]?.count)
      return { stored: await count('texts'), ahead: await count('texts_ahead') }
    },
    sweep: (now: number, limit?: number) =>
      scene.store.write({ kind: 'sweep', now, eventsMs: 1e9, runsMs: 1e9, ...(limit === undefined ? {} : { limit }) }),
  }
}

const turn: Omit<RunChange, 'claim' | 'now'> = {
  messages: { from: 0, list: [message(LONG)] },
  items: [{ conversation: 'c0', n: 0, item: { text: LONG } }],
}

test('the plan of a run stays when the answer to its admission is lost', async () => {
  const { admit, claim, countTexts, loseCommit } = openScene()
  loseCommit('runs WHERE status')
  expect(await codeOf(admit('r', { plan: { text: LONG } }))).toBe('STORE_UNAVAILABLE')
  expect(await countTexts()).toEqual({ stored: 1, ahead: 0 })
  expect((await admit('r', { plan: { text: LONG } })).replayed).toBe(true)
  expect(await countTexts()).toEqual({ stored: 1, ahead: 0 })
  expect((await claim('r')).work.plan).toEqual({ text: LONG })
})

test('a refused admission, a fenced write and a repeated end leave no texts', async () => {
  const { admit, start, claim, write, messages, countTexts, loseCommit } = openScene()
  const dead = await start('r', { on: 't' })
  expect(await codeOf(admit('s', { on: 't', strategy: 'reject', plan: { text: LONG } }))).toBe('THREAD_BUSY')
  const taken = await claim('r', { deadFence: dead.claim.fence })
  expect(await codeOf(write(dead, turn))).toBe('FENCED')
  expect(await countTexts()).toEqual({ stored: 0, ahead: 0 })
  const end = () => write(taken, { ...turn, leave: { kind: 'end', status: 'completed', outcome: { response: LONG } } })
  loseCommit('UPDATE runs SET')
  expect(await codeOf(end())).toBe('STORE_UNAVAILABLE')
  expect((await end()).state.status).toBe('completed')
  expect(await countTexts()).toEqual({ stored: 3, ahead: 0 })
  expect(await messages('t')).toMatchObject([{ message: { content: LONG } }])
})

test('the sweep removes texts of a process that died before their transaction', async () => {
  const { admit, claim, countTexts, database, sweep } = openScene()
  await admit('r', { plan: { text: LONG } })
  await storeAhead(database, { messages: [{ text: LONG }, { text: LONG }, { text: LONG }] }, NOW)
  expect(await countTexts()).toEqual({ stored: 4, ahead: 3 })
  expect((await sweep(NOW + MINUTES_10 - 1)).more).toBe(false)
  expect(await countTexts()).toEqual({ stored: 4, ahead: 3 })
  expect((await sweep(NOW + MINUTES_10, 1)).more).toBe(true)
  expect(await countTexts()).toEqual({ stored: 3, ahead: 2 })
  while ((await sweep(NOW + MINUTES_10, 1)).more);
  expect(await countTexts()).toEqual({ stored: 1, ahead: 0 })
  expect((await claim('r')).work.plan).toEqual({ text: LONG })
})

test.each([
  ['its transaction', LONG],
  ['its next piece', LONG.repeat(3)],
])('a text that is swept before %s is not stored', async (_when, text) => {
  const { admit, run, countTexts, sweep, sweepBeforeEachWrite } = openScene()
  sweepBeforeEachWrite()
  expect(await codeOf(admit('r', { plan: { text } }))).toBe('STORE_UNAVAILABLE')
  expect(await codeOf(run('r'))).toBe('NOT_FOUND')
  await sweep(NOW + MINUTES_10) // what was stored before the failure
  expect(await countTexts()).toEqual({ stored: 0, ahead: 0 })
})
