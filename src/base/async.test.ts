import { expect, test } from 'vitest'
import { inTurns, takeTurn } from './async.ts'

test('each round of the event loop runs one waiting task, in order', async () => {
  const order: string[] = []
  const work = async (name: string) => {
    for (let piece = 0; piece < 3; piece++) {
      await takeTurn()
      order.push(name)
    }
  }
  let rounds = 0
  let counting = true
  const count = () => {
    if (!counting) return
    rounds++
    order.push('.')
    setImmediate(count)
  }
  setImmediate(count)
  await Promise.all(['a', 'b', 'c'].map(work))
  counting = false
  expect(order.filter((name) => name !== '.')).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c'])
  expect(order.join('')).not.toMatch(/[abc]{2}/)
  expect(rounds).toBeGreaterThanOrEqual(9)
})

test('work that needs one turn does not queue behind work with many', async () => {
  const order: string[] = []
  const take = async (name: string, turn: 'first' | 'further') => {
    await takeTurn(turn)
    order.push(name)
  }
  const long = Array.from({ length: 10 }, () => take('long', 'further'))
  await Promise.all([...long, take('short', 'first')])
  expect(order.indexOf('short')).toBeLessThan(2)
  expect(order.filter((name) => name === 'long')).toHaveLength(10)
})

test('work in turns gives its results in order', async () => {
  const values = Array.from({ length: 1_000 }, (_, index) => index)
  expect(await inTurns(values, (value) => value * 2)).toEqual(values.map((value) => value * 2))
})
