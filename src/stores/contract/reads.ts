/** What every store promises of lists, and of ids that belong to somebody else. */
import { expect, test } from 'vitest'
import type { Owned, Page } from '../../runs/run-store.ts'
import { approval, codeOf, message, NOW, type Scene } from './scene.ts'

/** All pages of a list. */
async function readAll<Row>(read: (after: string | null) => Promise<Page<Row>>): Promise<Row[][]> {
  const pages: Row[][] = []
  let after: string | null = null
  do {
    const page: Page<Row> = await read(after)
    pages.push(page.data)
    after = page.next
  } while (after !== null)
  return pages
}

export function describeLists(open: () => Scene): void {
  test('live runs that end without a reader are listed, of all owners', async () => {
    const { admit, start, end, store, strangers, idOf } = open()
    await end(await start('ended', { unreadMs: 0 }))
    await admit('kept')
    await admit('waits', { unreadMs: 0, on: 't' })
    await admit('behind', { unreadMs: 500, on: 't' })
    await admit('foreign', { unreadMs: 7, ...strangers[0] })
    const ids = ['waits', 'behind', 'foreign'].map((name) => idOf(name).runId)
    const listed = (await readAll((after) => store.read({ kind: 'unread', limit: 2, after }))).flat()
    expect(listed.filter(({ runId }) => ids.includes(runId))).toEqual([
      { ...idOf('waits'), unreadMs: 0 },
      { ...idOf('behind'), unreadMs: 500 },
      { ...idOf('foreign'), ...strangers[0], unreadMs: 7 },
    ])
    expect(listed).not.toContainEqual(expect.objectContaining({ runId: idOf('ended').runId }))
  })

  test('runs come newest first, page by page', async () => {
    const { admit, store, mine, named } = open()
    for (const name of ['a', 'b', 'c', 'd']) await admit(name)
    const pages = await readAll((after) => store.read({ kind: 'runs', ...mine, limit: 2, after }))
    expect(pages.map((page) => named(page.map(({ runId }) => runId)))).toEqual([
      ['d', 'c'],
      ['b', 'a'],
    ])
  })

  test('a page is not moved by runs that are added meanwhile', async () => {
    const { admit, store, mine, named } = open()
    for (const name of ['a', 'b', 'c']) await admit(name)
    const { next } = await store.read({ kind: 'runs', ...mine, limit: 1 })
    await admit('d')
    const { data } = await store.read({ kind: 'runs', ...mine, limit: 5, after: next })
    expect(named(data.map(({ runId }) => runId))).toEqual(['b', 'a'])
  })

  test('runs are found by thread, status and alias', async () => {
    const { admit, start, end, store, mine, named } = open()
    await end(await start('a', { on: 't', alias: 'x' }))
    await admit('b', { on: 't', alias: 'x' })
    await admit('c')
    const find = async (filter: object) =>
      named((await store.read({ kind: 'runs', ...mine, limit: 5, ...filter })).data.map(({ runId }) => runId))
    expect(await find({ threadId: 't' })).toEqual(['b', 'a'])
    expect(await find({ status: 'queued' })).toEqual(['c', 'b'])
    expect(await find({ threadId: 't', status: 'completed' })).toEqual(['a'])
    expect(await find({ threadId: 'unknown' })).toEqual([])
    expect(named([(await store.read({ kind: 'run', ...mine, alias: 'x' })).runId])).toEqual(['b'])
  })

  test('threads come newest first, messages oldest first', async () => {
    const { store, threadOf, mine } = open()
    for (const name of ['t1', 't2', 't3']) {
      const messages = ['a', 'b', 'c'].map(message)
      await store.write({ kind: 'createThread', ...threadOf(name), messages, metadata: {}, now: NOW })
    }
    const threads = await readAll((after) => store.read({ kind: 'threads', ...mine, limit: 2, after }))
    expect(threads.map((page) => page.map(({ threadId }) => threadId))).toEqual([['t3', 't2'], ['t1']])
    const messages = await readAll((after) => store.read({ kind: 'messages', ...threadOf('t1'), limit: 2, after }))
    expect(messages.map((page) => page.map((one) => one.message.content))).toEqual([['a', 'b'], ['c']])
    const later = await store.read({ kind: 'messages', ...threadOf('t1'), limit: 2, after: '1' })
    expect(later.data[0]?.number).toBe(2)
  })

  test('the inbox of approvals comes oldest first, with filters', async () => {
    const { start, pause, approve, store, mine, idOf } = open()
    await pause(await start('r', { on: 't' }), approval('a1'), approval('a2'))
    await pause(await start('s'), approval('a3'))
    await approve('r', 'a1')
    const find = async (filter: object) =>
      (await store.read({ kind: 'approvals', ...mine, limit: 5, ...filter })).data.map(({ approvalId }) => approvalId)
    expect(await find({})).toEqual(['a1', 'a2', 'a3'])
    expect(await find({ status: 'pending' })).toEqual(['a2', 'a3'])
    expect(await find({ threadId: 't' })).toEqual(['a1', 'a2'])
    expect(await find({ runId: idOf('s').runId })).toEqual(['a3'])
  })
}

