/** Gives every test file the environment, globals and clock that the test run began with: files share processes. */
import { afterAll, vi } from 'vitest'

const before = { ...process.env }

afterAll(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  for (const name of Object.keys(process.env)) if (before[name] === undefined) delete process.env[name]
  Object.assign(process.env, before)
})
