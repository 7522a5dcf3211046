import { expect, test } from 'vitest'
import { Budget } from '../base/budget.ts'
import { readLimits } from '../base/limits.ts'
import { processFull } from '../base/request-errors.ts'
import { createFileDesk, type FileDeskOptions, type FileOrder } from './attachments.ts'
import type { FileStore, LoadedFile } from './store.ts'

const refused = { code: 'FILE_FAILED', message: expect.stringContaining('trustedFileOrigins') }

/** A store in memory: real, but for the way to it. */
function memoryStore(state: () => 'ready' | 'pending' = () => 'ready') {
  const files = new Map<string, LoadedFile>()
  const store: FileStore = {
    async put(file) {
      const id = `file-${files.size}`
      files.set(id, file)
      return id
    },
    get: async (id) => ({ id, name: (files.get(id) as LoadedFile).name, state: state() }),
    async delete(id) {
      files.delete(id)
    },
  }
  return { files, store }
}

const desk = (options: Partial<FileDeskOptions>) =>
  createFileDesk({
    limits: readLimits(),
    budget: new Budget({ bound: Number.POSITIVE_INFINITY, refuse: processFull }),
    trustedFileOrigins: [],
    explain: String,
    log: () => {},
    warn: () => {},
    ...options,
  })
const order = (fileUrls: FileOrder['fileUrls'], more: Partial<FileOrder> = {}): FileOrder => ({
  fileIds: [],
  fileUrls,
  store: memoryStore().store,
  mask: (text) => text,
  signal: new AbortController().signal,
  ...more,
})

test.for([
  ['to an inner address', ['127.0.0.1']],
  ['to an outer and an inner address', ['8.8.8.8', '10.0.0.1']],
  ['to an inner address of IPv6', ['fd00::1']],
  ['to nothing', []],
])('a name that leads %s is refused before a packet is sent', async ([, addresses]) => {
  const { prepare } = desk({ lookup: async () => addresses as string[] })
  await expect(prepare(order({ 'a.pdf': 'http://files.example/a.pdf' }))).rejects.toMatchObject(refused)
})

test('a name that resolves to an internal address later is rejected', async () => {
  const { default: http } = await import('node:http')
  let connections = 0
  const server = http.createServer().on('connection', () => connections++)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  let looks = 0
  const { prepare } = desk({ lookup: async () => (looks++ === 0 ? ['8.8.8.8'] : ['127.0.0.1']) })
  await expect(prepare(order({ 'a.pdf': `http://flip.example:${port}/a.pdf` }))).rejects.toMatchObject(refused)
  expect([looks, connections]).toEqual([2, 0])
  server.close()
})

test('one name that is refused keeps the others from being fetched', async () => {
  const looked: string[] = []
  const { prepare } = desk({
    lookup: async (host) => {
      looked.push(host)
      return host.startsWith('inner') ? ['10.0.0.1'] : ['8.8.8.8']
    },
  })
  const fileUrls = { 'a.pdf': 'http://outer.example/a.pdf', 'b.pdf': 'https://inner.example/b.pdf' }
  await expect(prepare(order(fileUrls))).rejects.toMatchObject(refused)
  expect(looked).toEqual(['outer.example', 'inner.example'])
})

test('a silent resolver delays neither time limit nor abort', async () => {
  const limits = { ...readLimits(), fileTimeoutMs: 50 }
  const stuck = desk({ limits, lookup: () => new Promise(() => {}) })
  const fileUrls = { 'a.pdf': 'http://stuck.example/a.pdf' }
  await expect(stuck.prepare(order(fileUrls))).rejects.toThrow(/longer than 50 ms/)
  let looks = 0
  const later = desk({ limits, lookup: async () => (looks++ === 0 ? ['8.8.8.8'] : new Promise(() => {})) })
  await expect(later.prepare(order(fileUrls))).rejects.toThrow(/longer than 50 ms/)
  const gone = new AbortController()
  const patient = desk({ lookup: () => new Promise(() => {}) })
  const waiting = patient.prepare(order(fileUrls, { signal: gone.signal }))
  gone.abort(new Error('left'))
  await expect(waiting).rejects.toThrow('left')
})

test('a file that is never done is given up after a minute and removed', async () => {
  const { files, store } = memoryStore(() => 'pending')
  let waited = 0
  const pause = async (ms: number) => {
    waited += ms
  }
  const { prepare } = desk({ allowedLocalFileDirs: [import.meta.dirname], pause })
  await expect(prepare(order({ a: `${import.meta.dirname}/attachments.ts` }, { store }))).rejects.toThrow(
    /File processing timed out: file-0$/,
  )
  expect([waited, files.size]).toEqual([60_000, 0])
})

test('files of all requests stay within the process budget', async () => {
  const budget = new Budget({ bound: 100_000, refuse: processFull, fair: true })
  const { prepare } = desk({ budget, allowedLocalFileDirs: [import.meta.dirname] })
  const fileUrls = { a: `${import.meta.dirname}/attachments.ts` }
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let waiting = 0
  const { store } = memoryStore()
  const slow: FileStore = {
    ...store,
    async put(file, signal) {
      waiting++
      await held
      return store.put(file, signal)
    },
  }
  const all = Array.from({ length: 12 }, () => prepare(order(fileUrls, { store: slow })).catch((error) => error))
  const settled = Promise.allSettled(all)
  await expect.poll(() => waiting).toBeGreaterThan(2)
  release()
  const results = (await settled).map((result) => (result.status === 'fulfilled' ? result.value : undefined))
  const busy = results.filter((result) => result instanceof Error)
  expect(busy.length).toBeGreaterThan(0)
  for (const error of busy) expect(error).toMatchObject({ code: 'OVERLOADED', statusCode: 503 })
  expect(budget.heldBytes).toBe(0)
  expect(await prepare(order(fileUrls))).toMatchObject({ fetched: [{ name: 'attachments.ts', kind: 'code' }] })
})
