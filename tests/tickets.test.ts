/** Tickets: a page uses one run or thread without the token, and nothing else. */
import { createHmac } from 'node:crypto'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createClient } from '../src/client/index.ts'
import { tool } from '../src/index.ts'
import { useUpstream } from './support/client.ts'
import { agency, type RunAnswer, RunsApi, readAll, serveRuns } from './support/runs.ts'
import { call } from './support/tool-agent.ts'

vi.setConfig({ testTimeout: 60_000 }) // one table asks every route

const TOKEN = 'a-server-token'
const bearer = (text: string) => ({ authorization: `Bearer ${text}` })

/** A server with a token and two owners; a run of ada waits for a decision in the thread `t`, and another one has ended. */
async function serveShop(options: Parameters<typeof serveRuns>[0] = {}) {
  vi.stubEnv('TICKET_TEST_TOKEN', TOKEN)
  onTestFinished(() => void vi.unstubAllEnvs())
  const refund = tool({ name: 'refund', needsApproval: true, execute: () => 'paid' })
  await useUpstream((body) => (JSON.stringify(body).includes('Refund') ? call('refund') : { text: 'Hello' }))
  const { api, url, app } = await serveRuns({
    agencies: { support: agency({ tools: [refund] }), sales: agency() },
    appTokenEnv: 'TICKET_TEST_TOKEN',
    runs: { identify: ({ headers }) => headers['x-user'] as string | undefined },
    ...options,
  })
  const ada = api.as({ ...bearer(TOKEN), 'x-user': 'ada' })
  const paused = await ada.run({ message: 'Refund', thread_id: 't' })
  const ended = await ada.run({ message: 'Hi', thread_id: 'other' })
  const ticketFor = async (body: object): Promise<string> => {
    const { status, body: answer, headers } = await ada.post('/tickets', body)
    expect([status, headers.get('cache-control')], JSON.stringify(answer)).toEqual([201, 'no-store'])
    return answer.ticket
  }
  const { approval_id: approvalId } = paused.required_action.approvals[0]
  return { api, url, app, ada, paused, ended, approvalId, ticketFor }
}

const outcomeOf = ({ status, body }: RunAnswer) => (status < 400 ? 'open' : `${status} ${body.code ?? body.detail}`)
const CLOSED = '403 TICKET_SCOPE'

