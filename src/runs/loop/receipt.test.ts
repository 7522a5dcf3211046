import { expect, test } from 'vitest'
import { outputsIn, prepareRun, scriptedModel } from '../../../tests/support/scripted-model.ts'
import { Agency, Agent, tool } from '../../index.ts'
import { runLoop } from './loop.ts'
import { receiptOf } from './receipt.ts'

const settle = () => new Promise((resolve) => setImmediate(resolve))
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A boss who asks one agent whose tools run, and one whose model is silent. */
function createOffice() {
  const lookup = tool({ name: 'lookup', execute: () => 'found' })
  const obedient = tool({
    name: 'obedient',
    execute: (_input, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  })
  const stubborn = tool({ name: 'stubborn', execute: () => new Promise(() => {}) })
  const tools = [lookup, obedient, stubborn]
  const billing = new Agent({
    name: 'Billing',
    tools,
    model: scriptedModel(() => ({ calls: tools.map(({ name }, index) => ({ name, id: `c${index}` })) })),
  })
  const research = new Agent({
    name: 'Research',
    model: scriptedModel(
      (_request, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    ),
  })
  const send = (id: string, recipient_agent: string) => ({
    name: 'send_message',
    id,
    arguments: { recipient_agent, message: 'x' },
  })
  const boss = new Agent({
    name: 'Boss',
    model: scriptedModel((request) =>
      outputsIn(request).length === 0 ? { calls: [send('b1', 'Billing'), send('b2', 'Research')] } : { text: 'x' },
    ),
  })
  return new Agency(boss, {
    communicationFlows: [
      [boss, billing],
      [boss, research],
    ],
  })
}

test('the receipt of a cancel says how each open call ended', async () => {
  const { run, abort } = prepareRun(createOffice())
  const running = runLoop(run)
  await sleep(20)
  abort.abort(new Error('The run was cancelled.'))
  await expect(running).rejects.toThrow('cancelled')
  await settle()
  expect(receiptOf(run, 'Boss')).toEqual({
    agent: 'Boss',
    state: 'stopped',
    calls: [
      {
        kind: 'agent',
        name: 'Billing',
        call_id: 'b1',
        state: 'stopped',
        calls: [
          { kind: 'tool', name: 'lookup', call_id: 'c0', state: 'finished_first' },
          { kind: 'tool', name: 'obedient', call_id: 'c1', state: 'stopped' },
          { kind: 'tool', name: 'stubborn', call_id: 'c2', state: 'abandoned' },
        ],
      },
      {
        kind: 'agent',
        name: 'Research',
        call_id: 'b2',
        state: 'stopped',
        calls: [
          {
            kind: 'model',
            name: 'scripted',
            state: 'stopped',
            ms: expect.any(Number),
            output_tokens: 0,
            estimated: true,
          },
        ],
      },
    ],
  })
})

test('a run that never started has a receipt', () => {
  expect(receiptOf({}, 'Boss')).toEqual({ agent: 'Boss', state: 'never_started', calls: [] })
})

test('a stop after the turn leaves nothing half way', async () => {
  const lookup = tool({ name: 'lookup', execute: () => 'found' })
  const solo = new Agent({
    name: 'Solo',
    tools: [lookup],
    model: scriptedModel(() => ({ calls: [{ name: 'lookup', id: 'c1' }] })),
  })
  const { run, stopAfterTurn } = prepareRun(new Agency(solo))
  stopAfterTurn()
  expect(await runLoop(run)).toEqual({ kind: 'stopped' })
  expect(receiptOf(run, 'Solo')).toEqual({
    agent: 'Solo',
    state: 'stopped',
    calls: [{ kind: 'tool', name: 'lookup', call_id: 'c1', state: 'finished_first' }],
  })
})
