import { expect, test } from 'vitest'
import { message } from '../../stores/contract/scene.ts'
import { ThreadSaver } from './thread-saver.ts'

function createSaver(saved: ReturnType<typeof message>[] = []) {
  const writes: unknown[] = []
  const log = { write: async (change: unknown) => void writes.push(change) as never }
  return { saver: new ThreadSaver(log, saved), writes }
}
const [a, b, c] = [message('a'), message('b'), message('c')] as const

test('each save writes what is new', async () => {
  const { saver, writes } = createSaver()
  await saver.save([a])
  await saver.save([a, b])
  expect(writes).toEqual([{ messages: { from: 0, list: [a] } }, { messages: { from: 1, list: [b] } }])
})

test('nothing is written when nothing is new', async () => {
  const { saver, writes } = createSaver([a, b])
  await saver.save([{ ...a }, { ...b }])
  expect(writes).toEqual([])
})

test('a message that changed is replaced with all after it', async () => {
  const { saver, writes } = createSaver([a, b, c])
  await saver.save([a, c])
  expect(writes).toEqual([{ messages: { from: 1, list: [c] } }])
})

test('messages that are gone are removed', async () => {
  const { saver, writes } = createSaver([a, b])
  await saver.save([a])
  expect(writes).toEqual([{ messages: { from: 1, list: [] } }])
})

test('a save that failed is part of the next', async () => {
  const { saver, writes } = createSaver([a])
  const broken = new ThreadSaver({ write: () => Promise.reject(new Error('away')) }, [a])
  await expect(broken.save([a, b])).rejects.toThrow('away')
  expect(broken.toChange([a, b, c])).toEqual({ from: 1, list: [b, c] })
  await saver.save([a, b, c])
  expect(writes).toHaveLength(1)
})
