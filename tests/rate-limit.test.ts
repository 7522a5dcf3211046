import { readdirSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, type ServeOptions, tool } from '../src/index.ts'
import { post, startServer } from './support/client.ts'
import { hasRedis, startRedis } from './support/redis.ts'

const serveLimited = (rateLimit: ServeOptions['rateLimit'] & {}, options: Partial<ServeOptions> = {}) =>
  startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'demo' })) },
    tools: [tool({ name: 'ping', execute: () => 'pong' })],
    rateLimit,
    ...options,
  })
const ping = (url: string, headers = {}) => post(`${url}/tool/ping`, {}, headers)
const statuses = async (count: number, ask: () => Promise<Response>) => {
  const seen: number[] = []
  for (let index = 0; index < count; index++) seen.push((await ask()).status)
  return seen
}

test('over the limit an address gets 429 until its window ends', async () => {
  const { url } = await serveLimited({ requests: 3, windowMs: 600 })
  const first = await ping(url)
  expect(['limit', 'remaining'].map((name) => first.headers.get(`ratelimit-${name}`))).toEqual(['3', '2'])
  expect(await statuses(3, () => ping(url, { 'x-forwarded-for': '10.0.0.1' }))).toEqual([200, 200, 429])
  const refused = await fetch(`${url}/solo/get_metadata`)
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
  expect(refused.headers.get('ratelimit-remaining')).toBe('0')
  expect(await refused.json()).toEqual({ detail: expect.stringContaining('Too many requests') })
  await expect.poll(async () => (await ping(url)).status, { timeout: 2_000 }).toBe(200)
})

test('every route counts, also pages, probes and unknown paths', async () => {
  const asset = readdirSync(new URL('../assets/playground/playground/', import.meta.url))[0]
  for (const [method, path] of [
    ['GET', '/docs'],
    ['GET', '/redoc'],
    ['GET', '/docs/swagger-ui-bundle.js'],
    ['GET', '/openapi.json'],
    ['GET', '/'],
    ['GET', `/playground/${asset}`],
    ['GET', '/healthz'],
    ['GET', '/readyz'],
    ['GET', '/metrics'],
    ['GET', '/nothing'],
    ['POST', '/docs'],
    ['OPTIONS', '/tool/ping'],
  ] as const) {
    const { url } = await serveLimited({ requests: 1 }, { playground: true, metrics: true, metricsOpen: true })
    const headers = { origin: 'http://localhost:3000', 'access-control-request-method': 'POST' }
    const first = await fetch(url + path, { method, headers })
    expect(first.status, path).toBe(path === '/nothing' ? 404 : method === 'POST' ? 405 : 200)
    const second = await fetch(url + path, { method, headers })
    expect(second.status, path).toBe(429)
    expect(second.headers.get('access-control-allow-origin'), path).toBe('*')
  }
})

test('wrong tokens count, and each caller has a count of its own', async () => {
  process.env.RATE_TOKEN = 'the-token'
  onTestFinished(() => void delete process.env.RATE_TOKEN)
  const guarded = await serveLimited({ requests: 2 }, { appTokenEnv: 'RATE_TOKEN' })
  expect(await statuses(3, () => ping(guarded.url, { authorization: 'Bearer guess' }))).toEqual([401, 401, 429])
  const byToken = await serveLimited({ requests: 2, by: 'token' })
  for (const authorization of ['Bearer a', 'Bearer b'])
    expect(await statuses(3, () => ping(byToken.url, { authorization }))).toEqual([200, 200, 429])
  const own = await serveLimited({ requests: 1, by: ({ headers }) => headers['x-real-ip'] })
  for (const ip of ['10.0.0.1', '10.0.0.2'])
    expect(await statuses(2, () => ping(own.url, { 'x-real-ip': ip }))).toEqual([200, 429])
})

test('an invalid option and an unreachable Redis are errors at start', async () => {
  for (const bad of [
    {},
    { requests: 0 },
    { requests: 1, windowMs: 'x' },
    { requests: 1, by: 'cookie' },
    { requests: 1, max: 2 },
    { requests: 1, redisUrl: 'http://x' },
  ])
    await expect(serveLimited(bad as never), JSON.stringify(bad)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await expect(serveLimited({ requests: 1, redisUrl: 'redis://127.0.0.1:1' })).rejects.toThrow(/cannot be reached/)
})

test.skipIf(!hasRedis)(
  'processes count together in Redis, and let everybody in while it is gone',
  async () => {
    const { url: redisUrl, kill } = await startRedis()
    onTestFinished(kill)
    const logged: string[] = []
    const { error } = console
    console.error = (text: string) => logged.push(text)
    onTestFinished(() => {
      console.error = error
    })
    const one = await serveLimited({ requests: 3, redisUrl })
    const two = await serveLimited({ requests: 3, redisUrl })
    expect(await statuses(2, () => ping(one.url))).toEqual([200, 200])
    expect(await statuses(2, () => ping(two.url))).toEqual([200, 429])
    expect((await ping(one.url)).status).toBe(429)
    await kill()
    await expect.poll(async () => (await ping(one.url)).status, { timeout: 5_000 }).toBe(200)
    const reports = () => logged.filter((line) => line.includes('does not reach its Redis')).length
    await expect.poll(reports, { timeout: 5_000 }).toBe(2)
    await statuses(20, () => ping(one.url))
    expect(reports()).toBe(2) // once per server and outage
  },
  20_000,
)
