import { afterAll, afterEach } from 'vitest'
import { watchServers } from './contract.ts'

const violations: string[] = []
const stopWatching = watchServers((violation) => violations.push(violation))

/** Answers that did not fit their server's document, since the last time somebody asked. */
export const takeViolations = () => violations.splice(0)

/** Every answer that a test's servers gave has to be in their documents; not written with `expect`, which would count as an assertion of the test. */
function complain(): void {
  const found = [...new Set(takeViolations())]
  if (found.length > 0) throw new Error(`Answers that are not in the OpenAPI document:\n${found.join('\n')}`)
}
afterEach(complain)
afterAll(() => {
  stopWatching() // the next file of this process watches for itself
  complain()
})
