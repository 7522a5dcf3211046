import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, type Limits } from '../src/index.ts'
import { promise } from './promises.ts'
import { post, startServer, useUpstream } from './support/client.ts'
import { open, statusOf, toRequest } from './support/raw.ts'

const solo = (model: string) => new Agency(new Agent({ name: 'Assistant', model }))
const serveWith = (limits: Partial<Limits>, model = 'demo') => startServer({ agencies: { solo: solo(model) }, limits })
const connections = (server: { app: { server: http.Server } }) =>
  new Promise<number>((resolve) => server.app.server.getConnections((_error, count) => resolve(count)))

/** A model that talks for ever and as fast as it is read; it counts what it has sent. */
async function startEndless() {
  const seen = { bytes: 0, open: 0 }
  const delta = `data: ${JSON.stringify({ type: 'response.output_text.delta', item_id: 'msg_1', delta: 'x'.repeat(1_000) })}\n\n`
  const piece = delta.repeat(32)
  const server = http.createServer(async (request, response) => {
    let wake: (value?: unknown) => void = () => {}
    request.resume()
    seen.open++
    response.on('drain', () => wake())
    response.once('close', () => {
      seen.open--
      wake()
    })
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    while (!response.destroyed) {
      seen.bytes += piece.length
      if (response.write(piece)) continue
      await new Promise((resolve) => {
        wake = resolve
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.env.OPENAI_BASE_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  process.env.OPENAI_API_KEY = 'sk-server-key'
  onTestFinished(() => {
    process.env.OPENAI_BASE_URL = ''
    process.env.OPENAI_API_KEY = ''
    server.closeAllConnections()
    server.close()
  })
  return seen
}
/** Waits until a number stays what it is. */
async function settled(read: () => number): Promise<number> {
  for (let last = -1; ; last = read()) {
    await sleep(150)
    if (read() === last) return last
  }
}

test('senders of slow or no requests are cut and slow nobody down', async () => {
  const server = await serveWith({ headersTimeoutMs: 1_000, bodyTimeoutMs: 1_500, idleTimeoutMs: 1_000 })
  const { url } = server
  const head = 'POST /solo/get_response HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  const kinds = [
    { first: '', drip: '' },
    { first: 'G', drip: '' },
    { first: head, drip: 'X-A: b\r\n' },
    { first: `${head}Content-Length: 1000\r\n\r\n{`, drip: ' ' },
    { first: `${head}Transfer-Encoding: chunked\r\n\r\n`, drip: '1\r\n \r\n' },
    { first: 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', drip: '' }, // a connection kept open for nothing
  ]
  const started = performance.now()
  const slow = Array.from({ length: 300 }, (_, index) => {
    const { first, drip } = kinds[index % kinds.length] as (typeof kinds)[number]
    const { socket, closed, text } = open(url)
    socket.write(first)
    const timer = drip === '' ? undefined : setInterval(() => socket.writable && socket.write(drip), 100)
    return closed.then(() => {
      clearInterval(timer)
      return { kind: index % kinds.length, text: text(), after: performance.now() - started }
    })
  })
  const waits: number[] = []
  while (performance.now() - started < 1_200) {
    const asked = performance.now()
    expect((await post(`${url}/solo/cancel_response_stream`, { run_id: 'none' })).status).toBe(404)
    waits.push(performance.now() - asked)
  }
  expect(Math.max(...waits)).toBeLessThan(1_500)
  for (const { kind, text, after } of await Promise.all(slow)) {
    expect(after).toBeLessThan(1_500 + 12_000)
    // A timeout is reported where an answer can still be sent.
    if (kind < 5 && text !== '') expect(statusOf(text), text).toBe(408)
    if (kind === 5) expect(statusOf(text)).toBe(200)
  }
}, 20_000)

test('a reader that stops reading pauses the model', async () => {
  promise('B7')
  const seen = await startEndless()
  const { url } = await serveWith({}, 'gpt-4.1')
  const before = process.memoryUsage().rss
  const { socket } = open(url)
  socket.pause()
  socket.write(toRequest('/solo/get_response_stream', '{"message":"Hi"}'))
  await expect.poll(() => seen.bytes).toBeGreaterThan(1_000_000)
  const bytes = await settled(() => seen.bytes)
  expect(bytes).toBeLessThan(64 * 1024 * 1024)
  expect(process.memoryUsage().rss - before).toBeLessThan(120 * 1024 * 1024)
  expect(seen.open).toBe(1)
  socket.destroy()
  await expect.poll(() => seen.open, { timeout: 3_000 }).toBe(0)
}, 20_000)

test('a reader without progress for idleTimeoutMs is disconnected', async () => {
  const seen = await startEndless()
  const server = await serveWith({ idleTimeoutMs: 500 }, 'gpt-4.1')
  const sleeper = open(server.url)
  sleeper.socket.pause()
  sleeper.socket.write(toRequest('/solo/get_response_stream', '{"message":"Hi"}'))
  await expect.poll(() => seen.open).toBe(1)
  await expect.poll(() => seen.open).toBe(0)
  await expect.poll(() => connections(server)).toBe(0)

  await useUpstream(() => ({ text: 'x'.repeat(8_000_000) }))
  const talkers = await serveWith({ idleTimeoutMs: 500 }, 'gpt-4.1')
  for (const endpoint of ['get_response', 'get_response_stream']) {
    const { socket } = open(talkers.url)
    socket.pause()
    socket.write(toRequest(`/solo/${endpoint}`, '{"message":"Hi"}'))
  }
  await expect.poll(() => connections(talkers)).toBe(2)
  await expect.poll(() => connections(talkers), { timeout: 8_000 }).toBe(0)
}, 20_000)

test('a reader that is slow but reads gets everything, however long it takes', async () => {
  await useUpstream(() => ({ text: 'x'.repeat(8_000_000) }))
  const { url } = await serveWith({ idleTimeoutMs: 800 }, 'gpt-4.1')
  const { socket, closed, text } = open(url)
  const started = performance.now()
  socket.write(toRequest('/solo/get_response_stream', '{"message":"Hi"}'))
  let rested = 0
  socket.on('data', () => {
    if (text().length < (rested + 1) * 1_500_000) return
    rested++
    socket.pause()
    setTimeout(() => socket.resume(), 100)
  })
  await expect.poll(() => text().includes('[DONE]'), { timeout: 10_000 }).toBe(true)
  expect(performance.now() - started).toBeGreaterThan(800)
  socket.destroy()
  await closed
}, 20_000)
