import { expect, test } from 'vitest'
import { modelFailed } from '../base/model-errors.ts'
import { guardrailTripped, timeLimit } from '../base/run-errors.ts'
import { explain, failureEvent, requestRedactor } from './failure.ts'

const hidden = 'The run of agent Desk failed (cause: InternalError).'

test.for<[string, unknown, string, string]>([
  [
    'a failed model',
    modelFailed('of the provider', new RangeError('x')),
    'The run of agent Desk failed (cause: RangeError).',
    'of the provider',
  ],
  [
    'a failed model without a cause',
    modelFailed('of the provider'),
    'The run of agent Desk failed (cause: ModelError).',
    'of the provider',
  ],
  ['an error of ours', timeLimit(2000), timeLimit(2000).message, timeLimit(2000).message],
  ["an error of users' code", new Error('secret'), hidden, 'secret'],
  ['a thrown text', 'secret', hidden, 'secret'],
])('%s is explained to callers, and with exposeErrors in full', ([, error, closed, open]) => {
  expect(explain(error, 'Desk', false)).toBe(closed)
  expect(explain(error, 'Desk', true)).toBe(open)
})

test('a guardrail that ended the run is known by its kind, not its text', () => {
  const input = guardrailTripped('InputGuardrail', 'OutputGuardrail is only named here')
  expect(failureEvent(input, 'failed')).toEqual({ kind: 'tripped', content: 'failed' })
  expect(failureEvent(guardrailTripped('OutputGuardrail', 'Be short.'), 'failed')).toEqual({
    kind: 'tripped',
    content: 'failed: Be short.',
  })
  expect(failureEvent(new Error('OutputGuardrail'), 'failed')).toEqual({
    kind: 'error',
    who: undefined,
    content: 'failed',
  })
})

test('keys and texts that only the request knows are masked', () => {
  const mask = requestRedactor({ secrets: ['sk-caller-key'], userContext: { card: 'card-4111-1111' } } as never)
  expect(mask('sk-caller-key and card-4111-1111')).not.toMatch(/caller|4111/)
})
