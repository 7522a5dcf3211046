import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDemoFetch } from '../../src/models/demo/demo.ts'
import { type Page, ROOT, readDoors, toModule } from './docs.ts'

/** The port that pages name; a free one takes its place. */
const PAGE_PORT = 8000

/** The demo model at an HTTP address of its own: what it is asked for under any name, it answers. */
export async function startDemoUpstream() {
  const demo = createDemoFetch({ paceMs: 0 })
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method = 'GET', headers } = request
    const type = headers['content-type']
    const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }
    const answer = await demo(`http://demo${request.url}`, {
      method,
      ...(type === undefined ? {} : { headers: { 'content-type': type } }),
      ...body,
    })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
    for await (const chunk of answer.body ?? []) response.write(chunk)
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, close }
}

/** Below the ports that the system gives to others. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const server = net.createServer().listen(port, '127.0.0.1')
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** A folder in which a page's program finds this package by its name, from the sources, and what that needs. */
function install(folder: string): string {
  const page = join(folder, 'page')
  const own = join(page, 'node_modules/agency-swarm-js')
  mkdirSync(own, { recursive: true })
  const doors = Object.entries(readDoors())
  const exports = Object.fromEntries(
    doors.map(([name, source]) => [name.replace('agency-swarm-js', '.'), `./${source}`]),
  )
  writeFileSync(join(own, 'package.json'), JSON.stringify({ name: 'agency-swarm-js', type: 'module', exports }))
  symlinkSync(join(ROOT, 'src'), join(own, 'src'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(page, 'package.json'), '{"type":"module"}')
  writeFileSync(join(page, 'shell.js'), SHELL)
  return page
}

const SHELL = `import { spawn } from 'node:child_process'
import { once } from 'node:events'

export async function shell(command) {
  const child = spawn('sh', ['-ec', command], { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error('the shell block ended with ' + code)
}
`

const MARK = '<<<block'

/**
 * The runnable blocks of a page, in order, as one program: TypeScript and JavaScript as they are, shell blocks where they
 * stand, against what the blocks before have started. Servers listen on a free port instead of 8000; one beside a server
 * that an earlier block left open on any other.
 */
function toProgram({ blocks }: Page, port: number): string {
  let taken = false
  const pieces = blocks
    .filter((block) => block.run)
    .map(({ language, code }, index) => {
      const [before = '', ...served] = code.split('serve({')
      const free = !taken || before.includes('.close()') ? port : 0
      if (served.length > 0 || code.includes('.close()')) taken = served.length > 0
      const own = code
        .replaceAll(String(PAGE_PORT), String(port))
        .replaceAll(/\bport: \d+/g, `port: ${free}`)
        .replaceAll(/\b(serve\(\{)/g, `$1 port: ${free}, banner: false,`)
      // The program waits for tests of a page, as a runner would.
      const piece =
        language === 'sh' ? `await shell(${JSON.stringify(own)})` : own.replaceAll(/^test\(/gm, 'await test(')
      return `console.log('\\n${MARK} ${index}>>>')\n${piece}`
    })
  const shell = "import { shell } from './shell.js'\n"
  // A page of tests ends by itself: only then its runner says whether one failed.
  const end = pieces.some((piece) => piece.includes("'node:test'")) ? '' : 'process.exit(0)\n'
  return `${toModule([shell, ...pieces])}\nconsole.log('\\n${MARK} end>>>')\n${end}`
}

export interface PageRun {
  /** What went wrong beside the output; empty when nothing did. */
  failure: string
  /** Of each runnable block: what the page says it prints, if it does, and what it printed. */
  blocks: { code: string; expected: string | undefined; printed: string }[]
}

/** Runs a page's program in a process of its own, with a model that answers as the demo does behind every name. */
export async function runPage(page: Page, baseURL: string): Promise<PageRun> {
  const folder = mkdtempSync(join(tmpdir(), 'docs-run-'))
  try {
    return await runIn(install(folder), page, baseURL)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function runIn(cwd: string, page: Page, baseURL: string): Promise<PageRun> {
  const port = await freePort()
  writeFileSync(join(cwd, 'program.ts'), toProgram(page, port))
  const { APP_TOKEN: _, ...clean } = process.env
  const keys = { OPENAI_API_KEY: 'sk-docs', AZURE_OPENAI_API_KEY: 'azure-docs', GATEWAY_KEY: 'gateway-docs' }
  const env = { ...clean, ...keys, OPENAI_BASE_URL: baseURL, NO_COLOR: '1' }
  const child = spawn(process.execPath, ['program.ts'], { cwd, env, timeout: 120_000 })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  const [code] = await once(child, 'close')
  const printed = out
    .replaceAll(String(port), String(PAGE_PORT))
    .split(/\n<<<block \w+>>>\n/)
    .slice(1)
  const blocks = page.blocks.filter((block) => block.run)
  return {
    failure: code === 0 ? '' : `ended with ${code}\n${err}`,
    blocks: blocks.map(({ code, expected }, index) => ({ code, expected, printed: (printed[index] ?? '').trim() })),
  }
}

/** Whether a block printed what its page says; `...` stands for anything, also nothing and several lines. */
export function agrees({ expected, printed }: PageRun['blocks'][number]): boolean {
  if (expected === undefined) return true
  const pattern = expected
    .trim()
    .split('...')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[\\s\\S]*?')
  return new RegExp(`^${pattern}$`).test(printed)
}
