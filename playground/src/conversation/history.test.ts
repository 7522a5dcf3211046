import { createClient } from 'agency-swarm-js/client'
import { expect, test } from 'vitest'
import { agency } from '../../../examples/starter/agency.ts'
import { startServer } from '../../../tests/support/client.ts'
import { agentInFront, beginRun, type Entry, followEvent, type RunView } from '../run/run.ts'
import { followConversation, historyOf, newConversation } from './conversation.ts'
import { readConversationFile, writeConversationFile } from './file.ts'
import { readHistory } from './history.ts'

const newId = (() => {
  let count = 0
  return () => `id_${++count}`
})()

async function liveRun(message: string): Promise<RunView> {
  const { url } = await startServer({ agencies: { starter: agency } })
  let run = beginRun(0)
  for await (const event of createClient({ baseUrl: url }).agency('starter').stream(message))
    run = followEvent(run, event, Date.now())
  return run
}

/** What is seen of a run, without times. */
const seen = (run: RunView) =>
  new Map(
    [...run.threads].map(([key, entries]) => [
      key,
      entries.map((entry): Partial<Entry> => {
        if (entry.kind === 'call')
          return {
            kind: entry.kind,
            id: entry.id,
            agent: entry.agent,
            name: entry.name,
            args: entry.args,
            output: entry.output,
            state: entry.state,
          }
        if (entry.kind === 'text') return { kind: entry.kind, agent: entry.agent, text: entry.text, state: entry.state }
        return entry
      }),
    ]),
  )

test.for([
  'Hello',
  'What is 17 plus 25?',
  'Ask the Researcher about the weather in Paris',
  'I want to talk to Support about order 1234',
])('the stored messages of a run are seen as the run was: %s', async (message) => {
  const run = await liveRun(message)
  const [turn, ...more] = readHistory(run.messages, newId)
  expect(more).toEqual([])
  expect(turn?.input.message).toBe(message)
  expect(seen(turn?.run as RunView)).toEqual(seen(run))
  expect(agentInFront(turn?.run as RunView)).toBe(agentInFront(run))
  expect(turn?.run.messages).toEqual(run.messages)
})

async function twoTurns() {
  let conversation = newConversation('a', 'starter', 1)
  for (const message of ['I want to talk to Support about order 1234', 'And what is it?']) {
    const turnId = newId()
    conversation = followConversation(conversation, { type: 'ask', turnId, input: { message, fileUrls: {} }, at: 1 })
    const { messages } = await liveRun(message)
    conversation = followConversation(conversation, {
      type: 'events',
      turnId,
      events: [
        { event: { kind: 'messages', new_messages: [...messages], run_id: 'r', cancelled: false }, at: 2 },
        { event: { kind: 'end' }, at: 3 },
      ],
    })
  }
  return { ...conversation, recipient: 'Support' }
}

const about = { agency: 'other', served: ['starter', 'other'], newId, at: 5 }

test('an exported conversation comes back whole', async () => {
  const conversation = await twoTurns()
  const again = readConversationFile(writeConversationFile(conversation), about)
  expect(historyOf(again)).toEqual(historyOf(conversation))
  expect(again).toMatchObject({ agency: 'starter', title: conversation.title, recipient: 'Support' })
  expect(again.turns.map((turn) => turn.input.message)).toEqual(conversation.turns.map((turn) => turn.input.message))
})

test('a plain chat_history is imported with its current agent', async () => {
  const history = historyOf(await twoTurns())
  const list = readConversationFile(JSON.stringify(history), about)
  expect(list).toMatchObject({ agency: 'other', recipient: 'Support' })
  expect(historyOf(list)).toEqual(history)
  const object = readConversationFile(JSON.stringify({ agency: 'unknown', chat_history: history }), about)
  expect(object.agency).toBe('other')
})

test.for([
  ['no JSON at all', /Not valid JSON/],
  ['"text"', /Not a JSON object/],
  ['{"messages": []}', /has no "chat_history"/],
  ['[]', /empty/],
  ['[{"role": "user"}, 3]', /Entry 2/],
] as const)('a file that is not a conversation is refused with the reason: %s', ([text, reason]) => {
  expect(() => readConversationFile(text, about)).toThrow(reason)
})

test('a conversation without messages can be exported and imported', () => {
  const asked = followConversation(newConversation('x', 'team', 1), {
    ...{ type: 'ask', turnId: 't', input: { message: 'Why?', fileUrls: {} }, at: 1 },
  })
  const failure = { kind: 'network', sentence: 'The server cannot be reached.', wayOut: '' }
  const failed = followConversation(asked, { type: 'fail', turnId: 't', failure, at: 2 })
  const again = readConversationFile(writeConversationFile(failed), about)
  expect(again.turns.map(({ input }) => input.message)).toEqual(['Why?'])
  expect(again.title).toBe('Why?')
})
