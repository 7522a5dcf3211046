import { expect, test } from 'vitest'
import { ResponseSynthesis } from './synthesis.ts'

test('every event has the place of its item, up to 256 calls', () => {
  const parts = new ResponseSynthesis({ model: 'm' })
  for (let key = 0; key < 256; key++) {
    parts.openCall(key, { callId: `c${key}`, name: 'a' })
    parts.openCall(key, { callId: 'again', name: 'a' })
  }
  for (let key = 0; key < 256; key++) parts.addArguments(key, '{}')
  expect(() => parts.openCall(256, { callId: 'c256', name: 'a' })).toThrow('more than 256 tool calls')
  const { output } = parts.finish()
  expect(output).toHaveLength(256)
  const events = parts.take()
  for (const type of ['output_item.added', 'function_call_arguments.delta', 'output_item.done'])
    expect(events.filter((event) => event.type === `response.${type}`).map(({ output_index }) => output_index)).toEqual(
      output.map((_, index) => index),
    )
})

test('pieces after very many items are numbered without a search for each', () => {
  const parts = new ResponseSynthesis({ model: 'm' })
  const began = performance.now()
  for (let key = 0; key < 60_000; key++) parts.openThought(key)
  for (let piece = 0; piece < 400_000; piece++) parts.think('so', 59_999)
  parts.finish()
  expect(performance.now() - began).toBeLessThan(5_000)
})
