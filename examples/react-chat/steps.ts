import assert from 'node:assert/strict'
import { stream } from '../run.ts'

export async function steps(url: string): Promise<void> {
  const page = await (await fetch(url)).text()
  const [, path = ''] = /<script type="module" src="([^"]+)">/.exec(page) ?? []
  const script = await (await fetch(url + path)).text()
  assert.ok(script.length > 100_000, 'React, the AI SDK and the AG-UI client are in it')
  assert.doesNotMatch(script, /^(import|export)\b/m, 'it needs nothing else')

  const ask = async (body: object) => {
    const frames = await stream(`${url}/shop/agui`, {
      threadId: 'check',
      runId: crypto.randomUUID(),
      protocolVersion: '1.0',
      ...body,
    })
    return frames.map(({ data }) => data)
  }
  const messages = [{ id: 'm1', role: 'user', content: 'Refund order 17' }]
  const [asked] = (await ask({ messages })).slice(-1)
  assert.equal(asked.outcome.type, 'interrupt')
  const [{ id: interruptId }] = asked.outcome.interrupts
  const resume = [{ interruptId, status: 'resolved', payload: { approved: true } }]
  const events = await ask({ messages: [], resume })
  assert.ok(events.some(({ type, content }) => type === 'TOOL_CALL_RESULT' && content === 'Order 17 is refunded'))
}
