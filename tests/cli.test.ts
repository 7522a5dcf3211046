import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, onTestFinished, test, vi } from 'vitest'
import { agency } from '../examples/starter/agency.ts'
import { Agency, Agent, tool, VERSION } from '../src/index.ts'
import { promise } from './promises.ts'
import { addressOf, emptyFolder, installInto, ROOT, runCli, start, startCli } from './support/cli.ts'
import { post, startServer } from './support/client.ts'
import { createDatabase, hasPostgres } from './support/postgres.ts'
import { startUpstream } from './support/upstream.ts'

const STARTER = join(ROOT, 'examples/starter/agency.ts')
vi.setConfig({ testTimeout: 60_000 }) // each test starts several processes

const ESC = '\u001b'
const COMMANDS = [
  'init',
  'port',
  'dev',
  'serve',
  'worker',
  'store',
  'chat',
  'runs',
  'drill',
  'doctor',
  'eval',
  'record',
  'openapi',
  'graph',
]

const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 15_000 })

/** A folder whose agency.ts says this; it reaches the package by its name. */
function projectWith(source: string, files: Record<string, string> = {}): string {
  const folder = emptyFolder()
  installInto(folder)
  for (const [file, text] of Object.entries({ 'agency.ts': source, ...files })) writeFileSync(join(folder, file), text)
  return folder
}
const SOLO = `import { Agency, Agent } from 'agency-swarm-js'
export const agency = new Agency(new Agent({ name: 'Solo', model: process.env.SOLO_MODEL ?? 'demo' }), { name: 'solo' })
`

test('the help fits a screen, and wrong usage exits with 2', async () => {
  const run = (...args: string[]) => runCli(args)
  const [help, ...pages] = await Promise.all([run('--help'), ...COMMANDS.map((name) => run(name, '--help'))])
  expect(help.code).toBe(0)
  for (const name of COMMANDS) expect(help.out).toContain(`  ${name} `)
  for (const absent of [ESC, 'playground']) expect(help.out).not.toContain(absent)
  for (const { out } of [help, ...pages]) {
    expect(out.split('\n').length).toBeLessThanOrEqual(24)
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  }
  const [version, name, option, many, port, devPort, workers, action] = await Promise.all([
    run('--version'),
    run('sevre'),
    run('serve', '--prot', '1'),
    run('graph', 'a', 'b'),
    run('serve', STARTER, '--port', 'abc'),
    run('dev', STARTER, '--port', '65536'),
    run('serve', STARTER, '--workers', 'many'),
    run('store', 'drop'),
  ])
  expect(version).toMatchObject({ code: 0, out: `${VERSION}\n`, err: '' })
  expect(name).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Did you mean "serve"?') })
  expect(option).toMatchObject({ code: 2, err: expect.stringMatching(/'--prot'.*serve --help/) })
  expect(many).toMatchObject({ code: 2, err: expect.stringContaining('does not take the argument') })
  expect(port).toMatchObject({ code: 2, err: expect.stringMatching(/--port must be .*, not "abc"\..*serve --help/) })
  expect(devPort).toMatchObject({ code: 2, err: expect.stringMatching(/not "65536"\..*dev --help/) })
  expect(workers).toMatchObject({ code: 2, err: expect.stringMatching(/--workers must be "auto" or .*, not "many"/) })
  expect(action).toMatchObject({ code: 2, err: expect.stringContaining('one action: migrate') })
  const [coloured, plain] = await Promise.all([
    runCli(['nope'], { env: { FORCE_COLOR: '1' } }),
    runCli(['nope'], { env: { NO_COLOR: '1' } }),
  ])
  expect(coloured.err).toContain(`${ESC}[31merror:`)
  expect(plain.err).toMatch(/^error: There is no command/)
})

