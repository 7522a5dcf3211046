import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ERROR_CATALOGUE } from '../src/cli/error-catalogue.ts'
import { explainLoadError } from '../src/cli/load-error.ts'
import { Agency, Agent, serve, tool } from '../src/index.ts'
import { addressOf, emptyFolder, installInto, ROOT, runCli, start, startCli } from './support/cli.ts'

const STARTER = join(ROOT, 'examples/starter/main.ts')

/** Every way a server is started -> how it gets host and port. */
const starter = (env: Record<string, string>) => start(process.execPath, [STARTER], { env: { PORT: '0', ...env } })
const cli = (env: Record<string, string>) =>
  startCli(['serve', join(ROOT, 'examples/starter/agency.ts')], { env: { PORT: '0', ...env }, input: '' })

const addresses: [env: Record<string, string>, sentence: RegExp][] = [
  [{ PORT: 'abc' }, /^error: PORT .*must be a whole number from 0 to 65535, not "abc"\.$/m],
  [{ PORT: '80.5' }, /^error: PORT .*must be .*, not "80\.5"\.$/m],
  [{ PORT: '-1' }, /^error: PORT .*must be .*, not "-1"\.$/m],
  [{ PORT: '70000' }, /^error: PORT .*must be .*, not "70000"\.$/m],
  [{ PORT: '8000/tcp' }, /^error: PORT .*must be .*, not "8000\/tcp"\.$/m],
  [{ HOST: '192.0.2.1' }, /^error: This machine has no address "192\.0\.2\.1"\. Set HOST/m],
  [{ HOST: 'no-such-host.invalid' }, /^error: This machine has no address "no-such-host\.invalid"/m],
  [{ HOST: 'http://localhost' }, /^error: This machine has no address "http:\/\/localhost"/m],
  [{ HOST: '2001:db8::1' }, /^error: This machine has no address "2001:db8::1"/m],
]

test.for(addresses)('the address %j is refused in one sentence', { timeout: 60_000 }, async ([env, sentence]) => {
  // Both give HOST to serve() as it is: one process, except for the first. Each reads PORT itself.
  for (const run of 'PORT' in env || env.HOST === '192.0.2.1' ? [starter(env), cli(env)] : [starter(env)]) {
    const { code, err, out } = await run.ended
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(sentence)
    expect(err.trim().split('\n')).toHaveLength(1)
  }
})

test('empty variables count as unset, and serve() checks its address', {
  timeout: 60_000,
}, async () => {
  expect(await addressOf(starter({ HOST: '', PORT: '0' }))).toMatch(/^http:\/\/127\.0\.0\.1:/)
  expect(await addressOf(cli({ HOST: '', AGENCY_MODEL: '' }))).toMatch(/^http:\/\/127\.0\.0\.1:/)
  const agency = new Agency(new Agent({ name: 'Solo', model: 'demo' }))
  for (const [options, message] of [
    [{ host: '' }, /host is empty/],
    [{ port: Number.NaN }, /whole number from 0 to 65535, not NaN/],
    [{ port: '8000' as unknown as number }, /whole number/],
    [{ port: 65_536 }, /not 65536/],
  ] as const)
    await expect(serve({ agencies: { agency }, ...options })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(message),
    })
})

