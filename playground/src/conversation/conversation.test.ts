import type { StoredMessage, StreamEvent } from 'agency-swarm-js/client'
import { expect, test } from 'vitest'
import { emptyBook, turnPage } from './book.ts'
import {
  type Conversation,
  type ConversationAction,
  followConversation,
  historyOf,
  newConversation,
  runningTurn,
} from './conversation.ts'

const act = (conversation: Conversation, ...actions: ConversationAction[]) =>
  actions.reduce(followConversation, conversation)
const ask = (turnId: string, message = turnId): ConversationAction => ({
  type: 'ask',
  turnId,
  input: { message, fileUrls: {} },
  at: 1,
})
const stored = (content: string) =>
  ({ role: 'user', content, agent: 'A', callerAgent: null, timestamp: 1 }) as StoredMessage
const told = (turnId: string, ...events: StreamEvent[]): ConversationAction => ({
  type: 'events',
  turnId,
  events: events.map((event) => ({ event, at: 2 })),
})
const end = (content: string): StreamEvent[] => [
  { kind: 'messages', new_messages: [stored(content)], run_id: 'r', cancelled: false },
  { kind: 'end' },
]
const start = newConversation('c', 'starter', 0)

test('the history is what the runs left, in their order', () => {
  const conversation = act(start, ask('t1'), told('t1', ...end('one')), ask('t2'), told('t2', ...end('two')), ask('t3'))
  expect(historyOf(conversation).map((message) => message.content)).toEqual(['one', 'two'])
  expect(runningTurn(conversation)?.id).toBe('t3')
})

test('a conversation is named after its first message, or as the server says', () => {
  const asked = act(start, ask('t1', `  ${'word '.repeat(30)}`))
  expect(asked.title).toMatch(/^word .{50,}…$/)
  expect(asked.title.length).toBeLessThanOrEqual(60)
  const named = act(
    asked,
    told(
      't1',
      { kind: 'messages', new_messages: [], run_id: 'r', cancelled: false, chat_name: 'Words' },
      { kind: 'end' },
    ),
  )
  expect(named.title).toBe('Words')
})

test('undoing a turn removes all later ones and its recipient', () => {
  const addressed = act(
    start,
    ask('t1'),
    told('t1', ...end('one')),
    { type: 'address', recipient: 'B' },
    ask('t2'),
    told('t2', ...end('two')),
  )
  const moved = act(addressed, { type: 'address', recipient: 'C' }, { type: 'rewind', turnId: 't2' })
  expect(moved.turns.map((turn) => turn.id)).toEqual(['t1'])
  expect(moved.recipient).toBe('B')
  expect(historyOf(moved)).toHaveLength(1)
})

test('after a handoff the conversation stays with the new agent', () => {
  const who = { agent: 'A', callerAgent: null, agent_run_id: 'r' }
  const handed: StreamEvent[] = [
    { kind: 'item', name: 'handoff_requested', type: '', item: { call_id: 'h' }, ...who },
    { kind: 'item', name: 'handoff_occured', type: '', item: { call_id: 'h' }, target_agent: 'B', ...who, agent: 'B' },
  ]
  expect(act(start, ask('t1'), told('t1', ...handed, ...end('one'))).recipient).toBe('B')
  expect(act(start, ask('t1'), told('t1', ...end('one'))).recipient).toBeUndefined()
})

test('what comes late for a run that is over or was taken back changes nothing', () => {
  const over = act(start, ask('t1'), told('t1', ...end('one')))
  expect(act(over, told('t1', ...end('again')))).toBe(over)
  const back = act(over, { type: 'rewind', turnId: 't1' })
  expect(act(back, told('t1', ...end('again')))).toBe(back)
})

test('a broken run keeps its failure, and the conversation works', () => {
  const failure = { kind: 'network', sentence: 'The server cannot be reached.', wayOut: 'Run it again.' }
  const failed = act(
    start,
    ask('t1'),
    { type: 'stop', turnId: 't1', mode: 'after_turn' },
    { type: 'fail', turnId: 't1', failure, at: 3 },
  )
  expect(failed.turns[0]?.run).toMatchObject({ phase: 'ended', failure })
  expect(failed.turns[0]?.run.stopping).toBeUndefined()
  expect(runningTurn(failed)).toBeUndefined()
})

test('the requests of the last ten runs are kept', () => {
  let book = turnPage(emptyBook, { type: 'add', conversation: start })
  for (let index = 0; index < 12; index++)
    book = turnPage(book, { type: 'record', turnId: `t${index}`, agency: 'starter', request: { message: 'Hi' } })
  expect([...book.recordings.keys()]).toEqual(Array.from({ length: 10 }, (_, index) => `t${index + 2}`))
  const loaded = turnPage(book, {
    type: 'loaded',
    found: [{ conversation: newConversation('old', 'starter', 0), revision: '1' }],
    openId: 'old',
  })
  expect(loaded.conversations.map(({ id }) => id)).toEqual(['c', 'old'])
  expect(loaded.openId).toBe('c')
})
