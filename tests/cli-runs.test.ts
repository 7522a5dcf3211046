/** The command `runs` (docs/cli.md) against a real server. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { command } from '../src/cli/runs.ts'
import { Agency, Agent, sqlite } from '../src/index.ts'
import { runCli } from './support/cli.ts'
import { startServer, useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { agency, RunsApi, serveRuns } from './support/runs.ts'
import { startWebhookHost } from './support/webhook-host.ts'

/** Runs the command in this process: what it prints, and what it says besides. */
async function run(url: string, ...args: string[]) {
  const said = { out: '', notes: [] as string[] }
  const out = (text: string) => {
    said.out += text
  }
  const terminal = {
    interactive: false,
    out,
    note: (line: string) => void said.notes.push(line),
    paint: (_: unknown, text: string) => text,
    during: <T>(_: string, work: Promise<T>) => work,
  }
  const code = await command.run('runs', [...args, '--url', url], terminal)
  return { code, ...said, json: () => JSON.parse(said.out) }
}

test('list, show, cancel and retry act on the runs of a server', async () => {
  const upstream = await useUpstream((_, index) => (index === 0 ? { status: 400, message: 'no' } : { text: 'Done' }))
  const { url, api } = await serveRuns({ runs: { store: sqlite(`${useFolder()}/runs.db`) } })
  expect(await run(url, 'list')).toMatchObject({ code: 0, out: 'No runs.\n' })
  const failed = await api.run({ message: 'Hi', thread_id: 't-42', metadata: { order: '17' } })
  const later = await api.start({ message: 'Hi', after_seconds: 3600 })

  const list = await run(url, 'list')
  expect(list.out.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
    ['RUN', 'STATUS'],
    [later.run_id, 'queued'],
    [failed.run_id, 'failed'],
    [''],
  ])
  const page = await run(url, 'list', '--limit', '1')
  expect(page.notes).toEqual([expect.stringMatching(/^There are more: --after \d+$/)])
  const filtered = await run(url, 'list', '--status', 'failed', '--thread', 't-42', '--json')
  expect(filtered.json().data).toMatchObject([{ run_id: failed.run_id }])

  const shown = await run(url, 'show', failed.run_id)
  for (const line of [/^status: +failed$/m, /^error: +MODEL_FAILED: /m, /^thread: +t-42$/m, /^metadata\.order: +17$/m])
    expect(shown.out).toMatch(line)
  expect((await run(url, 'cancel', later.run_id)).out).toBe(`${later.run_id} cancelled\n`)

  const retried = (await run(url, 'retry', failed.run_id, '--json')).json()
  expect(await api.settled(retried.run_id)).toMatchObject({ status: 'completed', thread_id: 't-42' })
  expect((await run(url, 'show', retried.run_id)).out).toMatch(/^response: +Done$/m)
  expect(upstream.seen).toHaveLength(2)
})

test('dead lists webhooks that were given up, and redrive sends them again', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  let status = 500
  const host = await startWebhookHost(() => status)
  const { url, api } = await serveRuns({
    runs: { webhooks: { trustedOrigins: [host.url] } },
    limits: { webhookAttempts: 1 },
  })
  await api.run({ message: 'Hi', webhook: { url: host.url } })
  await vi.waitFor(
    async () => expect((await run(url, 'dead')).out).toMatch(/msg_\w+ +run\.completed .*HTTP 500/),
    15_000,
  )
  const dead = (await run(url, 'dead', '--json')).json().data[0]
  status = 204
  expect((await run(url, 'redrive', '--all')).out).toBe(`${dead.webhook_id} waiting\n`)
  await vi.waitFor(async () => expect((await run(url, 'dead')).out).toBe('No webhooks were given up.\n'), 15_000)
  expect((await run(url, 'redrive', dead.webhook_id, '--json')).json()).toMatchObject([{ run_id: dead.run_id }])
})

test('wrong use and refusals say what to do', async () => {
  vi.stubEnv('APP_TOKEN', 'the-token')
  onTestFinished(() => void vi.unstubAllEnvs())
  await useUpstream(() => ({ text: 'Done' }))
  const other = new Agency(new Agent({ name: 'Sales', model: 'gpt-4.1' }))
  const { url } = await startServer({ agencies: { support: agency(), sales: other } })
  const refused = (...args: string[]) => run(url, ...args).catch((error: Error) => error.message)
  expect(await refused('purge')).toMatch(/takes one of list, show, cancel, retry, dead, redrive, not "purge"/)
  expect(await refused('show')).toMatch(/takes the id of one run/)
  expect(await refused('list', 'r1')).toMatch(/does not take the argument "r1"/)
  expect(await refused('redrive')).toMatch(/takes ids of webhooks, or --all/)
  expect(await refused('list', '--limit', 'ten', '--agency', 'support')).toMatch(/--limit must be a whole number/)
  expect(await refused('list')).toMatch(/several agencies: support, sales/)
  expect(await refused('show', 'r1', '--agency', 'support')).toMatch(/not found/)
  expect(await refused('list', '--token', 'wrong', '--agency', 'support')).toMatch(/token/)
  const api = new RunsApi(`${url}/sales`, { authorization: 'Bearer the-token' })
  const { run_id } = await api.run({ message: 'Hi' })
  const own = await runCli(['runs', 'list', '--agency', 'sales', '--url', url], { env: { APP_TOKEN: 'the-token' } })
  expect(own).toMatchObject({ code: 0, out: expect.stringContaining(run_id), err: '' })
})
