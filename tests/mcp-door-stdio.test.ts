import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ERAS, type Era } from './support/mcp-door.ts'
import { startUpstream } from './support/upstream.ts'

vi.setConfig({ testTimeout: 60_000 }) // each starts a program

const CLI = resolve(import.meta.dirname, '../src/cli/main.ts')
const FILE = resolve(import.meta.dirname, 'support/mcp-stdio.ts')

/** A host that starts the command line, as Claude or Cursor does. */
async function start(era: Era, env: Record<string, string> = {}) {
  const errors: Error[] = []
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [CLI, 'mcp', FILE],
    env: { PATH: process.env.PATH ?? '', ...env },
    stderr: 'pipe',
  })
  let said = ''
  transport.stderr?.on('data', (chunk) => {
    said += chunk
  })
  const options = era === '2026-07-28' ? { versionNegotiation: { mode: { pin: era } } } : {}
  const client = new Client({ name: 'test', version: '1.0.0' }, options)
  client.onerror = (error) => errors.push(error)
  await client.connect(transport)
  onTestFinished(() => client.close())
  return { client, errors, said: () => said }
}

for (const era of ERAS) {
  test(`${era}: stdio serves tools and agencies`, async () => {
    const { client, errors, said } = await start(era)
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['look_up', 'ask_desk'])
    const found = await client.callTool({ name: 'look_up', arguments: { order: 7 } })
    expect(found.structuredContent).toEqual({ state: 'order 7 is on its way' })
    const answer = await client.callTool({ name: 'ask_desk', arguments: { message: 'Hello' } })
    expect(answer.structuredContent).toMatchObject({ response: expect.stringMatching(/./), run_id: expect.any(String) })
    expect(errors).toEqual([])
    expect(said()).toContain('loading')
    expect(said()).toContain('looking up')
  })

  test(`${era}: a call that is cancelled over stdio stops the model's call`, async () => {
    const upstream = await startUpstream(() => ({ hang: true }))
    onTestFinished(() => upstream.close())
    const env = { STDIO_MODEL: 'gpt-5-mini', OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-1' }
    const { client } = await start(era, env)
    const abort = new AbortController()
    const call = client.callTool({ name: 'ask_desk', arguments: { message: 'Hi' } }, { signal: abort.signal })
    await expect.poll(() => upstream.seen.length, { timeout: 10_000 }).toBe(1)
    abort.abort()
    await expect(call).rejects.toThrow()
    await upstream.seen[0]?.aborted
    expect((await client.listTools()).tools).toHaveLength(2)
  })
}

test('the program ends when its host closes stdin', async () => {
  const upstream = await startUpstream(() => ({ hang: true }))
  onTestFinished(() => upstream.close())
  const env = { ...process.env, STDIO_MODEL: 'gpt-5-mini', OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-1' }
  const program = spawn(process.execPath, [CLI, 'mcp', FILE], { env, stdio: ['pipe', 'pipe', 'ignore'] })
  onTestFinished(() => void program.kill('SIGKILL'))
  const send = (message: object) => program.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
  send({ id: 1, method: 'initialize', params })
  await once(program.stdout, 'data')
  send({ method: 'notifications/initialized' })
  send({ id: 2, method: 'tools/call', params: { name: 'ask_desk', arguments: { message: 'Hi' } } })
  await expect.poll(() => upstream.seen.length, { timeout: 10_000 }).toBe(1)
  program.stdin.end()
  const [code] = await once(program, 'exit')
  expect(code).toBe(0)
})
