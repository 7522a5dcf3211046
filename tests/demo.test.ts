import { expect, test } from 'vitest'
import { Agency, Agent, Handoff, type OutputGuardrail } from '../src/index.ts'
import { promise } from './promises.ts'

const closes: OutputGuardrail = (answer) => ({
  tripwire: !String(answer).includes('Anything else'),
  guidance: 'Close with: Anything else?',
})

test("the demo model follows an output guardrail's guidance", async () => {
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

test('the demo model names the files and pictures that stand in a message', async () => {
  const agent = new Agent({ name: 'Solo', model: 'demo' })
  const { finalOutput } = await agent.getResponse([
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'Look' },
        { type: 'input_file', filename: 'notes.txt', file_data: 'data:text/plain;base64,aGk=' },
        { type: 'input_image', image_url: 'data:image/png;base64,aGk=' },
      ],
    },
  ])
  expect(finalOutput).toContain('With it came notes.txt, a picture; I cannot read files.')
})