test('Ctrl-C waits for a run, and a second one ends at once', {
  timeout: 60_000,
}, async () => {
  const folder = emptyFolder()
  installInto(folder)
  writeFileSync(
    join(folder, 'agency.ts'),
    `import { Agency, Agent, tool } from 'agency-swarm-js'
const wait = tool({ name: 'wait_long', description: 'Wait long.', execute: () => { console.log('WAITING'); return new Promise(() => {}) } })
export const agency = new Agency(new Agent({ name: 'Solo', model: 'demo', tools: [wait] }), { name: 'solo' })`,
  )
  const server = startCli(['serve', '--port', '0'], { cwd: folder })
  const url = await addressOf(server)
  const body = JSON.stringify({ message: 'wait long' })
  const asked = fetch(`${url}/solo/get_response`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  asked.catch(() => {})
  await expect.poll(() => server.said.out).toContain('WAITING')
  server.child.kill('SIGINT')
  await expect
    .poll(() => server.said.err)
    .toMatch(/^Finishing 1 run, for at most [\d.]+ s\. Ctrl-C again to quit at once\.$/m)
  server.child.kill('SIGINT')
  await server.ended
  expect(server.child.signalCode).toBe('SIGINT')
  await expect(asked).rejects.toThrow()
})

/** The lines of a banner that are commands, as a shell runs them. */
async function runCommands(server: ReturnType<typeof start>, env: NodeJS.ProcessEnv): Promise<string[]> {
  await addressOf(server)
  await expect.poll(() => server.said.out).toMatch(/^ {2}curl/m)
  const lines = server.said.out.match(/^ {2}curl .*$/gm) ?? []
  return lines.map((line) =>
    execFileSync('sh', ['-c', `${line.trim()} -s`], { encoding: 'utf8', env: { ...process.env, ...env } }),
  )
}

/** A project for the banner -> its file and environment. */
const NAMED = (name: string, more = '') => `import { Agency, Agent, serve } from 'agency-swarm-js'
await serve({ agencies: { ${JSON.stringify(name)}: new Agency(new Agent({ name: 'Solo', model: 'demo' })) }, port: 0, ${more} })`
const banners: [title: string, source: string, env: Record<string, string>, host: RegExp][] = [
  ['no token', NAMED('solo', "host: '127.0.0.1'"), {}, /NO TOKEN IS SET/],
  ['a token', NAMED('solo', "host: '127.0.0.1'"), { APP_TOKEN: 'secret-token' }, /export APP_TOKEN=/],
  [
    'a token of another name',
    NAMED('solo', "host: '127.0.0.1', appTokenEnv: 'SHOP_TOKEN'"),
    { SHOP_TOKEN: 'secret-token' },
    /export SHOP_TOKEN=/,
  ],
  ['an odd name', NAMED("Ann's (first) agency & co", "host: '127.0.0.1'"), {}, /'http/],
  ['AG-UI', NAMED('solo', "host: '127.0.0.1', enableAgui: true"), {}, /threadId/],
  ['all addresses', NAMED('solo'), {}, /listening on http:\/\/localhost/],
]

test.for(banners)(
  'the curl lines of the banner work when pasted: %s',
  { timeout: 60_000 },
  async ([, source, env, said]) => {
    const folder = emptyFolder()
    installInto(folder)
    writeFileSync(join(folder, 'main.ts'), source)
    const server = start(process.execPath, ['main.ts'], { cwd: folder, env })
    const answers = await runCommands(server, env)
    expect(answers[0]).toContain('"nodes"')
    for (const answer of answers.slice(1)) expect(answer).toContain('demo model')
    expect(answers.length).toBeGreaterThan(1)
    expect(server.said.out).toMatch(said)
    const warnings = `${server.said.out}${server.said.err}`.match(/NO TOKEN IS SET|WARNING:/g) ?? []
    expect(warnings).toHaveLength(Object.keys(env).length === 0 ? 1 : 0) // once
    expect(server.said.out).not.toContain('secret-token')
  },
)

test.for<[env: Record<string, string>, hint: RegExp | undefined]>([
  [{}, /DEMO MODEL: .*AGENCY_MODEL, such as gpt-5\.4 \(it is not set\).*OPENAI_API_KEY is not set\./],
  [{ OPENAI_API_KEY: 'sk-x' }, /AGENCY_MODEL, such as .*not set.* OPENAI_API_KEY is set\./],
  [{ AGENCY_MODEL: 'demo' }, /AGENCY_MODEL, such as .*\(it is "demo"\)/],
  [{ AGENCY_MODEL: 'gpt-5.4', OPENAI_API_KEY: 'sk-x' }, undefined],
])('with %j the banner says how to get real answers', { timeout: 60_000 }, async ([env, hint]) => {
  const server = starter(env)
  await addressOf(server)
  await expect.poll(() => server.said.out).toContain('Docs:')
  if (hint === undefined) expect(server.said.out).not.toContain('DEMO MODEL')
  else expect(server.said.out).toMatch(hint)
  expect(server.said.out).not.toContain('sk-x')
})

test('a hard-coded demo model is not blamed on AGENCY_MODEL', { timeout: 60_000 }, async () => {
  const folder = emptyFolder()
  installInto(folder)
  writeFileSync(join(folder, 'main.ts'), NAMED('solo', "host: '127.0.0.1'"))
  const server = start(process.execPath, ['main.ts'], { cwd: folder, env: { AGENCY_MODEL: 'gpt-5.4' } })
  await addressOf(server)
  await expect
    .poll(() => server.said.out)
    .toMatch(/name the model "demo" in their code; AGENCY_MODEL=gpt-5\.4 is not read/)
})

const sources: [source: string, sentence: RegExp][] = [
  [
    'import x from "lodash/fp"',
    /agency\.ts needs the package lodash, which is not installed\. Run: npm install lodash$/m,
  ],
  ['import x from "@scope/name/deep"', /needs the package @scope\/name, .* npm install @scope\/name$/m],
  ['import x from "declared"', /needs the package declared, .* Run: npm install$/m],
  ['import { createRequire } from "node:module"\ncreateRequire(import.meta.url)("left-pad")', /npm install left-pad$/m],
  [
    'import "./agents/ceo"',
    /Cannot find module 'agents\/ceo'.*Did you mean agents\/ceo\.ts\? Imports need the file extension/,
  ],
  ['import "./agents/ceo.js"', /Did you mean agents\/ceo\.ts/],
  ['import "./agents/gone.ts"', /Cannot find module 'agents\/gone\.ts' imported from agency\.ts\./],
  ['export const a = 1\nexport const b: string =', /Expression expected at agency\.ts:2\./],
  ['enum Color { Red }', /enum is not supported.* at agency\.ts:1\. Node runs TypeScript by removing the types/],
  ['import { nope } from "zod"', /does not provide an export named 'nope' at agency\.ts:1\./],
  ['throw "a text"', /cannot be loaded: a text\./],
  ['throw undefined', /cannot be loaded: undefined\./],
]

test.for(sources)(
  'a file with %j gets an error of one sentence that fits it',
  { timeout: 60_000 },
  async ([source, sentence]) => {
    const folder = emptyFolder()
    installInto(folder)
    mkdirSync(join(folder, 'agents'))
    writeFileSync(join(folder, 'agents/ceo.ts'), 'export {}')
    writeFileSync(join(folder, 'package.json'), '{"type":"module","dependencies":{"declared":"1.0.0"}}')
    writeFileSync(join(folder, 'agency.ts'), source)
    const { code, err } = await runCli(['serve', '--port', '0'], { cwd: folder })
    expect(code).toBe(1)
    expect(err).toMatch(sentence)
    expect(err).not.toContain(folder)
    expect(err.trim().split('\n')).toHaveLength(1)
  },
)

test('what is thrown may be anything', () => {
  for (const thrown of [null, 42, { message: 7 }, Object.create(null) as object])
    expect(explainLoadError('agency.ts', thrown).message).toMatch(/^agency\.ts cannot be loaded: /)
})

const dotenv: [name: string, bytes: Uint8Array, ok: boolean][] = [
  ['UTF-8', Buffer.from('APP_TOKEN=from-file\n'), true],
  ['UTF-8 with a byte order mark', Buffer.from('\ufeffAPP_TOKEN=from-file\r\n'), true],
  ['UTF-16, as PowerShell writes it', Buffer.from('\ufeffAPP_TOKEN=from-file\r\n', 'utf16le'), true],
  ['Latin-1', Buffer.from('# Schlüssel\nAPP_TOKEN=x\n', 'latin1'), false],
]
test.for(dotenv)('a .env in %s is read rightly or refused', { timeout: 60_000 }, async ([, bytes, ok]) => {
  const folder = emptyFolder()
  installInto(folder)
  writeFileSync(join(folder, '.env'), bytes)
  writeFileSync(
    join(folder, 'agency.ts'),
    "import { Agency, Agent } from 'agency-swarm-js'\nexport const agency = new Agency(new Agent({ name: 'Solo', model: 'demo' }), { name: 'solo' })",
  )
  const server = startCli(['serve', '--port', '0'], { cwd: folder })
  if (ok) {
    const url = await addressOf(server)
    expect((await fetch(`${url}/solo/get_metadata`)).status).toBe(401)
    const headers = { authorization: 'Bearer from-file' }
    expect((await fetch(`${url}/solo/get_metadata`, { headers })).status).toBe(200)
  } else
    expect(await server.ended).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: \.env cannot be read: .*UTF-8/),
    })
})

