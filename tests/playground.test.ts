import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import Fastify from 'fastify'
import { expect, onTestFinished, test, vi } from 'vitest'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, Agent, buildApp, type ServeOptions } from '../src/index.ts'

const ROOT = resolve(import.meta.dirname, '..')
const BUILT = join(ROOT, 'assets/playground')
const team = () => new Agency(new Agent({ name: 'Assistant', model: 'demo' }), { name: 'team' })
const build = async (options: Partial<ServeOptions> = {}) => {
  const app = await buildApp({ agencies: { team: team() }, ...options })
  onTestFinished(() => app.close())
  return app
}
/** The files that a page names. */
const filesOf = (html: string) => [...html.matchAll(/(?:src|href)="(\.[^"]+)"/g)].map((match) => match[1] as string)
const listFiles = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
    .sort()

test('there is no playground unless it is asked for', async () => {
  const app = await build()
  const file = readdirSync(join(BUILT, 'playground'))[0]
  for (const path of ['/', '/playground', `/playground/${file}`]) expect((await app.inject(path)).statusCode).toBe(404)
})

test('the page may load its own files only, and may be framed by nobody', async () => {
  const app = await build({ playground: true })
  const page = await app.inject('/')
  expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
  expect(page.headers['cache-control']).toBe('no-cache')
  expect(page.headers['x-content-type-options']).toBe('nosniff')
  const policy = String(page.headers['content-security-policy'])
  for (const rule of [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
  ])
    expect(policy.split('; ')).toContain(rule)
  expect(policy).not.toMatch(/unsafe|https?:/)
  expect(page.body).not.toMatch(/https?:|"\/|<script>/)
})

test('its files are cached for ever and compressed', async () => {
  const app = await build({ playground: true })
  const names = filesOf((await app.inject('/')).body)
  expect(names.length).toBeGreaterThan(1)
  for (const name of names) {
    const url = new URL(name, 'http://localhost/').pathname
    const plain = await app.inject({ url, headers: { 'accept-encoding': 'gzip;q=0, br' } })
    expect(plain.statusCode, name).toBe(200)
    expect(plain.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'Accept-Encoding',
    })
    expect(plain.headers['content-type']).toMatch(/^text\/(javascript|css); charset=utf-8$/)
    expect(plain.headers['content-encoding']).toBeUndefined()
    const small = await app.inject({ url, headers: { 'accept-encoding': 'br, gzip' } })
    expect(small.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(small.rawPayload).equals(plain.rawPayload)).toBe(true)
  }
})

test('under a prefix, page and files have relative addresses', async () => {
  const host = Fastify()
  onTestFinished(() => host.close())
  await host.register(agencySwarm, { prefix: '/deep/ai', agencies: { team: team() }, playground: true })
  const bare = await host.inject('/deep/ai?x=1')
  expect(bare.statusCode).toBe(307)
  const there = new URL(String(bare.headers.location), 'http://localhost/deep/ai?x=1')
  expect(there.pathname).toBe('/deep/ai/')
  const page = await host.inject(there.pathname)
  expect(page.statusCode).toBe(200)
  for (const name of filesOf(page.body)) expect((await host.inject(new URL(name, there).pathname)).statusCode).toBe(200)
  expect((await host.inject('/deep/ai/openapi.json')).statusCode).toBe(200)
})

test('a prefix that looks like an address never leads elsewhere', async () => {
  const host = Fastify()
  onTestFinished(() => host.close())
  await host.register(agencySwarm, { prefix: '/:tenant', agencies: { team: team() }, playground: true })
  for (const path of ['/https:', '/javascript:x', '/%2F%2Felsewhere.example']) {
    const { headers } = await host.inject(path)
    expect(new URL(String(headers.location), `http://localhost${path}`).origin).toBe('http://localhost')
  }
})

test('the page is open beside a token, what it asks of the API is not', async () => {
  process.env.PLAYGROUND_TOKEN = 'secret'
  onTestFinished(() => {
    delete process.env.PLAYGROUND_TOKEN
  })
  const app = await build({ playground: true, appTokenEnv: 'PLAYGROUND_TOKEN', protectDocs: true })
  const page = await app.inject('/')
  expect(page.statusCode).toBe(200)
  expect(page.body).not.toContain('team')
  for (const path of ['/openapi.json', '/team/get_metadata']) expect((await app.inject(path)).statusCode).toBe(401)
})

