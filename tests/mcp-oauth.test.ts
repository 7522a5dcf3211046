/** Logins of users at MCP servers, with a real authorization server, over real HTTP. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, hostedMcp, type McpAddress, type ServeOptions, sqlite } from '../src/index.ts'
import { createOAuthFetch } from '../src/tools/mcp/oauth/fetch.ts'
import { startServer, useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { browse, startOAuthHost } from './support/oauth-host.ts'
import { type Json, RunsApi } from './support/runs.ts'

const outputsIn = (input: Json[]) =>
  input.filter(({ type }) => type === 'function_call_output').map(({ output }) => String(output))

/** A model that connects where it has to, then asks who it is, and tells what it read. */
const script: Parameters<typeof useUpstream>[0] = (body) => {
  const { input, tools = [] } = body as { input: Json[]; tools?: { name: string }[] }
  const since = input.slice(input.findLastIndex(({ role }) => role === 'user'))
  const outputs = outputsIn(since)
  const called = since.filter(({ type }) => type === 'function_call').map(({ name }) => name)
  const wanted = JSON.stringify(since[0]).includes('Leak') ? 'leak' : 'whoami'
  const next = ['connect_issues', wanted].find(
    (name) => tools.some((tool) => tool.name === name) && !called.includes(name),
  )
  return next === undefined
    ? { text: outputs.join(' | ') }
    : { calls: [{ name: next, arguments: {}, id: `${next}_${input.length}` }] }
}

const agencyOf = (url: string, oauth: McpAddress['oauth'] = true) =>
  new Agency(new Agent({ name: 'Clerk', model: 'gpt-4.1', mcpServers: [{ name: 'issues', url, oauth }] }))

function useKey(key = 'a'.repeat(64)) {
  const before = process.env.AGENCY_STORE_KEY
  process.env.AGENCY_STORE_KEY = key
  onTestFinished(() => {
    process.env.AGENCY_STORE_KEY = before ?? ''
  })
}

const userOf = ({ headers }: { headers: { cookie?: string | undefined } }) =>
  /user=(\w+)/.exec(headers.cookie ?? '')?.[1]

async function open(options: Partial<ServeOptions> & { oauth?: McpAddress['oauth'] } = {}) {
  const { oauth, ...own } = options
  const host = await startOAuthHost()
  const { seen } = await useUpstream(script)
  const serve = () => startServer({ agencies: { shop: agencyOf(host.url, oauth) }, runs: { identify: userOf }, ...own })
  const server = await serve()
  const as = (user: string, url = server.url) => new RunsApi(`${url}/shop`, { cookie: `user=${user}` })
  return { host, seen, server, serve, as }
}

/** Starts a run that waits, and gives its consent. */
async function startWaiting(api: RunsApi) {
  const { run_id } = await api.start({ message: 'Who am I?' })
  const run = await api.settled(run_id)
  expect(run.status, JSON.stringify(run.error)).toBe('requires_action')
  const [approval] = run.required_action.approvals
  return { runId: run_id as string, approval, url: approval.consent.url as string }
}

/** The browser of a user goes to the consent and comes back. */
async function consent(url: string, user: string, cookie = user) {
  const { callback } = await browse(url, user)
  const page = await fetch(callback, { headers: { cookie: `user=${cookie}` } })
  return { callback, status: page.status, headers: page.headers, text: await page.text() }
}

