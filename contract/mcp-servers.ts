// Runs agents with the reference servers of the Model Context Protocol. Prints a line per scene; exit code 1 when one failed.
//   node mcp-servers.ts                                     everything and filesystem
//   node mcp-servers.ts <the program of mcp-server-fetch>   that server
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Agency, Agent, type McpProgress, type McpServerConfig } from '../src/index.ts'
import { startUpstream } from '../tests/support/upstream.ts'

type Json = { [key: string]: unknown }
const packages = join(import.meta.dirname, 'node_modules/@modelcontextprotocol')
const EVERYTHING = join(packages, 'server-everything/dist/index.js')
const FILESYSTEM = join(packages, 'server-filesystem/dist/index.js')
const everything: McpServerConfig = { name: 'all', command: process.execPath, args: [EVERYTHING, 'stdio'] }
const [, , fetchProgram] = process.argv

let script: (
  body: Json,
  index: number,
) => Parameters<typeof startUpstream>[0] extends (...given: never) => infer T ? T : never
const upstream = await startUpstream((body) => script(body, upstream.seen.length - 1))
process.env.OPENAI_BASE_URL = upstream.baseURL
process.env.OPENAI_API_KEY = 'sk-contract-secret'

interface Session {
  agency: Agency
  /** The output of each of these calls, made in one turn. */
  ask(...calls: (readonly [name: string, args?: Json])[]): Promise<unknown[]>
  /** The names of the tools that the last model call was offered. */
  offered(): string[]
}

/** An agency with these servers; `ask` lets its model make calls. */
async function withServers(mcpServers: McpServerConfig[], use: (session: Session) => Promise<void>): Promise<void> {
  await using agency = new Agency(new Agent({ name: 'Clerk', model: 'gpt-4.1', mcpServers }))
  const bodies: Json[] = []
  await use({
    agency,
    async ask(...calls) {
      let asked = false
      script = (body) => {
        bodies.push(body)
        if (asked) return { text: 'ok' }
        asked = true
        return { calls: calls.map(([name, args = {}]) => ({ name, arguments: args })) }
      }
      const { newMessages } = await agency.getResponse('Go.')
      return newMessages.filter(({ type }) => type === 'function_call_output').map(({ output }) => output)
    },
    offered: () => ((bodies.at(-1) as Json).tools as { name: string }[]).map(({ name }) => name),
  })
}

/** The processes that run a program, as `ps` lists them. */
async function processesOf(program: string): Promise<number[]> {
  const child = spawn('ps', ['-eo', 'pid=,ppid=,args='], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const chunk of child.stdout) text += chunk
  return text.split('\n').flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/)
    return line.includes(program) && Number(parent) === process.pid ? [Number(pid)] : []
  })
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries === 200) throw new Error('This did not come true in 20 seconds.')
    await wait(100)
  }
}

