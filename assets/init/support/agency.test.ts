import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { memory, serve } from 'agency-swarm-js'

process.env.AGENCY_MODEL = 'demo' // no key and no network
process.env.RUNS_DB = ':memory:'
const { agency } = await import('./agency.ts')
const server = await serve({
  agencies: { agency },
  runs: { store: memory() },
  host: '127.0.0.1',
  port: 0,
  banner: false,
})
after(() => server.close())

interface Run {
  run_id: string
  status: string
  response: string
}
interface Inbox {
  data: { approval_id: string; agent: string; tool: string; arguments: object }[]
}

async function call<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
  const answer = await fetch(`${server.url}/agency${path}`, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(process.env.APP_TOKEN && { authorization: `Bearer ${process.env.APP_TOKEN}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  return answer.json() as Promise<T>
}

test('a refund waits for a person, and runs once it is approved', async () => {
  const { run_id } = await call<Run>('POST', '/runs', { message: 'I want to talk to Billing: refund order 17' })
  assert.equal((await call<Run>('GET', `/runs/${run_id}?wait=30`)).status, 'requires_action')
  const [approval] = (await call<Inbox>('GET', '/approvals')).data
  assert.deepEqual([approval?.agent, approval?.tool, approval?.arguments], ['Billing', 'refund_order', { order: 17 }])
  await call('POST', `/runs/${run_id}/approvals/${approval?.approval_id}`, { decision: 'approve' })
  const ended = await call<Run>('GET', `/runs/${run_id}?wait=30`)
  assert.equal(ended.status, 'completed')
  assert.match(ended.response, /Order 17 is refunded/)
})