test("a run waits for its owner's consent, and access outlives a restart", { timeout: 20_000 }, async () => {
  useKey()
  const folder = useFolder()
  const runs = () => ({ identify: userOf, store: sqlite(join(folder, 'runs.db')) })
  const { host, seen, server, as } = await open({ runs: runs() })
  const anna = as('anna')
  const { runId, approval, url } = await startWaiting(anna)
  expect(approval).toMatchObject({
    tool: 'connect_issues',
    arguments: {},
    status: 'pending',
    consent: { server: 'issues' },
  })
  expect((await anna.get('/approvals')).body.data[0].consent).toEqual({ server: 'issues', url })
  expect((await as('bob').get('/approvals')).body.data).toEqual([])
  const asked = new URL(url).searchParams
  expect([asked.get('resource'), asked.get('code_challenge_method'), asked.get('scope')]).toEqual([
    host.url,
    'S256',
    'tools offline_access',
  ])

  const page = await consent(url, 'anna')
  expect([page.status, page.text]).toEqual([200, expect.stringContaining('Access to issues was given.')])
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  const run = await anna.settled(runId)
  expect(run.response).toBe('The user has given access to "issues". Its tools are available now. | I am anna.')
  expect((await fetch(page.callback, { headers: { cookie: 'user=anna' } })).status).toBe(410) // used

  const frames = await anna.frames(runId)
  expect(frames.find(({ data }) => data.data?.type === 'custom')?.data.data).toMatchObject({
    name: 'mcp_consent',
    value: { server: 'issues', url },
  })
  expect(frames.find(({ event }) => event === 'requires_action')?.data.approvals[0].consent).toEqual({
    server: 'issues',
    url,
  })

  const bob = as('bob')
  const other = await startWaiting(bob)
  await consent(other.url, 'bob')
  expect((await bob.settled(other.runId)).response).toContain('I am bob.')

  await server.close()
  const restarted = await startServer({ agencies: { shop: agencyOf(host.url) }, runs: runs() })
  for (const user of ['anna', 'bob']) {
    const again = await as(user, restarted.url).run({ message: 'Who am I?' })
    expect(again.response).toBe(`I am ${user}.`)
  }
  await restarted.close()
  const written = ['runs.db', 'runs.db-wal'].map((name) => tryRead(join(folder, name))).join('')
  expect(host.tokens).toHaveLength(2)
  expect(written).not.toMatch(/refresh_token|code_verifier/)
  for (const token of host.tokens) expect(written + JSON.stringify([seen, frames, run])).not.toContain(token)
})

