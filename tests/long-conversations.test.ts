import { expect, test } from 'vitest'
import { eachOf, inPieces } from '../src/base/async.ts'
import { cleanForModel } from '../src/messages/clean.ts'
import { toPrompt } from '../src/models/ai-sdk/prompt.ts'
import { toMessages } from '../src/models/openai/chat-messages.ts'
import { toResponsesInput } from '../src/models/openai/responses-input.ts'
import type { InputItem } from '../src/wire/message.ts'

const conversation = (turns: number): InputItem[] =>
  Array.from({ length: turns }, (_, index): InputItem[] => [
    { type: 'message', role: 'user', content: `Question ${index}` },
    { type: 'function_call', id: `fc_${index}`, call_id: `call_${index}`, name: 'look', arguments: '{}' },
    { type: 'function_call_output', call_id: `call_${index}`, output: 'seen' },
    { type: 'message', id: `msg_${index}`, role: 'assistant', content: 'Answer' },
  ]).flat()

const WORK: [name: string, work: (input: InputItem[]) => unknown][] = [
  ['cleaning', (input) => cleanForModel(input, input.length)],
  ['Chat Completions', (input) => toMessages(request(input), { origin: 'm', quirks: {} })],
  ['the AI SDK', (input) => toPrompt(request(input), { provider: 'anthropic', model: 'claude' })],
  ['Responses', (input) => toResponsesInput(input, { model: 'gpt-5.4', unstored: false })],
]
const request = (input: InputItem[]) => ({ instructions: 'Help.', input, tools: [], settings: {} })

test.each(WORK)('a short conversation is converted at once: %s', (_name, work) => {
  expect(work(conversation(5))).toBeInstanceOf(Array)
})

test.each(WORK)('a long conversation is converted in turns with other work: %s', async (_name, work) => {
  const short = conversation(5)
  const long = conversation(12_500)
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  const converted = (await work(long)) as unknown[]
  clearInterval(timer)
  expect(turns).toBeGreaterThan(1)
  expect(converted.slice(0, 10)).toEqual((work(short) as unknown[]).slice(0, 10))
  expect(JSON.stringify(converted.slice(-2))).toContain('Answer')
})

test('work in pieces fails as a promise fails, and gives each value once', async () => {
  const values = Array.from({ length: 5_000 }, (_, index) => index)
  const seen: number[] = []
  await inPieces(
    values.length,
    eachOf(values, (value) => seen.push(value)),
  )
  expect(seen).toEqual(values)
  const failing = inPieces(
    values.length,
    eachOf(values, () => {
      throw new Error('no')
    }),
  )
  await expect(failing).rejects.toThrow('no')
})