test('docs/errors.md is up to date and has every error code', () => {
  const page = execFileSync(process.execPath, ['scripts/errors-doc.mjs'], { cwd: ROOT, encoding: 'utf8' })
  expect(readFileSync(join(ROOT, 'docs/errors.md'), 'utf8'), 'run: node scripts/errors-doc.mjs --write').toBe(page)
  const base = join(ROOT, 'src/base')
  const files = readdirSync(base).filter((file) => file.endsWith('errors.ts'))
  const source = files.map((file) => readFileSync(join(base, file), 'utf8')).join('\n')
  const made = new Set([...source.matchAll(/new AgencyError\(\s*'([A-Z_]+)'/g)].map(([, code]) => code as string))
  expect([...made].filter((code) => !page.includes(`### ${code}\n`))).toEqual([])
  for (const [code, { example }] of Object.entries(ERROR_CATALOGUE)) expect(example.code, code).toBe(code)
})

test('doctor explains error codes and names them for a project', {
  timeout: 60_000,
}, async () => {
  for (const code of ['PORT_TAKEN', 'model_failed', ' THREADS_FAILED ']) {
    const { out } = await runCli(['doctor', '--explain', code])
    expect(out).toContain(ERROR_CATALOGUE[code.trim().toUpperCase() as 'PORT_TAKEN'].remedy)
  }
  expect(await runCli(['doctor', '--explain', 'NOPE'])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/no error code "NOPE"\. Error codes: .*PORT_TAKEN/),
  })
  const folder = emptyFolder()
  installInto(folder)
  const look = async (source: string) => {
    writeFileSync(join(folder, 'agency.ts'), source)
    const { out } = await runCli(['doctor', '--json'], { cwd: folder, env: { PORT: '0', HOST: '192.0.2.1' } })
    const { findings } = JSON.parse(out) as { findings: { name: string; text: string; fix?: string; code?: string }[] }
    return (name: string) => findings.find((finding) => finding.name === name)
  }
  const lost = await look(
    "import { Agency, Agent } from 'agency-swarm-js'\nexport const agency = new Agency(new Agent({ name: 'Solo', model: 'gpt-5.4' }))",
  )
  expect(lost('Agency')).toMatchObject({ code: 'MISSING_API_KEY', fix: ERROR_CATALOGUE.MISSING_API_KEY.remedy })
  expect(lost('Port 0')).toMatchObject({ fix: expect.stringContaining('no address "192.0.2.1"') })
  const demo = await look(
    "import { Agency, Agent } from 'agency-swarm-js'\nexport const agency = new Agency(new Agent({ name: 'Solo', model: 'demo' }))",
  )
  expect(demo('Agency')?.fix).toMatch(/DEMO MODEL: .*AGENCY_MODEL/)
})