const tryRead = (file: string) => {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

test("only the owner's browser gives consent, once, with the right state", async () => {
  const { as, server } = await open()
  const { runId, url } = await startWaiting(as('anna'))
  const callback = `${server.url}/oauth/callback`
  const statusOf = async (address: string, cookie = 'user=anna') =>
    (await fetch(address, { headers: { cookie } })).status
  expect(await statusOf(callback)).toBe(400)
  expect(await statusOf(`${callback}?code=x&state=wrong`)).toBe(410)
  const stranger = await consent(url, 'eve', 'eve')
  expect([stranger.status, stranger.text]).toEqual([403, expect.stringContaining('belongs to another user')])
  expect(await statusOf(stranger.callback, '')).toBe(403)
  expect((await as('anna').get(`/runs/${runId}`)).body.status).toBe('requires_action')
  // Opened by others, the address is still good; an answer of another authorization server uses it up.
  const state = new URL(stranger.callback).searchParams.get('state')
  expect(await statusOf(`${callback}?code=forged&state=${state}&iss=http://127.0.0.1:1`)).toBe(502)
  const run = await as('anna').settled(runId)
  expect(run.response).toContain('No access to issues was given.')
})

test.each(['in the browser', 'in the inbox'])('the model learns of a consent that is refused %s', async (where) => {
  const { as } = await open()
  const anna = as('anna')
  const { runId, approval, url } = await startWaiting(anna)
  if (where === 'in the inbox')
    await anna.post(`/runs/${runId}/approvals/${approval.approval_id}`, { decision: 'reject', reason: 'Not now.' })
  else expect((await consent(url, 'nobody', 'anna')).text).toContain('Access to issues was refused.')
  const run = await anna.settled(runId)
  expect(run.status).toBe('completed')
  expect(run.response).toMatch(/a person rejected the call of "connect_issues".*Reason: (Not now|No access to issues)/)
})

test('a consent expires', async () => {
  const { as } = await open({ limits: { consentMs: 400 } })
  const { runId, url } = await startWaiting(as('anna'))
  const { callback } = await browse(url, 'anna')
  await as('anna').frames(runId)
  const run = await as('anna').settled(runId)
  expect(run.response).toContain('nobody approved the call of "connect_issues" in time')
  expect((await fetch(callback, { headers: { cookie: 'user=anna' } })).status).toBe(410)
})

test('a token is refreshed, and forgotten when that is refused', async () => {
  const { host, as } = await open()
  const anna = as('anna')
  const { runId, url } = await startWaiting(anna)
  await consent(url, 'anna')
  await anna.settled(runId)
  host.expire()
  expect((await anna.run({ message: 'Again' })).response).toBe('I am anna.')
  expect(host.grants).toEqual(['authorization_code', 'refresh_token'])
  await host.revoke()
  const second = await startWaiting(anna)
  await consent(second.url, 'anna')
  expect((await anna.settled(second.runId)).response).toContain(
    'has to give access to "issues" first. Call "connect_issues".',
  )
  expect((await anna.run({ message: 'Again' })).response).toBe('I am anna.')
  expect(new Set(host.tokens).size).toBe(3)
})

test('a server that wants more is asked for all of it, and tokens are masked', async () => {
  const { host, as } = await open()
  const anna = as('anna')
  const { runId, url } = await startWaiting(anna)
  await consent(url, 'anna')
  await anna.settled(runId)
  expect((await anna.run({ message: 'Leak' })).response).toContain('The header was Bearer [redacted].')
  host.demand('tools admin')
  const second = await startWaiting(anna)
  expect(new URL(second.url).searchParams.get('scope')?.split(' ').sort()).toEqual(['admin', 'offline_access', 'tools'])
})

test('a run that cannot wait gives the address to the model and to its reader', async () => {
  const { as } = await open()
  const anna = as('anna')
  const first = await anna.post('/get_response', { message: 'Who am I?' })
  const [url = ''] = /http:\S+/.exec(first.body.response) ?? []
  expect(first.body.response).toContain(`need the user's consent. Ask the user to open ${url}`)
  await consent(url, 'anna')
  expect((await anna.post('/get_response', { message: 'Who am I?' })).body.response).toBe('I am anna.')
  expect((await as('bob').post('/get_response', { message: 'Who am I?' })).body.response).toContain('consent')
})

test('in process the program takes the answer, and owners stay apart', async () => {
  const host = await startOAuthHost()
  await useUpstream(script)
  const agency = agencyOf(host.url, { redirectUrl: 'http://127.0.0.1:9/oauth/callback', clientName: 'My <shop>' })
  onTestFinished(() => agency.close())
  const ask = async (owner: string) => String((await agency.getResponse('Who am I?', { owner })).finalOutput)
  const { callback } = await browse(/http:\S+/.exec(await ask('anna'))?.[0] ?? '', 'anna')
  expect(await agency.finishConsent(callback)).toBe(true)
  await expect(agency.finishConsent(callback)).rejects.toMatchObject({ code: 'CONSENT_GONE' })
  expect(await ask('anna')).toBe('I am anna.')
  expect(await ask('bob')).toContain("need the user's consent")
})

test('a hosted MCP server gets the token of the owner', async () => {
  const host = await startOAuthHost()
  const { seen } = await useUpstream(script)
  const tools = [hostedMcp({ serverLabel: 'issues', serverUrl: host.url, oauth: true })]
  const agent = new Agent({ name: 'Clerk', model: 'gpt-4.1', tools })
  const server = await startServer({ agencies: { shop: new Agency(agent) } })
  const api = new RunsApi(`${server.url}/shop`)
  const { runId, url } = await startWaiting(api)
  await consent(url, 'anna')
  expect((await api.settled(runId)).response).toContain('The user has given access')
  const sent = seen.map(({ body }) => (body as Json).tools.find(({ type }: Json) => type === 'mcp'))
  expect(sent.map((tool) => tool?.authorization === undefined)).toEqual([true, false])
  expect(sent[1]).toMatchObject({ server_label: 'issues', server_url: host.url })
})

test.each([
  [{ clientSecret: 'x' }, 'needs the clientId'],
  [{ scopes: 'read' }, 'must be a list of scopes'],
  [{ redirectUrl: 'shop:/back' }, 'must be an http(s) address'],
  [{ secret: 'x' }, 'secret'],
  ['yes', 'must be true, false, or an object'],
])('oauth: %j is refused at once', (oauth, text) => {
  expect(() => agencyOf('http://127.0.0.1:1/mcp', oauth as never)).toThrow(text)
})

test('a public server cannot name addresses inside, one inside can', async () => {
  const { issuer } = await startOAuthHost()
  const reach = async (server: string) => {
    const { send, close } = await createOAuthFetch(server)
    return send(`${issuer}/.well-known/openid-configuration`)
      .then(({ status }) => status)
      .finally(close)
  }
  expect(await reach('http://127.0.0.1:1/mcp')).toBe(200)
  await expect(reach('http://93.184.216.34/mcp')).rejects.toMatchObject({ code: 'GATEWAY_REFUSED' })
})