export function describeOwners(open: () => Scene): void {
  /** Every call that names something, made by one owner. */
  const calls = ({ store, idOf, threadOf }: Scene): { [name: string]: (who: Owned) => Promise<unknown> } => {
    const run = (who: Owned) => ({ ...idOf('r'), ...who })
    const thread = (who: Owned) => ({ ...threadOf('t'), ...who })
    return {
      run: (who) => store.read({ kind: 'run', ...run(who) }),
      alias: (who) => store.read({ kind: 'run', ...who, alias: 'x' }),
      work: (who) => store.read({ kind: 'work', ...run(who) }),
      events: (who) => store.read({ kind: 'events', ...run(who), after: 0, limit: 1 }),
      approval: (who) => store.read({ kind: 'approval', ...run(who), approvalId: 'a1' }),
      thread: (who) => store.read({ kind: 'thread', ...thread(who) }),
      messages: (who) => store.read({ kind: 'messages', ...thread(who), limit: 1 }),
      watch: (who) =>
        store
          .watch({ ...run(who), after: 0, signal: new AbortController().signal })
          [Symbol.asyncIterator]()
          .next(),
      cancel: (who) => store.write({ kind: 'cancel', ...run(who), mode: 'immediate', now: NOW }),
      decide: (who) =>
        store.write({ kind: 'decide', ...run(who), approvalId: 'a1', decision: { kind: 'approve' }, now: NOW }),
      deleteRun: (who) => store.write({ kind: 'deleteRun', ...run(who) }),
      changeThread: (who) => store.write({ kind: 'changeThread', ...thread(who), metadata: { a: 'b' } }),
      deleteThread: (who) => store.write({ kind: 'deleteThread', ...thread(who) }),
    }
  }

  test('what belongs to somebody else is not found, whatever the call', async () => {
    const scene = open()
    await scene.pause(await scene.start('r', { on: 't', alias: 'x' }), approval())
    for (const stranger of scene.strangers)
      for (const [name, call] of Object.entries(calls(scene)))
        expect([name, await codeOf(call(stranger))]).toEqual([name, 'NOT_FOUND'])
    expect((await scene.run('r')).status).toBe('requires_action')
  })

  test('lists show what is mine', async () => {
    const scene = open()
    const { store, pause, start } = scene
    await pause(await start('r', { on: 't' }), approval())
    for (const stranger of scene.strangers)
      for (const kind of ['runs', 'threads', 'approvals'] as const)
        expect(
          (await store.read({ kind, ...stranger, limit: 5 })).data.map((row) => row.owner + row.agency),
        ).not.toContain(scene.mine.owner + scene.mine.agency)
  })

  test('an unknown approval of a known run is not found', async () => {
    const scene = open()
    await scene.start('r')
    expect(await codeOf(scene.approve('r', 'nothing'))).toBe('NOT_FOUND')
  })

  test('somebody else cannot take over a run id', async () => {
    const scene = open()
    await scene.admit('r')
    for (const stranger of scene.strangers) expect(await codeOf(scene.admit('r', stranger))).toBe('NOT_FOUND')
  })
}
