import { expect, test } from 'vitest'
import type { InputItem } from '../wire/message.ts'
import { clean, cleanForModel } from './clean.ts'

/** Histories hold anything: values of the wrong type are what is tried here. */
const item = (fields: { [key: string]: unknown }) => fields as InputItem
const call = (call_id: unknown, more: InputItem = {}): InputItem =>
  item({ type: 'function_call', call_id, name: 'look', arguments: '{}', ...more })
const output = (call_id: unknown, text: unknown = 'seen'): InputItem =>
  item({ type: 'function_call_output', call_id, output: text })
const says = (role: string, content: unknown, more: InputItem = {}): InputItem => item({ role, content, ...more })
const thought = (id: string, more: InputItem = {}): InputItem => ({ type: 'reasoning', id, summary: [], ...more })
/** An item in a few words: its kind or role, its id, what it says or belongs to. */
const tell = ({ type, role, id, call_id, content, output: said }: InputItem) =>
  [role ?? type, id === undefined ? '' : `#${id}`, call_id, content ?? said]
    .filter((word) => word !== undefined && word !== '')
    .join(' ')
const sent = (items: InputItem[]) => (cleanForModel(items, items.length) as InputItem[]).map(tell)

const ROWS: [name: string, items: InputItem[], sent: string[]][] = [
  [
    'a placeholder that four items have for an id',
    [
      says('assistant', 'first', { id: '__fake_id__' }),
      call('c1', { id: '__fake_id__' }),
      output('c1'),
      says('assistant', 'second', { id: '__fake_id__' }),
    ],
    ['assistant first', 'function_call c1', 'function_call_output c1 seen', 'assistant second'],
  ],
  [
    'one id for texts that differ',
    [says('assistant', 'a', { id: 'msg_0' }), says('user', 'x'), says('assistant', 'b', { id: 'msg_0' })],
    ['assistant #msg_0 a', 'user x', 'assistant b'],
  ],
  [
    'the same text under the same id',
    [says('assistant', 'a', { id: 'msg_1' }), says('user', 'x'), says('assistant', 'a', { id: 'msg_1' })],
    ['assistant #msg_1 a', 'user x'],
  ],
  [
    'the same text without ids, which was said twice',
    [says('assistant', 'yes'), says('user', 'x'), says('assistant', 'yes')],
    ['assistant yes', 'user x', 'assistant yes'],
  ],
  [
    'what the user says again under the same id',
    [says('user', 'go on', { id: 'u' }), says('assistant', 'a'), says('user', 'go on', { id: 'u' })],
    ['user #u go on', 'assistant a', 'user go on'],
  ],
  [
    'an output twice',
    [call('c1', { id: 'fc_1' }), output('c1', 'a'), output('c1', 'b')],
    ['function_call #fc_1 c1', 'function_call_output c1 a'],
  ],
  [
    'a call twice without ids',
    [call('c1'), call('c1'), output('c1')],
    ['function_call c1', 'function_call_output c1 seen'],
  ],
  [
    'a whole pair twice under its id',
    [call('c1', { id: 'fc_1' }), output('c1'), says('user', 'x'), call('c1', { id: 'fc_1' }), output('c1')],
    ['function_call #fc_1 c1', 'function_call_output c1 seen', 'user x'],
  ],
  [
    'a call id that a later turn uses again',
    [call('call_0'), output('call_0', 'a'), says('user', 'x'), call('call_0'), output('call_0', 'b')],
    [
      'function_call call_0',
      'function_call_output call_0 a',
      'user x',
      'function_call call_0_2',
      'function_call_output call_0_2 b',
    ],
  ],
  [
    'two calls of one answer with one id',
    [
      call('c', { arguments: '{"city":"Paris"}' }),
      call('c', { arguments: '{"city":"Rome"}' }),
      output('c', 'P'),
      output('c', 'R'),
    ],
    ['function_call c', 'function_call c_2', 'function_call_output c P', 'function_call_output c_2 R'],
  ],
  [
    'a name for the second that is taken already',
    [call('c_2'), call('c'), output('c_2'), output('c', 'a'), call('c'), output('c', 'b')],
    [
      'function_call c_2',
      'function_call c',
      'function_call_output c_2 seen',
      'function_call_output c a',
      'function_call c_3',
      'function_call_output c_3 b',
    ],
  ],
  [
    'a call that an earlier turn left unanswered',
    [call('c', { arguments: '{"old":1}' }), says('user', 'x'), call('c', { id: 'fc_2' }), output('c')],
    ['user x', 'function_call #fc_2 c', 'function_call_output c seen'],
  ],
  [
    'a call and its output without call ids',
    [call(undefined), output(undefined)],
    ['function_call call_1', 'function_call_output call_1 seen'],
  ],
  [
    'an output before its call',
    [output('c'), says('user', 'x'), call('c')],
    ['user x', 'function_call c', 'function_call_output c seen'],
  ],
  [
    'one output too many, and a later call without any',
    [call('c'), output('c', 'a'), output('c', 'b'), says('user', 'x'), call('c')],
    ['function_call c', 'function_call_output c a', 'user x'],
  ],
  [
    'reasoning of a cut call, whose id a later answer has too',
    [
      thought('rs_1'),
      call('c1', { id: 'fc_1' }),
      says('user', 'x'),
      thought('rs_1'),
      call('c1', { id: 'fc_1' }),
      output('c1'),
    ],
    ['user x', 'reasoning #rs_1', 'function_call #fc_1 c1', 'function_call_output c1 seen'],
  ],
  ['outputs that answer nothing', [output('c'), output('d'), says('user', 'x')], ['user x']],
  [
    'halves of calls of every kind',
    [
      { type: 'computer_call', id: 'cu_1', call_id: 'a' },
      { type: 'custom_tool_call', call_id: 'b' },
      { type: 'local_shell_call', id: 'l', call_id: 'c' },
      { type: 'shell_call', call_id: 'd' },
      { type: 'apply_patch_call', call_id: 'e' },
      { type: 'mcp_approval_request', id: 'mcpr_1' },
      { type: 'tool_search_call', call_id: 'f', execution: 'client' },
      says('user', 'x'),
      { type: 'computer_call_output', call_id: 'x' },
      { type: 'local_shell_call_output', id: 'y' },
      { type: 'mcp_approval_response', approval_request_id: 'mcpr_2', approve: true },
    ],
    ['user x'],
  ],
  ['kinds that only look like each other', [{ type: 'custom_tool_call', call_id: 'c', input: '' }, output('c')], []],
  [
    'hosted calls, which have no other half',
    [
      { type: 'web_search_call', id: 'ws_1' },
      { type: 'tool_search_call', execution: 'server' },
    ],
    ['web_search_call #ws_1', 'tool_search_call'],
  ],
  [
    'two thoughts before a call that is left out',
    [thought('rs_1'), thought('rs_2'), call('c1'), says('user', 'x')],
    ['user x'],
  ],
  [
    'a thought whose first call is left out and whose second stays',
    [thought('rs_1'), call('a', { id: 'fc_1' }), call('b', { id: 'fc_2' }), output('b')],
    ['function_call b', 'function_call_output b seen'],
  ],
  [
    'a thought before an answer of nothing',
    [thought('rs_1'), says('assistant', [], { id: 'msg_1' }), says('user', 'x')],
    ['user x'],
  ],
  [
    'a thought before an approval that nobody gave',
    [thought('rs_1'), { type: 'mcp_approval_request', id: 'mcpr_1' }, says('user', 'x')],
    ['user x'],
  ],
  [
    'a thought with what it led to, and one that stands alone',
    [thought('rs_1'), says('assistant', 'a', { id: 'msg_1' }), thought('rs_2'), says('user', 'x')],
    ['reasoning #rs_1', 'assistant #msg_1 a', 'user x'],
  ],
]