test('every line about a failure says when, and of which agency, agent and run', async () => {
  const lines: string[] = []
  const { error } = console
  console.error = (text: string) => void lines.push(text)
  try {
    const broken = tool({ name: 'x', execute: () => 'x' })
    const make = (name: string, more: object) =>
      new Agency(new Agent({ name: 'Solo', model: 'demo', tools: [broken] }), { name, ...more })
    const fail = () => {
      throw new Error('of mine')
    }
    const server = await serve({
      agencies: {
        guarded: new Agency(new Agent({ name: 'Solo', model: 'demo', inputGuardrails: [fail] })),
        unsaved: make('unsaved', { saveThreads: fail }),
        unloaded: make('unloaded', { loadThreads: fail }),
      },
      host: '127.0.0.1',
      port: 0,
      banner: false,
      handleSignals: false,
      onEvent: ({ kind }, { agency }) => {
        if (kind === 'item' && agency === 'unsaved') throw new Error('a listener')
      },
    })
    const body = JSON.stringify({ message: 'Hello' })
    for (const name of ['guarded', 'unsaved', 'unloaded'])
      await fetch(`${server.url}/${name}/get_response`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
    await server.close()
  } finally {
    console.error = error
  }
  const found = lines.map((line) => /^\d{4}-\d\d-\d\dT[\d:.]+Z (.*)$/.exec(line)?.[1] ?? line)
  const run = /runId=[\w-]{36} agency=\w+ agent=Solo/
  const of = (pattern: RegExp) => found.filter((line) => pattern.test(line))
  for (const pattern of [/^A run failed/, /^saveThreads failed/, /^onEvent failed/]) {
    expect(of(pattern).length, String(pattern)).toBeGreaterThan(0)
    for (const line of of(pattern)) expect(line).toMatch(run)
  }
  expect(of(/conversation could not be loaded/)).toEqual([expect.stringMatching(/route=\/unloaded\/get_response/)])
})