// A clone is packed for each project that it makes: that takes a build.
test('a new project runs, passes its test and is not overwritten', {
  timeout: 180_000,
}, async () => {
  promise('F10')
  const folder = emptyFolder()
  const made = await runCli(['init', 'my-shop', '--no-install'], { cwd: folder })
  expect(made).toMatchObject({ code: 0, out: '' })
  expect(made.err).toContain('cd my-shop && npm install && npm start')
  const shop = join(folder, 'my-shop')
  const files = [
    'package.json',
    'agency.ts',
    'agency.test.ts',
    '.env.example',
    '.gitignore',
    '.dockerignore',
    'Dockerfile',
    'tsconfig.json',
    'README.md',
    'AGENTS.md',
  ]
  for (const file of files) expect(existsSync(join(shop, file)), file).toBe(true)
  const manifest = JSON.parse(readFileSync(join(shop, 'package.json'), 'utf8'))
  const packed = `agency-swarm-js-${VERSION}.tgz` // a clone is not published: the project carries its copy along
  expect(manifest.dependencies['agency-swarm-js']).toBe(`file:${packed}`)
  expect(existsSync(join(shop, packed))).toBe(true)
  expect(readFileSync(join(shop, 'README.md'), 'utf8')).toMatch(
    /^cp \.env\.example \.env\n.*--env-file \.env my-shop$/m,
  )
  installInto(shop)
  const server = start('npm', ['start'], { cwd: shop, env: { PORT: '0' } })
  const url = await addressOf(server)
  const answer = await post(`${url}/my_shop/get_response`, { message: 'Ask the Researcher about the weather in Paris' })
  expect(((await answer.json()) as { response: string }).response).toContain('In Paris it is sunny')
  const tested = await start('npm', ['test'], { cwd: shop }).ended
  expect(tested.out).toMatch(/pass 2\b/)
  expect(tested.code).toBe(0)
  const again = await runCli(['init', '--no-install'], { cwd: shop })
  expect(again).toMatchObject({ code: 1, err: expect.stringContaining('--force overwrites them') })
  const offline = {
    npm_config_registry: 'http://127.0.0.1:1/',
    npm_config_fetch_retries: '0',
    npm_config_cache: folder,
  }
  const cut = await runCli(['init', 'cut'], { cwd: folder, env: offline })
  expect(cut).toMatchObject({
    code: 1,
    err: expect.stringMatching(
      /files were written, but npm install failed in cut: .*then run: cd cut && npm install && npm start/,
    ),
  })
  writeFileSync(join(shop, 'agency.ts'), 'mine')
  expect((await runCli(['init', '.', '--no-install', '--force'], { cwd: shop })).err).toContain('(overwritten: ')
  expect(readFileSync(join(shop, 'agency.ts'), 'utf8')).toContain("name: 'my_shop'")
})

test('serve reads agencies and options from the file and from .env', async () => {
  promise('A1', 'E1')
  const source = `${SOLO}import { tool } from 'agency-swarm-js'
export const tools = [tool({ name: 'now', execute: () => 'noon' })]
export default { appTokenEnv: 'SHOP_TOKEN', agencies: { second: () => agency } }
`
  const env = 'SHOP_TOKEN=from-env-file\nPORT=0\nHOST=127.0.0.1\n'
  const server = startCli(['serve'], { cwd: projectWith(source, { '.env': env }) })
  const url = await addressOf(server)
  expect((await fetch(`${url}/solo/get_metadata`)).status).toBe(401)
  expect((await fetch(url)).status).toBe(404) // no playground unless it is asked for
  const headers = { authorization: 'Bearer from-env-file' }
  expect((await fetch(`${url}/second/get_metadata`, { headers })).status).toBe(200)
  expect(await (await post(`${url}/tool/now`, {}, headers)).json()).toEqual({ response: 'noon' })
  server.child.kill('SIGTERM')
  await server.ended
  expect(server.said.out + server.said.err).not.toContain('from-env-file')
})

test('a project that cannot be served gives one error with a remedy', async () => {
  const fails = async (source: string, sentence: RegExp, env: Record<string, string> = {}) => {
    const { code, err, out } = await runCli(['serve', '--port', '0'], { cwd: projectWith(source), env })
    expect(code).toBe(1)
    expect(out).toBe('')
    expect(err).toMatch(sentence)
    return err
  }
  const broken = 'export const a = 1\n\nthrow new Error("of mine")\n'
  const factory = "export const agencies = { shop: () => { throw new Error('no stock') } }"
  const [, , , , plain, traced, folder, file, port] = await Promise.all([
    fails(factory, /The agency "shop" could not be created\. \(no stock\)/),
    fails('export const nothing = 1', /agency\.ts exports nothing to serve.*node agency\.ts/),
    fails('import "no-such-package"', /needs the package no-such-package, .* Run: npm install no-such-package\n/),
    fails(SOLO, /OPENAI_API_KEY is not set.*model: "demo"/, { SOLO_MODEL: 'gpt-5.4' }),
    fails(broken, /agency\.ts cannot be loaded: of mine at agency\.ts:3\./),
    fails(broken, /of mine/, { DEBUG: '1' }),
    runCli(['serve'], { cwd: emptyFolder() }),
    runCli(['serve', 'no.ts']),
    runCli(['serve', STARTER], { env: { PORT: 'abc' } }),
  ])
  expect(plain.trim().split('\n')).toHaveLength(1)
  expect(traced).toMatch(/caused by Error: of mine\n\s+at /)
  expect(folder).toMatchObject({ code: 1, err: expect.stringContaining('agency-swarm-js init') })
  expect(file).toMatchObject({ code: 1, err: 'error: There is no file no.ts.\n' })
  expect(port).toMatchObject({ code: 1, err: expect.stringMatching(/^error: PORT .* must be .*, not "abc"\.\n$/) })
})

