import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import type { RunStore } from '../../runs/run-store.ts'
import { codeOf, createScene, errorOf, message, NOW } from '../contract/scene.ts'
import { describeRunStore } from '../contract.testsuite.ts'
import { sqlite } from './sqlite.ts'

const folders: string[] = []
const newFile = () => {
  const folder = mkdtempSync(join(tmpdir(), 'store-'))
  folders.push(folder)
  return join(folder, 'runs.db')
}
const openStore = (path: string): RunStore => {
  const store = sqlite(path)
  onTestFinished(() => store.close())
  return store
}
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

describeRunStore('sqlite', () => sqlite(newFile()))

const SCRIPT = join(import.meta.dirname, '../../../tests/support/store-process.ts')

/** Starts the script and waits until it has the file. */
async function startProcess(path: string, task: 'hold' | 'write') {
  const child = spawn(process.execPath, [SCRIPT, path, task], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return { child, lines }
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

test('a store that is opened again has everything', async () => {
  const path = newFile()
  const store = sqlite(path)
  const scene = createScene(store)
  const run = await scene.start('r', { on: 't', sealed: 'secret' })
  await scene.write(run, { messages: { from: 0, list: [message('a')] }, events: { first: 2, list: ['{"n":2}'] } })
  await scene.cancel('r', 'after_turn')
  const [before, events] = [await scene.run('r'), await scene.events('r')]
  await store.close()
  const again = openStore(path)
  expect(await again.read({ kind: 'run', ...scene.idOf('r') })).toEqual(before)
  const news = await again.read({ kind: 'events', ...scene.idOf('r'), after: 0, limit: 10 })
  expect(news.events.map(({ event }) => JSON.parse(event))).toEqual(events)
  const taken = await again.claim({ runId: before.runId, worker: 'w2', now: NOW, deadFence: run.claim.fence })
  expect(taken).toMatchObject({ run: { attempt: 2, wish: 'after_turn' }, work: { sealed: 'secret', messages: [{}] } })
})

test('a closed store leaves one file, readable by its owner alone', async () => {
  const path = newFile()
  const store = sqlite(path)
  await createScene(store).admit('r')
  const modes = ['', '-wal'].filter((end) => existsSync(path + end)).map((end) => statSync(path + end).mode & 0o777)
  expect(modes).toEqual([0o600, 0o600])
  await store.close()
  expect(['-wal', '-shm', '-journal'].filter((end) => existsSync(path + end))).toEqual([])
})

test('a file serves one process, and is free when that is killed', async () => {
  const path = newFile()
  const { child } = await startProcess(path, 'hold')
  const store = openStore(path)
  const error = await errorOf(store.read({ kind: 'jobs', limit: 1 }))
  expect(error.code).toBe('STORE_IN_USE')
  expect(error.message).toContain(path)
  await kill(child)
  expect((await store.read({ kind: 'jobs', limit: 1 })).data).toHaveLength(1)
})

test('a second store of the same process on one file is refused, too', async () => {
  const path = newFile()
  await openStore(path).read({ kind: 'jobs', limit: 1 })
  expect(await codeOf(openStore(path).read({ kind: 'jobs', limit: 1 }))).toBe('STORE_IN_USE')
})

test('a process killed while it writes leaves whole turns', { timeout: 60_000 }, async () => {
  const path = newFile()
  for (let round = 0; round < 3; round++) {
    const { child, lines } = await startProcess(path, 'write')
    let committed = -1
    const stopAt = 3 + round * 34
    while (committed < stopAt) committed = Number((await lines.next()).value)
    await kill(child)
    for await (const line of lines) committed = Number(line)
    const store = sqlite(path)
    const who = { agency: 'support', owner: 'ada', runId: `run-${child.pid}` }
    const work = await store.read({ kind: 'work', ...who })
    const { lastEventId } = await store.read({ kind: 'run', ...who })
    expect(work.items.length).toBeGreaterThan(committed)
    expect([work.calls.length, lastEventId]).toEqual([work.items.length, 2 * work.items.length])
    const taken = await store.claim({ runId: who.runId, worker: 'w', now: NOW, deadFence: 1 })
    await store.write({
      kind: 'run',
      claim: (taken as NonNullable<typeof taken>).claim,
      now: NOW,
      leave: { kind: 'end', status: 'failed', outcome: {} },
    })
    await store.close()
  }
  const db = new DatabaseSync(path)
  expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
  db.close()
})

test('a file that is not a database is STORE_UNAVAILABLE', async () => {
  const path = newFile()
  writeFileSync(path, 'This is a text that is long enough to be no database file at all. '.repeat(20))
  const error = await errorOf(openStore(path).read({ kind: 'jobs', limit: 1 }))
  expect([error.code, error.statusCode]).toEqual(['STORE_UNAVAILABLE', 503])
  expect(String((error.cause as Error).message)).toContain('not a database')
})

test('a store that could not be opened is tried again at the next call', async () => {
  const path = join(newFile(), 'folder-that-is-missing', 'runs.db')
  const folder = join(path, '..')
  const store = openStore(path)
  expect(await codeOf(store.read({ kind: 'jobs', limit: 1 }))).toBe('STORE_UNAVAILABLE')
  mkdirSync(folder, { recursive: true })
  expect((await store.read({ kind: 'jobs', limit: 1 })).data).toEqual([])
})

test('a file of a newer version is refused', async () => {
  const path = newFile()
  const db = new DatabaseSync(path)
  db.exec('CREATE TABLE schema_version (version BIGINT); INSERT INTO schema_version VALUES (999)')
  db.close()
  const error = await errorOf(openStore(path).read({ kind: 'jobs', limit: 1 }))
  expect([error.code, String((error.cause as Error).message)]).toEqual([
    'STORE_UNAVAILABLE',
    expect.stringContaining('Update the package'),
  ])
})

test('the pieces of long texts go with what they belong to', async () => {
  const path = newFile()
  const store = openStore(path)
  const { admit, start, write, threadOf } = createScene(store)
  const long = 'word '.repeat(100_000)
  const key = { key: 'k', hash: 'h', expiresAt: NOW + 1e9 }
  const run = await start('r', { on: 't', plan: { long }, idempotency: key })
  await write(run, { messages: { from: 0, list: [message(long), message(long)] } })
  await write(run, { messages: { from: 1, list: [] }, items: [{ conversation: 'c', n: 0, item: { long } }] })
  await write(run, { leave: { kind: 'end', status: 'completed', outcome: { long } } })
  await admit('again', { plan: { long }, idempotency: key }) // answers with the first
  await expect(
    admit('full', { plan: { long }, limits: { threadQueue: 1, queuedRuns: 0, scheduledRuns: 1 } }),
  ).rejects.toThrow()
  const owners = async () => {
    await store.close()
    const db = new DatabaseSync(path)
    const rows = db
      .prepare('SELECT owner, count(DISTINCT name) AS texts FROM texts GROUP BY owner ORDER BY owner')
      .all()
    db.close()
    return rows.map(({ owner, texts }) => [String(owner).replace(/:.*/, ''), texts])
  }
  expect(await owners()).toEqual([
    ['end', 1],
    ['messages', 1],
    ['work', 2],
  ])
  const again = openStore(path)
  await again.write({ kind: 'deleteThread', ...threadOf('t') })
  await again.close()
  expect(await owners()).toEqual([])
})

test('a failed statement undoes its transaction, and the store goes on', async () => {
  const path = newFile()
  const scene = createScene(openStore(path))
  await expect(scene.admit('r', { on: 't', plan: { no: 1n } })).rejects.toThrow(TypeError)
  expect(await codeOf(scene.thread('t'))).toBe('NOT_FOUND')
  expect((await scene.admit('r', { on: 't' })).run.queuePosition).toBeNull()
})

test('a full disk fails the write as a whole, and the store goes on', async () => {
  const path = newFile()
  // The system lets the process write no file beyond 1 MB, and the signal that says so is ignored.
  const command = `trap '' XFSZ; ulimit -f 1000; exec "$0" "$@"`
  const child = spawn('bash', ['-c', command, process.execPath, SCRIPT, path, 'fill'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) lines.push(line)
  const { code, committed, items, events } = JSON.parse(lines.at(-1) ?? '')
  expect(code).toBe('STORE_UNAVAILABLE')
  expect(committed).toBeGreaterThan(10)
  expect([items, events]).toEqual([committed, 2 * committed])
})
