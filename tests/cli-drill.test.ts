/** The command `drill` (docs/cli.md) against real servers. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { command } from '../src/cli/drill.ts'
import { sqlite } from '../src/index.ts'
import { startServer, useUpstream } from './support/client.ts'
import { freePort } from './support/docs-run.ts'
import { useFolder } from './support/folder.ts'
import { agency, RunsApi, serveRuns } from './support/runs.ts'

async function drill(url: string, ...args: string[]) {
  let out = ''
  const terminal = {
    interactive: false,
    out: (text: string) => {
      out += text
    },
    note: () => {},
    paint: (_: unknown, text: string) => text,
    during: <T>(_: string, work: Promise<T>) => work,
  }
  const code = await command.run('drill', ['--url', url, ...args], terminal)
  return { code, out, json: () => JSON.parse(out) }
}

test('a server that keeps its promises passes, and is left as it was', async () => {
  await useUpstream(() => ({ text: 'This is one sentence.', deltas: 6 }))
  const { url, api } = await serveRuns()
  const { code, out } = await drill(url, '--yes', '--runs', '12')
  expect(code, out).toBe(0)
  for (const line of [
    /runs +\d+ completed/,
    /cut by the drill/,
    /kept +every accepted run ends \(12\)/,
    /kept .* replay/,
  ])
    expect(out).toMatch(line)
  expect(out).not.toMatch(/BROKEN|not tried/)
  expect((await api.get('/runs')).body.data).toEqual([])
  expect((await api.get('/threads')).body.data).toEqual([])
})

test('a restart meanwhile is waited for and measured', async () => {
  await useUpstream(() => ({ text: 'This is one sentence.', deltas: 20, delayMs: 10 }))
  const store = () => sqlite(`${folder}/runs.db`)
  const folder = useFolder()
  const port = await freePort()
  const serve = () =>
    startServer({ agencies: { support: agency() }, runs: { store: store() }, port, limits: { drainMs: 50 } })
  const first = await serve()
  const drilling = drill(first.url, '--yes', '--runs', '12', '--json')
  await expect
    .poll(async () => (await new RunsApi(`${first.url}/support`).get('/runs')).body.data.length)
    .toBeGreaterThan(3)
  await first.close()
  await serve()
  const { code, out, json } = await drilling
  expect(code, out).toBe(0)
  expect(json().absences.length).toBeGreaterThan(0)
  expect(json().connections.broken).toBeGreaterThan(0)
})

test('a broken promise is named, and the exit code is 1', async () => {
  await useUpstream(() => ({ text: 'This is one sentence.' }))
  const { url } = await serveRuns()
  // A proxy that forgets keys, and drops the third frame of each stream.
  const proxy = http.createServer(async (request, response) => {
    const { 'idempotency-key': _, host, ...headers } = request.headers
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const answer = await fetch(url + request.url, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    })
    const body = Buffer.from(await answer.arrayBuffer()).toString()
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
    response.end(body.replace(/^id: 3\n.*?\n\n/ms, ''))
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void proxy.close())
  const { port } = proxy.address() as AddressInfo
  const { code, out } = await drill(`http://127.0.0.1:${port}`, '--yes', '--runs', '6')
  expect(code).toBe(1)
  expect(out).toMatch(/BROKEN +events come in order.*\(\d of \d\)/)
  expect(out).toMatch(/BROKEN +the same Idempotency-Key/)
})

test('without --yes nothing is started, and wrong numbers are refused', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  const { url, api } = await serveRuns()
  const refused = (...args: string[]) => drill(url, ...args).catch((error: Error) => error.message)
  expect(await refused()).toMatch(/would start 30 runs of "support" .* Add --yes/)
  expect(await refused('--runs', '0', '--yes')).toMatch(/--runs must be a whole number from 1 to 10000/)
  expect((await api.get('/runs')).body.data).toEqual([])
})
