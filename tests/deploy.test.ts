import { readFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { createClient } from '../src/client/index.ts'
import { promise } from './promises.ts'
import { ROOT, runCli, start, startCli } from './support/cli.ts'
import { createDatabase, hasPostgres } from './support/postgres.ts'
import { startUpstream } from './support/upstream.ts'

const FOLDER = join(ROOT, 'docs/deploy')
interface Service {
  command: string[]
  environment: { [name: string]: string }
  healthcheck: { test: string[] }
}
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8')
const { services }: { services: { [name: string]: Service } } = parse(read('compose.yaml'), { merge: true })
const serviceOf = (name: string) => services[name] as Service

test('the manifests for Compose and Kubernetes start the same programs', () => {
  // biome-ignore lint/suspicious/noExplicitAny: a foreign document that the test looks into
  const [api, worker] = parseAllDocuments(read('kubernetes.yaml')).map((document) => document.toJS()) as any[]
  const podOf = (deployment: typeof api) => deployment.spec.template.spec
  expect(podOf(api).initContainers[0].command).toEqual(serviceOf('migrate').command)
  for (const [deployment, name] of [
    [api, 'api'],
    [worker, 'worker'],
  ]) {
    const [container] = podOf(deployment).containers
    expect(container.command).toEqual(serviceOf(name).command)
    const { path, port } = container.readinessProbe.httpGet
    expect(serviceOf(name).healthcheck.test.join(' ')).toContain(`127.0.0.1:${port}${path}`)
    expect(container.livenessProbe.httpGet).toEqual({ path: '/healthz', port })
  }
})

async function freePort(): Promise<string> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return String(port)
}

const WORDS = ['one ', 'two ', 'three ', ...Array.from({ length: 97 }, (_, index) => `w${index} `)]
const TEXT = WORDS.join('')
/** The processes that a process has started. */
const childrenOf = (pid: number | undefined) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)

describe.skipIf(!hasPostgres)('the parts of the Compose file', () => {
  test('an API server with workers, and a worker, serve a run over a crash', { timeout: 180_000 }, async () => {
    promise('A14')
    const { url, drop } = await createDatabase()
    const upstream = await startUpstream(() => ({ text: TEXT, deltas: WORDS, delayMs: 50 }))
    onTestFinished(upstream.close)
    const ports: { [inside: string]: string } = { 8000: await freePort(), 9090: await freePort() }
    const outside = (text: string) => text.replace(/\b(8000|9090)\b/, (port) => ports[port] as string)
    const partOf = (name: string) => {
      const { command, environment } = serviceOf(name)
      const [, ...args] = command.map((word) => outside(word.replace('agency.ts', join(FOLDER, 'agency.ts'))))
      const given = { DATABASE_URL: url, OPENAI_API_KEY: 'sk-server', HOST: '127.0.0.1', APP_TOKEN: 'secret' }
      const named = Object.entries(given).filter(([variable]) => variable in environment)
      const env = { ...Object.fromEntries(named), OPENAI_BASE_URL: upstream.baseURL }
      return [args, { env }] as const
    }
    onTestFinished(drop)
    expect(await runCli(...partOf('migrate'))).toMatchObject({ code: 0, err: 'The store is up to date.\n' })
    const [api, worker] = [startCli(...partOf('api')), startCli(...partOf('worker'))]
    const isHealthy = async (name: string) => {
      const [, , ...args] = serviceOf(name).healthcheck.test.map(outside)
      return (await start(process.execPath, args, { input: '' }).ended).code === 0
    }
    const healthy = async (name: string) => expect(await isHealthy(name)).toBe(true)
    await vi.waitFor(() => Promise.all([healthy('api'), healthy('worker')]), { timeout: 120_000, interval: 500 })
    // A reader of a run loses its connection when the processes of the API server crash, and goes on where it was.
    const client = createClient({ baseUrl: `http://127.0.0.1:${ports[8000]}`, token: 'secret' })
    const { runs } = client.agency('support')
    const followed = runs.stream('Hello')
    let retries = 0
    let text = ''
    for await (const event of followed) {
      if (event.kind !== 'text') continue
      text += event.text
      if (retries++ === 3) for (const pid of childrenOf(api.child.pid)) process.kill(pid, 'SIGKILL')
    }
    expect(text).toBe(TEXT)
    expect(await followed.result()).toMatchObject({ status: 'completed', attempt: 1, response: TEXT })
    for (
      let n = 0;
      n < 4;
      n++ // whichever process of the server answers
    )
      expect((await runs.list().page()).data).toMatchObject([{ run_id: followed.runId, status: 'completed' }])
    const headers = { authorization: 'Bearer secret' }
    const metrics = await fetch(`http://127.0.0.1:${ports[9090]}/metrics`, { headers })
    expect(await metrics.text()).toMatch(/^agency_swarm_runs?[\w]*\{.*support/m)
    expect(await (await fetch(`http://127.0.0.1:${ports[9090]}/support/get_metadata`)).json()).toEqual({
      detail: 'Not Found',
    })
    for (const part of [api, worker]) part.child.kill('SIGTERM')
    expect((await api.ended).code).toBe(0)
    await worker.ended
    expect(worker.child.signalCode).toBe('SIGTERM')
    expect(worker.said.out).toContain('The worker takes runs of: support')
  })
})
