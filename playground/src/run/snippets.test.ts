import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { agency } from '../../../examples/starter/agency.ts'
import { startServer } from '../../../tests/support/client.ts'
import { asClientCode, asCurl } from './snippets.ts'

const run = promisify(execFile)
const request = { message: "What's 17 plus 25? $HOME `id`" }

async function serveLocked() {
  process.env.SNIPPET_TOKEN = "it's secret"
  onTestFinished(() => {
    delete process.env.SNIPPET_TOKEN
  })
  const { url } = await startServer({ agencies: { starter: agency }, appTokenEnv: 'SNIPPET_TOKEN' })
  return {
    snippet: { baseUrl: url, agency: 'starter', request, token: true },
    env: { ...process.env, APP_TOKEN: "it's secret" },
  }
}

test('the curl command runs in a shell and asks what was asked', async () => {
  const { snippet, env } = await serveLocked()
  const { stdout } = await run('sh', ['-c', asCurl(snippet)], { env })
  expect(stdout).toContain('17 + 25 = 42')
  expect(stdout).toContain('data: [DONE]')
  expect(stdout).toContain('$HOME `id`')
})

test('a request too long for an argument runs in a shell as well', async () => {
  const { snippet, env } = await serveLocked()
  const file = { type: 'input_file', filename: 'a.txt', file_data: `data:text/plain;base64,${'QUFB'.repeat(50_000)}` }
  const content = [{ type: 'input_text', text: request.message }, file]
  const text = asCurl({ ...snippet, request: { message: [{ role: 'user', content }] } })
  const shell = run('sh', { env, maxBuffer: 10_000_000 })
  shell.child.stdin?.end(text)
  const { stdout } = await shell
  expect(stdout).toContain('17 + 25 = 42')
  expect(stdout).toContain('$HOME `id`')
})

test('the program runs and asks what was asked', async () => {
  const { snippet, env } = await serveLocked()
  const folder = mkdtempSync(join(tmpdir(), 'snippet-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const door = resolve(import.meta.dirname, '../../../src/client/index.ts')
  writeFileSync(join(folder, 'ask.ts'), asClientCode(snippet).replace("'agency-swarm-js/client'", JSON.stringify(door)))
  const { stdout } = await run(process.execPath, [join(folder, 'ask.ts')], { env })
  expect(stdout).toContain('17 + 25 = 42')
  expect(stdout).toContain('messages for the history')
})

test('neither names a key that the request brings', () => {
  const secret = {
    baseUrl: 'http://localhost:8000',
    agency: 'starter',
    token: true,
    request: {
      message: 'Hi',
      client_config: { api_key: 'sk-1', default_headers: { 'x-key': 'sk-2' }, litellm_keys: { anthropic: 'sk-3' } },
    },
  }
  for (const text of [asCurl(secret), asClientCode(secret)]) {
    expect(text).not.toMatch(/sk-\d/)
    expect(text).toContain('<api_key>')
  }
})
