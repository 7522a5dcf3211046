import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const INDEX = resolve(import.meta.dirname, '../src/index.ts')

/** Builds a server in a program of its own, where `hook` sees the address of every module. */
function build(options: string, hook: string): string {
  const watch = `import { registerHooks } from 'node:module'
registerHooks({ resolve(name, context, next) { const found = next(name, context); ${hook}; return found } })`
  const program = `import { buildApp, tool } from ${JSON.stringify(INDEX)}
const clock = tool({ name: 'clock', description: 'The time', execute: () => 'now' })
try { await (await buildApp({ tools: [clock], ${options} })).close() } catch (error) { console.log(error.code, error.message) }`
  const args = ['--import', `data:text/javascript,${encodeURIComponent(watch)}`, '--input-type=module', '-e', program]
  return spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout
}

test('without the option nothing of the MCP server is loaded', { timeout: 60_000 }, () => {
  const hook =
    "if (/@modelcontextprotocol|dialects.mcp.door|server.routes.mcp/.test(found.url)) console.log('loaded', found.url)"
  expect(build('', hook)).toBe('')
  expect(build('mcp: true', hook)).toContain('loaded')
})

test('without the packages the option is PACKAGE_MISSING', { timeout: 60_000 }, () => {
  for (const name of ['@modelcontextprotocol/server', '@modelcontextprotocol/node']) {
    const hook = `if (name === '${name}') throw Object.assign(new Error('gone'), { code: 'ERR_MODULE_NOT_FOUND' })`
    const said = build('mcp: true', hook)
    expect(said).toContain('PACKAGE_MISSING')
    expect(said).toContain(`npm install ${name}`)
  }
})