/** The server over HTTP; `stop` ends it. */
async function startHttp(transport: 'streamableHttp' | 'sse', port = 0) {
  const probe = createServer().listen(port, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const own = (probe.address() as AddressInfo).port
  await new Promise((resolve) => probe.close(resolve))
  const env = { ...process.env, PORT: String(own) }
  const child = spawn(process.execPath, [EVERYTHING, transport], { env, stdio: 'ignore' })
  const url = `http://127.0.0.1:${own}/${transport === 'sse' ? 'sse' : 'mcp'}`
  await until(() =>
    fetch(url, { method: 'DELETE' }).then(
      () => true,
      () => false,
    ),
  )
  const stop = async () => {
    child.kill('SIGKILL')
    await new Promise((resolve) =>
      (child.exitCode ?? child.signalCode) === null ? child.once('exit', resolve) : resolve(0),
    )
  }
  return { url, port: own, stop }
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'contract-mcp-')))
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const scenes: { [name: string]: () => Promise<void> } = {
  'everything: texts, sums, structured content, environment'() {
    return withServers([everything], async ({ ask }) => {
      const [echo, sum, weather, env] = await ask(
        ['echo', { message: 'hi' }],
        ['get-sum', { a: 2, b: 3 }],
        ['get-structured-content', { location: 'New York' }],
        ['get-env'],
      )
      assert.match(String(echo), /hi/)
      assert.match(String(sum), /5/)
      assert.equal(typeof JSON.parse(String(weather)).temperature, 'number')
      assert.match(String(env), /PATH/)
      assert.doesNotMatch(String(env), /sk-contract-secret/)
    })
  },
  'everything: images, resources and links in results'() {
    return withServers([everything], async ({ ask }) => {
      const [image, text, blob, links, annotated] = await ask(
        ['get-tiny-image'],
        ['get-resource-reference', { resourceType: 'Text', resourceId: 1 }],
        ['get-resource-reference', { resourceType: 'Blob', resourceId: 2 }],
        ['get-resource-links', { count: 2 }],
        ['get-annotated-message', { messageType: 'success', includeImage: true }],
      )
      const types = (output: unknown) => (Array.isArray(output) ? output.map(({ type }) => type) : typeof output)
      assert.ok(types(image).includes('input_image'), JSON.stringify(image))
      assert.match(JSON.stringify(text), /demo:\/\/resource/)
      assert.match(JSON.stringify(blob), /demo:\/\/resource/)
      assert.match(JSON.stringify(links), /Resource demo:/)
      assert.ok(types(annotated).includes('input_image'), JSON.stringify(annotated))
    })
  },
  'everything: wrong arguments and failures reach the model'() {
    return withServers([everything], async ({ ask }) => {
      const [missing, wrong, odd] = await ask(
        ['echo', {}],
        ['get-sum', { a: 'two', b: 3 }],
        ['get-resource-reference', { resourceType: 'Text', resourceId: -1 }],
      )
      assert.match(String(missing), /message/)
      assert.match(String(wrong), /a/)
      assert.match(String(odd), /Error|error/)
    })
  },
  'everything: prefix, filters, equal names, approvals'() {
    const one: McpServerConfig = {
      ...everything,
      name: 'one',
      toolPrefix: 'one_',
      allowedTools: ['echo', 'get-sum'],
      needsApproval: ['get-sum'],
    }
    const two: McpServerConfig = {
      ...everything,
      name: 'two',
      blockedTools: ['get-env'],
      toolFilter: ({ name }) => name.startsWith('get-') || name === 'echo',
    }
    const three: McpServerConfig = { ...everything, name: 'three', allowedTools: ['echo'] }
    return withServers([one, two, three], async ({ ask, offered }) => {
      const [first, sum, second] = await ask(
        ['one_echo', { message: 'a' }],
        ['one_get-sum', { a: 1, b: 1 }],
        ['three_echo', { message: 'c' }],
      )
      assert.match(String(first), /a/)
      assert.match(String(sum), /approv/i)
      assert.match(String(second), /c/)
      const names = offered()
      assert.deepEqual(names.filter((name) => name.startsWith('one_')).sort(), ['one_echo', 'one_get-sum'])
      assert.ok(!names.some((name) => name.includes('get-env')))
      assert.equal(new Set(names).size, names.length)
      assert.equal(names.filter((name) => name.endsWith('echo')).length, 3)
    })
  },
  async 'everything: progress is told, keeps a call alive, and silence ends it'() {
    const told: McpProgress[] = []
    const call = ['trigger-long-running-operation', { duration: 3, steps: 6 }] as const
    await withServers(
      [{ ...everything, timeoutMs: 1_500, onProgress: (progress) => told.push(progress) }],
      async ({ ask }) => {
        assert.match(String(await ask(call)), /completed/i)
        assert.ok(told.length >= 5, JSON.stringify(told))
        assert.deepEqual([told[0]?.tool, told[0]?.total], ['trigger-long-running-operation', 6])
      },
    )
    await withServers([{ ...everything, timeoutMs: 400 }], async ({ ask }) => {
      const [late, echo] = await ask(
        ['trigger-long-running-operation', { duration: 60, steps: 1 }],
        ['echo', { message: 'still there' }],
      )
      assert.match(String(late), /silent for 400 ms/)
      assert.match(String(echo), /still there/)
    })
  },
  'everything: started at the first use, started again, ended with the agency'() {
    let agency: Agency | undefined
    return withServers([everything], async (session) => {
      agency = session.agency
      assert.deepEqual(await processesOf(EVERYTHING), [])
      await session.ask(['echo', { message: 'a' }])
      const [pid] = await processesOf(EVERYTHING)
      assert.ok(pid)
      process.kill(pid, 'SIGKILL')
      await until(async () => !(await processesOf(EVERYTHING)).includes(pid))
      assert.match(String(await session.ask(['echo', { message: 'again' }])), /again/)
      assert.equal((await processesOf(EVERYTHING)).length, 1)
      await agency.close()
      await until(async () => (await processesOf(EVERYTHING)).length === 0)
    })
  },
  async 'everything: over Streamable HTTP, and after the server was restarted'() {
    const first = await startHttp('streamableHttp')
    try {
      await withServers([{ name: 'web', url: first.url, toolPrefix: 'w_' }], async ({ ask }) => {
        assert.match(String(await ask(['w_echo', { message: 'one' }])), /one/)
        await first.stop()
        const second = await startHttp('streamableHttp', first.port)
        try {
          assert.match(String(await ask(['w_echo', { message: 'two' }])), /two/)
        } finally {
          await second.stop()
        }
      })
    } finally {
      await first.stop()
    }
  },
  async 'everything: over the older transport'() {
    const { url, stop } = await startHttp('sse')
    try {
      await withServers([{ name: 'old', url, transport: 'sse' }], async ({ ask }) => {
        const [echo, image] = await ask(['echo', { message: 'one' }], ['get-tiny-image'])
        assert.match(String(echo), /one/)
        assert.match(JSON.stringify(image), /data:image\/png/)
      })
    } finally {
      await stop()
    }
  },
  'filesystem: writes, reads, lists, shows an image, stays in its folder'() {
    writeFileSync(join(folder, 'pixel.png'), Buffer.from(PIXEL, 'base64'))
    const files: McpServerConfig = { name: 'files', command: process.execPath, args: [FILESYSTEM, folder] }
    return withServers([files], async ({ ask }) => {
      const note = join(folder, 'note.txt')
      assert.match(String(await ask(['write_file', { path: note, content: 'hello\nworld' }])), /note\.txt/)
      assert.equal(readFileSync(note, 'utf8'), 'hello\nworld')
      const [head, list, image, outside, edit] = await ask(
        ['read_text_file', { path: note, head: 1 }],
        ['list_directory', { path: folder }],
        ['read_media_file', { path: join(folder, 'pixel.png') }],
        ['read_text_file', { path: '/etc/hostname' }],
        ['edit_file', { path: note, edits: [{ oldText: 'world', newText: 'there' }], dryRun: false }],
      )
      assert.equal(head, 'hello')
      assert.match(String(list), /note\.txt/)
      assert.match(JSON.stringify(image), /"input_image".*data:image\/png/)
      assert.match(String(outside), /outside allowed/)
      assert.match(String(edit), /there/)
    })
  },
  async 'fetch: a page as text, and an address without one'() {
    const pages = createServer((request, response) => {
      if (request.url !== '/page') return response.writeHead(404).end('none')
      return response
        .setHeader('content-type', 'text/html')
        .end('<html><body><article><h1>Title</h1><p>Some words.</p></article></body></html>')
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => pages.once('listening', resolve))
    const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`
    const command = String(fetchProgram)
    try {
      await withServers(
        [{ name: 'fetch', command, args: ['--ignore-robots-txt', '--allow-private-ips'], startTimeoutMs: 180_000 }],
        async ({ ask }) => {
          const [page, none] = await ask(['fetch', { url: `${origin}/page` }], ['fetch', { url: `${origin}/none` }])
          assert.match(String(page), /Some words/)
          assert.match(String(none), /404/)
        },
      )
    } finally {
      pages.close()
    }
  },
}

let failed = 0
for (const [name, play] of Object.entries(scenes)) {
  if (name.startsWith('fetch') !== (fetchProgram !== undefined)) continue
  try {
    await play()
    console.log(`ok ${name}`)
  } catch (error) {
    failed++
    console.log(`FAIL ${name}`, error)
  }
}
await upstream.close()
rmSync(folder, { recursive: true })
process.exitCode = failed > 0 ? 1 : 0
