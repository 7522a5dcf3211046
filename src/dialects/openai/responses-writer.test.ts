/** The fold of stored runs into responses: attempts that were lost, and the rest of a run. */
import { expect, test } from 'vitest'
import type { RunEvent, Speaker } from '../../runs/events.ts'
import type { LoggedEvent, NumberedEvent } from '../../runs/stored/events.ts'
import { emptySummary } from '../../runs/stored/outcome.ts'
import { createResponse, readResponseId, toResponseId } from './response-object.ts'
import { ResponseWriter } from './responses-writer.ts'

const who: Speaker = { agent: 'Desk', description: '', callerAgent: null, agentRunId: 'a', parentRunId: undefined }
const echo = {
  model: 'm',
  background: true,
  store: true,
  previous: null,
  conversation: null,
  instructions: null,
  metadata: {},
}
const create = (options = {}) =>
  new ResponseWriter({ response: createResponse(`resp_${'0'.repeat(40)}`, 0, echo), ...options })

const delta = (id: string, text: string): RunEvent => ({
  kind: 'model',
  who,
  event: { type: 'response.output_text.delta', item_id: id, delta: text },
})
const message = (id: string, text: string): RunEvent => ({
  kind: 'item',
  who,
  name: 'message_output_created',
  type: 'message_output_item',
  raw: { id, type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] },
  source: who,
})
const number = (events: readonly LoggedEvent[]): NumberedEvent[] =>
  events.map((event, index) => ({ number: index + 1, event }))
const eventsOf = (frames: string) =>
  frames
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => JSON.parse(block.slice(block.indexOf('data: ') + 6)))

const LOST = number([
  { kind: 'started', runId: 'r', notes: [] },
  delta('m1', 'Kept'),
  message('m1', 'Kept'),
  delta('m2', 'Lost'),
  message('m2', 'Lost'),
  delta('m3', 'Half'),
  { kind: 'attempt', attempt: 2, voidAfter: 3 },
  delta('m2', 'Anew'),
  message('m2', 'Anew'),
  { kind: 'ended', runId: 'r', summary: emptySummary({ finalOutput: 'Anew' }) },
])

test('what a lost attempt said is no part of the response', () => {
  const writer = create()
  const events = eventsOf(writer.framesOf(LOST))
  const texts = writer.response.output.map(({ content }) => (content as { text: string }[])[0]?.text)
  expect(texts).toEqual(['Kept', 'Anew'])
  expect(events.at(-1).response.output).toEqual(writer.response.output)
  const added = events.filter(({ type }) => type === 'response.output_item.added')
  const done = events.filter(({ type }) => type === 'response.output_item.done')
  expect(done.map(({ item }) => item.id).sort()).toEqual(added.map(({ item }) => item.id).sort())
  expect(new Set(added.map(({ item }) => item.id)).size).toBe(4)
})

test('frames after any number are the end of the whole stream', () => {
  const whole = eventsOf(create().framesOf(LOST))
  for (const after of whole.keys()) expect(eventsOf(create({ after }).framesOf(LOST))).toEqual(whole.slice(after + 1))
  expect(create({ after: Number.POSITIVE_INFINITY }).framesOf(LOST)).toBe('')
})

test('the rest of a run is a response with its own numbers', () => {
  const writer = create({ since: 7 })
  const events = eventsOf(writer.framesOf(LOST))
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual([...events.keys()])
  expect(events.slice(0, 2).map(({ type }) => type)).toEqual(['response.created', 'response.in_progress'])
  expect(writer.response.output).toMatchObject([{ content: [{ text: 'Anew' }] }])
})

test('an id of a response leads back to its run', () => {
  const agency = { path: 'support' } as never
  const run = { runId: '0b5f2f66-9a0e-4c0e-8a53-000000000001', agency: 'support' }
  const id = toResponseId(run)
  expect(readResponseId([agency], id)).toEqual(run)
  expect(readResponseId([agency], toResponseId({ ...run, agency: 'sales' }))).toBeUndefined()
  expect(readResponseId([agency], `${id}0`)).toBeUndefined()
})
