import { readFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { promise } from './promises.ts'
import { ROOT, runCli, start, startCli } from './support/cli.ts'
import { createDatabase, hasPostgres } from './support/postgres.ts'

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

describe.skipIf(!hasPostgres)('the parts of the Compose file', () => {
  test('an API server with workers, and a worker, serve stored runs', { timeout: 180_000 }, async () => {
    promise('A14')
    const { url, drop } = await createDatabase()
    const ports: { [inside: string]: string } = { 8000: await freePort(), 9090: await freePort() }
    const outside = (text: string) => text.replace(/\b(8000|9090)\b/, (port) => ports[port] as string)
    const partOf = (name: string) => {
      const { command, environment } = serviceOf(name)
      const [, ...args] = command.map((word) => outside(word.replace('agency.ts', join(FOLDER, 'agency.ts'))))
      const given = { DATABASE_URL: url, AGENCY_MODEL: 'demo', HOST: '127.0.0.1', APP_TOKEN: 'secret' }
      const env = Object.fromEntries(Object.entries(given).filter(([variable]) => variable in environment))
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
    const runs = `http://127.0.0.1:${ports[8000]}/support/runs`
    const headers = { authorization: 'Bearer secret', 'content-type': 'application/json', connection: 'close' }
    const started = await fetch(runs, { method: 'POST', headers, body: JSON.stringify({ message: 'Hello' }) })
    expect(started.status).toBe(202)
    const { run_id } = (await started.json()) as { run_id: string }
    for (const path of ['?wait=30', '', '']) // whichever worker process of the server answers
      expect(await (await fetch(`${runs}/${run_id}${path}`, { headers })).json()).toMatchObject({ status: 'completed' })
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