test('it is refused beside AG-UI, which it does not speak', async () => {
  await expect(build({ playground: true, enableAgui: true })).rejects.toThrow(/leave out playground or enableAgui/)
})

test('an agency may be called as the folder of the files is', async () => {
  const app = await build({ playground: true, agencies: { playground: team() } })
  const asked = { method: 'POST', url: '/playground/get_response', payload: { message: 'Hello' } } as const
  expect((await app.inject(asked)).json().response).toContain('demo model')
  const file = filesOf((await app.inject('/')).body)[0] as string
  expect((await app.inject(new URL(file, 'http://localhost/').pathname)).statusCode).toBe(200)
})

test('the files in assets/playground are what the sources make, and small', async () => {
  const outDir = mkdtempSync(join(tmpdir(), 'playground-'))
  onTestFinished(() => rmSync(outDir, { recursive: true }))
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js')
  await promisify(execFile)(process.execPath, [vite, 'build', '--logLevel', 'error', '--outDir', outDir], {
    cwd: join(ROOT, 'playground'),
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const files = listFiles(outDir)
  expect(listFiles(BUILT)).toEqual(files)
  for (const file of files)
    expect(
      readFileSync(join(BUILT, file)).equals(readFileSync(join(outDir, file))),
      `${file} is stale: npm run build -w playground`,
    ).toBe(true)
  const bytesOf = (file: string) => gzipSync(readFileSync(join(outDir, file))).length
  const onDemand = (file: string) => /(katex|highlight|palette|find-runs|run-list|\w+-view|agents)-/.test(file)
  const code = files.filter((file) => /\.(html|js|css)$/.test(file))
  const first = code.filter((file) => !onDemand(file)).map(bytesOf)
  expect(first.reduce((sum, bytes) => sum + bytes)).toBeLessThan(250_000)
  for (const file of code.filter(onDemand)) expect(bytesOf(file), file).toBeLessThan(100_000)
  const views = new Set(code.flatMap((file) => /(\w+)-view-\w+/.exec(file)?.[1] ?? []))
  expect([...views].sort()).toEqual(['agents', 'approvals', 'evals', 'runs', 'tools'])
})

test('the licences of what is bundled lie beside it', () => {
  const text = readFileSync(join(BUILT, 'licences.txt'), 'utf8')
  for (const name of ['react', 'react-dom', '@xyflow/react', 'marked', 'eventsource-parser', 'katex', 'lowlight'])
    expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(MIT\\)$`, 'm'))
  for (const part of text.split(/^-{72}$/m).slice(0, -1)) expect(part).toMatch(/Copyright|Permission/i)
})

test('callers with the token get the costs of model responses', async () => {
  vi.stubEnv('APP_TOKEN', 'a-token-for-prices')
  const app = await build({ playground: true, prices: { mine: { inputUsdPerMillion: 1, outputUsdPerMillion: 3 } } })
  const ask = (payload: object, authorization = 'Bearer a-token-for-prices') =>
    app.inject({ method: 'POST', url: '/playground/costs', payload, headers: { authorization } })
  const usage = { input_tokens: 1_000_000, output_tokens: 2_000_000 }
  const answer = await ask({
    responses: [
      { model: 'mine', usage },
      { model: 'nobody-knows', usage },
      { model: 'mine', usage: { input_tokens: 'many' } },
    ],
  })
  expect(answer.json()).toEqual({ costs: [7, 0, 0] })
  expect((await ask({ responses: [] }, 'Bearer wrong')).statusCode).toBe(401)
  for (const payload of [{}, { responses: [{ model: 1, usage }] }, { responses: [{ model: 'mine', usage: null }] }])
    expect((await ask(payload)).statusCode, JSON.stringify(payload)).toBe(422)
  expect((await ask({ responses: Array(1001).fill({ model: 'mine', usage }) })).statusCode).toBe(422)
})
