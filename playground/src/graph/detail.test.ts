import { expect, test } from 'vitest'
import { beginRun, type CallEntry, FRONT, type RunView } from '../run/run.ts'
import { deedsOf, exchangesOf } from './detail.ts'

const call = (id: string, change: Partial<CallEntry> = {}): CallEntry => ({
  ...{ kind: 'call', id, itemId: id, agent: 'Guide', name: 'send_message', type: 'function_call' },
  ...{ args: '{"recipient_agent":"Researcher","message":"The weather?"}', output: 'Sunny.', state: 'complete' },
  ...change,
})

const run: RunView = {
  ...beginRun(),
  phase: 'ended',
  speakers: new Map([
    [FRONT, 'Support'],
    ['call_1', 'Researcher'],
    ['call_2', 'Researcher'],
  ]),
  threads: new Map([
    [
      FRONT,
      [
        call('call_1'),
        call('call_2', { output: 'Error: no network', failure: 'Error: no network' }),
        call('call_3', { name: 'add_numbers', args: '{}', output: 3 }),
        { kind: 'handoff', id: 'call_4', from: 'Guide', to: 'Support' },
      ],
    ],
    ['call_1', [{ kind: 'text', id: 'msg_1', agent: 'Researcher', text: 'Sunny.', state: 'complete' }]],
  ]),
}

test('an edge shows its questions with their answers, and its handoffs', () => {
  expect(exchangesOf([run], 'Guide', 'Researcher')).toMatchObject([
    { run: 1, question: 'The weather?', answer: 'Sunny.', failed: false },
    { run: 1, question: 'The weather?', answer: 'Error: no network', failed: true },
  ])
  expect(exchangesOf([run, run], 'Guide', 'Support')).toMatchObject([
    { run: 1, handoff: true },
    { run: 2, handoff: true },
  ])
  expect(exchangesOf([run], 'Researcher', 'Guide')).toEqual([])
})

test('an agent shows what it said and called, and who asked it', () => {
  expect(deedsOf([run], 'Researcher')).toMatchObject([{ entry: { text: 'Sunny.' }, askedBy: { agent: 'Guide' } }])
  expect(deedsOf([run], 'Guide').map(({ entry }) => entry.kind)).toEqual(['call', 'call', 'call', 'handoff'])
})
