import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { once } from '../src/base/async.ts'
import { Agency, Agent } from '../src/index.ts'
import { post, startServer } from './support/client.ts'
import { readUse, startProcess } from './support/process.ts'
import { open, statusOf } from './support/raw.ts'
import { startUpstream } from './support/upstream.ts'

const SERVER = join(import.meta.dirname, 'support/process-server.ts')
vi.setConfig({ testTimeout: 60_000 }) // each flood has a process of its own
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

/** A server with little memory and few descriptors. */
async function startSmall() {
  const upstream = await startUpstream(() => ({ text: 'Hello' }))
  onTestFinished(() => upstream.close())
  const env = { OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-x', PLAYGROUND: 'yes' }
  return startProcess(SERVER, env, { heapMiB: 128, descriptors: 256 })
}
/** Connections that ask `count` times and read nothing. */
function flood(url: string, path: string, { connections, count }: { connections: number; count: number }) {
  const all = Array.from({ length: connections }, () => open(url))
  for (const { socket } of all) {
    socket.pause()
    socket.write(get(path).repeat(count))
  }
  const close = () => all.forEach(({ socket }) => void socket.destroy())
  onTestFinished(close)
  return { close }
}

test.for([
  '/docs/swagger-ui-bundle.js',
  '/redoc/redoc.standalone.js',
  '/openapi.json',
  '/solo/get_metadata',
  '/no/such/path',
])('an unread flood of %s costs little, and others are served', async (path) => {
  const server = await startSmall()
  const warm = await post(`${server.url}/solo/get_response`, { message: 'Hi' })
  expect(warm.status).toBe(200)
  const before = readUse(server.child)
  const { close } = flood(server.url, path, { connections: 20, count: 1_100 })
  const answers = await Promise.all([1, 2, 3].map(() => post(`${server.url}/solo/get_response`, { message: 'Hi' })))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  const during = readUse(server.child)
  expect(during.memoryMiB - before.memoryMiB).toBeLessThan(250)
  expect(during.descriptors - before.descriptors).toBeLessThan(20 + 20)
  close()
  await expect.poll(() => readUse(server.child).descriptors).toBeLessThan(before.descriptors + 20)
  server.child.kill('SIGTERM')
  await server.exit // a stop does not wait for answers that nobody is there to take
})

test('the first run works although descriptors had run out before it', async () => {
  const server = await startSmall()
  const idle = Array.from({ length: 300 }, () => open(server.url))
  await expect.poll(() => idle.filter(({ socket }) => !socket.destroyed).length).toBeLessThanOrEqual(128)
  const refused = await post(`${server.url}/solo/get_response`, { message: 'Hi' }).then(
    ({ status }) => status,
    () => 0,
  )
  expect([0, 503]).toContain(refused)
  for (const { socket } of idle) socket.destroy()
  await expect
    .poll(async () =>
      post(`${server.url}/solo/get_response`, { message: 'Hi' }).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200)
})

const serveSolo = (limits: object = {}) =>
  startServer({ agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'demo' })) }, limits })

test('a client that pipelines and reads gets every answer, in its order', async () => {
  const { url } = await serveSolo()
  for (const count of [2, 17, 1_100]) {
    const { socket, text, closed } = open(url)
    const paths = Array.from({ length: count }, (_, index) => (index % 3 === 0 ? '/healthz' : `/none-${index}`))
    socket.write(paths.map(get).join(''))
    await expect.poll(() => text().match(/HTTP\/1\.1 \d+/g)?.length).toBe(count)
    expect(
      text()
        .match(/HTTP\/1\.1 (\d+)/g)
        ?.map((line) => statusOf(`${line} `)),
    ).toEqual(paths.map((path) => (path === '/healthz' ? 200 : 404)))
    socket.destroy()
    await closed
  }
})

test('runs that are pipelined begin when the answer before them is out', async () => {
  const { url } = await serveSolo({ pipelinedRequests: 1 })
  const { socket, text } = open(url)
  const body = JSON.stringify({ message: 'Hi' })
  const run = `POST /solo/get_response_stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  socket.write(run + run + get('/healthz') + run)
  await expect.poll(() => text().match(/event: end/g)?.length).toBe(3)
  expect(text().match(/event: (?:meta|end)|"status":"ok"/g)).toEqual([
    'event: meta',
    'event: end',
    'event: meta',
    'event: end',
    '"status":"ok"',
    'event: meta',
    'event: end',
  ])
  socket.destroy()
})

test('an address gets a share of the connections, and 503 beyond it', async () => {
  const { url } = await serveSolo({ connections: 8 })
  const held = Array.from({ length: 6 }, () => open(url))
  for (const { socket } of held) socket.write(get('/healthz'))
  await expect.poll(() => held.every(({ text }) => statusOf(text()) === 200)).toBe(true)
  const more = open(url)
  await more.closed
  expect(statusOf(more.text())).toBe(503)
  expect(more.text()).toMatch(/retry-after: \d+.*too many connections/is)
  held[0]?.socket.destroy()
  await expect
    .poll(() =>
      fetch(`${url}/healthz`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200)
})

test('connections over the limit of waiting requests are cut', async () => {
  const { url } = await serveSolo({ pipelinedRequests: 5, peerPipelinedRequests: 50 })
  const { socket, closed } = open(url)
  socket.pause()
  socket.write(get('/docs/swagger-ui-bundle.js').repeat(200))
  socket.resume()
  await closed
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
})

test('what is made once is shared, and a failure is forgotten', async () => {
  let calls = 0
  const value = once(async () => {
    if (++calls < 3) throw new Error(`failure ${calls}`)
    await sleep(1)
    return calls
  })
  await expect(value()).rejects.toThrow('failure 1')
  expect(value.made()).toBe(false)
  await expect(Promise.all([value(), value()])).rejects.toThrow('failure 2')
  expect(await Promise.all([value(), value(), value()])).toEqual([3, 3, 3])
  expect([value.made(), calls]).toEqual([true, 3])
})
