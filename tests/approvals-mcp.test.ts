/** Approvals for tools of MCP servers. */
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, closeMcpServer, type McpServerConfig, toolsFromMcp } from '../src/index.ts'
import { callsOf, callThenTell, type Json, openScriptedShop, openStore, STORES } from './support/approval-shop.ts'
import { useUpstream } from './support/client.ts'
import { startMcpHost } from './support/mcp-hosts.ts'

async function hostWith(settings: Partial<McpServerConfig>): Promise<McpServerConfig> {
  const { url } = await startMcpHost()
  const config = { url, ...settings } as McpServerConfig
  onTestFinished(() => closeMcpServer(config))
  return config
}
const echo = (word: string) => ({ name: 'echo', arguments: { word }, id: `echo_${word}` })
const agencyOf = (config: McpServerConfig) =>
  new Agency(new Agent({ name: 'Clerk', model: 'gpt-4.1', mcpServers: [config] }))

test.each(STORES)('a call of a server tool waits, and runs with edited arguments (%s)', async (name) => {
  const agency = agencyOf(await hostWith({ needsApproval: true }))
  const shop = await openScriptedShop(callThenTell(echo('hi')), { store: openStore(name), agency })
  const { run_id } = await shop.start()
  expect(await shop.wait(run_id)).toMatchObject({ status: 'requires_action' })
  const [approval] = await shop.inbox()
  expect(approval).toMatchObject({ tool: 'echo', arguments: { word: 'hi' } })
  const wrong = await shop.decide(approval, { decision: 'approve', arguments: {} })
  expect([wrong.status, wrong.body.detail[0].loc]).toEqual([422, ['body', 'arguments', 'word']])
  await shop.decide(approval, { decision: 'approve', arguments: { word: 'hello' } })
  const run = await shop.until(run_id, 'completed')
  expect(run.response).toBe('hello')
  expect(callsOf(run.new_messages)).toEqual([['echo', '{"word":"hello"}']])
})

test('a function decides by arguments, context and what the server says', async () => {
  const asked: unknown[] = []
  const config = await hostWith({
    toolPrefix: 'fx_',
    needsApproval: async ({ word }, context, tool) => {
      asked.push([word, context.currentAgentName, tool])
      return word === context.userContext.guarded
    },
  })
  const calls = ['free', 'closed'].map((word) => ({ ...echo(word), name: 'fx_echo' }))
  const shop = await openScriptedShop(callThenTell(...calls), { store: openStore('memory'), agency: agencyOf(config) })
  const { run_id } = await shop.start({ user_context: { guarded: 'closed' } })
  await shop.wait(run_id)
  expect((await shop.inbox()).map((approval: Json) => [approval.tool, approval.arguments])).toEqual([
    ['fx_echo', { word: 'closed' }],
  ])
  const info = { name: 'echo', description: 'Echoes a word.', annotations: { readOnlyHint: true } }
  expect(asked).toEqual([
    ['free', 'Clerk', info],
    ['closed', 'Clerk', info],
  ])
})

test.each([
  [undefined, { echo: true, pid: undefined }],
  [true, { echo: true, pid: true }],
  [false, { echo: undefined, pid: undefined }],
  [['pid'], { echo: undefined, pid: true }],
])('safeToRetry %j replaces what the server says', async (safeToRetry, expected) => {
  const tools = await toolsFromMcp(await hostWith({ safeToRetry, allowedTools: ['echo', 'pid'] }))
  expect(Object.fromEntries(tools.map((tool) => [tool.name, tool.safeToRetry]))).toEqual(expected)
})

test('a name in needsApproval that the server does not have is an error', async () => {
  const text = /needsApproval .*does not have: ecko, fx_echo\. It has .*echo/
  const settings = { needsApproval: ['ecko', 'echo', 'fx_echo'], toolPrefix: 'fx_' }
  await expect(toolsFromMcp(await hostWith(settings))).rejects.toThrow(text)
  await useUpstream(() => ({ text: 'Done.' }))
  await expect(agencyOf(await hostWith(settings)).getResponse('Hi')).rejects.toThrow(text)
  const hidden = await toolsFromMcp(await hostWith({ needsApproval: ['echo'], blockedTools: ['echo'] }))
  expect(hidden.some(({ needsApproval }) => needsApproval)).toBe(false)
})

test.each([
  ['needsApproval', 'echo', 'needsApproval must be true, false, a list of names, or a function'],
  ['needsApproval', [1], 'needsApproval must be'],
  ['safeToRetry', () => true, 'safeToRetry must be true, false or a list of names'],
])('%s: %j is refused at once', (option, value, text) => {
  const config = { url: 'http://127.0.0.1:1/mcp', [option]: value } as unknown as McpServerConfig
  expect(() => new Agent({ name: 'Clerk', mcpServers: [config] })).toThrow(text)
})
