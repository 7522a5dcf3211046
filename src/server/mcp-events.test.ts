import { expect, test } from 'vitest'
import { Budget } from '../base/budget.ts'
import { RecentEvents } from './mcp-events.ts'

const budget = (bound = Number.POSITIVE_INFINITY) => new Budget({ bound, refuse: () => new Error('full') })
const message = (text: string) => ({ jsonrpc: '2.0' as const, method: 'notifications/message', params: { text } })

async function replay(events: RecentEvents, id: string) {
  const ids: string[] = []
  await events.replayEventsAfter(id, { send: async (sent) => void ids.push(sent) })
  return ids
}

test('only later events of the same stream are sent again', async () => {
  const events = new RecentEvents(budget())
  for (const stream of ['a', 'b', 'a', 'b']) await events.storeEvent(stream, message(stream))
  expect(await replay(events, '1')).toEqual(['3'])
})

test('the oldest events are forgotten, by number and by size', async () => {
  const held = budget()
  const events = new RecentEvents(held)
  for (let count = 0; count < 1_500; count++) await events.storeEvent('a', message('x'))
  expect([events.has('500'), events.has('501')]).toEqual([false, true])
  for (let count = 0; count < 10; count++) await events.storeEvent('a', message('x'.repeat(1_000_000)))
  expect(held.heldBytes).toBeLessThanOrEqual(4 * 1024 * 1024)
  expect(events.has('1510')).toBe(true)
  await events.storeEvent('a', message('x'.repeat(5_000_000)))
  expect(events.has('1511')).toBe(false)
})

test('in a full process events are sent but not kept', async () => {
  const events = new RecentEvents(budget(100))
  expect(await events.storeEvent('a', message('x'.repeat(200)))).toBe('1')
  expect(events.has('1')).toBe(false)
  await expect(replay(events, '1')).rejects.toThrow('not kept')
})
