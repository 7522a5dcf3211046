/** The text that a model reads when a tool fails. */
import { expect, test } from 'vitest'
import { BaseTool, tool } from '../src/index.ts'
import { useUpstream } from './support/client.ts'
import { agent, call, outputsOf } from './support/tool-agent.ts'

const fail = () => {
  throw new Error('no ink')
}
class Printer extends BaseTool.define({}) {
  static override description = 'Prints.'
  static override toolConfig = { describeFailure: ({ message }: Error) => `The printer says: ${message}` }
  run = fail
}
const print = { name: 'print', parameters: { type: 'object', properties: { page: { type: 'integer' } } } }

test.each([
  [
    'of a function',
    tool({ ...print, execute: fail, describeFailure: (error, input) => `${error.message} ${JSON.stringify(input)}` }),
    'no ink {"page":1}',
  ],
  ['of a class', Printer, 'The printer says: no ink'],
  [
    'of a value that is not an error',
    tool({ ...print, execute: () => Promise.reject('text'), describeFailure: ({ message }) => message }),
    'text',
  ],
  [
    'of a call that takes too long',
    tool({ ...print, timeoutMs: 5, execute: () => new Promise(() => {}), describeFailure: () => 'Too slow.' }),
    'Too slow.',
  ],
  [
    'that fails itself',
    tool({ ...print, execute: fail, describeFailure: fail as never }),
    /in the tool "print": no ink/,
  ],
  [
    'that is no text',
    tool({ ...print, execute: fail, describeFailure: (() => 1) as never }),
    /in the tool "print": no ink/,
  ],
])('the description %s is what the model reads', async (_name, failing, told) => {
  await useUpstream((_body, index) =>
    index === 0 ? call('toolName' in failing ? String(failing.toolName) : failing.name, { page: 1 }) : { text: 'ok' },
  )
  const { newMessages } = await agent({ tools: [failing] }).getResponse('Print')
  expect(outputsOf(newMessages)).toEqual([typeof told === 'string' ? told : expect.stringMatching(told)])
})
