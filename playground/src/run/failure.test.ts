import { expect, test } from 'vitest'
import { wayOutOf } from './failure.ts'

test('the log has the reason of a failed run, without guidance', () => {
  expect(wayOutOf('The run of agent Planner failed (cause: BadRequestError).')).toContain("server's log")
  expect(wayOutOf('Please ask about orders only.')).toBeUndefined()
})