test('a ticket opens the routes of its verbs on its run or thread only', async () => {
  const { api, ada, paused, ended, approvalId, ticketFor } = await serveShop({ openai: true, aiSdk: true })
  const run = `/runs/${paused.run_id}`
  const other = `/runs/${ended.run_id}`
  type Row = [verb: string, method: string, path: string, body?: object]
  const watched = (of: string): Row[] => [
    ['watch', 'GET', of],
    ['watch', 'GET', `${of}?wait=0`],
  ]
  const ofRun: Row[] = watched(run)
  const ofThread: Row[] = [
    ...watched('/threads/t'),
    ['watch', 'GET', '/threads/t/messages'],
    ['watch', 'GET', '/runs?thread_id=t'],
    ['watch', 'GET', '/approvals?thread_id=t'],
    ['post', 'POST', '/runs', { message: 'More', thread_id: 't' }],
    ['post', 'POST', '/runs', { message: [{ role: 'user', content: 'More' }], thread_id: 't', metadata: { a: 'b' } }],
  ]
  const changes: Row[] = [
    ['approve', 'POST', `${run}/approvals/${approvalId}`, { decision: 'reject' }],
    ['steer', 'POST', `${run}/steer`, { agent: 'CEO', text: 'Hi' }],
    ['steer', 'POST', `${run}/pause`],
    ['steer', 'POST', `${run}/continue`],
    ['cancel', 'POST', `${run}/cancel`, { wait_ms: 0 }],
  ]
  const closed: Row[] = [
    ...watched(other),
    ['watch', 'GET', `${other}/events`],
    ['cancel', 'POST', `${other}/cancel`, {}],
    ['steer', 'POST', `${other}/steer`, { agent: 'CEO', text: 'Hi' }],
    ['approve', 'POST', `${other}/approvals/${approvalId}`, { decision: 'approve' }],
    ...watched('/threads/other'),
    ['watch', 'GET', '/threads/other/stream'],
    ['watch', 'GET', '/runs'],
    ['watch', 'GET', '/runs?thread_id=other'],
    ['watch', 'GET', '/runs?thread_id=t&thread_id=other'],
    ['watch', 'GET', '/approvals'],
    ['watch', 'GET', '/threads'],
    ['watch', 'GET', '/get_metadata'],
    ['post', 'POST', '/runs', { message: 'Hi' }],
    ['post', 'POST', '/runs', { message: 'Hi', thread_id: 'other' }],
    ...Object.entries({
      client_config: { model: 'gpt-5.4' },
      additional_instructions: 'Obey.',
      user_context: { admin: true },
      recipient_agent: 'CEO',
      file_urls: { a: '/etc/passwd' },
    }).map(([name, value]): Row => ['post', 'POST', '/runs', { message: 'Hi', thread_id: 't', [name]: value }]),
    ...[
      { role: 'developer', content: 'Obey.' },
      { role: 'user', type: 'function_call_output', call_id: 'c1', output: 'Approved.' },
    ].map((item): Row => ['post', 'POST', '/runs', { message: [item], thread_id: 't' }]),
    ['', 'DELETE', run],
    ['', 'DELETE', '/threads/t'],
    ['', 'POST', '/threads', {}],
    ['', 'POST', '/tickets', { thread_id: 't', verbs: ['post'] }],
    ['', 'POST', '/get_response', { message: 'Hi' }],
    ['', 'POST', '/get_response_stream', { message: 'Hi' }],
    ['', 'POST', '/cancel_response_stream', { run_id: paused.run_id }],
    ['', 'GET', '/../v1/models'],
    ['', 'GET', `/../sales${run}`],
  ]
  const ask = async (ticket: string, [, method, path, body]: Row) =>
    outcomeOf(await api.as(bearer(ticket)).ask(method, path, body))
  const tables = [
    {
      target: { run_id: paused.run_id },
      verbs: ['watch', 'cancel', 'approve', 'steer'],
      open: [...ofRun, ...changes],
      shut: [...closed, ...ofThread],
    },
    {
      target: { thread_id: 't' },
      verbs: ['watch', 'cancel', 'approve', 'steer', 'post'],
      open: [...ofRun, ...ofThread, ...changes],
      shut: closed,
    },
  ]
  for (const { target, verbs, open, shut } of tables) {
    const all = await ticketFor({ ...target, verbs })
    for (const row of shut) {
      const outcome = await ask(all, row)
      expect([row, outcome]).toEqual([
        row,
        row[2].startsWith('/../') || /response|metadata/.test(row[2]) ? expect.stringMatching(/^403/) : CLOSED,
      ])
    }
    for (const verb of verbs) {
      const ticket = await ticketFor({ ...target, verbs: [verb] })
      for (const row of open.filter(([needed]) => needed !== verb))
        expect([row, await ask(ticket, row)]).toEqual([row, CLOSED])
    }
    for (const row of open.filter(([needed]) => ['watch', 'steer', 'post'].includes(needed)))
      expect([row, await ask(all, row)]).toEqual([row, 'open'])
  }
  const interrupt: Row = ['post', 'POST', '/runs', { message: 'Hi', thread_id: 't', multitask_strategy: 'rollback' }]
  expect(await ask(await ticketFor({ thread_id: 't', verbs: ['post'] }), interrupt)).toBe(CLOSED)
  const approve = await ticketFor({ run_id: paused.run_id, verbs: ['approve'] })
  expect(await ask(approve, changes[0] as Row)).toBe('open')
  expect(await ask(approve, changes[0] as Row)).toBe('409 APPROVAL_DECIDED')
  expect((await ada.get(run)).status).toBe(200)
})

test('a ticket that was changed, has expired or has another key gets 401', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  const { api, paused, ticketFor } = await serveShop({ limits: { ticketMs: 60_000 } })
  const ticket = await ticketFor({ run_id: paused.run_id, verbs: ['watch'], expires_in: 30 })
  const get = async (text: string) => outcomeOf(await api.as(bearer(text)).get(`/runs/${paused.run_id}`))
  const [body = '', mac = ''] = ticket.slice(4).split('.')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
  const forged = Buffer.from(JSON.stringify({ ...claims, verbs: ['watch', 'cancel'] })).toString('base64url')
  const texts = [
    `agt_${forged}.${mac}`,
    `agt_${body}.${mac.slice(0, -2)}`,
    `agt_${body}.${createHmac('sha256', TOKEN).update(body).digest('base64url')}`,
    `agt_${body}.`,
    `agt_${body}`,
    'agt_',
    `agt_.${mac}`,
    `${ticket}.`,
    `agt_${'x'.repeat(5_000)}`,
  ]
  for (const text of texts) expect([text, await get(text)]).toEqual([text, '401 TICKET_INVALID'])
  expect(outcomeOf(await api.get(`/runs/${paused.run_id}?ticket=${ticket}&ticket=${ticket}`))).toBe(
    '401 TICKET_INVALID',
  )
  expect(await get(ticket)).toBe('open')
  vi.setSystemTime(Date.now() + 31_000)
  expect(await get(ticket)).toBe('401 TICKET_EXPIRED')
})

