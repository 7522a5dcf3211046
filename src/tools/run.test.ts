import { expect, test } from 'vitest'
import { z } from 'zod'
import { RunContext } from '../agency/context.ts'
import { asFunctionTool, BaseTool } from './base-tool.ts'
import { tool } from './define.ts'
import { runTool } from './run.ts'
import type { FunctionTool } from './tool.ts'

const callTool = (called: FunctionTool, args: object = {}, signal = new AbortController().signal) => {
  const context = Object.assign(new RunContext({ user: 'Ann' }, 'Solo'), {
    toolCallId: 'c1',
    idempotencyKey: 'r:c1',
    signal,
    emit: async () => {},
  })
  return runTool(called, JSON.stringify(args), context, { redact: (text) => text, note: () => {} })
}
const TOO_LONG =
  'Error: the tool "slow" took longer than its limit of 5 ms. It may have taken effect; check before you call it again.'

test('a call that takes longer than timeoutMs is aborted and reported', async () => {
  let reason: unknown
  const slow = tool({
    name: 'slow',
    timeoutMs: 5,
    execute: (_input, { signal }) =>
      new Promise(() => signal.addEventListener('abort', () => (reason = signal.reason))),
  })
  expect(await callTool(slow)).toEqual({ output: TOO_LONG, value: TOO_LONG, failed: true })
  expect(reason).toMatchObject({ message: TOO_LONG })
})

test('a call within timeoutMs answers, and keeps its context', async () => {
  const quick = tool({
    name: 'quick',
    timeoutMs: 5_000,
    execute: (_input, context) => `${context.get('user')} ${context.toolCallId} ${context.idempotencyKey}`,
  })
  expect((await callTool(quick)).output).toBe('Ann c1 r:c1')
})

test('a cancelled run ends a call with timeoutMs with its own reason', async () => {
  const abort = new AbortController()
  const slow = tool({
    name: 'slow',
    timeoutMs: 5_000,
    execute: (_input, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  })
  const running = callTool(slow, {}, abort.signal)
  setImmediate(() => abort.abort(new Error('cancelled')))
  await expect(running).rejects.toThrow('cancelled')
})

test('an input guardrail keeps a tool from running; its text is the output', async () => {
  let ran = 0
  const pay = tool({
    name: 'pay',
    parameters: { amount: z.number() },
    inputGuardrails: [({ amount }) => ({ tripwire: amount > 10, guidance: `${amount} is too much.` })],
    execute: ({ amount }) => `paid ${amount}, ${++ran}`,
  })
  expect((await callTool(pay, { amount: 50 })).output).toBe('50 is too much.')
  expect((await callTool(pay, { amount: 5 })).output).toBe('paid 5, 1')
})

test('an output guardrail replaces an output', async () => {
  const read = tool({
    name: 'read',
    parameters: { key: z.string() },
    outputGuardrails: [
      (output) => ({ tripwire: String(output).includes('secret'), guidance: 'That is secret.' }),
      () => undefined,
    ],
    execute: ({ key }) => `${key} value`,
  })
  expect((await callTool(read, { key: 'secret' })).output).toBe('That is secret.')
  expect((await callTool(read, { key: 'open' })).output).toBe('open value')
})

test('a guardrail that throws fails the call', async () => {
  const broken = tool({
    name: 'broken',
    inputGuardrails: [
      () => {
        throw new Error('no rule')
      },
    ],
    execute: () => 'x',
  })
  await expect(callTool(broken)).rejects.toThrow('no rule')
})

test('a tool class takes the options of calls in its toolConfig', () => {
  class Pay extends BaseTool.define({ amount: z.number() }) {
    static override description = 'Pays.'
    static override toolConfig = { safeToRetry: true, needsApproval: true, timeoutMs: 100 }
    run() {
      return 'paid'
    }
  }
  expect(asFunctionTool(Pay)).toMatchObject({ safeToRetry: true, needsApproval: true, timeoutMs: 100 })
})

test.each([
  ['safeToRetry', 'yes'],
  ['needsApproval', 'yes'],
  ['timeoutMs', 0],
  ['timeoutMs', 1.5],
  ['timeoutMs', 2 ** 31],
  ['describeFailure', 'x'],
  ['inputGuardrails', [{}]],
  ['outputGuardrails', 'x'],
])('a wrong %s (%j) is an error that names the tool', (option, value) => {
  const make = () => tool({ name: 'odd', execute: () => '', ...({ [option]: value } as object) })
  expect(make).toThrow(new RegExp(`^${option} of tool "odd" must be `))
})