test('dev restarts on changes, keeps its port and shows failures', async () => {
  const folder = projectWith(SOLO)
  const dev = startCli(['dev', '--port', '0'], { cwd: folder })
  const url = await addressOf(dev)
  const names = async () =>
    ((await (await fetch(`${url}/solo/get_metadata`)).json()) as { metadata: { agents: string[] } }).metadata.agents
  const server = async () =>
    (await fetch(`${url}/playground/server`)).json() as Promise<{ id: string; failure?: { message: string } }>
  expect(await names()).toEqual(['Solo'])
  const first = await server()
  expect(await (await fetch(url)).text()).toMatch(/<html lang="en" data-watch>.*<title>Playground<\/title>/s)
  writeFileSync(join(folder, 'data.json'), '{}') // data is no source
  const banner = dev.said.out

  writeFileSync(join(folder, 'agency.ts'), `${SOLO}\noops(`)
  await eventually(() => dev.said.err).toMatch(
    /agency\.ts cannot be loaded: .* at agency\.ts:4\..*The server restarts when a source file changes/,
  )
  await expect
    .poll(async () => (await server().catch(() => undefined))?.failure?.message)
    .toMatch(/agency\.ts cannot be loaded/)
  const refused = await fetch(`${url}/solo/get_metadata`)
  expect(refused.status).toBe(503)
  expect(await refused.json()).toEqual({ detail: (await server()).failure?.message })
  expect(await (await fetch(url)).text()).toContain('<title>Playground</title>') // so it can be reloaded meanwhile

  writeFileSync(join(folder, 'agency.ts'), SOLO.replace("name: 'Solo'", "name: 'Renamed'"))
  await eventually(() => dev.said.err).toMatch(/agency\.ts changed, restarted in \d+ ms\n$/)
  expect(await names()).toEqual(['Renamed'])
  expect(await server()).toEqual({ id: expect.not.stringMatching(first.id) })
  expect(dev.said.out).toBe(banner)
  expect(
    dev.said.err
      .trim()
      .split('\n')
      .filter((line) => !line.endsWith(' ...')),
  ).toHaveLength(2) // one line each
  dev.child.kill('SIGINT')
  expect((await dev.ended).code).toBe(0)
})

