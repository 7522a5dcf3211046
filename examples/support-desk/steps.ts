import assert from 'node:assert/strict'
import { post, stream } from '../run.ts'

interface Message {
  agent: string
  role?: string
  message_origin?: string
  content?: unknown
}
const origins = (messages: Message[]) => messages.flatMap((message) => message.message_origin ?? [])

export async function steps(url: string): Promise<void> {
  const ask = (message: string, more = {}) => post(`${url}/support/get_response`, { message, ...more })

  const refused = await ask('My card is 4111 1111 1111 1111')
  assert.match(refused.response, /do not send card numbers/)
  assert.equal(refused.usage.request_count, 0, 'no model was asked')

  const frames = await stream(`${url}/support/get_response_stream`, {
    message: 'I want to talk to Billing about invoice 77',
    user_context: { plan: 'pro' },
  })
  const names = frames.flatMap((frame) => frame.data?.data?.name ?? [])
  assert.deepEqual(
    names.filter((name) => name.startsWith('handoff')),
    ['handoff_requested', 'handoff_occured'],
  )
  const history: Message[] = frames.find((frame) => frame.event === 'messages')?.data.new_messages
  assert.deepEqual(origins(history), ['handoff_reminder', 'output_guardrail_error'])
  const last = history.at(-1)
  assert.equal(last?.agent, 'Billing')
  assert.match(JSON.stringify(last?.content), /Invoice 77: 120 euros, paid/, 'the tool has read the user context')
  assert.match(JSON.stringify(last?.content), /Anything else/, 'the guardrail made Billing try again')

  // The next turn goes to the agent that answered last, with everything that was said so far.
  const next = await ask('And invoice 78?', { chat_history: history, recipient_agent: last?.agent })
  assert.match(next.response, /Invoice 78: 120 euros, open/)

  const status = await ask('Connect me with the Technician, what is the status?')
  assert.match(status.response, /All systems work/)
}
