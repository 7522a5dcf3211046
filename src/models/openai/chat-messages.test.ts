import { expect, test } from 'vitest'
import type { InputItem } from '../../wire/message.ts'
import { toMessages } from './chat-messages.ts'

const messagesOf = async (input: InputItem[]) =>
  toMessages({ instructions: undefined, input, tools: [], settings: {} }, { origin: 'm', quirks: {} })

const call = (call_id: string): InputItem => ({ type: 'function_call', call_id, name: 'a', arguments: '{}' })
const output = (call_id: string): InputItem => ({ type: 'function_call_output', call_id, output: 'A' })
const said = (text: string): InputItem => ({ role: 'assistant', content: text })

test('texts after a call are joined, one line each', async () => {
  const [message] = await messagesOf([call('c'), said(''), said('One'), said(''), said('two'), output('c')])
  expect(message).toMatchObject({ role: 'assistant', content: 'One\ntwo', tool_calls: [{ id: 'c' }] })
  expect((await messagesOf([call('c'), said('')]))[0]?.content).toBe('')
  expect((await messagesOf([call('c')]))[0]?.content).toBe(null)
})

/** Both took a quarter of a minute and more when each item copied what stood before it. */
test('many texts and calls are read in one pass', async () => {
  const began = performance.now()
  const texts = await messagesOf([
    call('c'),
    ...Array.from({ length: 5_000 }, () => said('x'.repeat(1_000))),
    output('c'),
  ])
  expect(JSON.stringify(texts).length).toBeGreaterThan(5_000_000)
  expect(texts).toHaveLength(2)
  const [calls] = await messagesOf(Array.from({ length: 49_000 }, () => call('c')))
  expect(calls?.tool_calls).toHaveLength(49_000)
  expect(performance.now() - began).toBeLessThan(5_000)
})
