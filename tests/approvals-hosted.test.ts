/** Approvals for hosted MCP servers, whose calls the provider makes. */

import { expect, test } from 'vitest'
import { Agency, Agent, hostedMcp, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { type Json, openScriptedShop, openShop, openStore, STORES } from './support/approval-shop.ts'
import { allFrames, final, startServer, useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { listen } from './support/keyed-server.ts'
import { say } from './support/tool-agent.ts'

const docs = hostedMcp({ serverLabel: 'docs', serverUrl: 'https://mcp.example', requireApproval: 'always' })
const request = (id = 'mcpr_1', name = 'search') => ({
  id,
  type: 'mcp_approval_request',
  server_label: 'docs',
  name,
  arguments: '{ "q": "tides" }',
})
const responsesIn = (body: Json) => (body.input as Json[]).filter(({ type }) => type === 'mcp_approval_response')

/** A model that asks for approval, and makes the call once it is approved. */
const askThenCall = (body: Json) => {
  const [response] = responsesIn(body)
  if (response === undefined) return { output: [request()] }
  if (response.approve !== true) return { text: `Refused: ${response.reason}` }
  const call = { ...request('mcp_1'), type: 'mcp_call', output: 'High at 6', approval_request_id: 'mcpr_1' }
  return { output: [call, say('High at 6')] }
}
const clerkWith = (tools = [docs] as ConstructorParameters<typeof Agent>[0]['tools']) =>
  new Agency(new Agent({ name: 'Clerk', model: 'gpt-4.1', tools }))

test.each(STORES)('an approved request goes back to the provider, which calls (%s)', async (name) => {
  const shop = await openScriptedShop(askThenCall, { store: openStore(name), agency: clerkWith() })
  const { run_id } = await shop.start()
  expect(await shop.wait(run_id)).toMatchObject({ status: 'requires_action' })
  const [approval] = await shop.inbox()
  expect(approval).toMatchObject({ tool: 'docs.search', call_id: 'mcpr_1', arguments: { q: 'tides' }, agent: 'Clerk' })
  await shop.decide(approval, { decision: 'approve' })
  const run = await shop.until(run_id, 'completed')
  expect(run).toMatchObject({ response: 'High at 6', attempt: 1 })
  expect(shop.seen[0]?.body.tools).toMatchObject([{ type: 'mcp', require_approval: 'always' }])
  const input = (shop.seen[1]?.body.input ?? []) as Json[]
  expect(input.slice(1)).toEqual([
    request(),
    { type: 'mcp_approval_response', approval_request_id: 'mcpr_1', approve: true },
  ])
  const types = run.new_messages.map(({ type }: Json) => type)
  expect(types).toEqual(['message', 'mcp_approval_request', 'mcp_approval_response', 'mcp_call', 'message'])
})

test('the provider gets the reason of a rejection', async () => {
  const shop = await openScriptedShop(askThenCall, { store: openStore('memory'), agency: clerkWith() })
  const { run_id } = await shop.start()
  await shop.wait(run_id)
  const [approval] = await shop.inbox()
  await shop.decide(approval, { decision: 'reject', reason: 'Too dear' })
  const { response } = await shop.until(run_id, 'completed')
  expect(response).toBe('Refused: Error: a person rejected the call of "docs.search". It was not run. Reason: Too dear')
})

test('the arguments of a call that the provider makes cannot be edited', async () => {
  const shop = await openScriptedShop(askThenCall, { store: openStore('memory'), agency: clerkWith() })
  const { run_id } = await shop.start()
  await shop.wait(run_id)
  const [approval] = await shop.inbox()
  const { status, body } = await shop.decide(approval, { decision: 'approve', arguments: { q: 'winds' } })
  expect([status, body.detail]).toMatchObject([
    422,
    [{ loc: ['body', 'arguments'], msg: expect.stringContaining('approve it without arguments') }],
  ])
  expect(await shop.inbox()).toHaveLength(1)
})

test('a tool of the same name is not called for the request', async () => {
  const searched: unknown[] = []
  const search = tool({ name: 'search', execute: (args) => searched.push(args) })
  const script = (body: Json) =>
    responsesIn(body).length === 0
      ? { output: [request(), { ...request('fc_1'), type: 'function_call', call_id: 'c1', arguments: '{}' }] }
      : { text: 'Done' }
  const shop = await openScriptedShop(script, { store: openStore('memory'), agency: clerkWith([docs, search]) })
  const { run_id } = await shop.start()
  await shop.wait(run_id)
  expect(searched).toHaveLength(1)
  const [approval] = await shop.inbox()
  await shop.decide(approval, { decision: 'approve' })
  await shop.until(run_id, 'completed')
  expect(searched).toHaveLength(1)
})

test('a request is decided after a restart, and cancelled with its run', async () => {
  await useUpstream(askThenCall)
  const folder = useFolder()
  const before = await openShop({ store: openStore('sqlite', folder), agency: clerkWith() })
  const [first, second] = [await before.start(), await before.start()]
  for (const { run_id } of [first, second]) await before.wait(run_id)
  await before.close()
  const after = await openShop({ store: openStore('sqlite', folder), agency: clerkWith() })
  const [approval] = await after.inbox()
  await after.decide(approval, { decision: 'approve' })
  expect(await after.until(first.run_id, 'completed')).toMatchObject({ response: 'High at 6' })
  expect((await after.cancel(second.run_id)).receipt.calls).toEqual([
    { kind: 'tool', name: 'search', call_id: 'mcpr_1', state: 'never_started' },
  ])
})

test('a run that is not stored refuses the request, and the log says why', async () => {
  promise('J1')
  const said = listen()
  await useUpstream(askThenCall)
  const { url } = await startServer({ agencies: { solo: clerkWith() } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Go' })
  expect(final(frames).new_messages.at(-1).content[0].text).toMatch(/^Refused: .*not available here/)
  expect(said.join()).toContain('only stored runs can wait for')
})
