import { expect, test, vi } from 'vitest'
import { AgencyError } from './errors.ts'
import { ModelTimeout } from './model-errors.ts'
import { fileUrlFailed } from './request-errors.ts'
import { guardrailTripped, nothingToAnswer } from './run-errors.ts'
import { invalidOption } from './start-errors.ts'

test('errors of another copy of the package are recognized, others are not', async () => {
  vi.resetModules()
  const copy = await import('./errors.ts')
  const foreign = new copy.AgencyError('INVALID_OPTION', 500, 'x')
  expect(foreign).not.toBeInstanceOf(AgencyError)
  expect(AgencyError.isInstance(foreign)).toBe(true)
  expect(copy.AgencyError.isInstance(invalidOption('x'))).toBe(true)
  for (const other of [
    new Error('x'),
    new ModelTimeout('event', 'x'),
    { code: 'INVALID_OPTION' },
    'x',
    null,
    undefined,
  ])
    expect(AgencyError.isInstance(other)).toBe(false)
})

test('a tripped guardrail carries its kind and its guidance', () => {
  const error = guardrailTripped('OutputGuardrail', 'Be short.')
  expect(error).toMatchObject({ code: 'GUARDRAIL_TRIPPED', kind: 'OutputGuardrail', guidance: 'Be short.' })
  expect(error.cause).toMatchObject({ message: 'Be short.' })
  expect(AgencyError.isInstance(error)).toBe(true)
})

test('no error has a status of success', () => {
  expect([fileUrlFailed('x').statusCode, nothingToAnswer('x').statusCode]).toEqual([422, 422])
})