test.each(ROWS)('%s', (_name, items, expected) => expect(sent(items)).toEqual(expected))

test('an output may answer a call of the history; what is new is never a copy', () => {
  const history = [call('c'), says('assistant', 'Hi', { id: 'msg_1' })]
  const added = [output('c'), says('assistant', 'Hi', { id: 'msg_1' }), call('d')]
  expect(clean([...history, ...added], history.length).map(tell)).toEqual([
    'function_call_output c seen',
    'assistant Hi',
  ])
})

test('each conversation of a list pairs its own calls', () => {
  const inner = { agent: 'B', callerAgent: 'A' }
  const items = [call('c', { agent: 'A', callerAgent: null }), call('c', inner), output('c', 'x')].map((item, index) =>
    index === 2 ? { ...item, agent: 'A', callerAgent: null } : item,
  )
  expect(clean(items).map(tell)).toEqual(['function_call c', 'function_call_output c x'])
})

test.for([
  [
    'of one pair of agents, in either direction',
    ['B', 'A'],
    ['A', 'B'],
    ['function_call c', 'function_call_output c x'],
  ],
  ['of two pairs of agents', ['B', 'A'], ['C', 'A'], []],
] as const)('a call and an output %s', ([, [agent, callerAgent], [other, otherCaller], kept]) => {
  const items = [call('c', { agent, callerAgent }), { ...output('c', 'x'), agent: other, callerAgent: otherCaller }]
  expect(sent(items)).toEqual(kept)
})

test('items that nothing is wrong with stay the same objects', () => {
  const items = [says('user', 'x'), call('c', { id: 'fc_1' }), output('c'), says('assistant', 'y', { id: 'msg_1' })]
  for (const [index, item] of clean(items).entries()) expect(item).toBe(items[index])
})

test('very many calls and outputs of one id are read in one pass', async () => {
  const many = Array.from({ length: 20_000 }, () => call('c'))
  const outputs = Array.from({ length: 20_000 }, (_, index) => output('c', `${index}`))
  const cleaned = await cleanForModel([...many, ...outputs], 0)
  expect(cleaned).toHaveLength(40_000)
  expect(new Set(cleaned.map(({ call_id }) => call_id)).size).toBe(20_000)
  expect(clean([...outputs, ...outputs, ...many])).toHaveLength(40_000)
})
