import assert from 'node:assert/strict'
import { type ClientError, createClient, type Ticket } from 'agency-swarm-js/client'

export async function steps(url: string): Promise<void> {
  const script = await (await fetch(`${url}/page.js`)).text()
  assert.doesNotMatch(script, /^(import|export)\b/m, 'the page needs nothing else')

  const answer = await fetch(`${url}/ticket`, { method: 'POST' })
  const ticket = (await answer.json()) as Ticket
  const { runs, threads } = createClient({ baseUrl: url, ticket: () => ticket }).agency('shop')
  const stream = runs.stream({ message: 'Refund order 17', thread_id: ticket.thread_id })
  for await (const event of stream)
    if (event.kind === 'requires_action')
      for (const { approval_id } of event.approvals) await stream.approve(approval_id)
  assert.equal((await stream.result()).status, 'completed')
  assert.match(stream.view.text, /Order 17 is refunded/)

  await assert.rejects(threads.list().page(), (error: ClientError) => error.code === 'TICKET_SCOPE')
  assert.equal((await fetch(`${url}/shop/threads`)).status, 401, 'without a ticket nothing is open')
}