test("dev shows the provider's error to local callers; serve does not", async () => {
  const upstream = await startUpstream(() => ({ status: 401, message: 'Incorrect API key provided: sk-wrong' }))
  onTestFinished(() => upstream.close())
  const cwd = projectWith(SOLO)
  const env = { SOLO_MODEL: 'gpt-5.4', OPENAI_API_KEY: 'sk-wrong', OPENAI_BASE_URL: upstream.baseURL, PORT: '0' }
  const told = async (...args: string[]) => {
    const server = startCli(args, { cwd, env })
    const answer = await post(`${await addressOf(server)}/solo/get_response`, { message: 'Hello' })
    const line =
      /^\d{4}-\d\d-\d\dT[\d:.]+Z A run failed\. \(401 Incorrect .* runId=[\w-]+ agency=solo agent=Solo code=MODEL_FAILED$/m
    await eventually(() => server.said.err).toMatch(line)
    expect(server.said.err).not.toContain('sk-wrong')
    return ((await answer.json()) as { error: string }).error
  }
  expect(await told('dev')).toMatch(/401 Incorrect API key provided/)
  expect(await told('serve')).toMatch(/^The run of agent Solo failed \(cause: AuthenticationError\)/)
  expect(await told('dev', '--host', '0.0.0.0')).toMatch(/^The run of agent Solo failed/)
})

test('doctor finds problems and fixes, and never prints a key', async () => {
  const asked: string[] = []
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`)
    response.writeHead(request.headers.authorization === 'Bearer sk-doctor-key' ? 200 : 401).end('{}')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const OPENAI_BASE_URL = `http://127.0.0.1:${port}/v1`
  const cwd = projectWith(SOLO)
  const look = async (args: string[], env: Record<string, string>) => {
    const { code, out, err } = await runCli(['doctor', '--json', ...args], { cwd, env })
    expect(err).toBe('')
    const { ok, version, findings } = JSON.parse(out)
    expect(version).toBe(VERSION)
    return {
      code,
      ok,
      out,
      of: Object.fromEntries(findings.map((finding: { name: string }) => [finding.name, finding])),
    }
  }
  const well = await look([], {
    OPENAI_API_KEY: 'sk-doctor-key',
    APP_TOKEN: 'token-doctor',
    OPENAI_BASE_URL,
    PORT: '0',
  })
  expect(well).toMatchObject({
    code: 0,
    ok: true,
    of: { Node: { status: 'ok' }, OPENAI_API_KEY: { status: 'ok' }, APP_TOKEN: { status: 'ok' } },
  })
  expect(well.of.Agency.text).toBe('agency.ts serves solo')
  expect(well.of['Optional packages'].text).toContain('@ai-sdk/')
  expect(asked).toEqual([])
  const bad = await look(['--reach'], { OPENAI_API_KEY: 'sk-wrong-key', OPENAI_BASE_URL, PORT: String(port) })
  expect(bad).toMatchObject({ code: 1, ok: false, of: { Model: { status: 'error', fix: 'Check OPENAI_API_KEY.' } } })
  expect(bad.of[`Port ${port}`]).toMatchObject({ status: 'warning', text: 'is in use' })
  expect(asked).toEqual(['GET /v1/models Bearer sk-wrong-key'])
  const keyless = await look(['--reach'], {
    SOLO_MODEL: 'gpt-5.4',
    OPENAI_BASE_URL: 'http://127.0.0.1:1/v1',
    PORT: '0',
  })
  expect(keyless).toMatchObject({
    code: 1,
    of: {
      Agency: { status: 'error', text: expect.stringContaining('OPENAI_API_KEY is not set') },
      Model: { status: 'error' },
    },
  })
  expect(well.out + bad.out + keyless.out).not.toMatch(/sk-doctor|sk-wrong|token-doctor/)
  const text = await runCli(['doctor'], { cwd: emptyFolder(), env: { PORT: 'x' } })
  expect(text.code).toBe(1)
  expect(text.out).toMatch(/^warning {2}Agency: there is no agency\.ts in this folder\n {9}Pass the name/m)
  expect(text.out).toMatch(/^ERROR {4}Port x: is not a port\n {9}Set PORT/m)
})

test.skipIf(!hasPostgres)('doctor says how the connection to PostgreSQL can be used', async () => {
  promise('A15')
  const { url, drop } = await createDatabase()
  onTestFinished(drop)
  const look = async (options: object) => {
    const cwd = projectWith(`import { Agency, Agent } from 'agency-swarm-js'
import { postgres } from ${JSON.stringify(join(ROOT, 'src/postgres.ts'))}
const store = postgres(${JSON.stringify(options)})
const solo = new Agency(new Agent({ name: 'Solo', model: 'demo' }))
export default { agencies: { solo }, runs: { store } }`)
    const { out } = await runCli(['doctor', '--json'], { cwd, env: { PORT: '0' } })
    expect(out).not.toContain('pa55word')
    const { findings } = JSON.parse(out)
    return findings.find(({ name, code }: { name: string; code?: string }) => name === 'Store' || code !== undefined)
  }
  expect(await look({ url, sessionLock: true })).toEqual({
    name: 'Store',
    status: 'ok',
    text: expect.stringMatching(/^PostgreSQL \d.*; a session lock shows/),
  })
  expect(await look({ url, pooling: 'transaction' })).toMatchObject({
    status: 'warning',
    text: expect.stringContaining('heartbeats'),
    fix: expect.stringContaining('sessionUrl'),
  })
  const away = { url: 'postgres://ada:pa55word@127.0.0.1:1/none' }
  expect(await look(away)).toMatchObject({ status: 'error', code: 'STORE_UNAVAILABLE' })
})

test('openapi prints a valid document of a file or a server, without a key', async () => {
  promise('B11')
  const cwd = projectWith(SOLO.replace("'demo'", "'gpt-5.4'"))
  const { code, out, err } = await runCli(['openapi', '--url', 'https://agents.example.com'], { cwd })
  expect({ code, err }).toEqual({ code: 0, err: '' })
  const document = JSON.parse(out)
  expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true })
  expect(document.servers).toEqual([{ url: 'https://agents.example.com' }])
  expect(document.paths).toHaveProperty(['/solo/get_response'])
  const { url } = await startServer({ agencies: { starter: agency } })
  expect(await runCli(['openapi', url, '-o', 'api.json'], { cwd })).toMatchObject({
    code: 0,
    out: '',
    err: 'Wrote api.json.\n',
  })
  expect(await runCli(['openapi', url, '-o', 'no/api.json'], { cwd })).toMatchObject({
    code: 1,
    err: 'error: no/api.json cannot be written: its folder does not exist. Create the folder, or choose another file.\n',
  })
  expect(JSON.parse(readFileSync(join(cwd, 'api.json'), 'utf8')).paths).toHaveProperty(['/starter/get_metadata'])
})

