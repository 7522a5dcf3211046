import { expect, test } from 'vitest'
import { Agency, Agent, Handoff, type OutputGuardrail } from '../src/index.ts'
import { promise } from './promises.ts'

const closes: OutputGuardrail = (answer) => ({
  tripwire: !String(answer).includes('Anything else'),
  guidance: 'Close with: Anything else?',
})

test('the demo model takes the guidance of an output guardrail into its next try, also after a handoff', async () => {
  promise('F8', 'F10')
  const billing = new Agent({ name: 'Billing', model: 'demo', outputGuardrails: [closes] })
  const alone = await billing.getResponse('Hello')
  expect(alone.finalOutput).toMatch(
    /^\[demo model\] I was told "Close with: Anything else\?" and try again\. You wrote/,
  )
  expect(alone.usage?.request_count).toBe(2)
  const desk = new Agent({ name: 'Desk', model: 'demo' })
  const agency = new Agency(desk, { communicationFlows: [[desk, billing, Handoff]] })
  const { finalOutput, newMessages } = await agency.getResponse('Hand me to Billing')
  expect(finalOutput).toMatch(/^\[demo model\] I was told .* and try again\. I have taken over\./)
  expect(newMessages.at(-1)?.agent).toBe('Billing')
})