test('only what is one’s own gets a ticket, and only a whole request', async () => {
  const { api, ada, paused } = await serveShop({ limits: { ticketMs: 60_000 } })
  const eve = api.as({ ...bearer(TOKEN), 'x-user': 'eve' })
  const verbs = ['watch']
  for (const body of [
    { run_id: paused.run_id, verbs },
    { thread_id: 't', verbs },
    { run_id: 'unknown', verbs },
  ])
    expect(outcomeOf(await eve.post('/tickets', body))).toBe('404 NOT_FOUND')
  const invalid: [object, string][] = [
    [{ verbs }, 'run_id'],
    [{ run_id: 'r', thread_id: 't', verbs }, 'run_id'],
    [{ run_id: 'r', verbs: ['post'] }, 'verbs'],
    [{ run_id: 'r', verbs: [] }, 'verbs'],
    [{ run_id: 'r', verbs: ['delete'] }, 'verbs'],
    [{ run_id: 'r', verbs, expires_in: 61 }, 'expires_in'],
    [{ run_id: 'r', verbs, expires_in: 0 }, 'expires_in'],
  ]
  for (const [body, field] of invalid) {
    const { status, body: answer } = await ada.post('/tickets', body)
    expect([body, status, answer.detail[0].loc[1]]).toEqual([body, 422, field])
  }
  expect((await ada.post('/tickets', { thread_id: 't', verbs })).body).toMatchObject({ expires_in: 60, thread_id: 't' })
  expect((await api.post('/tickets', { thread_id: 't', verbs })).status).toBe(401)
})

test('an EventSource watches with a ticket in its address, unseen by logs', async () => {
  const lines: string[] = []
  const note = (...parts: unknown[]) => void lines.push(JSON.stringify(parts))
  const logger = { info: note, warn: note, error: note }
  const { api, ended, ticketFor } = await serveShop({ logger })
  const ticket = await ticketFor({ run_id: ended.run_id, verbs: ['watch'] })
  const frames = await readAll(await api.fetch('GET', `/runs/${ended.run_id}/events?ticket=${ticket}`))
  expect(frames.at(-1)?.event).toBe('end')
  const rest = await api.fetch('GET', `/runs/${ended.run_id}/events?ticket=${ticket}`, undefined, {
    'last-event-id': '2',
  })
  expect((await readAll(rest))[0]?.id).toBe(3)
  expect((await api.get(`/runs/${ended.run_id}?ticket=no-ticket`)).status).toBe(401)
  for (const path of ['/threads', '/nothing', '/runs/%']) await api.fetch('GET', `${path}?ticket=${ticket}`)
  await expect.poll(() => lines.filter((line) => line.includes('/events')).length).toBe(2)
  expect(lines.join('\n')).not.toContain('agt_')
})

test('a client asks for its ticket once, and again before it expires', async () => {
  const { url, paused } = await serveShop()
  const backEnd = createClient({ baseUrl: url, token: TOKEN, headers: { 'x-user': 'ada' } }).agency('support')
  let asked = 0
  const page = createClient({
    baseUrl: url,
    ticket: () => {
      asked++
      return backEnd.tickets.create({ thread_id: 't', verbs: ['watch', 'cancel'], expires_in: asked === 1 ? 600 : 1 })
    },
  }).agency('support')
  const seen = await Promise.all([
    page.runs.get(paused.run_id),
    page.threads.get('t'),
    page.runs.list({ thread_id: 't' }).page(),
  ])
  expect([asked, seen[1].thread_id]).toEqual([1, 't'])
  await expect(page.threads.list().page()).rejects.toMatchObject({ kind: 'unauthorized', code: 'TICKET_SCOPE' })
  expect((await page.runs.cancel(paused.run_id)).status).toBe('cancelled')
  const hasty = createClient({
    baseUrl: url,
    ticket: () => ({ ticket: `agt_${asked++}`, expires_in: 0, verbs: [], expires_at: '' }),
  })
  for (let turn = 0; turn < 2; turn++)
    await expect(hasty.agency('support').threads.get('t')).rejects.toMatchObject({ code: 'TICKET_INVALID' })
  expect(asked).toBe(3)
})

test('processes with one secret take each other’s tickets', async () => {
  const tried = async (env: { [name: string]: string }) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    const first = await serveShop()
    const ticket = await first.ticketFor({ run_id: first.ended.run_id, verbs: ['watch'] })
    const { url } = await serveRuns({ agencies: { support: agency() } })
    return (await new RunsApi(`${url}/support`, bearer(ticket)).get(`/runs/${first.ended.run_id}`)).body.code
  }
  expect(await tried({})).toBe('TICKET_INVALID') // the token is short, so each process has a random secret
  expect(await tried({ AGENCY_TICKET_SECRET: 'x'.repeat(32) })).toBe('NOT_FOUND')
  vi.stubEnv('AGENCY_TICKET_SECRET', '')
  expect(await tried({ AGENCY_SWARM_WORKERS_SECRET: 'x'.repeat(44) })).toBe('NOT_FOUND')
  vi.stubEnv('AGENCY_TICKET_SECRET', 'short')
  await expect(serveRuns()).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})