test('graph draws all agents, tools and flows without other hosts', async () => {
  const cwd = emptyFolder()
  const odd = new Agent({ name: 'R&D <b>', description: '</svg>"', model: 'demo' })
  const { url } = await startServer({ agencies: { starter: agency, odd: new Agency(odd) } })
  expect((await runCli(['graph', url, '-o', 'graph.html'], { cwd })).code).toBe(0)
  const page = readFileSync(join(cwd, 'graph.html'), 'utf8')
  for (const name of ['Guide', 'Researcher', 'Support', 'R&amp;D &lt;b&gt;']) {
    expect(page.match(new RegExp(`class="name"[^>]*>${name}</text>`, 'g')), name).toHaveLength(1)
    expect(page, name).toContain(`<dt>${name}`)
  }
  for (const name of ['get_weather', 'add_numbers', 'track_order']) expect(page).toContain(`>${name}</text>`)
  expect(page.match(/class="flow"/g)).toHaveLength(2)
  expect(page).toContain('<title>Guide to Support</title>')
  expect(page.replace(/<!doctype html>/, '')).not.toMatch(/https?:|\/\/|<script|<\/svg>"|@import|url\((?!#)/)
  expect(page).toContain("default-src 'none'")
  const json = await runCli(['graph', STARTER, '--json'])
  expect(JSON.parse(json.out).starter.metadata.agents).toEqual(['Guide', 'Researcher', 'Support'])
  expect(await runCli(['graph', url, '--agency', 'nope'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('Agencies: starter, odd'),
  })
})

/** A server whose every MARK comes with what terminals obey: a title, a bell, colours, and a turn of the writing. */
async function startHostile() {
  const marked = tool({ name: 'MARK', description: 'Looks up MARK.', execute: () => 'MARK' })
  const agent = new Agent({
    name: 'MARK',
    description: 'MARK',
    instructions: 'MARK',
    conversationStarters: ['MARK'],
    model: 'demo',
    tools: [marked],
  })
  const { url } = await startServer({ agencies: { MARK: new Agency(agent, { name: 'MARK' }) } })
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }
    const headers = { 'content-type': 'application/json' }
    const path = String(request.url).replace(/\/MARK[^/]*\//, '/MARK/')
    const answer = await fetch(url + path, { method: request.method ?? 'GET', headers, ...body })
    const text = (await answer.text()).replaceAll('MARK', 'MARK\\u001b]0;owned\\u0007\\u001b[31m\\u009b2J\\u202e')
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(text)
  })
  server.listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const OBEYED = /[^\P{Cc}\n\t]|[\u202a-\u202e]/u

test('no text of a server reaches the terminal as a control code', async () => {
  const url = await startHostile()
  const cwd = emptyFolder()
  const runs = [
    ['graph', url],
    ['graph', url, '--json'],
    ['graph', url, '--agency', 'nope'],
    ['openapi', url],
    ['chat', url],
    ['chat', url, '--json'],
  ]
  for (const args of runs) {
    const { out, err } = await runCli(args, { cwd, input: '/agent\nuse MARK\n/agent nope\n' })
    const said = out + err
    expect(said, args.join(' ')).toContain('MARK')
    expect(said.match(OBEYED), args.join(' ')).toBeNull()
  }
  await runCli(['graph', url, '-o', 'graph.html'], { cwd })
  expect(readFileSync(join(cwd, 'graph.html'), 'utf8')).not.toMatch(OBEYED)
  const document = JSON.parse((await runCli(['openapi', url], { cwd })).out)
  expect(JSON.stringify(document)).toContain('\u009b2J') // JSON keeps what it is told, as escapes
})
