import { expect, test } from 'vitest'
import { promise } from './promises.ts'
import { type Item, inputOf } from './support/sent.ts'

const fn: Item = { type: 'function', name: 'look_up', parameters: {}, strict: false }
const custom: Item = { type: 'custom', name: 'say' }
const search: Item = { type: 'web_search' }
const mcp: Item = { type: 'mcp', server_label: 'x', server_url: 'https://mcp.example', require_approval: 'never' }

test.for([
  [[search], []],
  [
    [fn, mcp, custom],
    [fn, custom],
  ],
  [[{ type: 'namespace', name: 'n', tools: [fn, mcp, search] }], [{ type: 'namespace', name: 'n', tools: [fn] }]],
  [
    [{ type: 'namespace', name: 'n', tools: { type: 'mcp' } }, { type: 'code_interpreter' }, null, 'web_search', [mcp]],
    [],
  ],
] as [unknown[], Item[]][])('a history cannot bring tools that the provider runs: %j', async ([tools, sent]) => {
  promise('C16')
  const found: Item[] = [
    { type: 'additional_tools', tools },
    { type: 'tool_search_call', call_id: 'c', execution: 'client', arguments: {} },
    { type: 'tool_search_output', call_id: 'c', execution: 'client', tools },
  ]
  const input = await inputOf('gpt-5.4', found)
  expect(input.map((item) => item.tools)).toEqual([sent, undefined, sent])
})
